"""Rows of slots that occur several times in a batch, so that each is turned into a vector once.

It pays where a vector costs more than to find its row, as in a network.
"""

import torch
from torch import Tensor
from torch.compiler import is_compiling

FEWEST = 1024  # rows; of fewer, all are computed


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return each distinct row once, [D, H], and for every row of int [N, H] its place among them.

    None where that does not pay, and where rows differ that agree in their first two numbers, from
    0 to 2^31, by which they are found.
    """
    if len(rows) < FEWEST or rows.is_cuda or is_compiling():
        return None
    key = rows[:, 0].long()
    if rows.shape[1] > 1:
        key = (key << 31) + rows[:, 1]
    keys, place = torch.unique(key, return_inverse=True)
    first = torch.empty(len(keys), dtype=torch.int64)
    first[place] = torch.arange(len(rows))
    distinct = rows.index_select(0, first)
    if not torch.equal(distinct.index_select(0, place), rows):
        return None
    return distinct, place
