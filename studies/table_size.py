"""At which table sizes do the strategies differ, and which one is best there?

Command: ue-bench study table_size --workers 2
Cost: 620 runs and 124 timings, 15 minutes on 2 cores, 27 on busy ones; with --quick 44
runs and 22 timings, a minute or two.
Expect: on `base` the strategies separate below 1/8 of the exact table's bytes and meet above. On
`wide`, where tables are large, the unified table with two lookups stays within 0.03 of the exact
one down to 1/128, and the rule that sizes the separate tables decides as much as the method does.
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
    forms = [replace(exact, strategy="unified")]
    for rule in RULES:
        forms.append(replace(exact, strategy="per_feature", region_rule=rule))
    configs = [exact, *anchor_arms(exact)]
    for form in forms:
        configs += [replace(form, lookups=n, dim=16 // n) for n in lookups]
    return tuple(configs)


STUDY = Study(
    question="at which table sizes do the strategies differ, and which one is best there?",
    parts=(
        Grid(arms(BASE), (64, 32, 16, 8, 4, 2, 1), seeds=HEADLINE_SEEDS),
        Grid(arms(WIDE), (512, 256, 128, 64, 32, 16, 8), seeds=HEADLINE_SEEDS),
    ),
    quick=(Grid(arms(BASE), (32, 8), seeds=2),),
)
