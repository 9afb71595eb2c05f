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
from ue_bench.strategies.many_rows import read_rows, write_rows

HORIZON = 512  # steps after which a row's momentum is spent: (0.9 / sqrt(0.999))^512 = 5e-24
CHUNK = 65_536  # rows that are caught up at a time

State = dict[str, Any]  # of one table; `_initial_state` describes it
Group = dict[str, Any]  # tables and their lr, betas, eps and lazy


class Distinct(NamedTuple):
    """The rows among N slots.

    rows: int64 [R], ascending.
    places: int64 [N], the place of each slot's row in `rows`.
    order: int64 [N], the slots of the first row, by their places, and then those of the next one.
    starts: int64 [R], where the slots of each row start in `order`.
    """

    rows: Tensor
    places: Tensor
    order: Tensor
    starts: Tensor


class Read(NamedTuple):
    """Rows that were caught up and are not written back: the next step will likely move them.

    rows: int64 [R], distinct.
    numbers: of these rows, [R, D].
    moments: the first ones of all of them, and then the second ones, [2, R, D].
    """

    rows: Tensor
    numbers: Tensor
    moments: Tensor


class RowAdam(torch.optim.Optimizer):
    """Adam for sparse gradients of tables [rows, D] that are contiguous in memory.

    Unless it is `lazy`, rows are behind until they are caught up: read those of a batch by `read`,
    and call `settle` before whole tables are read. The two moments of a row are neighbours in
    memory, [rows, 2, D]. They are written once at the start, because each step would otherwise wait
    for the kernel to provide the pages of its rows.

    kept_by_row: what of the state of a table is of its rows; 0 where a row was in no batch.

    Raises TypeError in `step` for a dense gradient.
    """

    kept_by_row = ("moments", "reached")

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

    def read(self, table: torch.nn.Parameter, slots: Tensor) -> Tensor:
        """Return the rows at int64 slots of any shape, up to date: [..., D].

        Their gradient is a sparse one of `table`, of distinct rows.
        """
        distinct = _distinct(slots.flatten(), len(table))
        numbers = self.catch_up(table, distinct.rows)
        read: Tensor = _Rows.apply(table, numbers, distinct)  # type: ignore[no-untyped-call]
        return read.view(*slots.shape, table.shape[1])

    @torch.no_grad()
    def catch_up(self, table: torch.nn.Parameter, rows: Tensor) -> Tensor:
        """Bring distinct int64 rows up to date for the next step. Returns their numbers, [R, D]."""
        state = self.state[table]
        _write_back(table, state)
        read = _caught_up(table, rows, state, self._group_of(table))
        state["read"] = read
        return read.numbers

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
        _write_back(table, state)
        was_in_a_batch = state["reached"] > 0
        is_behind = state["reached"] < state["step"]
        behind = (was_in_a_batch & is_behind).nonzero().flatten()
        for rows in behind.split(CHUNK):
            state["read"] = _caught_up(table, rows, state, group)
            _write_back(table, state)

    def _group_of(self, table: torch.nn.Parameter) -> Group:
        for group in self.param_groups:
            if any(table is other for other in group["params"]):
                return group
        raise KeyError("the table is not one that this optimizer trains")


