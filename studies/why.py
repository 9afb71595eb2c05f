"""Why does one shared table do better than a table each: fewer collisions, weights that make them harmless, or both?

Command: ue-bench study why --workers 2
Cost: 230 runs, 5 minutes on 2 cores.
Expect: the measured shares of collision-free values on the formulas; at equal bytes more of them in one shared table, and a lower
MSE with them; in the single-layer model (head `linear`) angles between the features' weights that grow in a shared table, most of
all in a small one, and stay where they began in separate ones. Every run records its collisions, the load of its rows and these
angles (docs/diagnostics.md). One lookup of 16 numbers throughout.
"""

from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(features="base", diagnose=True)
WIDE = replace(
    BASE, features="wide", evals_per_epoch=4, patience=2
)  # large tables peak in the first epoch


def arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table, the shared one and two ways of sizing separate ones, under a head of one layer and of two."""
    forms: tuple[dict[str, Any], ...] = (
        {"strategy": "collisionless"},
        {"strategy": "unified"},
        {"strategy": "per_feature", "region_rule": "equal"},
        {"strategy": "per_feature", "region_rule": "proportional"},
    )
    return tuple(replace(base, head=head, **form) for head in ("linear", "mlp") for form in forms)


STUDY = Study(
    question="why does one shared table do better: fewer collisions, weights that make them harmless, or both?",
    parts=(Grid(arms(BASE), (64, 16, 4, 1)), Grid(arms(WIDE), (512, 64, 8))),
    latency=False,
)
