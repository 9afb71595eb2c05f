"""Columns as small integers, made without temporary arrays of the size of the rows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

SMALL = 1 << 20  # ids below this are numbered through a table, however few the rows are
ABSENT = -1  # the code of an owner that no row has
_CHUNK_ROWS = 1 << 16  # numpy widens an index to 8 bytes, and a chunk of these stays in the cache


class Coded(NamedTuple):
    """A column as integers: the value of row n is `values[owner_codes[owners[n]]]`.

    owners: whole numbers [N]: the user, movie or pair of each row.
    owner_codes: int32 [K], positions in `values` by owner; ABSENT for an owner that no row has.
    values: String, distinct, each used in some row, in no particular order.

    All attributes of users share one array of owners, and so do those of movies: what holds for an
    owner is computed once for all of them.
    """

    owners: np.ndarray
    owner_codes: np.ndarray
    values: pl.Series

    @property
    def codes(self) -> np.ndarray:
        """Positions of the rows in `values`: int32 [N]."""
        return take(self.owner_codes, self.owners)


def chunks(n: int, least: int = _CHUNK_ROWS) -> Iterator[slice]:
    """Yield the rows from 0 to n in slices of `least` rows or more."""
    size = max(least, _CHUNK_ROWS)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def take(table: np.ndarray, positions: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return `table[positions]`, written into `out` where it is given."""
    if out is None:
        out = np.empty(len(positions), table.dtype)
    for part in chunks(len(positions)):
        # All positions are valid. The other modes of numpy make a copy of `out`.
        np.take(table, positions[part], out=out[part], mode="clip")
    return out


def number_ids(ids: pl.Series) -> Coded:
    """Return ids (UInt32 [N]) as a coded column whose values are String.

    The ids are their own owner numbers, unless a table by id would be too long; then the owner
    numbers are positions among the sorted ids.
    """
    owners = ids.to_numpy()
    largest = int(owners.max()) if len(owners) else 0
    if largest < max(SMALL, len(owners) // 4):
        return _numbered_by_table(owners, largest)
    distinct = np.unique(owners)
    positions = np.empty(len(owners), np.int32)
    for part in chunks(len(owners)):
        positions[part] = np.searchsorted(distinct, owners[part])
    return Coded(positions, np.arange(len(distinct), dtype=np.int32), _as_text(distinct))


def _numbered_by_table(owners: np.ndarray, largest: int) -> Coded:
    occurs = np.zeros(largest + 1, bool)
    for part in chunks(len(owners)):
        occurs[owners[part]] = True
    distinct = np.flatnonzero(occurs)
    owner_codes = np.full(largest + 1, ABSENT, np.int32)
    owner_codes[distinct] = np.arange(len(distinct))
    return Coded(owners, owner_codes, _as_text(distinct))


def _as_text(numbers: np.ndarray) -> pl.Series:
    return pl.Series(numbers).cast(pl.String)


def number_text(column: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Return the codes (int32) of a String column in order of first appearance, and its values."""
    distinct = column.unique(maintain_order=True).alias("value")
    codes = look_up(column, numbered(distinct))
    return codes.to_numpy().astype(np.int32), distinct


def numbered(distinct: pl.Series) -> pl.DataFrame:
    """Return a table for `look_up`: the values, and their positions as `code`."""
    table = distinct.to_frame("value").with_row_index("code")
    return table.select("value", "code")


def look_up(keys: pl.Series, table: pl.DataFrame) -> pl.Series:
    """Return what a table has for each key, in order; null for a key that is missing there.

    table: distinct keys in its first column, and what they lead to in its second.
    """
    key, result = table.columns
    rows = keys.to_frame(key)
    return rows.join(table, on=key, how="left", maintain_order="left")[result]


def number_pairs(
    left: np.ndarray, right: np.ndarray, n_right: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the distinct pairs of two columns of codes, `right` below n_right.

    Returns the codes of the pairs, int32 [N], and the left and the right code of each pair.
    """
    pairs, codes = np.unique(left.astype(np.int64) * n_right + right, return_inverse=True)
    pair_left, pair_right = np.divmod(pairs, n_right)
    return codes.astype(np.int32), pair_left, pair_right


def spread(codes: np.ndarray, owner_values: np.ndarray) -> np.ndarray:
    """Return the code of each owner's value: int32 [K], ABSENT where the owner has none.

    codes: by value. owner_values: positions in `codes` by owner, or ABSENT.
    """
    spread_codes = np.full(len(owner_values), ABSENT, np.int32)
    has_value = owner_values != ABSENT
    spread_codes[has_value] = codes[owner_values[has_value]]
    return spread_codes
