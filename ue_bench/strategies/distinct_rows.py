"""Rows of slots that occur several times in a batch, so that each is turned into a vector once.

It pays where a vector costs more than to find its row, as in a network.
"""

import torch
from torch import Tensor
from torch.compiler import is_compiling

FEWEST = 1024  # rows; of fewer, all are computed
# Numbers in which the rows of two values must agree to be one value's. They are hashes with seeds
# of their own, of 20 bits each: two values agree in all by chance once in 2^160 pairs. To read all
# numbers of the rows again, up to 128, would be a large part of a step.
COMPARED = 8


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return each distinct row once, [D, H], and for every row of int [N, H] its place among them.

    Rows are one value's if their first eight numbers agree: they are found by the first two, from
    0 to 2^31. None where that does not pay, and where the other six differ in rows of which these
    two agree.
    """
    if len(rows) < FEWEST or rows.is_cuda or is_compiling():
        return None
    key = rows[:, 0].long()
    if rows.shape[1] > 1:
        key = (key << 31) + rows[:, 1]
    keys, place = torch.unique(key, return_inverse=True)
    first = torch.empty(len(keys), dtype=torch.int64)
    first[place] = torch.arange(len(rows))
    compared = rows[:, :COMPARED].contiguous()
    if not torch.equal(compared.index_select(0, first).index_select(0, place), compared):
        return None
    return rows.index_select(0, first), place
