"""Pools: the tables of learned numbers that slots point into, and how their rows are read."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.strategies.allocator import in_large_pages
from ue_bench.strategies.initial_values import draw
from ue_bench.strategies.spec import Spec

# From this many slots on, bags of one row are faster on a CPU than a plain gather: their kernel
# fetches ahead.
MANY = 8192


class Pool(nn.Module):
    """Learned numbers: `weight`, float32 [rows, numbers], drawn from torch's global generator.

    numbers: in a row; D if it is not given.

    Code that computes gradients from `weight` without calling the pool must check `sparse` first:
    if it is true, only rows that a call has read may have a gradient.
    """

    def __init__(self, rows: int, spec: Spec, numbers: int | None = None) -> None:
        super().__init__()
        if numbers is None:
            numbers = spec.dim
        weight = torch.empty(rows, numbers)
        in_large_pages(weight.data_ptr(), weight.nbytes)
        self.weight = nn.Parameter(weight)
        self.sparse = spec.sparse and weight.numel() > spec.sparse_above
        # of bags of one row, for as many slots as the last batch had
        self.register_buffer("_offsets", None, persistent=False)
        # an optimizer may set this; training then calls it with the slots before they are read
        self.before_read: Callable[[Tensor], None] | None = None
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
