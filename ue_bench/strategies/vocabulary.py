"""The dictionary that an exact table must hold to serve: a feature's training values and their
rows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ue_bench.features import Feature
from ue_bench.hashing import to_bytes

ROW_NUMBER_BYTES = 4
FLOOR_BYTES_PER_VALUE = 1.3  # a minimal perfect hash with 8-bit fingerprints


class Vocabulary:
    """The positions of the values seen in training. Every unseen value has the position `size`."""

    def __init__(self, feature: Feature) -> None:
        seen = _keys(feature.values[: feature.n_seen])
        self.size = len(seen)
        self._position = {value: position for position, value in enumerate(seen)}

    def positions(self, values: Any) -> np.ndarray:
        """Return the position of each value: int64 [n values].

        values: a list, tuple or Series of polars. Raises TypeError for a value that is not str,
        bytes or int.
        """
        position = self._position
        unseen = self.size
        found = [position.get(key, unseen) for key in _keys(values)]
        return np.array(found, np.int64)

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the values plus 4 for the row of each, as in an Arrow dictionary."""
        text_bytes = sum(len(to_bytes(key)) for key in self._position)
        return text_bytes + ROW_NUMBER_BYTES * self.size

    @property
    def floor_bytes(self) -> int:
        """Bytes of the smallest structure that finds the rows, 1.3 for each value.

        It shows that the exact table is not made to look expensive.
        """
        return math.ceil(FLOOR_BYTES_PER_VALUE * self.size)


def _keys(values: Any) -> Sequence[Any]:
    """Return values with one key for each category: its text, or bytes that are no text.

    Most values are text already, and nothing is made of it.
    """
    if isinstance(values, pl.Series):
        texts = values.to_list()
        if values.dtype == pl.String:
            return texts
    else:
        texts = values
    return [value if type(value) is str else _key(value) for value in texts]


def _key(value: Any) -> str | bytes:
    key = to_bytes(value)
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key
