"""Modules in the place of `nn.Embedding` and `nn.EmbeddingBag`, whose ids share a table.

The rows of an id are those of its decimal text under the seeds of the module, as `docs/hashing.md`
fixes them. They are kept beside the table, four bytes a lookup of each id, so that a call takes
tensors alone and can be traced; they are no part of the state.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ue_bench.config.number_bits import parse_bits
from ue_bench.config.units import parse_bytes
from ue_bench.errors import BenchError, BudgetError
from ue_bench.hashing import lookup_seed
from ue_bench.strategies.in_programs.pooling import pooled
from ue_bench.strategies.layers import UnifiedEmbedding
from ue_bench.strategies.number_format import NumberFormat

_PADDING = 0  # the row of padding among the vectors of a call


class IdTable(NamedTuple):
    """An embedding table of a model: num_embeddings rows of embedding_dim float32 numbers."""

    num_embeddings: int
    embedding_dim: int

    @property
    def n_bytes(self) -> int:
        return 4 * self.num_embeddings * self.embedding_dim


def shared_table(
    caller: str,
    replaced: Sequence[IdTable],
    *,
    budget: int | str | None,
    compression: float | None,
    dim: int | None,
    bits: int | str,
    init: str,
    init_scale: float | None,
    device: torch.device | str | None = None,
) -> UnifiedEmbedding:
    """Return one table for all the tables that it replaces.

    budget: its bytes. compression: the bytes of the replaced tables over its bytes. One is given.
    dim: numbers of a row, which divides the embedding dim of every table; None: their greatest
    common divisor. The others are those of `UnifiedEmbedding`.

    Raises BenchError, in the name of the caller, for a number that does not work.
    """
    whole = math.gcd(*(table.embedding_dim for table in replaced))
    if dim is None:
        dim = whole
    if not isinstance(dim, int) or dim < 1 or whole % dim:
        dims = sorted({table.embedding_dim for table in replaced})
        raise BenchError(
            f"{caller}: dim {dim!r} was given for embeddings of {dims} numbers; give a divisor of "
            f"{whole}"
        )
    replaced_bytes = sum(table.n_bytes for table in replaced)
    n_bytes = _bytes(caller, replaced_bytes, budget, compression)
    numbers = NumberFormat(name=parse_bits(bits))
    rows = numbers.rows_within(n_bytes, dim)
    if rows < 1:
        why = f"pays for no row of {dim} numbers"
        raise BudgetError(caller, n_bytes, why, numbers.pool_bytes(1, dim))
    return UnifiedEmbedding(rows, dim, device, bits=bits, init=init, init_scale=init_scale)


def _bytes(
    caller: str, replaced_bytes: int, budget: int | str | None, compression: float | None
) -> int:
    if (budget is None) == (compression is None):
        raise BenchError(
            f"{caller}: budget {budget!r} and compression {compression!r} were given; give one of "
            "them"
        )
    if compression is not None:
        if not isinstance(compression, (int, float)) or not 1 <= compression < math.inf:
            raise BenchError(
                f"{caller}: compression {compression!r} was given; it must be at least 1"
            )
        return int(replaced_bytes / compression)
    if isinstance(budget, str):
        return parse_bytes(budget)
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise BenchError(
            f"{caller}: budget {budget!r} was given; give a whole number of bytes, at least 1, or "
            "a text such as '28kB'"
        )
    return budget


def rows_of_ids(name: str, replaced: IdTable, table: UnifiedEmbedding, hash_seed: int) -> Tensor:
    """Return the rows in `table` of all ids: int32, or int64 of a huge table, [ids, lookups].

    name: of the feature, which its seeds follow from.
    """
    lookups = replaced.embedding_dim // table.embedding.embedding_dim
    seeds = [lookup_seed(name, lookup, hash_seed) for lookup in range(lookups)]
    slots = table.rows(np.arange(replaced.num_embeddings), seeds).slots
    if table.embedding.num_embeddings < 2**31:
        slots = slots.int()
    return slots


class HashedIds(nn.Module):
    """What both modules have: a table, the rows of each id in it, and an id for padding.

    table: it may be shared with other modules. slots: int [num_embeddings, lookups].
    padding_idx: an id from 0 to num_embeddings - 1, or None.
    """

    slots: Tensor

    def __init__(self, table: UnifiedEmbedding, slots: Tensor, padding_idx: int | None) -> None:
        super().__init__()
        self.table = table
        self.num_embeddings = len(slots)
        self.embedding_dim = slots.shape[1] * table.embedding.embedding_dim
        self.padding_idx = padding_idx
        self.register_buffer("slots", slots, persistent=False)

    def vectors_of(self, ids: Tensor) -> Tensor:
        """Return the vectors of ids [N], the one for padding too: [N, embedding_dim].

        Raises IndexError for an id that the module does not have.
        """
        return self.table.embed(self.slots.index_select(0, ids))

    def extra_repr(self) -> str:
        """Return what torch prints of the module."""
        return f"{self.num_embeddings}, {self.embedding_dim}, padding_idx={self.padding_idx}"


class HashedEmbedding(HashedIds):
    """In the place of an `nn.Embedding`, with its interface.

    The vector of `padding_idx` is zero and has no gradient.
    """

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vectors of ids of any shape: int [...] -> float32 [..., embedding_dim]."""
        vectors = self.vectors_of(ids.flatten()).view(*ids.shape, self.embedding_dim)
        if self.padding_idx is None:
            return vectors
        return vectors.masked_fill((ids == self.padding_idx).unsqueeze(-1), 0)


class HashedEmbeddingBag(HashedIds):
    """In the place of an `nn.EmbeddingBag`, with its interface.

    mode: one of `MODES`. include_last_offset: as there.
    """

    def __init__(
        self,
        table: UnifiedEmbedding,
        slots: Tensor,
        mode: str,
        padding_idx: int | None = None,
        include_last_offset: bool = False,
    ) -> None:
        super().__init__(table, slots, padding_idx)
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Return the vectors of bags of ids: float32 [B, embedding_dim].

        Arguments and errors are those of `nn.EmbeddingBag`.
        """
        ids = input.flatten()
        vectors = self.vectors_of(ids)
        if input.dim() == 2 and offsets is None and per_sample_weights is None:
            return pooled(
                vectors.view(*input.shape, self.embedding_dim), self._counts(input), self.mode
            )
        # Torch's own bags, over a row for padding, which is the first, and one for each id.
        vectors = torch.cat([vectors.new_zeros(1, self.embedding_dim), vectors])
        places = torch.arange(1, ids.shape[0] + 1, device=ids.device)
        places = places.masked_fill(~self._counts(ids), _PADDING)
        return nn.functional.embedding_bag(
            places.view(input.shape),
            vectors,
            offsets if offsets is None else offsets.long(),
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=None if self.padding_idx is None else _PADDING,
        )

    def _counts(self, ids: Tensor) -> Tensor:
        """Return which ids are none for padding: bool, of their shape."""
        if self.padding_idx is None:
            return torch.ones_like(ids, dtype=torch.bool)
        return ids != self.padding_idx

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, mode={self.mode!r}"
