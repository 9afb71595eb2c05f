"""Positions of many texts, in arrays: 12 bytes a text beside the texts, and no Python object.

The digests of the texts are sorted, each with its text's position. A value is sought by its digest
of 64 bits and is known if its text is equal. A dictionary of Python holds several objects a text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ue_bench.hashing import digests


class KeyIndex:
    """The positions of distinct texts, a String column of fewer than 2^32."""

    def __init__(self, texts: pl.Series) -> None:
        self._texts = texts
        unsorted = digests(texts)
        order = np.argsort(unsorted)
        self._digests = unsorted[order]
        self._positions = order.astype(np.uint32)
        self._twins = self._with_equal_digests()

    def _with_equal_digests(self) -> dict[str, int]:
        """Return the position of each text that shares its digest with another; few, if any."""
        is_next = self._digests[1:] == self._digests[:-1]
        positions = self._positions[np.append(is_next, False) | np.insert(is_next, 0, False)]
        texts = self._texts.gather(pl.Series(positions))
        return dict(zip(texts, positions.tolist(), strict=True))

    def positions(self, values: pl.Series | Sequence[str | bytes], absent: int) -> np.ndarray:
        """Return the position of each value, or `absent`: int64 [n values].

        values: String, or a list of texts and of bytes that are no texts.
        """
        wanted = digests(values)
        by_digest = np.argsort(wanted)  # neighbours are then sought in the same part of memory
        places = np.empty(len(wanted), np.int64)
        places[by_digest] = np.searchsorted(self._digests, wanted[by_digest])
        places = np.minimum(places, len(self._digests) - 1)
        found = self._positions[places].astype(np.int64)
        known = self._digests[places] == wanted
        is_equal = known & _equal(self._texts.gather(pl.Series(found)), values)
        found[~is_equal] = absent
        if self._twins:
            for number in np.flatnonzero(known & ~is_equal).tolist():
                found[number] = self._twins.get(values[number], absent)  # type: ignore[arg-type]
        return found


def _equal(texts: pl.Series, values: Any) -> np.ndarray:
    if isinstance(values, pl.Series):
        return (texts == values).to_numpy()
    pairs = zip(texts.to_list(), values, strict=True)
    return np.array([text == value for text, value in pairs], bool)
