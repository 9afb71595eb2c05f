"""Many narrow rows of a table, read and written at once by the fastest of torch's operations."""

import torch
from torch import Tensor

# From this many rows on, bags of one row are faster on a CPU than a plain gather: their kernel
# fetches ahead.
MANY = 8192
WIDE = torch.complex128  # of 16 bytes, the widest numbers that torch can copy


def read_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return a copy of int64 rows [R] of a table [rows, D], without a gradient: [R, D]."""
    table = table.detach()  # bags of one that has a gradient keep what it would need
    if len(rows) < MANY or table.is_cuda or table.shape[1] == 1:
        return table.index_select(0, rows)
    bags: Tensor = torch.embedding_bag(table, rows, torch.arange(len(rows)))[0]
    return bags


def write_rows(table: Tensor, rows: Tensor, numbers: Tensor) -> None:
    """Put numbers [R, D] into distinct int64 rows [R] of a table that is contiguous in memory.

    `index_copy_` copies a row in as many parts as it has numbers. Copied as wide numbers, whose
    meaning does not matter, many rows take a quarter of the time.
    """
    n_bytes = table.shape[1] * table.element_size()
    if len(rows) < MANY or table.is_cuda or n_bytes % WIDE.itemsize:
        table.index_copy_(0, rows, numbers)
        return
    wide = table.view(WIDE)
    wide.scatter_(0, rows.unsqueeze(1).expand(-1, wide.shape[1]), numbers.view(WIDE))