class _Rows(torch.autograd.Function):
    """The numbers of each slot, from those of distinct rows; the gradient is one of the table."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, numbers: Tensor, distinct: Distinct) -> Tensor:
        ctx.save_for_backward(distinct.rows, distinct.order, distinct.starts)
        ctx.shape = table.shape
        return numbers.index_select(0, distinct.places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rows, order, starts = ctx.saved_tensors
        summed = _bags(gradients[0], order, starts)
        return of_rows(rows, summed, ctx.shape), None, None


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
    rows, summed = gradient._indices()[0], gradient._values()
    read = state.get("read")
    if read is not None and torch.equal(read.rows, rows):
        state["read"] = None
    else:  # the table was read several times before this step
        if not group["lazy"]:
            _write_back(table, state)
        rows, summed = summed_by_row(gradient)
        read = _as_it_is(table, rows, state)
    _, numbers, moments = read
    step = state["step"] + 1
    state["step"] = step
    first, second = moments
    first.lerp_(summed, 1 - b1)
    second.mul_(b2).addcmul_(summed, summed, value=1 - b2)
    _write_moments(state, rows, moments)
    correction = math.sqrt(1 - b2**step) / (1 - b1**step)
    if not group["lazy"]:
        state["reached"].index_fill_(0, rows, step)
        _extend_sums(state, step, correction)
        eps *= math.sqrt(1 - b2**step)  # Adam adds eps after the correction, SparseAdam before it
    numbers.addcdiv_(first, second.sqrt_().add_(eps), value=-group["lr"] * correction)
    write_rows(table, rows, numbers)


def of_rows(rows: Tensor, numbers: Tensor, shape: torch.Size) -> Tensor:
    """Return the sparse gradient of a table whose rows have these numbers, [R, D]."""
    return torch.sparse_coo_tensor(rows[None], numbers, shape, check_invariants=False)


def summed_by_row(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct rows of a sparse gradient, int64 [R], and their sums, [R, D]."""
    distinct = _distinct(gradient._indices()[0], len(gradient))
    return distinct.rows, _bags(gradient._values(), distinct.order, distinct.starts)


def _distinct(slots: Tensor, n_rows: int) -> Distinct:
    """Return the rows among int64 slots [N] of a table of so many rows."""
    if n_rows < 2**31:  # which are sorted faster
        slots = slots.int()
    ordered, order = slots.sort(stable=True)
    rows, among, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    places = torch.empty_like(order).scatter_(0, order, among)
    return Distinct(rows.long(), places, order, counts.cumsum(0) - counts)


def _bags(numbers: Tensor, order: Tensor, starts: Tensor) -> Tensor:
    """Add up numbers [N, D] by row, in their order: [R, D]. Faster than `index_add_`."""
    summed: Tensor = torch.embedding_bag(numbers, order, starts)[0]
    return summed


def _caught_up(table: Tensor, rows: Tensor, state: State, group: Group) -> Read:
    """Make the moves that rows have missed."""
    b1, b2 = group["betas"]
    read = _as_it_is(table, rows, state)
    reached = state["reached"].index_select(0, rows)
    first, second = read.moments
    sums = state["left"].index_select(0, reached).mul_(-group["lr"])
    # eps as in the next step: with it a row that was never in a batch stays, too
    eps = group["eps"] * math.sqrt(1 - b2 ** (state["step"] + 1))
    read.numbers.addcdiv_(first * _as_rows(sums, first), second.sqrt().add_(eps))
    missed = (state["step"] - reached).to(table.dtype)
    first.mul_(_as_rows((missed * math.log(b1)).exp_(), first))
    second.mul_(_as_rows((missed * math.log(b2)).exp_(), second))
    return read


def _as_rows(numbers: Tensor, rows: Tensor) -> Tensor:
    """Return numbers [R] as often as rows [R, D] are wide.

    torch multiplies narrow rows by numbers of their shape in a sixth of the time that it takes to
    multiply them by one number a row.
    """
    return numbers.unsqueeze(1).expand_as(rows).contiguous()


def _as_it_is(table: Tensor, rows: Tensor, state: State) -> Read:
    """Return a copy of rows and of their moments."""
    moments = read_rows(state["moments"].flatten(1), rows).view(-1, 2, table.shape[1])
    return Read(rows, read_rows(table, rows), moments.transpose(0, 1).contiguous())


def _write_back(table: Tensor, state: State) -> None:
    """Keep rows that were caught up and then had no gradient."""
    if state["read"] is None:
        return
    rows, numbers, moments = state["read"]
    write_rows(table, rows, numbers)
    _write_moments(state, rows, moments)
    state["reached"].index_fill_(0, rows, state["step"])
    state["read"] = None


def _write_moments(state: State, rows: Tensor, moments: Tensor) -> None:
    write_rows(state["moments"].flatten(1), rows, moments.transpose(0, 1).flatten(1))


def _extend_sums(state: State, step: int, correction: float) -> None:
    """Add the term of this step to the sums of the steps before it."""
    if step >= len(state["left"]):
        state["left"] = torch.cat((state["left"], torch.zeros_like(state["left"])))
    before = min(step, HORIZON)
    ratios = state["ratios"][HORIZON - before :]
    state["left"][step - before : step].add_(ratios, alpha=correction)
