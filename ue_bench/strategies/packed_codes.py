"""Whole numbers of a few bits each, packed one behind the other.

Number i has the bits from i `bits` on, and the least significant bit of a byte is its first.
"""

import math

import numpy as np
import torch
from torch import Tensor

MOST_BITS = 57  # of a number that is read as eight bytes, wherever it begins


def packed_bytes(count: int, bits: int) -> int:
    """Return the bytes of `count` packed numbers, with what `read` needs behind them.

    That is the bytes that it reads of a number beyond the first one.
    """
    return -(-count * bits // 8) + _bytes_read(bits) - 1


def pack(codes: Tensor, bits: int) -> Tensor:
    """Pack whole numbers of any shape: uint8 [packed_bytes]."""
    flat = codes.flatten().cpu().numpy()
    packed = np.zeros(packed_bytes(len(flat), bits), np.uint8)
    step = 2**20  # numbers at a time, whose single bits take eight times as many bytes
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        by_bit = (part[:, None] >> np.arange(bits)) & 1
        packed_part = np.packbits(by_bit.astype(np.uint8), bitorder="little")
        first = start * bits // 8
        packed[first : first + len(packed_part)] = packed_part
    return torch.from_numpy(packed).to(codes.device)


def read(packed: Tensor, places: Tensor, bits: int) -> Tensor:
    """Return the numbers at int64 places of any shape: int32 [...], int64 from 25 bits on."""
    first_bit = places * bits
    byte = first_bit >> 3
    kind = torch.int32 if bits <= 24 else torch.int64
    word = packed[byte].to(kind)
    for further in range(1, _bytes_read(bits)):
        word = word | (packed[byte + further].to(kind) << 8 * further)
    # as a function: exporters do not know the operator between two tensors
    shifted = torch.bitwise_right_shift(word, (first_bit & 7).to(kind))
    return shifted & ((1 << bits) - 1)


def _bytes_read(bits: int) -> int:
    """Return in how many bytes the bits of one number may lie."""
    latest = 8 - math.gcd(bits, 8)  # the last bit of a byte at which a number begins
    return max(1, -(-(latest + bits) // 8))
