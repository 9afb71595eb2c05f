"""Many narrow rows of a table, read, written and trained by the fastest of torch's operations.

A row that is as long as one number of a wide type is copied as such a number, whose meaning does
not matter: a gather of one dimension takes a third of the time of one of two.
"""

from typing import Any

import torch
from torch import Tensor

# From this many rows on, bags of one row are faster on a CPU than a plain gather: their kernel
# fetches ahead.
MANY = 8192
SOME = 512  # rows, from which on what wide numbers save is more than what it takes to view them
WIDE = torch.complex128  # of 16 bytes, the widest numbers that torch can copy
_NUMBER = {4: torch.int32, 8: torch.int64, 16: WIDE}  # by bytes
_WIDEST_PAIRS = 8  # numbers of a row, up to which pairs of them are added up faster than rows


def is_narrow(table: Tensor) -> bool:
    """Whether a row of a table [rows, D] is one number of a type that torch can copy."""
    n_bytes = table.shape[1] * table.element_size()
    return n_bytes in _NUMBER and not table.is_cuda and table.is_contiguous()


def read_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return a copy of int32 or int64 rows [R] of a table [rows, D], without a gradient: [R, D]."""
    table = table.detach()  # bags of one that has a gradient keep what it would need
    if is_narrow(table):
        numbers = table.view(_NUMBER[table.shape[1] * table.element_size()]).flatten()
        return numbers.index_select(0, rows).unsqueeze(1).view(table.dtype)
    if len(rows) < MANY or table.is_cuda or not table.is_floating_point():
        return table.index_select(0, rows)
    bags: Tensor = torch.embedding_bag(table, rows, torch.arange(len(rows), dtype=rows.dtype))[0]
    return bags


def write_rows(table: Tensor, rows: Tensor, numbers: Tensor) -> None:
    """Put numbers [R, D] into distinct int64 rows [R] of a table that is contiguous in memory.

    `index_copy_` copies a row in as many parts as it has numbers. Copied as wide numbers, many rows
    take a quarter of the time.
    """
    n_bytes = table.shape[1] * table.element_size()
    if len(rows) < MANY or table.is_cuda or n_bytes % WIDE.itemsize:
        table.index_copy_(0, rows, numbers)
        return
    wide = table.view(WIDE)
    wide.scatter_(0, rows.unsqueeze(1).expand(-1, wide.shape[1]), numbers.view(WIDE))


def trains_in_pairs(table: Tensor, rows: Tensor) -> bool:
    """Whether `TrainedRows` is faster than torch's own gather with a gradient."""
    width = table.shape[1]
    if width > _WIDEST_PAIRS or width % 2 or table.dtype != torch.float32:
        return False
    return len(rows) >= SOME and not table.is_cuda and table.is_contiguous()


class TrainedRows(torch.autograd.Function):
    """Rows [R, D] of a table [rows, D] of floats, D even; the gradient is one of the whole table.

    The gradients of a row are added up in the order of `rows`, as `index_add_` does it, which takes
    more than half as long again for floats as for pairs of them, as complex numbers.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return read_rows(table, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        summed = gradients[0].new_zeros(ctx.shape)
        pairs = gradients[0].contiguous().view(torch.complex64)
        summed.view(torch.complex64).index_add_(0, rows, pairs)
        return summed, None
