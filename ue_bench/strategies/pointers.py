"""Pointers: a whole number that a strategy has learned for each training value, such as a cluster,
in as few bits as the numbers need."""

import torch
from torch import Tensor, nn

from ue_bench.strategies.packed_codes import pack, packed_bytes, read

MOST_BITS = 24  # of a pointer


class Pointers(nn.Module):
    """`count` whole numbers below 2^bits, all 0 at first.

    packed: uint8, as `packed_codes` lays them out. It is served.
    """

    packed: Tensor

    def __init__(self, count: int, bits: int) -> None:
        super().__init__()
        self.count = count
        self.bits = bits
        self.register_buffer("packed", torch.zeros(packed_bytes(count, bits), dtype=torch.uint8))

    def fill(self, numbers: Tensor) -> None:
        """Take other numbers: int64 [count]."""
        self.packed.copy_(pack(numbers, self.bits))

    def at(self, places: Tensor) -> Tensor:
        """Return the numbers at int64 places of any shape: int64 [...], on the CPU."""
        return read(self.packed, places.to(self.packed.device), self.bits).to("cpu", torch.int64)
