"""Adam for a large table of which a step touches few rows. A step costs what the rows of the batch
cost, whatever the size of the table.

    m <- m + (1 - b1) (g - m)
    v <- v + (1 - b2) (g^2 - v)
    E <- E - lr c(t) m / (sqrt(v) + eps)             at step t
    c(t) = sqrt(1 - b2^t) / (1 - b1^t)

where g is the sum of the gradients of a row in the batch, and 0 for a row that is not in it.

Kingma and Ba, ICLR 2015 (arXiv 1412.6980), algorithm 1 in the form at the end of its section 2. A
row that is in no batch from step s + 1 to step t still moves with its momentum. It makes these
moves all at once, when it is read again:

    E_t = E_s - lr m_s / (sqrt(v_s) + eps) * S
    S = sum over j = s + 1 ... t of (b1 / sqrt(b2))^(j - s) c(j)
    m_t = b1^(t - s) m_s        v_t = b2^(t - s) v_s

This equals Adam except for the effect of eps in the missed steps. `lazy` instead leaves such a row
and its moments unchanged, as torch.optim.SparseAdam does.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ue_bench.strategies.allocator import in_large_pages

HORIZON = 512  # steps after which a row's momentum is spent: (0.9 / sqrt(0.999))^512 = 5e-24
CHUNK = 65_536  # rows that are caught up at a time

State = dict[str, Any]  # of one table; `_initial_state` describes it
Group = dict[str, Any]  # tables and their lr, betas, eps and lazy


class Read(NamedTuple):
    """Rows that were caught up and are not written back: the next step will likely move them.

    slots: what was read, int64 [N].
    rows: the distinct rows among the slots.
    where: the position of each slot's row in `rows`.
    places: positions of the first moments of the rows, and then of the second moments.
    moments: the moments at these places, [2 * rows, D].
    """

    slots: Tensor
    rows: Tensor
    where: Tensor
    places: Tensor
    moments: Tensor


class RowAdam(torch.optim.Optimizer):
    """Adam for sparse gradients of tables [rows, D] that are contiguous in memory.

    Unless it is `lazy`, rows must be caught up before they are read: call `catch_up` for the rows
    of a batch and `settle` for whole tables. The two moments of a row are neighbours in memory,
    [rows, 2, D]. They are written once at the start, because each step would otherwise wait for the
    kernel to provide the pages of its rows.

    Raises TypeError in `step` for a dense gradient.
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
                self.state[table] = _initial_state(table, betas, lazy)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient. The closure is ignored."""
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
        places, moments = _catch_up(table, rows, state, self._group_of(table))
        state["read"] = Read(slots=flat, rows=rows, where=where, places=places, moments=moments)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring all rows of all tables up to date, as Adam would have left them."""
        for group in self.param_groups:
            if group["lazy"]:
                continue
            for table in group["params"]:
                self._settle_table(table, group)

    def _settle_table(self, table: torch.nn.Parameter, group: Group) -> None:
        state = self.state[table]
        _write_back(state)
        was_in_a_batch = state["reached"] > 0
        is_behind = state["reached"] < state["step"]
        behind = (was_in_a_batch & is_behind).nonzero().flatten()
        for rows in behind.split(CHUNK):
            places, moments = _catch_up(table, rows, state, group)
            state["read"] = Read(slots=rows, rows=rows, where=rows, places=places, moments=moments)
            _write_back(state)

    def _group_of(self, table: torch.nn.Parameter) -> Group:
        for group in self.param_groups:
            if any(table is other for other in group["params"]):
                return group
        raise KeyError("the table is not one that this optimizer trains")


def _initial_state(table: torch.nn.Parameter, betas: tuple[float, float], lazy: bool) -> State:
    """Return the state of a table before its first step.

    step: the number of steps so far.
    moments: [rows, 2, D].
    reached: the step that each row is up to date with.
    left: the sum S up to now, by s.
    ratios: (b1 / sqrt(b2))^n for n from HORIZON down to 1.
    read: rows that were caught up and are not written back.
    """
    moments = torch.empty(len(table), 2, table.shape[1], dtype=table.dtype, device=table.device)
    if not table.is_cuda:
        in_large_pages(moments.data_ptr(), moments.nbytes)
    state: State = {"step": 0, "moments": moments.zero_()}
    if lazy:
        return state
    left = torch.zeros(2 * HORIZON, dtype=table.dtype, device=table.device)
    exponents = torch.arange(HORIZON, 0, -1, dtype=torch.float64)
    ratios = (betas[0] / math.sqrt(betas[1])) ** exponents
    state["reached"] = torch.zeros(len(table), dtype=torch.int32, device=table.device)
    state["left"] = left
    state["ratios"] = ratios.to(left)
    state["read"] = None
    return state


