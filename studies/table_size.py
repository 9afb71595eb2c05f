"""At which table sizes do the strategies differ, and which one is best there?

Command: ue-bench study table_size --workers 2
Cost: 570 runs and 114 timings, 15 minutes on 2 cores, 27 on busy ones.
Expect: on `base` the strategies separate below 1/8 of the exact table's bytes and meet above; on `wide`, where tables are large,
the unified table with two lookups stays within 0.03 of the exact one down to 1/128, and the rule that sizes the separate tables
decides as much as the method does.
"""

from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(features="base", strategy="collisionless")
WIDE = RunConfig(
    features="wide", strategy="collisionless", evals_per_epoch=4, patience=2
)  # large tables peak in the first epoch
RULES = ("proportional", "sqrt", "equal")


def arms(exact: RunConfig, lookups: tuple[int, ...] = (1, 2)) -> tuple[RunConfig, ...]:
    """The exact table, then each hashed form with one lookup of 16 numbers and with two of 8."""
    forms: list[dict[str, Any]] = [
        {"strategy": "unified"},
        *({"strategy": "per_feature", "region_rule": rule} for rule in RULES),
    ]
    return exact, *(
        replace(exact, **form, lookups=n, dim=16 // n) for form in forms for n in lookups
    )


STUDY = Study(
    question="at which table sizes do the strategies differ, and which one is best there?",
    parts=(
        Grid(arms(BASE), (64, 32, 16, 8, 4, 2, 1)),
        Grid(arms(WIDE), (512, 256, 128, 64, 32, 16, 8)),
    ),
)
