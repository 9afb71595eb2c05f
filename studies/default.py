"""How should features be embedded in a given memory: one shared table, separate or exact ones?

Command: make bench
Cost: 274 runs, 43 of them timings, 7 minutes on 2 cores with setting up; with --quick 38
runs and their timings, a minute or two.
Expect: what `table_size` and `lookup_allocation` find, at three table sizes each and with a short
search.
"""

from collections.abc import Mapping
from dataclasses import replace

from ue_bench.studies.lookup_allocation import CROSSES, NAMES, against, as_wide, up_to_four
from ue_bench.studies.table_size import BASE, WIDE, arms

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study


def some_arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """All forms with two lookups of 8 numbers, and some with one of 16, to compare the second."""
    one_lookup = (
        replace(exact, strategy="unified"),
        replace(exact, strategy="per_feature"),
    )
    return *arms(exact, (2,)), *one_lookup


def parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """Two grids, and a search for the lookups of the features of `wide`."""
    base = as_wide(wide)
    search = Search(
        base=base,
        space=up_to_four(wide),
        trials=16,
        compression=128,
        against=against(base),
    )
    return (
        Grid(some_arms(BASE), (32, 8, 2)),
        Grid(some_arms(WIDE), (512, 128, 32)),
        search,
    )


def quick_parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """One size of each grid, and fewer trials, on two seeds."""
    base = as_wide(wide)
    search = Search(
        base=base,
        space=up_to_four(wide),
        trials=4,
        compression=128,
        against=against(base),
        best=1,
        seeds=2,
    )
    return (
        Grid(some_arms(BASE), (8,), seeds=2),
        Grid(some_arms(WIDE), (128,), seeds=2),
        search,
    )


STUDY = Study(
    question="how should categorical features be embedded in a given memory: "
    "one shared table, a table each, or an exact one?",
    parts=parts(NAMES, NAMES | CROSSES),
    quick=quick_parts(NAMES, NAMES | CROSSES),
    of_features=parts,
    quick_of_features=quick_parts,
)
