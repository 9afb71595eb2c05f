"""Values of rows as small integers, without temporaries of the size of the rows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

SMALL = 1 << 20  # ids below it are looked up in a table whatever the number of rows
ABSENT = -1
_CHUNK = 1 << 16  # rows at once: numpy makes an index 8 bytes wide, and these stay in the cache


class Coded(NamedTuple):
    """A column as integers: the value of row n is `values[of[rows[n]]]`.

    rows: whole numbers [N]: users, movies or pairs. of: int32 [K], by such a number; ABSENT where no row has it. values: distinct
    and used. Attributes of users or of movies have the same `rows`, the very array: what holds for each of these is found once.
    No order is promised of numbers and values.
    """

    rows: np.ndarray
    of: np.ndarray
    values: pl.Series

    @property
    def codes(self) -> np.ndarray:
        """Positions of each row in `values`: int32 [N]."""
        return take(self.of, self.rows)


def chunks(n: int, least: int = _CHUNK) -> Iterator[slice]:
    """The rows from 0 to n, piece by piece, of `least` or more."""
    size = max(least, _CHUNK)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def take(table: np.ndarray, positions: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """`table[positions]`, into `out` where it is given."""
    out = np.empty(len(positions), table.dtype) if out is None else out
    for part in chunks(len(positions)):
        np.take(
            table, positions[part], out=out[part], mode="clip"
        )  # all are valid; the other modes make a copy of `out`
    return out


def number_ids(ids: pl.Series) -> Coded:
    """Number the ids (UInt32 [N]): by themselves, or by their order where a table of them would be too long. values: String."""
    given = ids.to_numpy()
    largest = int(given.max()) if len(given) else 0
    if largest < max(SMALL, len(given) // 4):
        occurs = np.zeros(largest + 1, bool)
        for part in chunks(len(given)):
            occurs[given[part]] = True
        found = np.flatnonzero(occurs)
        of = np.full(largest + 1, ABSENT, np.int32)
        of[found] = np.arange(len(found))
        return Coded(given, of, pl.Series(found).cast(pl.String))
    found = np.unique(given)
    rows = np.empty(len(given), np.int32)
    for part in chunks(len(given)):
        rows[part] = np.searchsorted(found, given[part])
    return Coded(rows, np.arange(len(found), dtype=np.int32), pl.Series(found).cast(pl.String))


def number_text(column: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Codes (int32) of a String column in order of first appearance, and the distinct values."""
    distinct = column.unique(maintain_order=True).alias("value")
    numbered = distinct.to_frame().with_row_index("code")
    codes = column.to_frame("value").join(numbered, on="value", how="left", maintain_order="left")[
        "code"
    ]
    return codes.to_numpy().astype(np.int32), distinct


def number_pairs(
    left: np.ndarray, right: np.ndarray, n_right: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct pairs of two columns of codes, `right` below n_right: codes int32 [N], and `left` and `right` of each pair."""
    pairs, codes = np.unique(left.astype(np.int64) * n_right + right, return_inverse=True)
    return codes.astype(np.int32), *np.divmod(pairs, n_right)


def spread(codes: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Codes of the values that `of` leads to, by number: int32 [K], ABSENT where `of` is."""
    return np.append(codes, np.int32(ABSENT))[of]
