"""With the number of lookups fixed, which feature should get how many?

Command: ue-bench study lookup_allocation --workers 2
Cost: 810 runs (440 trials, 370 on fresh seeds), 36 minutes on 2 cores that other programs used too.
Expect: on `base` most of what is shared out goes to movie_id, the more so the smaller the table, whatever cardinality says: the
best allocations beat the even one at 3.5 kB and hardly at 56 kB.
Every search shares out a fixed total at one table size. On `base` 12 lookups of 8 numbers become 18 in two ways: the dim is held
(18 of 8, from 12 of 8: the trunk grows from 96 numbers to 144), or the width is held (18 of 8, from 12 of 12: 144 both times, the
lookups get narrower). Where both policies meet, at 18 of 8, one search answers for both; so does that of 20 of 8 on `wide`.
One lookup more than one a feature asks which feature earns the second: all answers are tried, and all are run on fresh seeds.
The last two parts search table size, dim and lookups together for the front of MSE and bytes, by TPE and at random, on the
same seeds. All sizes are in bytes of table, alike for all parts of a feature set.
"""

from collections.abc import Iterable
from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Search, Study, shares

BASE = RunConfig(features="base", lookups=2, dim=8)
WIDE = RunConfig(features="wide", dim=None, width=160, evals_per_epoch=4, patience=2)
NAMES = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
BASE_SPACE = {f"lookups.{name}": (1, 2, 3, 4) for name in NAMES}
CROSSES = ("genres", "user_id*genres", "movie_id*occupation", "movie_id*gender")
WIDE_SPACE = {**BASE_SPACE, **{f"lookups.{name}": (1, 2, 3, 4) for name in CROSSES}}
BUDGETS = (1752, 3504, 7008, 14016, 28032, 56064, 112128)  # 1/128 to 1/2 of the bytes of an exact table of 16 numbers a value
SIZES = (64, 16, 4)  # of that table
WIDE_SIZES = (512, 128, 32)


def against(base: RunConfig) -> tuple[RunConfig, ...]:
    """One and two lookups everywhere."""
    return base, replace(base, lookups=2)


def names_of(base: RunConfig) -> tuple[str, ...]:
    return (*NAMES, *CROSSES) if base.features == "wide" else NAMES


def shared_out(base: RunConfig, total: int, sizes: Iterable[int], trials: int, seed: int) -> tuple[Search, ...]:
    """A search for the best allocation of `total` at each size, confirmed beside the even one; seeds count up from `seed`."""
    names = names_of(base)
    even = replace(base, lookups=total // len(names))
    return tuple(
        Search(base, shares(names, total), trials, (even,), compression=size, best=2, seed=seed + place, total=total)
        for place, size in enumerate(sizes)
    )


def second(base: RunConfig, sizes: Iterable[int], seed: int) -> tuple[Search, ...]:
    """One lookup more than one a feature, to each feature in turn, beside one lookup everywhere."""
    names = names_of(base)
    total, alone = len(names) + 1, replace(base, lookups=1)
    return tuple(
        Search(base, shares(names, total), len(names), (alone,), size, best=len(names), seed=seed + place, total=total)
        for place, size in enumerate(sizes)
    )


def both(sampler: str) -> Search:
    """Table size, dim and lookups together."""
    return Search(
        replace(BASE, budget=BUDGETS[0]), {**BASE_SPACE, "dim": (4, 8, 16), "budget": BUDGETS}, trials=32,
        objectives=("quality.val_mse", "cost.total_bytes"), seed=50, sampler=sampler,
    )  # fmt: skip


STUDY = Study(
    question="with the number of lookups fixed, which feature should get how many?",
    parts=(
        *shared_out(BASE, 12, SIZES, trials=30, seed=0),
        *shared_out(BASE, 18, SIZES, trials=30, seed=10),
        *shared_out(replace(BASE, dim=None, width=144), 12, [size * 3 // 2 for size in SIZES], trials=30, seed=20),
        *shared_out(replace(WIDE, lookups=2), 20, WIDE_SIZES, trials=26, seed=30),
        *second(BASE, SIZES, seed=40),
        *second(replace(WIDE, dim=8, width=None, lookups=2), WIDE_SIZES[1:2], seed=45),
        both("tpe"),
        both("random"),
    ),
    latency=False,
)