def _move(table: Tensor, gradient: Tensor, state: State, group: Group) -> None:
    """Take one step on the rows of a sparse gradient."""
    if not gradient.is_sparse:
        raise TypeError(
            "a table that RowAdam trains has a dense gradient; read it only by `Pool` or `gather`"
        )
    b1, b2 = group["betas"]
    eps = group["eps"]
    slots = gradient._indices()[0]
    read = state.get("read")
    if read is not None and torch.equal(read.slots, slots):
        _, rows, where, places, moments = read
        state["read"] = None
    else:  # the table was read several times before this step
        if not group["lazy"]:
            _write_back(state)
        rows, where = torch.unique(slots, return_inverse=True)
        places, moments = _moments(table, rows, state)
    step = state["step"] + 1
    state["step"] = step
    summed = _summed(gradient, len(rows), where)
    first, second = moments.chunk(2)
    first.lerp_(summed, 1 - b1)
    second.lerp_(summed.square(), 1 - b2)
    state["moments"].view(-1, table.shape[1]).index_copy_(0, places, moments)
    correction = math.sqrt(1 - b2**step) / (1 - b1**step)
    if not group["lazy"]:
        state["reached"].index_fill_(0, rows, step)
        _extend_sums(state, step, correction)
        eps *= math.sqrt(1 - b2**step)  # Adam adds eps after the correction, SparseAdam before it
    change = first.div_(second.sqrt_().add_(eps)).mul_(-group["lr"] * correction)
    table.index_add_(0, rows, change)  # five times as slow with the rate as its `alpha`


def summed_by_row(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct rows of a sparse gradient, int64 [R], and their sums, [R, D]."""
    rows, where = torch.unique(gradient._indices()[0], return_inverse=True)
    return rows, _summed(gradient, len(rows), where)


def _summed(gradient: Tensor, n_rows: int, where: Tensor) -> Tensor:
    """Add up the numbers of a sparse gradient by row. where: the row of each of its slots."""
    values = gradient._values()
    return values.new_zeros(n_rows, values.shape[1]).index_add_(0, where, values)


def _catch_up(table: Tensor, rows: Tensor, state: State, group: Group) -> tuple[Tensor, Tensor]:
    """Make the moves that rows have missed. Returns the places of their moments and the moments."""
    b1, b2 = group["betas"]
    reached = state["reached"].index_select(0, rows)
    places, moments = _moments(table, rows, state)
    first, second = moments.chunk(2)
    since = reached.to(table.dtype).unsqueeze(1)
    sums = state["left"].index_select(0, reached).unsqueeze(1)
    # eps as in the first of the missed steps, which is the largest
    eps = ((since + 1) * math.log(b2)).expm1_().neg_().sqrt_().mul_(group["eps"])
    change = (first / second.sqrt().add_(eps)).mul_(sums.mul_(-group["lr"]))
    table.index_add_(0, rows, change)
    missed = state["step"] - since
    first.mul_((missed * math.log(b1)).exp_())
    second.mul_((missed * math.log(b2)).exp_())
    return places, moments


def _write_back(state: State) -> None:
    """Keep the moments of rows that were caught up and then had no gradient."""
    if state["read"] is None:
        return
    _, rows, _, places, moments = state["read"]
    state["moments"].view(-1, moments.shape[1]).index_copy_(0, places, moments)
    state["reached"].index_fill_(0, rows, state["step"])
    state["read"] = None


def _moments(table: Tensor, rows: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """Return the places of the moments of rows and a copy of the moments, [2 * rows, D].

    The first moments of all rows come before the second moments.
    """
    places = torch.cat((2 * rows, 2 * rows + 1))
    moments = state["moments"].view(-1, table.shape[1])
    return places, moments.index_select(0, places)


def _extend_sums(state: State, step: int, correction: float) -> None:
    """Add the term of this step to the sums of the steps before it."""
    if step >= len(state["left"]):
        state["left"] = torch.cat((state["left"], torch.zeros_like(state["left"])))
    before = min(step, HORIZON)
    ratios = state["ratios"][HORIZON - before :]
    state["left"][step - before : step].add_(ratios, alpha=correction)
