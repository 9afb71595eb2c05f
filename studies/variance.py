"""What share of a result's variance is each seed's, and how bad is the worst hash seed?

Command: ue-bench study variance --workers 2
Cost: 490 runs; with --quick 50.
Expect: the split's share above all others together, most of it as the bias model's error has it. It
is common to all strategies, and pairing by seed removes it. The worst of 50 hash seeds is two to
three standard deviations above their median.

The seeds are crossed: each value of a seed meets each value of every other seed once, so that a
mixed model tells their effects apart, and what they do together. The last part varies the hash seed
alone, as a service may: it has one.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

COMPRESSION = 16  # of `base`
HASH_SEEDS = 50


def two_lookups(exact: RunConfig) -> tuple[RunConfig, RunConfig]:
    """Two lookups of 8 numbers, in one table and in separate ones of equal size."""
    shared = replace(exact, strategy="unified", lookups=2, dim=8)
    separate = replace(shared, strategy="per_feature", region_rule="equal")
    return shared, separate


def one_service() -> tuple[RunConfig, ...]:
    """What is hashed once and served: rows, blocks and single numbers."""
    shared, separate = two_lookups(BASE)
    return (
        shared,
        replace(shared, lookups=1, dim=16),
        separate,
        replace(shared, strategy="robe", regions="multiplexed"),
        replace(shared, strategy="hashed_net", regions="multiplexed"),
    )


STUDY = Study(
    question="what share of a result's variance is the hash seed's, the init seed's, "
    "the batch order's and the split's, and how bad is the worst hash seed?",
    parts=(
        Grid(two_lookups(BASE), (COMPRESSION,), seeds=11, crossed=True),
        Grid(one_service(), (COMPRESSION,), seeds=HASH_SEEDS, vary=("hash_seed",)),
    ),
    quick=(Grid(two_lookups(BASE), (COMPRESSION,), seeds=5, crossed=True),),
    latency=False,
)
