"""Named splits: which rows train, which choose the epoch, which are reported.

All splits number the rows as the file does: one file, one name and one seed give one split on every
machine.
"""

from collections.abc import Callable

import numpy as np

from ue_bench.config.entities import CARDINALITY, OPTION
from ue_bench.config.stream_split import BLOCKS
from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError, unknown

TRAIN, VALIDATION, TEST, UNUSED = range(4)
ARTICLE_USERS = 100  # the article keeps users with an id below this


def split(dataset: Dataset, name: str, seed: int, blocks: int = BLOCKS) -> np.ndarray:
    """Return the part of each row: uint8 [N], 0 train, 1 validation, 2 test, 3 not used.

    Only the splits of SEEDED depend on the seed, and only `stream` on the blocks. Where the data
    set has test rows (`is_test`), these are the test part, and the split divides the other rows
    into training and validation, 8 to 1.
    Raises BenchError for an unknown name, and when training or validation would be empty.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    rows = _Rows(dataset, blocks)
    parts = rows.with_test(SPLITS[name](rows, seed))
    for part, word in ((TRAIN, "training"), (VALIDATION, "validation")):
        if not (parts == part).any():
            n_users = len(dataset.coded(dataset.entities[0]).values)
            raise BenchError(
                f"split {name!r} leaves no {word} rows in {dataset.name} ({len(parts)} "
                f"{dataset.unit}, {n_users} users); choose another split or more data"
            )
    return parts


class _Rows:
    """The rows that a split divides: N' of them, all but test rows of their own.

    has_test: whether the data set has test rows.
    """

    def __init__(self, dataset: Dataset, blocks: int) -> None:
        self.dataset = dataset
        self.blocks = blocks
        self.has_test = dataset.is_test is not None
        self._kept = None if dataset.is_test is None else ~dataset.is_test

    def __len__(self) -> int:
        return self.dataset.n_rows if self._kept is None else int(self._kept.sum())

    def column(self, values: np.ndarray) -> np.ndarray:
        """Return the entries of a column [N] in these rows."""
        return values if self._kept is None else values[self._kept]

    def with_test(self, parts: np.ndarray) -> np.ndarray:
        """Return the parts of all rows [N] from those of these rows [N']."""
        if self._kept is None:
            return parts
        of_all = np.full(self.dataset.n_rows, TEST, np.uint8)
        of_all[self._kept] = parts
        return of_all

    @property
    def times(self) -> np.ndarray:
        """The time of each row [N']. Raises BenchError for a data set without times."""
        times = self.dataset.times
        if times is None:
            raise BenchError(
                f"{self.dataset.name} has no time, which a temporal split needs; "
                "name its column (--time), or choose the split random"
            )
        return self.column(times)


def random(rows: _Rows, seed: int) -> np.ndarray:
    """Split the rows 80 / 10 / 10 % in the order of `Generator(PCG64(seed)).permutation(N)`.

    The permutation is one of row numbers alone: the same file gives the same split, and a file with
    reordered rows gives another one (compare records by the checksum). No property of a row decides
    its part.
    """
    order = np.arange(len(rows), dtype=np.uint32)
    # the same order as `permutation`, in half the memory
    np.random.Generator(np.random.PCG64(seed)).shuffle(order)
    return _cut(order, rows.has_test)


def global_temporal(rows: _Rows, seed: int) -> np.ndarray:
    """Split all rows by (timestamp, row number): the first 80 %, the next 10 %, the last 10 %."""
    return _cut(np.argsort(rows.times, kind="stable"), rows.has_test)


def user_temporal(rows: _Rows, seed: int) -> np.ndarray:
    """Split the rows of each user by (timestamp, row number).

    The last 10 % test, the 10 % before validate, the rest trains. 10 % of n ratings is rounded half
    up and is at least 1 for n >= 3; users with fewer ratings only train. Beside test rows, the last
    ninth of a user's other rows validates, by the same rule, and the rest trains.
    Raises BenchError where the user is a guess by the number of values.
    """
    times = rows.times
    dataset = rows.dataset
    user = dataset.entities[0]
    if dataset.entities_chosen[0] == CARDINALITY:
        raise BenchError(
            f"split 'user_temporal': the user of {dataset.name} is a guess, {user!r}, made by the "
            f"number of values; name the user and the item: {OPTION}"
        )
    users = rows.column(dataset.coded(user).codes)
    order = np.lexsort((times, users))  # stable: equal times stay in file order
    counts = np.bincount(users)
    share = 9 if rows.has_test else 10
    rounded = (2 * counts + share) // (2 * share)
    last = np.where(counts >= 3, np.maximum(1, rounded), 0)
    ends = np.cumsum(counts)
    from_end = ends[users[order]] - np.arange(len(order))  # 1 for a user's last rating
    row_last = last[users[order]]
    parts = np.full(len(order), TRAIN, np.uint8)
    if rows.has_test:
        parts[order[from_end <= row_last]] = VALIDATION
    else:
        parts[order[from_end <= 2 * row_last]] = VALIDATION
        parts[order[from_end <= row_last]] = TEST
    return parts


def article(rows: _Rows, seed: int) -> np.ndarray:
    """Split as the article does: users with an id below 100, at the median time of their rows.

    Rows before that time train, the others validate.
    """
    dataset = rows.dataset
    if "user_id" not in dataset.features:
        raise BenchError(
            f"the split 'article' is defined by MovieLens's user_id, which {dataset.name} lacks; "
            "choose another split"
        )
    if rows.has_test:
        raise BenchError(
            "the split 'article' has no test part, and test_files were given; "
            "choose another split, or leave the test files out"
        )
    users = dataset.coded("user_id")
    ids = users.values.cast(int, strict=False).fill_null(ARTICLE_USERS).to_numpy()
    used = (ids < ARTICLE_USERS)[users.codes]
    parts = np.full(len(used), UNUSED, np.uint8)
    if used.any():
        times = rows.times[used]
        parts[used] = np.where(times < np.median(times), TRAIN, VALIDATION)
    return parts


def stream(rows: _Rows, seed: int) -> np.ndarray:
    """Cut the rows into blocks by (timestamp, row number).

    The first block only trains. Each other one is scored before it is trained on: those of the
    first half are validation, those of the second half test.
    """
    if rows.has_test:
        raise BenchError(
            "a stream scores the rows in the order of time, and test_files were given; choose "
            "another split, or leave the test files out"
        )
    ends = block_ends(len(rows), rows.blocks)
    order = np.argsort(rows.times, kind="stable")
    parts = np.full(len(order), TEST, np.uint8)
    parts[order[: ends[rows.blocks // 2 - 1]]] = VALIDATION
    parts[order[: ends[0]]] = TRAIN
    return parts


def block_ends(n_rows: int, blocks: int) -> list[int]:
    """Return where each block of a stream ends, in rows in the order of time."""
    return [n_rows * (number + 1) // blocks for number in range(blocks)]


SPLITS: dict[str, Callable[[_Rows, int], np.ndarray]] = {
    "random": random,
    "user_temporal": user_temporal,
    "global_temporal": global_temporal,
    "article": article,
    "stream": stream,
}
SEEDED = ("random",)  # the splits that depend on the seed


def _cut(order: np.ndarray, has_test: bool) -> np.ndarray:
    """Return the parts of rows in this order: 80 % train, 10 % validate, the last 10 % test.

    Beside test rows, eight ninths train and the last ninth validates.
    """
    n = len(order)
    parts = np.full(n, TRAIN, np.uint8)
    if has_test:
        parts[order[n * 8 // 9 :]] = VALIDATION
    else:
        parts[order[n * 8 // 10 : n * 9 // 10]] = VALIDATION
        parts[order[n * 9 // 10 :]] = TEST
    return parts
