"""Does the answer hold on other splits, and which splits can tell strategies apart at all?

Command: ue-bench study splits --workers 2
Cost: 280 runs, 7 minutes on 2 cores that other programs used too.
Expect: on the random and the temporal split by user the order of every other study; on the other two most judged rows have users
never seen in training, and no arm beats the bias model. Only the random split depends on the split seed.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE, RULES, WIDE

from ue_bench.config import CHOICES, RunConfig
from ue_bench.study import Grid, Study


def arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table and each hashed form with two lookups of 8 numbers, on every split."""
    hashed = replace(exact, strategy="unified", lookups=2, dim=8)
    forms = (
        exact,
        hashed,
        *(replace(hashed, strategy="per_feature", region_rule=rule) for rule in RULES),
    )
    return tuple(replace(form, split=split) for split in CHOICES["split"] for form in forms)


STUDY = Study(
    question="does the answer hold on other splits, and which of them can tell strategies apart?",
    parts=(Grid(arms(BASE), (8, 32)), Grid(arms(WIDE), (128,))),
    latency=False,
)
