"""Many narrow rows of a table, read, written and trained by the fastest operations there are.

A row that is as long as one number of a wide type is copied as such a number, whose meaning does
not matter: a gather of one dimension takes a third of the time of one of two.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# From this many rows on, bags of one row are faster on a CPU than a plain gather: their kernel
# fetches ahead.
MANY = 8192
SOME = 512  # rows, from which on what wide numbers save is more than what it takes to view them
WIDE = torch.complex128  # of 16 bytes, the widest numbers that torch can copy
_NUMBER = {4: torch.int32, 8: torch.int64, 16: WIDE}  # by bytes
# Numbers of a row, up to which torch adds up pairs of them faster than rows.
_WIDEST_PAIRS = 8
_LEAST_PRODUCT = 65_536  # numbers, from which on a sparse product of scipy adds up rows faster


def is_narrow(table: Tensor) -> bool:
    """Whether a row of a table [rows, D] is one number of a type that torch can copy."""
    n_bytes = table.shape[1] * table.element_size()
    is_plain = n_bytes in _NUMBER and not table.is_cuda and table.is_contiguous()
    return is_plain and _begins_at(table, n_bytes)


def _begins_at(table: Tensor, n_bytes: int) -> bool:
    """Whether a tensor begins at a multiple of so many bytes of its memory.

    Only then does torch take its numbers for such wide ones. A parameter that was cut out of a
    vector of all parameters begins anywhere.
    """
    return table.storage_offset() * table.element_size() % n_bytes == 0


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
    fits = n_bytes % WIDE.itemsize == 0 and all(
        _begins_at(tensor, WIDE.itemsize) for tensor in (table, numbers)
    )
    if len(rows) < MANY or table.is_cuda or not fits:
        table.index_copy_(0, rows, numbers)
        return
    wide = table.view(WIDE)
    wide.scatter_(0, rows.unsqueeze(1).expand(-1, wide.shape[1]), numbers.view(WIDE))


def adds_up_faster(table: Tensor, rows: Tensor) -> bool:
    """Whether `TrainedRows` is faster than torch's own gather with a gradient."""
    width = table.shape[1]
    if table.is_cuda or table.dtype != torch.float32 or not table.is_contiguous():
        return False
    in_pairs = width <= _WIDEST_PAIRS and width % 2 == 0 and len(rows) >= SOME
    return in_pairs or _by_product(len(rows), width)


def _by_product(n_rows: int, width: int) -> bool:
    """Whether so many rows are added up faster by a product of a sparse matrix and a dense one."""
    return width > 2 and n_rows * width >= _LEAST_PRODUCT


class TrainedRows(torch.autograd.Function):
    """Rows [R, D] of a table [rows, D] of floats; the gradient is one of the whole table."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return read_rows(table, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return added_up(gradients[0].contiguous(), rows, ctx.shape), None


def added_up(numbers: Tensor, rows: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a table of this shape, with each row the sum of the numbers [R, D] for it.

    rows: int64 [R]. Numbers are added up in their order, as by `index_add_`, which takes two to
    five times as long for many rows.
    """
    n_rows, width = shape
    if _by_product(len(rows), width):
        # loaded by those who need it: it takes a tenth of a second
        from scipy.sparse import csc_array

        ones = np.ones(len(rows), np.float32)
        starts = np.arange(len(rows) + 1, dtype=np.int32)  # of the columns, with a one each
        places = csc_array((ones, rows.int().numpy(), starts), shape=(n_rows, len(rows)))
        return torch.from_numpy(places @ numbers.numpy())
    summed = numbers.new_zeros(shape)
    if width % 2 or not _begins_at(numbers, torch.complex64.itemsize):
        return summed.index_add_(0, rows, numbers)
    pairs = numbers.view(torch.complex64)
    summed.view(torch.complex64).index_add_(0, rows, pairs)
    return summed
