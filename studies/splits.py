"""Does the answer hold on other splits, and which splits can tell strategies apart at all?

Command: ue-bench study splits --workers 2
Cost: 560 runs; with --quick 80.
Expect: on the random split and the temporal split by user, the order of every other study. On the
other two, most judged rows have users never seen in training, and no arm beats the bias model. Only
the random split depends on the split seed.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE, RULES

from ue_bench.config import CHOICES, RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.study import Grid, Study, anchor_arms

SPLITS = tuple(split for split in CHOICES["split"] if split != STREAM)


def arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table, the anchors and each hashed form with two lookups of 8, on every split."""
    shared = replace(exact, strategy="unified", lookups=2, dim=8)
    separate = replace(shared, strategy="per_feature")
    forms = [exact, *anchor_arms(exact), shared]
    for rule in RULES:
        forms.append(replace(separate, region_rule=rule))
    configs = []
    for split in SPLITS:
        configs += [replace(form, split=split) for form in forms]
    return tuple(configs)


STUDY = Study(
    question="does the answer hold on other splits, and which of them can tell strategies apart?",
    parts=(Grid(arms(BASE), (8, 32)),),
    quick=(Grid(arms(BASE), (32,), seeds=2),),
    latency=False,
)
