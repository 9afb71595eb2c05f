"""Hash embedding: a value's vector is a weighted sum of the rows it hashes to, with weights that are learned and hashed too.

    e(x) = sum_k P[bucket(x)][k] E[row_k(x)]        bucket, row_k: start + xxh32(x, a seed of its own) mod size

Svenstrup et al., NeurIPS 2017 (arXiv 1709.03933). There a value is first hashed to one of many ids, from which its rows and its
weights follow; here each has a hash of its own, so that two values in one bucket still differ by their rows. The weights start
at 1 (the sum of several hashes): both factors near 0 would have next to no gradient. Features have regions in P as in E.
Bytes: 4 (M D + B K) for M rows and B buckets of K weights, which get about a tenth of the budget and what is left of a row.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BudgetError
from ue_bench.strategies.base import LEAST_USED, EmbeddingStrategy, Pool, Spec, gather
from ue_bench.strategies.dense_ids import require
from ue_bench.strategies.regions import divide, n_regions

IMPORTANCE_SHARE = 10  # one part of so many of the budget


class HashEmbedding(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"hashes": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.hashes = self.options["hashes"]
        require(spec, "hashes", self.hashes, self.hashes >= 1, "at least 1")
        rows, buckets = split(spec, self.hashes)
        self.regions, self.buckets = divide(spec, rows), divide(spec, buckets)
        self.pool = Pool(rows, spec)
        self.importance = nn.Parameter(torch.ones(buckets, self.hashes))

    def locate(self, feature: int, values: Any) -> Tensor:
        lookups = self.spec.lookups[feature]
        seeds = torch.tensor(self.spec.seeds(feature, self.hashes + 1)).view(
            lookups, -1
        )  # of the rows, then of the bucket
        rows = (
            self.regions[feature]
            .rows(values, seeds[:, :-1].flatten().tolist())
            .unflatten(1, (lookups, -1))
        )
        buckets = self.buckets[feature].rows(values, seeds[:, -1].tolist())
        return torch.cat([rows, buckets.unsqueeze(2)], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        parts = slots.unflatten(1, (-1, self.hashes + 1))
        weights = gather(self.importance, parts[..., -1]).unsqueeze(-1)
        return (weights * self.pool(parts[..., :-1])).sum(2).flatten(1)


def split(spec: Spec, hashes: int) -> tuple[int, int]:
    """Rows and buckets that the budget pays for, at least one of each a region. Raises BudgetError."""
    least, row, bucket = n_regions(spec), spec.row_bytes, 4 * hashes

    def shares(budget: int) -> tuple[int, int]:
        rows = min(
            max((budget - budget // IMPORTANCE_SHARE) // row, least),
            (budget - least * bucket) // row,
        )
        return rows, (budget - rows * row) // bucket

    def works(budget: int) -> bool:
        rows, buckets = shares(budget)
        return rows >= least and rows * row + buckets * bucket >= LEAST_USED * budget

    budget = spec.require_budget()
    if not works(budget):
        needed = f"{least} row{'s' if least > 1 else ''} of {spec.dim} numbers and {least} of {hashes} weights"
        why = f"pays for less than the {needed} needed, or leaves more than 10 % unused"
        raise BudgetError(
            spec.name, budget, why, next(larger for larger in count(budget + 1) if works(larger))
        )
    return shares(budget)
