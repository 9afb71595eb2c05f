"""The dictionary that an exact table must hold to serve: a feature's training values and their
rows."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl

from ue_bench.features import Feature
from ue_bench.hashing import to_bytes

ROW_NUMBER_BYTES = 4
FLOOR_BYTES_PER_VALUE = 1.3  # a minimal perfect hash with 8-bit fingerprints


class Vocabulary:
    """The positions of the values of `Feature.vocabulary`.

    Every other value is unseen, and has the position `size`. While `forgets` is true, every value
    is unseen.
    """

    def __init__(self, feature: Feature) -> None:
        keys = _keys(feature.vocabulary)
        self.size = len(keys)
        self.forgets = False
        self._position = {key: position for position, key in enumerate(keys)}

    def positions(self, values: Any) -> np.ndarray:
        """Return the position of each value: int64 [n values].

        values: a list, tuple or Series of polars. Raises TypeError for a value that is not str,
        bytes or int.
        """
        unseen = self.size
        if self.forgets:
            return np.full(len(values), unseen, np.int64)
        position = self._position
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


@contextmanager
def forgetting(vocabularies: Iterable[Any]) -> Iterator[None]:
    """Let vocabularies take every value for an unseen one."""
    vocabularies = list(vocabularies)
    for vocabulary in vocabularies:
        vocabulary.forgets = True
    try:
        yield
    finally:
        for vocabulary in vocabularies:
            vocabulary.forgets = False


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
