"""Pools: the tables of learned numbers that slots point into, and how their rows are read."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ue_bench.errors import BenchError
from ue_bench.strategies.allocator import in_large_pages
from ue_bench.strategies.few_bits import FewBits
from ue_bench.strategies.initial_values import draw
from ue_bench.strategies.many_rows import (
    MANY,
    SOME,
    TrainedRows,
    adds_up_faster,
    is_narrow,
    read_rows,
)
from ue_bench.strategies.spec import Spec


class Pool(nn.Module):
    """Learned numbers: `weight`, float32 [rows, numbers], drawn from torch's global generator.

    numbers: in a row; D if it is not given.
    ends: where each region of the pool ends, in rows, if a region may have a step of its own; the
        whole pool is one region if they are not given.
    zero: whether the numbers start at 0 and draw nothing.

    What is served is in the format `spec.numbers`: `weight` itself, or where a number has fewer
    bits, what `finish_training` makes of it. `weight` is None from then on.

    Where `spec.unfilled` is true, `weight` is on torch's meta device: a shape without numbers.

    Code that computes gradients from `weight` without calling the pool must check `sparse` first:
    if it is true, only rows that a call has read may have a gradient.
    """

    halves: Tensor | None

    def __init__(
        self,
        rows: int,
        spec: Spec,
        numbers: int | None = None,
        *,
        ends: Sequence[int] | None = None,
        zero: bool = False,
    ) -> None:
        super().__init__()
        if numbers is None:
            numbers = spec.dim
        self._initial = spec.init, spec.init_scale
        self.rows = rows  # known after `weight` is dropped, too
        weight = torch.empty(rows, numbers, device="meta" if spec.unfilled else None)
        self.weight = nn.Parameter(weight)
        self.sparse = spec.sparse and weight.numel() > spec.sparse_above
        self.training_only: tuple[str, ...] = ()
        self.register_buffer("halves", None)
        self.few_bits: FewBits | None = None
        # of bags of one row, for as many slots as the last batch had
        self.register_buffer("_offsets", None, persistent=False)
        # an optimizer may set this; it then returns the rows of int64 slots in training
        self.reader: Callable[[Tensor], Tensor] | None = None
        if not spec.unfilled:
            in_large_pages(weight.data_ptr(), weight.nbytes)
            if zero:
                nn.init.zeros_(self.weight)
            else:
                draw(self.weight, spec.init, spec.init_scale)
        if spec.numbers.name == "float16":
            self.training_only = ("weight",)
            self.halves = torch.zeros_like(weight, dtype=torch.float16)
        elif spec.numbers.is_code:
            self.training_only = ("weight",)
            self.few_bits = FewBits(rows, numbers, spec, ends or ())
            if not spec.unfilled:
                self.fit_steps()

    def forward(self, slots: Tensor) -> Tensor:
        """Return the rows of 32-bit or 64-bit slots of any shape: [..., numbers]."""
        # read directly, as in SlotCache.slots
        weight: Any = self._parameters["weight"]
        if self.training_only:
            return self._rounded(weight, slots)
        if torch.is_grad_enabled():
            slots = slots.long()  # a gradient is summed faster by 64-bit slots
            return self._read(weight, slots)
        # a traced program is one for all sizes of a batch
        if is_compiling() or slots.numel() < MANY or weight.is_cuda or is_narrow(weight):
            return gather(weight, slots)
        offsets = self._buffers["_offsets"]
        if offsets is None or offsets.numel() != slots.numel() or offsets.dtype != slots.dtype:
            offsets = torch.arange(slots.numel(), dtype=slots.dtype)
            self._buffers["_offsets"] = offsets
        # a detached weight prepares nothing for a gradient
        rows = torch.embedding_bag(weight.detach(), slots.flatten(), offsets)[0]
        return rows.view(*slots.shape, weight.shape[1])

    # without torch's hooks, as in EmbeddingStrategy
    __call__ = forward

    def _rounded(self, weight: Tensor | None, slots: Tensor) -> Tensor:
        """Return the rows of slots as they are served, or as training reads them."""
        if weight is None:
            few_bits: Any = self._modules.get("few_bits")
            if few_bits is not None:
                return few_bits.read(slots)
            halves: Any = self._buffers["halves"]
            return torch.embedding(halves, slots).float()
        slots = slots.long()
        few_bits = self.few_bits
        if few_bits is None or (self.training and not few_bits.rounds):
            rows = self._read(weight, slots)
            if few_bits is None and not self.training:
                return rows.half().float()
            return rows
        if not self.sparse and slots.numel() >= self.rows:
            return gather(few_bits.round_all(weight), slots)
        return few_bits.round_rows(self._read(weight, slots), slots, weight)

    def _read(self, weight: Tensor, slots: Tensor) -> Tensor:
        """Return the rows of int64 slots as they are trained."""
        if self.reader is not None and torch.is_grad_enabled():
            return self.reader(slots)
        return gather(weight, slots, self.sparse)

    def served_signed(self, slots: Tensor) -> Tensor | None:
        """Return the single numbers of slots that are twice a row, and one more for the opposite.

        float32, of the shape of the slots. None where they have to be read in two steps: in
        training, where numbers are not packed several to a byte with one step, and where a program
        is traced.
        """
        few_bits: Any = self._modules.get("few_bits")
        if few_bits is None or self._parameters["weight"] is not None or not few_bits.has_singles:
            return None
        if is_compiling():
            return None
        numbers: Tensor = few_bits.singles(slots.flatten(), signed=True).view(slots.shape)
        return numbers

    def table(self) -> Tensor:
        """Return all rows as a call returns them: [rows, numbers]. The pool must not be sparse."""
        if not self.training_only:
            return self.weight
        if self.weight is None:
            return self(torch.arange(self.rows, device=next(self.buffers()).device))
        if self.few_bits is not None and (self.few_bits.rounds or not self.training):
            return self.few_bits.round_all(self.weight)
        if self.few_bits is None and not self.training:
            return self.weight.half().float()
        return self.weight

    @torch.no_grad()
    def draw_again(self, rows: Tensor) -> None:
        """Give int64 rows new initial numbers, and the steps that suit them."""
        fresh = self.weight[rows]
        draw(fresh, *self._initial)
        self.weight[rows] = fresh
        if self.few_bits is not None:
            self.few_bits.fit_rows(self.weight, rows)

    def trained_by_row(self) -> list[nn.Parameter]:
        """Return the parameters that are of the rows, one by one: `weight`, and their steps."""
        few_bits = self.few_bits
        if few_bits is None or not few_bits.by_row or few_bits.log_steps is None:
            return [self.weight]
        return [self.weight, few_bits.log_steps]

    @torch.no_grad()
    def move_rows(self, source: Tensor, target: Tensor) -> None:
        """Put the rows `source` in the places `target`, int64 [n], with steps of their own.

        A row that is moved to no other place and that none takes the place of stays.
        """
        for numbers in self.trained_by_row():
            numbers[target] = numbers[source]

    def fit_steps(self) -> None:
        """Let the steps of few bits start from what suits the numbers as they are now.

        Call it after a change of `weight` that no optimizer made.
        """
        if self.few_bits is not None:
            self.few_bits.fit(self.weight)

    def end_epoch(self) -> None:
        """Count an epoch of training, which the warm-up of few bits may end."""
        if self.few_bits is not None and self.weight is not None:
            self.few_bits.end_epoch(self.weight)

    @torch.no_grad()
    def keep_served(self) -> None:
        """Fill in what is served in the place of `weight`."""
        if self.weight is None:
            return
        if self.few_bits is not None:
            self.few_bits.keep(self.weight)
        elif self.halves is not None:
            self.halves.copy_(self.weight)


def gather(weight: Tensor, slots: Tensor, sparse: bool = False) -> Tensor:
    """Return the rows of `weight` [rows, numbers] for int64 slots of any shape: [..., numbers].

    sparse: whether the gradient of `weight` holds only the rows that were read.
    """
    if weight.shape[1] == 1 and not sparse and not weight.is_cuda:
        # single numbers are gathered four times as fast from one dimension as from two
        return weight.view(-1).index_select(0, slots.flatten()).view(*slots.shape, 1)
    if not torch.is_grad_enabled():
        if not is_compiling() and slots.numel() >= SOME and is_narrow(weight):
            return read_rows(weight, slots.flatten()).view(*slots.shape, weight.shape[1])
        return torch.embedding(weight, slots)
    if sparse or weight.is_cuda:
        return nn.functional.embedding(slots, weight, sparse=sparse)
    flat = slots.flatten()
    if not is_compiling() and adds_up_faster(weight, flat):
        rows: Tensor = TrainedRows.apply(weight, flat)
    else:  # the same gather; on a CPU its backward pass (index_add) takes a third of the time
        rows = weight.index_select(0, flat)
    return rows.view(*slots.shape, weight.shape[1])


@torch.no_grad()
def make_room(module: nn.Module) -> None:
    """Give memory to the parameters and buffers of a module that have shapes alone.

    Their numbers are whatever the memory held.
    """
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            if weight.is_meta:
                room = torch.empty_like(weight, device="cpu")
                if isinstance(part, Pool):
                    in_large_pages(room.data_ptr(), room.nbytes)
                setattr(part, name, nn.Parameter(room, weight.requires_grad))
        for name, buffer in list(part.named_buffers(recurse=False)):
            if buffer.is_meta:
                setattr(part, name, torch.empty_like(buffer, device="cpu"))


def require_below(spec: Spec, what: str, places: Tensor, count: int) -> None:
    """Raise BenchError unless all of the int tensor `places` are from 0 to `count` - 1."""
    if places.numel() and (places.min() < 0 or places.max() >= count):
        raise BenchError(
            f"{spec.name}: its {what} go from {int(places.min())} to {int(places.max())} and there "
            f"are {count}; save the model again"
        )
