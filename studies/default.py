"""How should categorical features be embedded in a given memory: one shared table, a table each, or an exact one?

Command: make bench
Cost: 274 runs, 43 of them timings, 7 minutes on 2 cores with setting up.
Expect: what `table_size` and `lookup_allocation` find, at three table sizes each and with a short search.
"""

from collections.abc import Mapping
from dataclasses import replace

from ue_bench.studies.lookup_allocation import CROSSES, NAMES, against, as_wide, up_to_four
from ue_bench.studies.table_size import BASE, WIDE, arms

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study


def some_arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """All forms with two lookups of 8, and with one of 16 those that tell what the second is worth."""
    return (
        *arms(exact, (2,)),
        replace(exact, strategy="unified"),
        replace(exact, strategy="per_feature"),
    )


def parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """Two grids, and a search for the lookups of the features of `wide`."""
    width = as_wide(wide)
    return (
        Grid(some_arms(BASE), (32, 8, 2)),
        Grid(some_arms(WIDE), (512, 128, 32)),
        Search(width, up_to_four(wide), trials=16, compression=128, against=against(width)),
    )


STUDY = Study(
    question="how should categorical features be embedded in a given memory: one shared table, a table each, or an exact one?",
    parts=parts(NAMES, NAMES | CROSSES),
    of_features=parts,
)
