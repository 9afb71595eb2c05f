"""Pools: the tables of learned numbers that slots point into, and how their rows are read."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.strategies.allocator import in_large_pages
from ue_bench.strategies.initial_values import draw
from ue_bench.strategies.spec import Spec

# From this many slots on, bags of one row are faster on a CPU than a plain gather: their kernel
# fetches ahead.
MANY = 8192


class Pool(nn.Module):
    """Learned numbers: `weight`, float32 [rows, numbers], drawn from torch's global generator.

    numbers: in a row; D if it is not given.

    Where `spec.unfilled` is true, `weight` is on torch's meta device: a shape without numbers.

    Code that computes gradients from `weight` without calling the pool must check `sparse` first:
    if it is true, only rows that a call has read may have a gradient.
    """

    def __init__(self, rows: int, spec: Spec, numbers: int | None = None) -> None:
        super().__init__()
        if numbers is None:
            numbers = spec.dim
        self.rows = rows  # known after `weight` is dropped, too
        weight = torch.empty(rows, numbers, device="meta" if spec.unfilled else None)
        self.weight = nn.Parameter(weight)
        self.sparse = spec.sparse and weight.numel() > spec.sparse_above
        # of bags of one row, for as many slots as the last batch had
        self.register_buffer("_offsets", None, persistent=False)
        # an optimizer may set this; training then calls it with the slots before they are read
        self.before_read: Callable[[Tensor], None] | None = None
        if not spec.unfilled:
            in_large_pages(weight.data_ptr(), weight.nbytes)
            draw(self.weight, spec.init, spec.init_scale)

    def forward(self, slots: Tensor) -> Tensor:
        """Return the rows of 32-bit or 64-bit slots of any shape: [..., numbers]."""
        # read directly, as in SlotCache.slots
        weight: Any = self._parameters["weight"]
        if torch.is_grad_enabled():
            slots = slots.long()  # a gradient is summed faster by 64-bit slots
            if self.before_read is not None:
                self.before_read(slots)
            return gather(weight, slots, self.sparse)
        if slots.numel() < MANY or weight.is_cuda:
            return torch.embedding(weight, slots)
        offsets = self._buffers["_offsets"]
        if offsets is None or offsets.numel() != slots.numel() or offsets.dtype != slots.dtype:
            offsets = torch.arange(slots.numel(), dtype=slots.dtype)
            self._buffers["_offsets"] = offsets
        # a detached weight prepares nothing for a gradient
        rows = torch.embedding_bag(weight.detach(), slots.flatten(), offsets)[0]
        return rows.view(*slots.shape, weight.shape[1])

    # without torch's hooks, as in EmbeddingStrategy
    __call__ = forward


def gather(weight: Tensor, slots: Tensor, sparse: bool = False) -> Tensor:
    """Return the rows of `weight` [rows, numbers] for int64 slots of any shape: [..., numbers].

    sparse: whether the gradient of `weight` holds only the rows that were read.
    """
    if not torch.is_grad_enabled():
        return torch.embedding(weight, slots)
    if sparse or weight.is_cuda:
        return nn.functional.embedding(slots, weight, sparse=sparse)
    # the same gather; on a CPU its backward pass (index_add) takes a third of the time
    return weight.index_select(0, slots.flatten()).view(*slots.shape, weight.shape[1])


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
