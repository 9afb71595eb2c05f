"""The article's layer, as a drop-in: raw values in, concatenated vectors out."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ue_bench.hashing import hash_rows


class UnifiedEmbedding(nn.Module):
    """One embedding table shared by all features, each with lookups of its own (Coleman et al., NeurIPS 2023).

    The row of a value under a seed is ``xxh32(value, seed) % num_embeddings``; the vectors of the seeds are concatenated. Give
    every lookup of every feature its own seed. There is no vocabulary: any value, seen or unseen, has its rows.

    num_embeddings: rows of the table. embedding_dim: numbers in a row. Both at least 1, or ValueError.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, device: Any = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        if num_embeddings < 1 or embedding_dim < 1:
            raise ValueError(f"a table of {num_embeddings} rows of {embedding_dim} was asked for; both must be at least 1")
        self.embedding = nn.Embedding(num_embeddings, embedding_dim, device=device, dtype=dtype)

    def forward(self, values: Any, seeds: Sequence[int]) -> torch.Tensor:
        """Vectors [len(values), len(seeds) * embedding_dim]. `values` and errors as in `ue_bench.hashing.hash_rows`."""
        rows = hash_rows(values, seeds, self.embedding.num_embeddings)
        return self.embedding(rows.to(self.embedding.weight.device)).flatten(1)
