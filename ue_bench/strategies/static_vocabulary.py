"""A vocabulary without keys: a static function gives each training value its position.

    position(x) = the low bits of f(x), if the others are check(x), otherwise that of unseen values

f is the static function of the feature's training values (`static_function`). An unseen value gets
any number: with c check bits it is taken for a training value with probability 2^-c at most. Places
and checks are xxh32 of the value under seeds that follow from the feature's name and from how many
fillings failed before this one.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ue_bench.features import Feature
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.strategies.packed_codes import pack, packed_bytes, read
from ue_bench.strategies.static_function import MOST_TRIES, Layout, fill

_HASHES = 2**32


class StaticVocabulary(nn.Module):
    """The positions of the values of `Feature.vocabulary`, as `Vocabulary` has them.

    table: uint8, the packed numbers. tries: int32 [], the fillings before this one.

    check_bits: of each value. unfilled: whether there is no table yet, as in `Spec`; the feature
    then says only how many values there are.
    """

    table: Tensor
    tries: Tensor

    def __init__(self, feature: Feature, check_bits: int, unfilled: bool = False) -> None:
        super().__init__()
        self.name = feature.name
        self.size = feature.n_known
        self.forgets = False
        self.check_bits = check_bits
        self.position_bits = max(self.size - 1, 0).bit_length()
        self.layout = Layout.of(self.size)
        n_bytes = packed_bytes(self.layout.size, self.bits)
        device = "meta" if unfilled else None
        table = torch.zeros(max(1, n_bytes), dtype=torch.uint8, device=device)
        self.register_buffer("table", table)
        self.register_buffer("tries", torch.zeros((), dtype=torch.int32, device=device))
        if not unfilled:
            self._fill(feature)

    @property
    def bits(self) -> int:
        """The bits of a number of the table."""
        return self.position_bits + self.check_bits

    def _fill(self, feature: Feature) -> None:
        """Fill the table. Raises RuntimeError where no seed works, which no chance explains."""
        values = feature.vocabulary
        for tries in range(MOST_TRIES):
            self.tries.fill_(tries)
            places, checks = self._hashes(values)
            numbers = np.arange(len(values)) | (checks << self.position_bits)
            filled = fill(places, numbers, self.layout.size)
            if filled is not None:
                packed = pack(torch.from_numpy(filled), self.bits)
                self.table[: len(packed)] = packed
                return
        raise RuntimeError(f"{MOST_TRIES} seeds fill no table for {len(values)} values")

    def _hashes(self, values: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the places int64 [n, 3] and the checks int64 [n] of values."""
        seeds = []
        for number in range(3):
            seeds.append(lookup_seed(f"{self.name}\x1fposition", 0, int(self.tries), number))
        low, high, check = hash_rows(values, seeds, _HASHES).numpy().T
        return self.layout.places(low, high), check & (2**self.check_bits - 1)

    def positions(self, values: Any) -> np.ndarray:
        """Return the position of each value, `size` of an unseen one: int64 [n values].

        Values and errors as in `hash_rows`.
        """
        if self.forgets or not self.size:
            return np.full(len(values), self.size, np.int64)
        places, checks = self._hashes(values)
        found = read(self.table.cpu(), torch.from_numpy(places), self.bits).numpy()
        numbers = np.bitwise_xor.reduce(found.astype(np.int64), axis=1)
        positions = numbers & (2**self.position_bits - 1)
        known = ((numbers >> self.position_bits) == checks) & (positions < self.size)
        return np.where(known, positions, self.size)

    @property
    def n_bytes(self) -> int:
        """Bytes of the table and of its seed."""
        return self.table.nbytes + self.tries.nbytes

    @property
    def floor_bytes(self) -> int:
        """The same: there are no keys that could be left out."""
        return self.n_bytes
