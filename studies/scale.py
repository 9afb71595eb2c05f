"""Does what a small data set says of a sixteenth hold where there are ten million values?

Command: ue-bench study scale --workers 2
Cost: 1,480 runs; with --quick 48. The last 50, of 40 million rows each, take longer than all before
them: each trains for two to six minutes and its process grows by up to 5.5 GB (`train_seconds` and
`peak_training_bytes` of the published records). An interrupted study has what it ran.
Expect: at the same part of the exact table the error above that table hardly moves with the number
of values: what counts is rows of table a value, and rows of data a value.

Planted click logs of a thousand to ten million values, with the same skew (Zipf's law, exponent 1)
and 12 rows a value, whose three entities are the features. At each size one shared table, separate
ones, and the exact table, in floats and in few bits. ML-100K has the same arms at a sixteenth. Each
log is one draw: an interval over seeds does not cover what another draw would add.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BITS = ("float32", "int4", "int2")
SIZES = (64, 16, 4)
MIDDLE = SIZES[1:2]
SMALL = (1_000, 10_000, 100_000)  # values
LARGE = (1_000_000, 10_000_000)
SEEDS = 20
FEW = 10  # seeds of the large ones
# The distinct values in the rows of the two largest logs, so that their budgets need no reading of
# them (tests/data/test_click_world.py).
SEEN = dict(zip(LARGE, (834_530, 7_946_066), strict=True))
NUMBERS = 16  # of a value in the exact table
STEPS = 100  # of an epoch, on each log: a step sees the same share of the rows of each value
FILMS = RunConfig(dataset="ml-100k", strategy="unified", lookups=2, dim=8)


def log_of(values: int) -> RunConfig:
    """The shared table on a log of so many values, none of which gives way to a new one."""
    return replace(
        FILMS,
        dataset=f"click-world-{values}@0",
        features="C3,C21,C12",
        task="binary",
        # of four rows a value, 80 % are of training
        batch_size=max(1, round(3.2 * values / STEPS)),
    )


def hashed(base: RunConfig, bits: tuple[str, ...]) -> tuple[RunConfig, ...]:
    """One shared table, and separate ones, in these bits."""
    arms = []
    for of_number in bits:
        shared = replace(base, bits=of_number)
        separate = replace(shared, strategy="per_feature", region_rule="proportional")
        arms += [shared, separate]
    return tuple(arms)


def exact(base: RunConfig, bits: tuple[str, ...]) -> tuple[RunConfig, ...]:
    """The exact table in these bits."""
    table = replace(base, strategy="collisionless", lookups=1, dim=NUMBERS)
    return tuple(replace(table, bits=of_number) for of_number in bits)


def sized(arms: tuple[RunConfig, ...], values: int, sizes: tuple[int, ...]) -> Grid:
    """The arms on a log of so many values at these parts of its exact table."""
    if values not in SEEN:
        return Grid(arms, sizes)
    exact_bytes = 4 * NUMBERS * SEEN[values]
    with_budgets = []
    for size in sizes:
        with_budgets += [replace(arm, budget=exact_bytes // size) for arm in arms]
    return Grid(tuple(with_budgets))


def parts() -> tuple[Grid, ...]:
    """The small logs first, and the largest one last."""
    grids = [Grid(hashed(FILMS, BITS), MIDDLE, seeds=SEEDS)]
    for values in SMALL:
        base = log_of(values)
        grids.append(replace(sized(hashed(base, BITS), values, SIZES), seeds=SEEDS))
        grids.append(Grid(exact(base, BITS), seeds=SEEDS))
    for values in LARGE:
        base = log_of(values)
        arms = hashed(base, ("float32", "int2"))
        grids.append(replace(sized(arms, values, MIDDLE), seeds=FEW))
        grids.append(Grid(exact(base, ("float32",)), seeds=FEW))
    return tuple(grids)


def quick_parts() -> tuple[Grid, ...]:
    """Three small logs of similar size, at two sizes of table, and ratings, for a few epochs."""
    grids = []
    for base in (FILMS, *map(log_of, (1_000, 2_000, 4_000))):
        base = replace(base, epochs=3)
        arms = (*hashed(base, ("float32",)), *hashed(base, ("int2",))[:1])
        is_log = base.dataset != FILMS.dataset
        grids.append(Grid(arms, SIZES[1:] if is_log else MIDDLE, seeds=2))
        if is_log:
            grids.append(Grid(exact(base, ("float32",)), seeds=2))
    return tuple(grids)


STUDY = Study(
    question="does the error at a part of the exact table depend on how many values there are, "
    "and does what ML-100K says of 1/16 hold at ten million?",
    parts=parts(),
    quick=quick_parts(),
    latency=False,
)
