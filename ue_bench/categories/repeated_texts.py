"""Texts of a column in which values repeat, and the numbering of its distinct values."""

from dataclasses import dataclass

import numpy as np
import polars as pl


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


def numbered_integers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of integers, ascending, and the place of each value among them."""
    if not len(values):
        return values, np.empty(0, np.int64)
    if values.dtype.itemsize < 8:  # differences need more bits
        values = values.astype(np.int64)
    least = values.min()
    span = int(values.max()) - int(least) + 1
    if span > 4 * len(values):
        return np.unique(values, return_inverse=True)
    places = (values - least).astype(np.int64)  # faster than to sort
    is_used = np.zeros(span, np.bool_)
    is_used[places] = True
    distinct = np.flatnonzero(is_used).astype(values.dtype) + least
    return distinct, (is_used.cumsum() - 1)[places]
