"""Hash embedding: a value's vector is a weighted sum of the rows it hashes to, with weights that
are learned and hashed too.

    e(x) = sum_k (1 + P[bucket(x)][k]) E[row_k(x)]
    bucket, row_k: start + xxh32(x, a seed of its own) mod size

Svenstrup et al., NeurIPS 2017 (arXiv 1709.03933). The paper first hashes a value to one of many
ids, which then give its rows and its weights. Here rows and weights have hashes of their own, so
that two values in one bucket still differ by their rows. P starts at 0, so that training starts
from the sum of several hashes: if both factors were near 0, there would be almost no gradient.
Features have regions in P as in E.
Bytes: 4 (M D + B K) for M rows and B buckets of K weights. Buckets get about a tenth of the budget
and what is left of a row.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BudgetError
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import counted, too_large, well_used
from ue_bench.strategies.knobs import require_hashes
from ue_bench.strategies.parts import added
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import divide, ends_of, usable_slots
from ue_bench.strategies.spec import Spec

IMPORTANCE_SHARE = 10  # one part in so many of the budget


class HashEmbedding(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"hashes": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.hashes = self.options["hashes"]
        require_hashes(spec, self.hashes)
        rows, buckets = split(spec, self.hashes)
        self.regions = divide(spec, rows, most=usable_slots(spec, self.hashes))
        self.buckets = divide(spec, buckets, most=usable_slots(spec))
        self.pool = Pool(rows, spec, ends=ends_of(self.regions))
        ends = ends_of(self.buckets)
        self.importance = Pool(buckets, spec, self.hashes, ends=ends, zero=True)

    def locate(self, feature: int, values: Any) -> Tensor:
        lookups = self.spec.lookups[feature]
        # of each lookup: seeds of the rows, then one of the bucket
        seeds = torch.tensor(self.spec.seeds(feature, self.hashes + 1)).view(lookups, -1)
        row_seeds = seeds[:, :-1].flatten().tolist()
        rows = self.regions[feature].rows(values, row_seeds).unflatten(1, (lookups, -1))
        buckets = self.buckets[feature].rows(values, seeds[:, -1].tolist())
        return torch.cat([rows, buckets.unsqueeze(2)], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        parts = slots.unflatten(1, (-1, self.hashes + 1))
        weights = 1 + self.importance(parts[..., -1]).unsqueeze(-1)
        return added(weights * self.pool(parts[..., :-1])).flatten(1)


def split(spec: Spec, hashes: int) -> tuple[int, int]:
    """Return the rows and buckets that the budget pays for, at least one of each a region.

    Raises BudgetError if it pays for less, or if too much of it would be unused.
    """
    least = spec.n_regions
    budget = spec.require_budget()
    row_shape = {"numbers": spec.dim, "n_regions": spec.n_regions}
    bucket_shape = {"numbers": hashes, "n_regions": spec.n_regions}
    pool_bytes = spec.numbers.pool_bytes
    within = spec.numbers.rows_within
    usable_rows = usable_slots(spec, hashes)
    usable_buckets = usable_slots(spec)
    most_rows = most_buckets = 8 * budget  # more than it pays for, in one bit each
    if usable_rows is not None and usable_buckets is not None:
        most_rows = sum(usable_rows)
        most_buckets = sum(usable_buckets)

    def shares(budget: int) -> tuple[int, int]:
        wanted = max(within(budget - budget // IMPORTANCE_SHARE, **row_shape), least)
        affordable = within(budget - pool_bytes(least, **bucket_shape), **row_shape)
        rows = min(wanted, affordable, most_rows)
        buckets = min(within(budget - pool_bytes(rows, **row_shape), **bucket_shape), most_buckets)
        if buckets == most_buckets:  # rows take what buckets cannot use
            rows = within(budget - pool_bytes(buckets, **bucket_shape), **row_shape)
            rows = min(rows, most_rows)
        return rows, buckets

    def used_by(rows: int, buckets: int) -> int:
        return pool_bytes(rows, **row_shape) + pool_bytes(buckets, **bucket_shape)

    def works(budget: int) -> bool:
        rows, buckets = shares(budget)
        enough = rows >= least and buckets >= least
        return enough and well_used(used_by(rows, buckets), budget)

    if works(budget):
        return shares(budget)
    largest = used_by(most_rows, most_buckets)
    if budget > largest:
        raise too_large(spec, largest, works=largest)
    needed = f"{counted(least, 'row')} of {spec.dim} numbers and {least} of {hashes} weights"
    why = f"pays for less than the {needed} needed, or leaves more than 10 % unused"
    nearest = next(larger for larger in count(budget + 1) if works(larger))
    raise BudgetError(spec.name, budget, why, nearest)
