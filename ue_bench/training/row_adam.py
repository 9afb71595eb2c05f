"""Adam for a large table of which a step touches few rows: its cost is that of the rows of the batch, whatever the table's size.

    m <- m + (1 - b1) (g - m),   v <- v + (1 - b2) (g^2 - v),   E <- E - lr c(t) m / (sqrt(v) + eps)        at step t
    c(t) = sqrt(1 - b2^t) / (1 - b1^t)        g = sum of the gradients of a row in the batch; 0 for a row that is not in it

Kingma and Ba, ICLR 2015 (arXiv 1412.6980), algorithm 1 in the form at the end of its section 2. A row that is in no batch from
step s + 1 to t still moves with its momentum. What it should have done by then is caught up with, at once, when it is read again:

    E_t = E_s - lr m_s / (sqrt(v_s) + eps) * sum over j = s + 1 ... t of (b1 / sqrt(b2))^(j - s) c(j)
    m_t = b1^(t - s) m_s        v_t = b2^(t - s) v_s

which is Adam but for what eps does meanwhile. `lazy` leaves such a row and its moments alone instead, as torch.optim.SparseAdam.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ue_bench.strategies.allocator import in_large_pages

HORIZON = 512  # steps after which a row's momentum is spent: (0.9 / sqrt(0.999))^512 = 5e-24
CHUNK = 65_536  # rows caught up with at a time


class Read(NamedTuple):
    """Rows that were caught up with and what is not written back yet, for the next step most likely changes it."""

    slots: Tensor
    rows: Tensor  # each once
    where: Tensor  # of each slot: its row's place among them
    places: Tensor  # of their first, then of their second moments
    moments: Tensor  # [2 * rows, D]


class RowAdam(torch.optim.Optimizer):
    """Takes sparse gradients of tables [rows, D] that lie in memory row by row. Raises TypeError for a dense one.

    Unless it is `lazy`, rows must be caught up with before they are read: `catch_up`, and for all of a table `settle`.
    The two moments of a row lie side by side, so that they are one place in memory: [rows, 2, D]. They are written once at the
    start, for otherwise each step would wait for the kernel to hand out the pages of its rows.
    """

    def __init__(
        self,
        tables: Iterable[torch.nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        lazy: bool = False,
    ) -> None:
        super().__init__(tables, {"lr": lr, "betas": betas, "eps": eps, "lazy": lazy})
        for group in self.param_groups:
            for table in group["params"]:
                moments = torch.empty(
                    len(table), 2, table.shape[1], dtype=table.dtype, device=table.device
                )
                if not table.is_cuda:
                    in_large_pages(moments.data_ptr(), moments.nbytes)
                self.state[table] = {"step": 0, "moments": moments.zero_()}
                if not lazy:
                    reached = torch.zeros(
                        len(table), dtype=torch.int32, device=table.device
                    )  # the step a row is up to date with
                    left = torch.zeros(
                        2 * HORIZON, dtype=table.dtype, device=table.device
                    )  # the sum above, by s, until now
                    ratios = (betas[0] / math.sqrt(betas[1])) ** torch.arange(
                        HORIZON, 0, -1, dtype=torch.float64
                    )
                    self.state[table] |= {
                        "reached": reached,
                        "left": left,
                        "ratios": ratios.to(left),
                        "read": None,
                    }

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    _move(table, table.grad, self.state[table], group)

    @torch.no_grad()
    def catch_up(self, table: torch.nn.Parameter, slots: Tensor) -> None:
        """Bring the rows at int64 slots of any shape up to date."""
        state = self.state[table]
        _write_back(state)
        flat = slots.flatten()
        rows, where = torch.unique(flat, return_inverse=True)
        state["read"] = Read(
            flat, rows, where, *_catch_up(table, rows, state, self._group_of(table))
        )

    @torch.no_grad()
    def settle(self) -> None:
        """Bring all rows of all tables up to date: as Adam would have left them."""
        for group in self.param_groups:
            for table in group["params"] if not group["lazy"] else ():
                state = self.state[table]
                _write_back(state)
                behind = (
                    ((state["reached"] > 0) & (state["reached"] < state["step"]))
                    .nonzero()
                    .flatten()
                )  # 0: never in a batch
                for rows in behind.split(CHUNK):
                    state["read"] = Read(rows, rows, rows, *_catch_up(table, rows, state, group))
                    _write_back(state)

    def _group_of(self, table: torch.nn.Parameter) -> dict[str, Any]:
        return next(
            group for group in self.param_groups if any(table is other for other in group["params"])
        )


def _move(table: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not gradient.is_sparse:
        raise TypeError(
            "a table that is trained by its rows has a dense gradient; it may only be read by `Pool` or `gather`"
        )
    (b1, b2), eps = group["betas"], group["eps"]
    slots, read = gradient._indices()[0], state.get("read")
    if read is not None and torch.equal(read.slots, slots):
        _, rows, where, places, moved = read
        state["read"] = None
    else:  # it was read several times before this step
        if not group["lazy"]:
            _write_back(state)
        rows, where = torch.unique(slots, return_inverse=True)
        places, moved = _moments(table, rows, state)
    state["step"] = step = state["step"] + 1
    summed = table.new_zeros(len(rows), table.shape[1]).index_add_(0, where, gradient._values())
    first, second = moved.chunk(2)
    first.lerp_(summed, 1 - b1)
    second.lerp_(summed.square(), 1 - b2)
    state["moments"].view(-1, table.shape[1]).index_copy_(0, places, moved)
    correction = math.sqrt(1 - b2**step) / (1 - b1**step)
    if not group["lazy"]:
        state["reached"].index_fill_(0, rows, step)
        _spend(state, step, correction)
        eps *= math.sqrt(1 - b2**step)  # Adam adds it after the correction, SparseAdam before
    change = first.div_(second.sqrt_().add_(eps)).mul_(-group["lr"] * correction)
    table.index_add_(
        0, rows, change
    )  # with the rate as its `alpha` this would take five times as long


def _catch_up(
    table: Tensor, rows: Tensor, state: dict[str, Any], group: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """Move rows to where they should be by now, and return the places of their moments, and these as they should be."""
    b1, b2 = group["betas"]
    reached = state["reached"].index_select(0, rows)
    places, moved = _moments(table, rows, state)
    first, second = moved.chunk(2)
    since, left = (
        reached.to(table.dtype).unsqueeze(1),
        state["left"].index_select(0, reached).unsqueeze(1),
    )
    # eps as in the first and largest of the steps that were missed
    eps = ((since + 1) * math.log(b2)).expm1_().neg_().sqrt_().mul_(group["eps"])
    table.index_add_(0, rows, (first / second.sqrt().add_(eps)).mul_(left.mul_(-group["lr"])))
    missed = state["step"] - since
    first.mul_((missed * math.log(b1)).exp_())
    second.mul_((missed * math.log(b2)).exp_())
    return places, moved


def _write_back(state: dict[str, Any]) -> None:
    """Keep the moments of rows that were caught up with and then had no gradient."""
    if state["read"] is not None:
        _, rows, _, places, moved = state["read"]
        state["moments"].view(-1, moved.shape[1]).index_copy_(0, places, moved)
        state["reached"].index_fill_(0, rows, state["step"])
        state["read"] = None


def _moments(table: Tensor, rows: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Where the moments of rows lie, the first ones before the second ones, and a copy of them: [2 * rows, D]."""
    places = torch.cat((2 * rows, 2 * rows + 1))
    return places, state["moments"].view(-1, table.shape[1]).index_select(0, places)


def _spend(state: dict[str, Any], step: int, correction: float) -> None:
    """Add the term of this step to the sums of the steps before it."""
    if step >= len(state["left"]):
        state["left"] = torch.cat((state["left"], torch.zeros_like(state["left"])))
    before = min(step, HORIZON)
    state["left"][step - before : step].add_(state["ratios"][HORIZON - before :], alpha=correction)
