"""At which table sizes do the strategies differ, and which one is best there?

Command: ue-bench study table_size --workers 2
Cost: 2,700 runs and 180 timings; with --quick 44 and 22.
Expect: on `base` the strategies separate below 1/8 of the exact table's bytes and meet above. On
`wide` the unified table with two lookups stays within 0.03 of the exact one down to 1/128, and the
rule that sizes the separate tables decides as much as the method does. `wide` is a stress of rare
values (two in five test rows hold a value that training has not seen). It carries no headline and
runs on half as many seeds.

With two lookups, each form also runs with exact rows for features of at most 100 values
(`low_cardinality`): a small table that is hashed may give two genders one row.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study, anchor_arms

BASE = RunConfig(features="base", strategy="collisionless")
WIDE = replace(BASE, features="wide")
HEADLINE_SEEDS = 20  # of what the README quotes
RULES = ("proportional", "sqrt", "equal")


def arms(exact: RunConfig, lookups: tuple[int, ...] = (1, 2)) -> tuple[RunConfig, ...]:
    """The exact table, the anchors, each hashed form with one lookup of 16 numbers and two of 8."""
    configs = [exact, *anchor_arms(exact)]
    for form in forms(exact):
        configs += [replace(form, lookups=n, dim=16 // n) for n in lookups]
    return tuple(configs)


def forms(exact: RunConfig) -> list[RunConfig]:
    """One shared table, and separate ones under each rule."""
    separate = replace(exact, strategy="per_feature")
    return [
        replace(exact, strategy="unified"),
        *[replace(separate, region_rule=rule) for rule in RULES],
    ]


def with_few_exact(exact: RunConfig) -> tuple[RunConfig, ...]:
    """Each hashed form with two lookups of 8, where features of few values have exact rows."""
    two = replace(exact, lookups=2, dim=8, low_cardinality="exact")
    return tuple(forms(two))


STUDY = Study(
    question="at which table sizes do the strategies differ, and which one is best there?",
    parts=(
        Grid(
            (*arms(BASE), *with_few_exact(BASE)),
            (64, 32, 16, 8, 4, 2, 1),
            seeds=HEADLINE_SEEDS,
        ),
        Grid(
            (*arms(WIDE), *with_few_exact(WIDE)),
            (512, 256, 128, 64, 32, 16, 8),
        ),
    ),
    quick=(Grid(arms(BASE), (32, 8), seeds=2),),
)
