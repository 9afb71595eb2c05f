"""The dictionary that an exact table must hold to serve: a feature's training values and their
rows."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import polars as pl

from ue_bench.features import Feature
from ue_bench.hashing import FEW, is_few, to_bytes
from ue_bench.strategies.key_index import KeyIndex

ROW_NUMBER_BYTES = 4
# Values from which on they are found by `KeyIndex`. A dictionary is faster for a few values, and a
# query of all values numbers these anew for each `slots.BLOCK` that is asked for.
LARGE = 1 << 18
FLOOR_BYTES_PER_VALUE = 1.3  # a minimal perfect hash with 8-bit fingerprints


class Vocabulary:
    """The positions of the values of `Feature.vocabulary`.

    Every other value is unseen, and has the position `size`. While `forgets` is true, every value
    is unseen.
    """

    def __init__(self, feature: Feature) -> None:
        self._values = feature.vocabulary
        self.size = len(self._values)
        self.forgets = False

    @cached_property
    def _index(self) -> KeyIndex | None:
        """Arrays that find the values of a large vocabulary; None of another."""
        if self.size > LARGE and _is_text(self._values):
            return KeyIndex(self._values)
        return None

    @cached_property
    def _position(self) -> dict[str | bytes, int]:
        """The position of each key, made when a few values are asked for, as in serving.

        Training asks for all values at once, and needs no Python object for any of them.
        """
        return {key: position for position, key in enumerate(_keys(self._values))}

    def positions(self, values: Any) -> np.ndarray:
        """Return the position of each value: int64 [n values].

        values: a list, tuple or Series of polars. Raises TypeError for a value that is not str,
        bytes or int.
        """
        unseen = self.size
        if self.forgets:
            return np.full(len(values), unseen, np.int64)
        if self._index is not None:
            return self._index.positions(values if _is_text(values) else _keys(values), unseen)
        # a query numbers the vocabulary anew, which takes less time than a loop over many values
        is_short = is_few(len(values), max(FEW, self.size // 4))
        if not is_short and _is_text(values) and _is_text(self._values):
            return self._joined(values)
        position = self._position
        found = [position.get(key, unseen) for key in _keys(values)]
        return np.array(found, np.int64)

    def _joined(self, values: pl.Series) -> np.ndarray:
        """Return the positions of a column of text, by a query."""
        known = pl.DataFrame({"value": self._values}).with_row_index("position")
        rows = values.alias("value").to_frame()
        found = rows.join(known, on="value", how="left", maintain_order="left")["position"]
        return found.cast(pl.Int64).fill_null(self.size).to_numpy(writable=True)

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the values plus 4 for the row of each, as in an Arrow dictionary."""
        return int(bytes_of_each(self._values).sum()) + ROW_NUMBER_BYTES * self.size

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


def bytes_of_each(values: Sequence[Any]) -> np.ndarray:
    """Return the UTF-8 bytes of each value: int64 [values]."""
    if _is_text(values):
        return values.str.len_bytes().to_numpy().astype(np.int64)
    return np.fromiter((len(to_bytes(value)) for value in values), np.int64, len(values))


def _is_text(values: Any) -> TypeGuard[pl.Series]:
    """Return whether values are a column of text."""
    return isinstance(values, pl.Series) and values.dtype == pl.String


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
