"""The exact table with most numbers zero: what the pruning methods share, and the sparse form in which they are served."""

import torch
from torch import Tensor, nn

from ue_bench.errors import BudgetError
from ue_bench.strategies.base import LEAST_USED, Spec, gather
from ue_bench.strategies.methods.collisionless import Collisionless

BLOCK = 16  # rows of the bitmap that share a rank


class SparseTable(nn.Module):
    """Some numbers of a table of `rows` rows of `numbers`; the others are zero.

    A kept number costs 4 bytes as float32 and must be found. By index: an int32 each, sorted, so 8 bytes in all. By bitmap: a
    bit for every number of the table, each row in whole bytes, and for every block of 16 rows an int32 with how many are kept
    before it. Few kept numbers are cheaper by index, many by bitmap: the form is the one that keeps more in this budget.
    """

    values: Tensor
    indices: Tensor | None
    bits: Tensor
    ranks: Tensor
    _popcount: Tensor

    def __init__(self, rows: int, numbers: int, spec: Spec) -> None:
        super().__init__()
        budget, self.numbers, total = spec.require_budget(), numbers, rows * numbers
        blocks, row_bytes = -(-rows // BLOCK), -(-numbers // 8)
        find = blocks * (BLOCK * row_bytes + 4)
        by_index, by_bitmap = min(budget // 8, total), min(max(budget - find, 0) // 4, total)
        if by_index < 1:
            raise BudgetError(
                spec.name, budget, "pays for none of the 8 bytes of a number and its index", 8
            )
        if by_bitmap == total and find + 4 * total < LEAST_USED * budget:
            why = f"is given and only {find + 4 * total:,} of them can be used (at least 90 % must be)"
            raise BudgetError(spec.name, budget, why, find + 4 * total)
        self.count = max(by_index, by_bitmap)
        if by_index >= by_bitmap and by_index < total and 8 * by_index < LEAST_USED * budget:
            why = f"is no multiple of the 8 bytes of a number and its index, and only {8 * by_index} can be used"
            raise BudgetError(spec.name, budget, why, 8 * (by_index + 1))
        self.register_buffer("values", torch.zeros(self.count))
        bitmap = by_bitmap > by_index
        self.register_buffer(
            "indices", None if bitmap else torch.zeros(self.count, dtype=torch.int32)
        )
        self.register_buffer(
            "bits", torch.zeros(blocks, BLOCK, row_bytes, dtype=torch.uint8) if bitmap else None
        )
        self.register_buffer("ranks", torch.zeros(blocks, dtype=torch.int32) if bitmap else None)
        counts = torch.tensor([byte.bit_count() for byte in range(256)], dtype=torch.uint8)
        self.register_buffer("_popcount", counts, persistent=False)

    def keep(self, table: Tensor) -> None:
        """Become the largest numbers of a table [rows, numbers]."""
        chosen = table.abs().flatten().topk(self.count, sorted=False).indices.sort().values
        self.values.copy_(table.flatten()[chosen])
        if self.indices is not None:
            self.indices.copy_(chosen)
            return
        mask = torch.zeros(
            self.bits.numel() // self.bits.shape[2], 8 * self.bits.shape[2], device=table.device
        )
        mask[chosen // self.numbers, chosen % self.numbers] = 1
        self.bits.copy_((mask.view(*self.bits.shape, 8) @ _powers(mask).float()).to(torch.uint8))
        kept = mask.view(len(self.ranks), -1).sum(1).long()
        self.ranks.copy_(kept.cumsum(0) - kept)

    def forward(self, slots: Tensor) -> Tensor:
        """Rows [..., numbers] of int64 slots of any shape."""
        if self.indices is not None:
            wanted = (
                slots.unsqueeze(-1) * self.numbers + torch.arange(self.numbers, device=slots.device)
            ).int()
            at = torch.searchsorted(self.indices, wanted).clamp(max=self.count - 1)
            return self.values[at] * (self.indices[at] == wanted)
        before = torch.arange(BLOCK, device=slots.device) < (slots % BLOCK).unsqueeze(
            -1
        )  # rows of the block, [..., BLOCK]
        rank = self.ranks[slots // BLOCK] + (
            self._popcount[self.bits[slots // BLOCK].int()].sum(-1) * before
        ).sum(-1)
        mine = (self.bits.flatten(0, 1)[slots].unsqueeze(-1) & _powers(self.bits) != 0).flatten(-2)[
            ..., : self.numbers
        ]
        at = (rank.unsqueeze(-1) + mine.cumsum(-1) - 1).clamp(0, self.count - 1)
        return self.values[at] * mine


def _powers(like: Tensor) -> Tensor:
    return torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=like.device)


class PrunedTable(Collisionless):
    """Trains the exact table, serves the numbers of it that the budget pays for: the largest in absolute value.

    In evaluation mode vectors are already those that would be served, so that the best epoch is the best of the pruned table.
    """

    training_only: tuple[str, ...] = ("pool.weight",)

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.served = SparseTable(len(self.pool.weight), spec.dim, spec)

    def trained(self, slots: Tensor) -> Tensor:
        """Rows as they are in training: int64 [B, L] -> [B, L, D]. Here: those of the table."""
        return self.pool(slots)

    def table(self) -> Tensor:
        """The whole table, as `trained` gives its rows: [rows, D]."""
        return self.trained(torch.arange(len(self.pool.weight), device=self.pool.weight.device))

    def embed(self, slots: Tensor) -> Tensor:
        if self.pool.weight is None:
            return self.served(slots).flatten(1)
        if self.training:
            return self.trained(slots).flatten(1)
        return gather(largest(self.table(), self.served.count), slots).flatten(1)

    @torch.no_grad()
    def end_training(self) -> None:
        self.served.keep(self.table())
        self.drop_training_only()


def largest(table: Tensor, count: int) -> Tensor:
    """The table with all but its `count` largest numbers zeroed."""
    chosen = table.detach().abs().flatten().topk(count, sorted=False).indices
    return table * torch.zeros_like(table).flatten().index_fill(0, chosen, 1).view_as(table)
