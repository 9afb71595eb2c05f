"""With the number of lookups fixed, which feature should get how many?

Command: ue-bench study lookup_allocation --workers 2
Cost: 810 runs (440 trials, 370 on fresh seeds), 36 minutes on 2 cores that other programs used too;
with --quick 34 runs, a minute.
Expect: on `base` most of what is shared out goes to movie_id, the more so the smaller the table,
whatever the cardinalities are. The best allocations beat the even one at 3.5 kB and hardly at
56 kB.

Every search shares out a fixed total at one table size. On `base`, 12 lookups of 8 numbers become
18 in two ways. The dim is held: 18 of 8, from 12 of 8, so that the trunk grows from 96 numbers to
144. Or the width is held: 18 of 8, from 12 of 12, which are 144 both times, so that the lookups get
narrower. Both policies meet at 18 of 8, where one search answers for both; so does the search of 20
of 8 on `wide`. One lookup more than one for each feature asks which feature earns the second: all
answers are tried, and all are run on fresh seeds. The last two parts search table size, dim and
lookups together for the front of MSE and bytes, by TPE and at random, on the same seeds. All sizes
are in bytes of table, and the same for all parts of a feature set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study, shares

BASE = RunConfig(features="base", lookups=2, dim=8)
WIDE = RunConfig(features="wide", dim=None, width=160)
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
SHARES = (128, 64, 32, 16, 8, 4, 2)  # of the bytes of an exact table of 16 numbers a value
SIZES = (64, 16, 4)
WIDE_SIZES = (512, 128, 32)


def against(base: RunConfig) -> tuple[RunConfig, ...]:
    """One and two lookups everywhere."""
    return base, replace(base, lookups=2)


def up_to_four(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The space of one to four lookups of each feature."""
    return {f"lookups.{name}": (1, 2, 3, 4) for name in names}


def as_wide(names: Iterable[str]) -> RunConfig:
    """`wide` at a width that is two lookups of 8 numbers a feature."""
    return replace(WIDE, width=16 * len(tuple(names)))


def shared_out(
    base: RunConfig, names: Iterable[str], each: int, sizes: Iterable[int], trials: int, seed: int
) -> list[Search]:
    """A search at each size for the best allocation of `each` lookups a feature.

    The best are confirmed beside the even allocation.
    """
    names = tuple(names)
    total = each * len(names)
    searches = []
    for place, size in enumerate(sizes):
        search = Search(
            base=base,
            space=shares(names, total),
            trials=trials,
            against=(replace(base, lookups=each),),
            compression=size,
            best=2,
            seed=seed + place,
            total=total,
        )
        searches.append(search)
    return searches


def second(base: RunConfig, names: Iterable[str], sizes: Iterable[int], seed: int) -> list[Search]:
    """A second lookup for each feature in turn, beside one lookup for all features."""
    names = tuple(names)
    total = len(names) + 1
    searches = []
    for place, size in enumerate(sizes):
        search = Search(
            base=base,
            space=shares(names, total),
            trials=len(names),
            against=(replace(base, lookups=1),),
            compression=size,
            best=len(names),
            seed=seed + place,
            total=total,
        )
        searches.append(search)
    return searches


def both(names: Mapping[str, int], sampler: str) -> Search:
    """Table size, dim and lookups together."""
    exact = sum(names.values()) * 16 * 4
    budgets = tuple(max(1, exact // share) for share in SHARES)
    return Search(
        base=replace(BASE, budget=budgets[0]),
        space={**up_to_four(names), "dim": (4, 8, 16), "budget": budgets},
        trials=32,
        objectives=("quality.val_mse", "cost.total_bytes"),
        seed=50,
        sampler=sampler,
    )


def parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Grid | Search, ...]:
    """The searches, for features of `base` and of `wide` with their distinct values."""
    held_width = replace(BASE, dim=None, width=24 * len(names))
    held_width_sizes = [size * 3 // 2 for size in SIZES]
    even_wide = replace(as_wide(wide), lookups=2)
    wide_of_8 = replace(WIDE, dim=8, width=None, lookups=2)
    return (
        *shared_out(BASE, names, each=2, sizes=SIZES, trials=30, seed=0),
        *shared_out(BASE, names, each=3, sizes=SIZES, trials=30, seed=10),
        *shared_out(held_width, names, each=2, sizes=held_width_sizes, trials=30, seed=20),
        *shared_out(even_wide, wide, each=2, sizes=WIDE_SIZES, trials=26, seed=30),
        *second(BASE, names, sizes=SIZES, seed=40),
        *second(wide_of_8, wide, sizes=WIDE_SIZES[1:2], seed=45),
        both(names, "tpe"),
        both(names, "random"),
    )


def quick_parts(names: Mapping[str, int], wide: Mapping[str, int]) -> tuple[Search, ...]:
    """The middle size of two searches over the features of `base`, on two fresh seeds."""
    size = SIZES[1:2]
    searches = (
        *shared_out(BASE, names, each=2, sizes=size, trials=8, seed=0),
        *second(BASE, names, sizes=size, seed=40),
    )
    return tuple(replace(search, seeds=2) for search in searches)


STUDY = Study(
    question="with the number of lookups fixed, which feature should get how many?",
    parts=parts(NAMES, NAMES | CROSSES),
    quick=quick_parts(NAMES, NAMES | CROSSES),
    latency=False,
    of_features=parts,
    quick_of_features=quick_parts,
)
