"""The dictionary that an exact table must hold to serve: a feature's training values and their
rows."""

import math
from collections.abc import Sequence
from typing import Any

from ue_bench.features import Feature
from ue_bench.hashing import to_bytes

ROW_NUMBER_BYTES = 4
FLOOR_BYTES_PER_VALUE = 1.3  # a minimal perfect hash with 8-bit fingerprints


class Vocabulary:
    """The positions of the values seen in training. Every unseen value has the position `size`."""

    def __init__(self, feature: Feature) -> None:
        seen = [to_bytes(value) for value in feature.values[: feature.n_seen]]
        self.size = len(seen)
        self._position = {value: position for position, value in enumerate(seen)}

    def positions(self, values: Sequence[Any]) -> list[int]:
        """Return the position of each value. Raises TypeError for one not str, bytes or int."""
        position = self._position
        unseen = self.size
        return [position.get(to_bytes(value), unseen) for value in values]

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the values plus 4 for the row of each, as in an Arrow dictionary."""
        text_bytes = sum(map(len, self._position))
        return text_bytes + ROW_NUMBER_BYTES * self.size

    @property
    def floor_bytes(self) -> int:
        """Bytes of the smallest structure that finds the rows, 1.3 for each value.

        It shows that the exact table is not made to look expensive.
        """
        return math.ceil(FLOOR_BYTES_PER_VALUE * self.size)
