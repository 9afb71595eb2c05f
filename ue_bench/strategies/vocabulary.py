"""The dictionary that an exact table must hold to serve: the training values of one feature, and each one's row."""

import math
from collections.abc import Sequence
from typing import Any

from ue_bench.features import Feature
from ue_bench.hashing import to_bytes

ROW_NUMBER_BYTES = 4
FLOOR_BYTES_PER_VALUE = 1.3  # a minimal perfect hash with 8-bit fingerprints


class Vocabulary:
    """Positions of the values seen in training. An unseen value has the position after the last: `size`."""

    def __init__(self, feature: Feature) -> None:
        seen = [to_bytes(value) for value in feature.values[: feature.n_seen]]
        self.size = len(seen)
        self._position = {value: position for position, value in enumerate(seen)}

    def positions(self, values: Sequence[Any]) -> list[int]:
        """Position of each value (str, bytes or int; TypeError otherwise)."""
        position, unseen = self._position, self.size
        return [position.get(to_bytes(value), unseen) for value in values]

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the values plus 4 for each one's row: what an Arrow dictionary holds."""
        return sum(map(len, self._position)) + ROW_NUMBER_BYTES * self.size

    @property
    def floor_bytes(self) -> int:
        """Bytes of the smallest structure that could do the same, 1.3 a value: the exact table is not made to look dear."""
        return math.ceil(FLOOR_BYTES_PER_VALUE * self.size)
