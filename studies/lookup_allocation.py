"""How should a budget be shared out among the features: how many lookups each, and how wide?

Command: ue-bench study lookup_allocation --workers 2
Cost: 1,864 runs (864 of trials, 1,000 on fresh seeds); with --quick 64.
Expect: on `base` most lookups go to movie_id, the more so the smaller the table. The best
allocations beat the even one at 3.5 kB and hardly at 56 kB.

Each form has searches of its own: one shared table, and separate tables under each rule that sizes
them. A search gives every feature one to four lookups, and all lookups one dim, at a constant
budget: wider or more lookups mean fewer rows or more collisions. It starts from two lookups of 8
numbers everywhere. Each trial runs on three seeds, and the best one on twenty fresh seeds beside
the start. The last part asks one question alone, for the shared table: beside one lookup of 8
numbers for all features, which of them earns the second one?
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ue_bench.studies import table_size

from ue_bench.study import Grid, Search, Study
from ue_bench.study.fair_searches import fair_searches

BASE = replace(table_size.BASE, strategy="unified", lookups=2, dim=8)
# The features of ML-100K with their numbers of distinct values.
NAMES = {
    "user_id": 943,
    "movie_id": 1682,
    "gender": 2,
    "age": 61,
    "occupation": 21,
    "zip_code": 795,
}
CROSSES = {
    "genres": 216,
    "user_id*genres": 44_230,
    "movie_id*occupation": 18_552,
    "movie_id*gender": 3_139,
}
FORMS = ("unified", "per_feature")
SIZES = (64, 16, 4)


def second_lookups(names: Mapping[str, int], sizes: Iterable[int]) -> Grid:
    """One lookup of 8 numbers for all features, then a second one for each of them in turn.

    All have the budgets of the searches, which follow from 16 numbers a value.
    """
    one_each = replace(BASE, lookups=1)
    arms = []
    for size in sizes:
        sized = replace(one_each, budget=max(1, sum(names.values()) * 16 * 4 // size))
        arms.append(sized)
        arms += [replace(sized, lookups={name: 2}) for name in names]
    return Grid(tuple(arms), seeds=table_size.HEADLINE_SEEDS)


def parts(names: Mapping[str, int], _: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """The searches, for features of `base` with their distinct values."""
    return (
        *fair_searches(BASE, FORMS, names, SIZES, seeds=table_size.HEADLINE_SEEDS),
        second_lookups(names, SIZES),
    )


def quick_parts(names: Mapping[str, int], _: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """The middle size of the searches over the features of `base`, with little effort."""
    size = SIZES[1:2]
    return (
        *fair_searches(BASE, FORMS, names, size, trials=3, trial_seeds=2, startup=2, seeds=2),
        replace(second_lookups(names, size), seeds=2),
    )


STUDY = Study(
    question="which feature should get how many lookups, and does one shared table beat separate "
    "ones when each has its best allocation?",
    parts=parts(NAMES, NAMES | CROSSES),
    quick=quick_parts(NAMES, NAMES | CROSSES),
    latency=False,
    of_features=parts,
    quick_of_features=quick_parts,
)
