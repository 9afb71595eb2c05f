"""Which method is best at equal bytes with a recipe that suits it, and does multiplexing help all?

Command: ue-bench study methods --workers 2
Cost: 33,956 runs (26,496 of trials); with --quick 130.
Expect: on `base` the compressed exact tables ahead by bytes of table (4-bit and 8-bit rows, low
dimension, product quantisation); on `wide`, where they no longer fit, the hashed methods in their
multiplexed form. Multiplexing helps nearly every method in small tables.

Each strategy is tuned in each of its forms, under each rule that sizes separate regions, and at
each size, on validation: 24 trials on three seeds over the same space of learning rate, dropout,
weight decay, lookups of each feature, dim and bits, with the method's own knobs. The first trial is
the default. Methods with exact rows have no use for a second lookup, and search dim and bits alone.
The best configuration of each search then runs on ten fresh seeds, beside the default one.

`wide` is a stress of rare values and carries no headline.
"""

from collections.abc import Mapping
from dataclasses import replace

from ue_bench.studies import table_size
from ue_bench.studies.lookup_allocation import BASE, CROSSES, NAMES

from ue_bench.strategies import STRATEGIES
from ue_bench.study import Search, Study
from ue_bench.study.fair_searches import DIMS, RECIPE, fair_searches

SIZES = (8, 16, 32)
WIDE = replace(table_size.WIDE, strategy="unified", lookups=2, dim=8)
WIDE_SIZES = (128,)
BITS = ("float32", "int8", "int4", "int2", "int1")
VECTORS = DIMS[1:]  # qr_concat puts two rows side by side, which takes two numbers


def parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Search, ...]:
    """The searches, for features of `base` and of `wide`."""
    return (
        *fair_searches(BASE, STRATEGIES, names, SIZES, RECIPE, VECTORS, BITS),
        *fair_searches(WIDE, STRATEGIES, wide, WIDE_SIZES, RECIPE, VECTORS, BITS),
    )


def quick_parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Search, ...]:
    """One size and one form of each strategy, with the default and one more trial, on few seeds."""
    searches = fair_searches(
        replace(BASE, epochs=6),
        STRATEGIES,
        names,
        SIZES[1:2],
        RECIPE,
        VECTORS,
        BITS,
        trials=2,
        trial_seeds=1,
        startup=1,
        seeds=2,
        against=(),
    )
    quick = []
    for search in searches:
        rule = search.base.region_rule
        if rule is None or (rule == "equal" and search.base.strategy == "per_feature"):
            quick.append(search)
    return tuple(quick)


STUDY = Study(
    question="which method is best at equal bytes, and does multiplexing help every one of them?",
    parts=parts(NAMES, NAMES | CROSSES),
    quick=quick_parts(NAMES, NAMES | CROSSES),
    of_features=parts,
    quick_of_features=quick_parts,
)
