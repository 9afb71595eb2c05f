"""Named splits: which rows train, which choose the epoch, which are reported.

All splits number the rows as the file does: one file, one name and one seed give one split on every
machine.
"""

from collections.abc import Callable

import numpy as np

from ue_bench.config.entities import CARDINALITY, OPTION
from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError, unknown

TRAIN, VALIDATION, TEST, UNUSED = range(4)
ARTICLE_USERS = 100  # the article keeps users with an id below this


def split(dataset: Dataset, name: str, seed: int) -> np.ndarray:
    """Return the part of each row: uint8 [N], 0 train, 1 validation, 2 test, 3 not used.

    Only the split `random` depends on the seed.
    Raises BenchError for an unknown name, and when training or validation would be empty.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    parts = SPLITS[name](dataset, seed)
    for part, word in ((TRAIN, "training"), (VALIDATION, "validation")):
        if not (parts == part).any():
            n_users = len(dataset.coded(dataset.entities[0]).values)
            raise BenchError(
                f"split {name!r} leaves no {word} rows in {dataset.name} ({len(parts)} "
                f"{dataset.unit}, {n_users} users); choose another split or more data"
            )
    return parts


def random(dataset: Dataset, seed: int) -> np.ndarray:
    """Split the rows 80 / 10 / 10 % in the order of `Generator(PCG64(seed)).permutation(N)`.

    The permutation is one of row numbers alone: the same file gives the same split, and a file with
    reordered rows gives another one (compare records by the checksum). No property of a row decides
    its part.
    """
    order = np.arange(dataset.n_rows, dtype=np.uint32)
    # the same order as `permutation`, in half the memory
    np.random.Generator(np.random.PCG64(seed)).shuffle(order)
    return _cut(order)


def global_temporal(dataset: Dataset, seed: int) -> np.ndarray:
    """Split all rows by (timestamp, row number): the first 80 %, the next 10 %, the last 10 %."""
    return _cut(np.argsort(_times(dataset), kind="stable"))


def user_temporal(dataset: Dataset, seed: int) -> np.ndarray:
    """Split the rows of each user by (timestamp, row number).

    The last 10 % test, the 10 % before validate, the rest trains. 10 % of n ratings is rounded half
    up and is at least 1 for n >= 3; users with fewer ratings only train.
    Raises BenchError where the user is a guess by the number of values.
    """
    times = _times(dataset)
    user = dataset.entities[0]
    if dataset.entities_chosen[0] == CARDINALITY:
        raise BenchError(
            f"split 'user_temporal': the user of {dataset.name} is a guess, {user!r}, made by the "
            f"number of values; name the user and the item: {OPTION}"
        )
    users = dataset.coded(user).codes
    order = np.lexsort((times, users))  # stable: equal times stay in file order
    counts = np.bincount(users)
    tenth = np.where(counts >= 3, np.maximum(1, (counts + 5) // 10), 0)
    ends = np.cumsum(counts)
    from_end = ends[users[order]] - np.arange(len(order))  # 1 for a user's last rating
    row_tenth = tenth[users[order]]
    parts = np.full(len(order), TRAIN, np.uint8)
    parts[order[from_end <= 2 * row_tenth]] = VALIDATION
    parts[order[from_end <= row_tenth]] = TEST
    return parts


def article(dataset: Dataset, seed: int) -> np.ndarray:
    """Split as the article does: users with an id below 100, at the median time of their rows.

    Rows before that time train, the others validate.
    """
    if "user_id" not in dataset.features:
        raise BenchError(
            f"the split 'article' is defined by MovieLens's user_id, which {dataset.name} lacks; "
            "choose another split"
        )
    users = dataset.coded("user_id")
    ids = users.values.cast(int, strict=False).fill_null(ARTICLE_USERS).to_numpy()
    used = (ids < ARTICLE_USERS)[users.codes]
    parts = np.full(len(used), UNUSED, np.uint8)
    if used.any():
        times = _times(dataset)[used]
        parts[used] = np.where(times < np.median(times), TRAIN, VALIDATION)
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
            f"{dataset.name} has no time, which a temporal split needs; "
            "name its column (--time), or choose the split random"
        )
    return times


def _cut(order: np.ndarray) -> np.ndarray:
    """Return the parts of rows in this order: 80 % train, 10 % validate, the last 10 % test."""
    n = len(order)
    parts = np.full(n, TRAIN, np.uint8)
    parts[order[n * 8 // 10 : n * 9 // 10]] = VALIDATION
    parts[order[n * 9 // 10 :]] = TEST
    return parts
