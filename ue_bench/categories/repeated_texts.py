"""Texts of a column in which values repeat, and the numbering of its distinct values."""

from dataclasses import dataclass

import numpy as np
import polars as pl

# 2**64 divided by the golden ratio: the top bits of a product spread integers evenly (Knuth, The
# Art of Computer Programming, volume 3, section 6.4).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BITS = 64
_MOST_BITS = 20  # of the number of places in a table: 8 MB
_FEW = 64  # values, up to which a dictionary takes less time than numpy's overhead
_SORTED = 1024  # values, up to which sorting takes less time than a table


@dataclass(frozen=True, eq=False)
class Repeated:
    """The texts of N values, of which each distinct value has one.

    texts: String, or a list where there are few. codes: int64 [N], the place of each value's text.
    """

    texts: pl.Series | list[str]
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def column(self) -> pl.Series:
        """Return the text of each value: String [N]."""
        return pl.Series(self.texts, dtype=pl.String).gather(pl.Series(self.codes))


def numbered_integers(
    values: np.ndarray, is_missing: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of integers, in any order, and the place of each among them.

    is_missing: bool [N]; where it is true, the place is the number of distinct values.
    """
    distinct, codes = _numbered(values)
    if is_missing is not None:
        codes[is_missing] = len(distinct)
    return distinct, codes


def _numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(values) <= _FEW:
        return _numbered_by_comparison(values)
    if values.dtype.itemsize < 8:  # differences need more bits
        values = values.astype(np.int64)
    least = values.min()
    span = int(values.max()) - int(least) + 1
    if span <= 4 * len(values):
        places = (values - least).astype(np.int64, copy=False)
        used, codes = _numbered_places(places, span)
        return used.astype(values.dtype, copy=False) + least, codes
    if len(values) <= _SORTED:
        return _numbered_by_comparison(values)
    return _numbered_by_hash(values)


def _numbered_by_hash(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number integers that lie far apart: int64 or uint64.

    Most have a place of their own in a table of several times as many places. Those that share a
    place with another value are compared: few, unless there are millions of distinct values.
    """
    bits = min((4 * len(values)).bit_length(), _MOST_BITS)
    products = values.view(np.uint64) * _MULTIPLIER
    places = (products >> np.uint64(_BITS - bits)).view(np.int64)
    owners = np.empty(2**bits, values.dtype)
    owners[places] = values  # of several values in one place, one remains
    used, codes = _numbered_places(places, len(owners))
    distinct = owners[used]
    homeless = np.flatnonzero(distinct[codes] != values)
    if len(homeless):
        others, other_codes = _numbered_by_comparison(values[homeless])
        codes[homeless] = other_codes + len(distinct)
        distinct = np.concatenate([distinct, others])
    return distinct, codes


def _numbered_by_comparison(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(values) > _FEW:
        return np.unique(values, return_inverse=True)
    numbers: dict[int, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values.tolist()]
    return np.array(list(numbers), values.dtype), np.array(codes, np.int64)


def _numbered_places(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct places from 0 to `size` - 1, and the number of each place among them."""
    is_used = np.zeros(size, np.bool_)
    is_used[places] = True
    used = np.flatnonzero(is_used)
    if len(used) == size:
        return used, places
    numbers = np.empty(size, np.int64)
    numbers[used] = np.arange(len(used))
    return used, numbers[places]
