"""Why is one shared table better: fewer collisions, weights that make them harmless, or both?

Command: ue-bench study why --workers 2
Cost: 460 runs; with --quick 16.
Expect: the measured shares of collision-free values on the formulas. At equal bytes, more of them
in one shared table, and a lower MSE with them. In the single-layer model (head `linear`), angles
between the features' weights that grow in a shared table, most of all in a small one, and stay
where they began in separate ones.

Every run records its collisions, the load of its rows and these angles (docs/diagnostics.md). All
tables have one lookup of 16 numbers.

`wide` is a stress of rare values and carries no headline.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(features="base", diagnose=True)
WIDE = replace(BASE, features="wide")


def arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table, the shared one and separate ones of two sizes, under two heads."""
    separate = replace(base, strategy="per_feature")
    forms = (
        replace(base, strategy="collisionless"),
        replace(base, strategy="unified"),
        replace(separate, region_rule="equal"),
        replace(separate, region_rule="proportional"),
    )
    configs = []
    for head in ("linear", "mlp"):
        configs += [replace(form, head=head) for form in forms]
    return tuple(configs)


STUDY = Study(
    question="why does one shared table do better: fewer collisions, "
    "weights that make them harmless, or both?",
    parts=(Grid(arms(BASE), (64, 16, 4, 1)), Grid(arms(WIDE), (512, 64, 8))),
    quick=(Grid(arms(BASE), (16,), seeds=2),),
    latency=False,
)
