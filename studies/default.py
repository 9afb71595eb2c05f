"""How should features be embedded in a given memory: one shared table, separate or exact ones?

Command: make bench
Cost: 622 runs (142 of them of searches) and 48 timings; with --quick 66 and 24.
Expect: what `table_size` and `lookup_allocation` find, at three table sizes each and with a short
search.

`wide` is a stress of rare values and carries no headline.
"""

from collections.abc import Mapping
from dataclasses import replace

from ue_bench.studies import lookup_allocation, table_size
from ue_bench.studies.lookup_allocation import CROSSES, NAMES

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study
from ue_bench.study.fair_searches import fair_searches


def some_arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """All forms with two lookups of 8 numbers, and some with one of 16, to compare the second."""
    one_lookup = (
        replace(exact, strategy="unified"),
        replace(exact, strategy="per_feature"),
    )
    return *table_size.arms(exact, (2,)), *one_lookup


def parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """Two grids, and a search for the lookups of the features of `base` in one shared table."""
    return (
        Grid(some_arms(table_size.BASE), (32, 8, 2)),
        Grid(some_arms(table_size.WIDE), (512, 128, 32)),
        *fair_searches(lookup_allocation.BASE, ("unified",), names, (16,)),
    )


def quick_parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """One size of each grid, and fewer trials, on two seeds."""
    searches = fair_searches(
        lookup_allocation.BASE,
        ("unified",),
        names,
        (16,),
        trials=4,
        trial_seeds=1,
        startup=2,
        seeds=2,
    )
    return (
        Grid(some_arms(table_size.BASE), (8,), seeds=2),
        Grid(some_arms(table_size.WIDE), (128,), seeds=2),
        *searches,
    )


STUDY = Study(
    question="how should categorical features be embedded in a given memory: "
    "one shared table, a table each, or an exact one?",
    parts=parts(NAMES, NAMES | CROSSES),
    quick=quick_parts(NAMES, NAMES | CROSSES),
    of_features=parts,
    quick_of_features=quick_parts,
)
