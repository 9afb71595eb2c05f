"""Adam for a large table of which a step touches few rows: its cost is that of the rows of the batch, whatever the table's size.

    g_r = sum of the gradients of row r in the batch, m_r <- m_r + (1 - b1) (g_r - m_r), v_r <- v_r + (1 - b2) (g_r^2 - v_r)
    E_r <- E_r - lr sqrt(1 - b2^t) / (1 - b1^t) * m_r / (sqrt(v_r) + eps)        for the rows r of the batch, at step t

Kingma and Ba, ICLR 2015 (arXiv 1412.6980), algorithm 1 in the form at the end of its section 2, as torch.optim.SparseAdam:
the moments of a row that is not in the batch do not decay. Where every row is in every batch this is Adam.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ue_bench.allocator import in_large_pages


class RowAdam(torch.optim.Optimizer):
    """Takes sparse gradients of tables [rows, D] that lie in memory row by row. Raises TypeError for a dense one.

    The two moments of a row lie side by side, so that they are one place in memory: [rows, 2, D]. They are written once at the
    start, for otherwise each step would wait for the kernel to hand out the pages of its rows.
    """

    def __init__(
        self, tables: Iterable[torch.nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(tables, {"lr": lr, "betas": betas, "eps": eps})
        for group in self.param_groups:
            for table in group["params"]:
                moments = torch.empty(len(table), 2, table.shape[1], dtype=table.dtype, device=table.device)
                if not table.is_cuda:
                    in_large_pages(moments.data_ptr(), moments.nbytes)
                self.state[table] = {"step": 0, "moments": moments.zero_()}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    _move(table, table.grad, self.state[table], group)


def _move(table: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not gradient.is_sparse:
        raise TypeError("a table that is trained by its rows has a dense gradient; it may only be read by `Pool` or `gather`")
    state["step"] += 1
    b1, b2 = group["betas"]
    rows, where = torch.unique(gradient._indices()[0], return_inverse=True)
    summed = table.new_zeros(len(rows), table.shape[1]).index_add_(0, where, gradient._values())
    both = torch.cat((2 * rows, 2 * rows + 1))  # the first and the second moment of each row, as they lie in memory
    moments = state["moments"].view(-1, table.shape[1])
    moved = moments.index_select(0, both)
    first, second = moved.chunk(2)
    first.lerp_(summed, 1 - b1)
    second.lerp_(summed.square(), 1 - b2)
    moments.index_copy_(0, both, moved)
    rate = group["lr"] * math.sqrt(1 - b2 ** state["step"]) / (1 - b1 ** state["step"])
    change = first.div_(second.sqrt_().add_(group["eps"])).mul_(-rate)
    table.index_add_(0, rows, change)  # with the rate as its `alpha` this would take five times as long
