"""A static function: from a key to its number, in a table that holds no keys.

    number(x) = T[p_1(x)] xor T[p_2(x)] xor T[p_3(x)]

T is filled such that this holds for every key; of any other value it gives some number. It is the
3-wise binary fuse construction of Graf and Lemire (ACM JEA 2022, arXiv 2201.01174), which needs
about 1.13 numbers a key for a million keys, and more for few: 1.5 for a thousand. The three places
of a key are in neighbouring segments, so that nearly always some place belongs to one key alone;
that key is taken out, and so on, and T is filled in the opposite order.
"""

import math
from dataclasses import dataclass

import numpy as np

MOST_TRIES = 100  # seeds; a filling fails once in many


@dataclass(frozen=True)
class Layout:
    """The segments of a table for so many keys, as the paper sizes them."""

    segment: int
    first_segments: int  # in which the first of three places may be

    @classmethod
    def of(cls, n_keys: int) -> "Layout":
        if n_keys < 2:
            return cls(segment=1, first_segments=1)
        segment = 2 ** math.floor(math.log(n_keys) / math.log(3.33) + 2.25)
        factor = max(1.125, 0.875 + 0.25 * math.log(1e6) / math.log(n_keys))
        segment = min(segment, 2**18)
        return cls(segment, max(1, math.ceil(n_keys * factor / segment) - 2))

    @property
    def size(self) -> int:
        """The numbers of the table."""
        return (self.first_segments + 2) * self.segment

    def places(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the three places of keys: int64 [n, 3]. low, high: 32 hashed bits of each."""
        first = (high * (self.first_segments * self.segment)) >> 32
        second = (first + self.segment) ^ (low & (self.segment - 1))
        third = (first + 2 * self.segment) ^ ((low >> 14) & (self.segment - 1))
        return np.stack([first, second, third], axis=1)


def fill(places: np.ndarray, numbers: np.ndarray, size: int) -> np.ndarray | None:
    """Return the table, int64 [size], in which keys find their numbers; None if there is none.

    places: of each key, int64 [n, 3]. numbers: of each key, int64 [n].
    """
    n_keys = np.zeros(size, np.int64)  # of each place, that are not taken out yet
    key = np.zeros(size, np.int64)  # the keys of each place, combined by xor
    index = np.arange(len(places))
    np.add.at(n_keys, places.ravel(), 1)
    np.bitwise_xor.at(key, places.ravel(), index.repeat(3))
    rounds = []
    n_left = len(places)
    alone = np.flatnonzero(n_keys == 1)
    while len(alone):
        taken, first = np.unique(key[alone], return_index=True)
        rounds.append((taken, alone[first]))
        n_left -= len(taken)
        freed = places[taken].ravel()
        np.subtract.at(n_keys, freed, 1)
        np.bitwise_xor.at(key, freed, taken.repeat(3))
        alone = np.unique(freed)
        alone = alone[n_keys[alone] == 1]
    if n_left:
        return None
    table = np.zeros(size, np.int64)
    for taken, own in reversed(rounds):
        table[own] = np.bitwise_xor.reduce(table[places[taken]], axis=1) ^ numbers[taken]
    return table
