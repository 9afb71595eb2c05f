"""What a strategy is told of a stream, and what it answers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ue_bench.strategies.pool import Pool
from ue_bench.strategies.spec import Spec


@dataclass(frozen=True, eq=False)
class Arrived:
    """The values of a block of rows.

    block: its number, from 0. codes: the distinct values of each feature in it, as positions among
    the feature's values: int64 [n]. counts: how many rows have each: int64 [n].
    """

    block: int
    codes: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]


class Reset(NamedTuple):
    """Rows of a pool whose owner is another one: int64 [rows]."""

    pool: Pool
    rows: Tensor


class Seen:
    """How often, and in which block last, each value was seen: what eviction goes by.

    counts: float64 [values], by feature; each block they lose the share `forget`. last: the block,
    int64 [values], -1 before the first.
    """

    def __init__(self, spec: Spec, forget: float = 0.0) -> None:
        self.keep = 1 - forget
        self.counts = []
        self.last = []
        for feature in spec.features:
            counts = np.zeros(feature.cardinality)
            counts[: len(feature.counts)] = feature.counts
            self.counts.append(counts)
            self.last.append(np.where(counts > 0, 0, -1))

    def note(self, arrived: Arrived) -> None:
        """Count the values of a block."""
        for feature, codes in enumerate(arrived.codes):
            self.counts[feature] *= self.keep
            self.counts[feature][codes] += arrived.counts[feature]
            self.last[feature][codes] = arrived.block
