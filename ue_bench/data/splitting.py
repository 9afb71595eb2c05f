"""Named splits: which rows train, which choose the epoch, which are reported.

All of them number the rows as the file does, so that one file, one name and one seed give one split on every machine.
"""

from collections.abc import Callable

import numpy as np

from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError, unknown

TRAIN, VALIDATION, TEST, UNUSED = range(4)
ARTICLE_USERS = 100  # the article keeps users with an id below this


def split(dataset: Dataset, name: str, seed: int) -> np.ndarray:
    """The part of each row: uint8 [N], 0 train, 1 validation, 2 test, 3 not used. Only `random` looks at the seed.

    Raises BenchError for an unknown name, or when training or validation would be empty.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    parts = SPLITS[name](dataset, seed)
    for part, word in ((TRAIN, "training"), (VALIDATION, "validation")):
        if not (parts == part).any():
            raise BenchError(
                f"split {name!r} leaves no {word} rows in {dataset.name} ({len(parts)} {dataset.unit}, "
                f"{len(dataset.coded(dataset.entities[0]).values)} users); choose another split or more data"
            )
    return parts


def random(dataset: Dataset, seed: int) -> np.ndarray:
    """80 / 10 / 10 % of the rows in the order of `Generator(PCG64(seed)).permutation(N)`.

    The permutation is of row numbers alone: the same file gives the same split, and a file whose rows were reordered
    gives another one (compare records by the checksum). No property of a row leads to its part.
    """
    order = np.arange(dataset.n_rows, dtype=np.uint32)
    np.random.Generator(np.random.PCG64(seed)).shuffle(
        order
    )  # as `permutation` does, in half the memory
    return _cut(order)


def global_temporal(dataset: Dataset, seed: int) -> np.ndarray:
    """The first 80 %, the next 10 % and the last 10 % of all rows by (timestamp, row number)."""
    return _cut(np.argsort(_times(dataset), kind="stable"))


def user_temporal(dataset: Dataset, seed: int) -> np.ndarray:
    """By user, in order of (timestamp, row number): the last 10 % test, the 10 % before validation, the rest training.

    10 % of n ratings is rounded half up and is at least 1 for n >= 3; users with fewer are for training only.
    """
    users = dataset.coded(dataset.entities[0]).codes
    order = np.lexsort((_times(dataset), users))  # stable: equal times stay in file order
    counts = np.bincount(users)
    share = np.where(counts >= 3, np.maximum(1, (counts + 5) // 10), 0)
    ends = np.cumsum(counts)
    from_end = ends[users[order]] - np.arange(len(order))  # 1 for a user's last rating
    one = share[users[order]]
    parts = np.full(len(order), TRAIN, np.uint8)
    parts[order[from_end <= 2 * one]] = VALIDATION
    parts[order[from_end <= one]] = TEST
    return parts


def article(dataset: Dataset, seed: int) -> np.ndarray:
    """The article's: users with an id below 100; training before the median time of their rows, then validation."""
    if "user_id" not in dataset.features:
        raise BenchError(
            f"the split 'article' rests on MovieLens's user_id, which {dataset.name} lacks; choose another split"
        )
    ids = dataset.coded("user_id")
    numbers = ids.values.cast(int, strict=False).fill_null(ARTICLE_USERS).to_numpy()
    used = (numbers < ARTICLE_USERS)[ids.codes]
    parts = np.full(len(used), UNUSED, np.uint8)
    if used.any():
        times = _times(dataset)
        parts[used] = np.where(times[used] < np.median(times[used]), TRAIN, VALIDATION)
    return parts


SPLITS: dict[str, Callable[[Dataset, int], np.ndarray]] = {
    "random": random,
    "user_temporal": user_temporal,
    "global_temporal": global_temporal,
    "article": article,
}


def _times(dataset: Dataset) -> np.ndarray:
    times = dataset.times
    if times is None:
        raise BenchError(
            f"{dataset.name} has no time, which a temporal split needs; name its column (--time), or choose random"
        )
    return times


def _cut(order: np.ndarray) -> np.ndarray:
    """Parts of the rows when the first 80 % of `order` train, the next 10 % validate and the last 10 % test."""
    n = len(order)
    parts = np.full(n, TRAIN, np.uint8)
    parts[order[n * 8 // 10 : n * 9 // 10]] = VALIDATION
    parts[order[n * 9 // 10 :]] = TEST
    return parts
