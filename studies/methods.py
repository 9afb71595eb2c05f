"""Which method is best at equal bytes with a recipe that suits it, and does multiplexing help all?

Command: ue-bench study methods --workers 2
Cost: 22,600 runs (19,800 of trials) at the most; with --quick 142.
Expect: few bits in nearly every winner. Exact rows of few bits and their kin ahead by bytes of
table at 1/16 and more, and hashed rows of few bits ahead below, and wherever vocabularies are
counted.

Each strategy is tuned in each of its forms at each size, on validation: 24 trials on three seeds
over the same space of learning rate, dropout, weight decay, lookups of each feature, dim, bits and
the rule that sizes separate regions, with the method's own knobs. The first trial is the default
recipe in two bits, with which a search is soon near its best (in `bits`, floats at 1/128 are .11
behind). A trial that is .004 worse than the best one of earlier batches after its first seed has no
others: the cost above is the most that it can be. In the searches of `lookup_allocation` the
distance of two trials on the first seed is off that on three by .0062 (standard deviation), and the
margin would have left none of the 12 winners and 35 % of the runs (tests/whole/test_published.py).
The first run of a trial ends after eight epochs where it is still .12 worse. In the searches of
`lookup_allocation`, whose floats learn slowly, that would have ended no trial that the margin
keeps; .05 would have ended 18 of them, three of them winners (a test beside that one).
Methods with exact rows have no use for a second lookup, and search dim and bits alone. A lookup has
from one number to 64; the report says how many winners lie on an end of that. The best
configuration of each search then runs on ten fresh seeds.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ue_bench.studies.lookup_allocation import BASE, NAMES

from ue_bench.config import RunConfig
from ue_bench.strategies.registry import static_strategies
from ue_bench.study import Search, Study
from ue_bench.study.fair_searches import DIMS, RECIPE, fair_searches

SIZES = (128, 16, 4, 32, 8)  # the ends and the middle first
MARGIN = 0.004  # MSE
GIVE_UP = (8, 0.12)  # epochs, MSE
BITS = ("int2", "float32", "int8", "int4", "int1")  # the first trial has the first
VECTORS = (*DIMS, 64)


def searches(
    names: Mapping[str, int], base: RunConfig, sizes: tuple[int, ...], **terms: Any
) -> tuple[Search, ...]:
    """A search of each form at each size, whose best one is confirmed alone."""
    return fair_searches(
        base,
        static_strategies(),
        names,
        sizes,
        RECIPE,
        VECTORS,
        BITS,
        True,
        against=(),
        margin=MARGIN,
        give_up=GIVE_UP,
        **terms,
    )


def parts(names: Mapping[str, int], _: Mapping[str, int]) -> tuple[Search, ...]:
    """The searches, for features of `base` with their distinct values."""
    return searches(names, BASE, SIZES)


def quick_parts(names: Mapping[str, int], _: Mapping[str, int]) -> tuple[Search, ...]:
    """One size, with the default and one more trial, on few seeds; one form of each method."""
    base = replace(BASE, epochs=6)
    forms = searches(names, base, SIZES[1:2], trials=2, trial_seeds=1, startup=1, seeds=2)
    quick = []
    for search in forms:
        if search.base.regions != "separate" or search.base.strategy == "per_feature":
            quick.append(search)
    return tuple(quick)


STUDY = Study(
    question="which method is best at equal bytes, and does multiplexing help every one of them?",
    parts=parts(NAMES, {}),
    quick=quick_parts(NAMES, {}),
    of_features=parts,
    quick_of_features=quick_parts,
)
