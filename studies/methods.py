"""Which method is best at equal bytes with a recipe that suits it, and does multiplexing help all?

Command: ue-bench study methods --workers 2
Cost: 2,077 runs in 94 minutes on 2 cores that other programs used too; with --quick 206 runs in
4 minutes 2 seconds.
Expect: on `base` the compressed exact tables ahead by bytes of table (4-bit and 8-bit rows, low
dimension, product quantisation); on `wide`, where they no longer fit, the hashed methods in their
multiplexed form. Multiplexing helps nearly every method in small tables.

Each strategy in each form is tuned first, on validation, at the middle size (the next milder one
where it cannot work): the same number of trials over the same space of learning rate, dropout and
weight decay, with the method's own knob and, for separate regions, the rule that sizes them. The
best recipe is then run on fresh seeds at all three sizes.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.strategies import STRATEGIES
from ue_bench.study import Search, Study

BASE = RunConfig(features="base", lookups=2, dim=8)
WIDE = replace(BASE, features="wide")
RECIPE = {
    "lr": (1e-3, 2e-3, 4e-3, 8e-3),
    "dropout": (0.0, 0.2, 0.4),
    "weight_decay": (0.0, 1e-6, 1e-5),
}
RULE = {"region_rule": ("proportional", "sqrt", "equal")}


def searches(
    base: RunConfig, compressions: tuple[int, ...], trials: int, seeds: int
) -> tuple[Search, ...]:
    """One search for each strategy in each of its forms, at the middle size."""
    middle = compressions[len(compressions) // 2]
    searches = []
    for name, entry in STRATEGIES.items():
        knobs = {f"options.{knob}": values for knob, values in entry.search.items()}
        for regions in entry.regions:
            space = RECIPE | knobs
            if regions == "separate":
                space |= RULE
            search = Search(
                base=replace(base, strategy=name, regions=regions),
                space=space,
                trials=trials,
                compression=middle,
                confirm=compressions,
                best=1,
                seeds=seeds,
            )
            searches.append(search)
    return tuple(searches)


STUDY = Study(
    question="which method is best at equal bytes, and does multiplexing help every one of them?",
    parts=(
        *searches(BASE, (8, 16, 32), trials=8, seeds=5),
        *searches(WIDE, (32, 128, 512), trials=8, seeds=5),
    ),
    quick=searches(replace(BASE, epochs=6), (16,), trials=2, seeds=2),
)
