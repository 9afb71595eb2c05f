"""The exact table with most numbers zero: what the pruning methods share, and the sparse form in
which they are served."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ue_bench.errors import BudgetError
from ue_bench.strategies.budget import too_large, well_used
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.pool import gather
from ue_bench.strategies.spec import Spec

BLOCK = 16  # rows of the bitmap that share a rank
INDEXED_BYTES = 8  # of a number and its index


class SparseForm(NamedTuple):
    """How kept numbers are found, and how many of them a budget pays for."""

    by_bitmap: bool
    kept: int


class SparseTable(nn.Module):
    """Some numbers of a table of `rows` rows of `numbers`; the others are zero.

    A kept number costs 4 bytes as float32, and must be found. By index: an int32 each, sorted, so
    8 bytes in all. By bitmap: a bit for every number of the table, each row in whole bytes, and for
    every block of 16 rows an int32 with the number of kept ones before it. Few kept numbers are
    cheaper by index, many by bitmap: the form is the one that keeps more in this budget.
    """

    values: Tensor
    indices: Tensor | None
    bits: Tensor
    ranks: Tensor
    _popcount: Tensor

    def __init__(self, rows: int, numbers: int, spec: Spec) -> None:
        super().__init__()
        self.numbers = numbers
        form = sparse_form(rows, numbers, spec)
        self.count = form.kept
        indices = None
        bits = None
        ranks = None
        if form.by_bitmap:
            blocks, row_bytes = bitmap_shape(rows, numbers)
            bits = torch.zeros(blocks, BLOCK, row_bytes, dtype=torch.uint8)
            ranks = torch.zeros(blocks, dtype=torch.int32)
        else:
            indices = torch.zeros(self.count, dtype=torch.int32)
        self.register_buffer("values", torch.zeros(self.count))
        self.register_buffer("indices", indices)
        self.register_buffer("bits", bits)
        self.register_buffer("ranks", ranks)
        counts = torch.tensor([byte.bit_count() for byte in range(256)], dtype=torch.uint8)
        self.register_buffer("_popcount", counts, persistent=False)

    def keep(self, table: Tensor) -> None:
        """Keep the largest numbers of a table [rows, numbers]."""
        chosen = table.abs().flatten().topk(self.count, sorted=False).indices.sort().values
        self.values.copy_(table.flatten()[chosen])
        if self.indices is not None:
            self.indices.copy_(chosen)
            return
        blocks, block_rows, row_bytes = self.bits.shape
        mask = torch.zeros(blocks * block_rows, 8 * row_bytes, device=table.device)
        mask[chosen // self.numbers, chosen % self.numbers] = 1
        by_byte = mask.view(*self.bits.shape, 8)
        self.bits.copy_((by_byte @ _powers(mask).float()).to(torch.uint8))
        kept = mask.view(blocks, -1).sum(1).long()
        self.ranks.copy_(kept.cumsum(0) - kept)

    def forward(self, slots: Tensor) -> Tensor:
        """Return the rows [..., numbers] of int64 slots of any shape."""
        if self.indices is not None:
            column = torch.arange(self.numbers, device=slots.device)
            wanted = (slots.unsqueeze(-1) * self.numbers + column).int()
            places = torch.searchsorted(self.indices, wanted).clamp(max=self.count - 1)
            return self.values[places] * (self.indices[places] == wanted)
        block = slots // BLOCK
        row_in_block = (slots % BLOCK).unsqueeze(-1)
        is_before = torch.arange(BLOCK, device=slots.device) < row_in_block  # [..., BLOCK]
        kept_in_rows = self._popcount[self.bits[block].long()].sum(-1)
        rank = self.ranks[block] + (kept_in_rows * is_before).sum(-1)
        row_bytes = self.bits.flatten(0, 1)[slots].unsqueeze(-1)
        is_kept = ((row_bytes & _powers(self.bits)) != 0).flatten(-2)[..., : self.numbers]
        places = (rank.unsqueeze(-1) + is_kept.cumsum(-1) - 1).clamp(0, self.count - 1)
        return self.values[places] * is_kept


def bitmap_shape(rows: int, numbers: int) -> tuple[int, int]:
    """Return the blocks of a table's bitmap, and the bytes of one of its rows."""
    return -(-rows // BLOCK), -(-numbers // 8)


def sparse_form(rows: int, numbers: int, spec: Spec) -> SparseForm:
    """Return the form that keeps the most numbers of a table.

    Raises BudgetError if the budget pays for no number, or if too much of it would be unused.
    """
    budget = spec.require_budget()
    total = rows * numbers
    blocks, row_bytes = bitmap_shape(rows, numbers)
    bitmap_bytes = blocks * (BLOCK * row_bytes + 4)
    by_index = min(budget // INDEXED_BYTES, total)
    by_bitmap = min(max(budget - bitmap_bytes, 0) // 4, total)
    if by_index < 1:
        why = "pays for none of the 8 bytes of a number and its index"
        raise BudgetError(spec.name, budget, why, INDEXED_BYTES)
    whole = bitmap_bytes + 4 * total
    if by_bitmap == total and not well_used(whole, budget):
        raise too_large(spec, whole, works=whole)
    indexed = INDEXED_BYTES * by_index
    if by_bitmap <= by_index < total and not well_used(indexed, budget):
        why = (
            f"is no multiple of the 8 bytes of a number and its index, and only {indexed} can be "
            "used"
        )
        raise BudgetError(spec.name, budget, why, indexed + INDEXED_BYTES)
    return SparseForm(by_bitmap=by_bitmap > by_index, kept=max(by_index, by_bitmap))


def _powers(like: Tensor) -> Tensor:
    return torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=like.device)


class PrunedTable(Collisionless):
    """Trains the exact table and serves the numbers of it that the budget pays for.

    These are the largest in absolute value. In evaluation mode vectors are already those that would
    be served, so that the best epoch is the best of the pruned table.
    """

    training_only: tuple[str, ...] = ("pool.weight",)

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.served = SparseTable(len(self.pool.weight), spec.dim, spec)

    def trained(self, slots: Tensor) -> Tensor:
        """Return rows as they are in training: int64 [B, L] -> [B, L, D].

        By default they are the rows of the table.
        """
        return self.pool(slots)

    def table(self) -> Tensor:
        """Return the whole table, as `trained` gives its rows: [rows, D]."""
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


def largest(table: Tensor, count: int) -> Tensor:
    """Return the table with all but its `count` largest numbers set to zero."""
    chosen = table.detach().abs().flatten().topk(count, sorted=False).indices
    kept = torch.zeros_like(table).flatten().index_fill(0, chosen, 1)
    return table * kept.view_as(table)
