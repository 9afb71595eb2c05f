"""The hashing trick: a value's row is its hash modulo the size of its region.

    row_k(x) = start + xxh32(x, seed_k) mod size        vector(x) = [E[row_1(x)], ..., E[row_l(x)]]

Weinberger et al., ICML 2009 (arXiv 0902.2206). With one region for all features it is the unified
embedding of Coleman et al., NeurIPS 2023 (arXiv 2305.12102); with a region for each, one hashed
table per feature. Bytes: 4 M D for M rows of D numbers.
"""

from typing import Any

from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import ends_of, regions
from ue_bench.strategies.spec import Spec


class HashingTrick(EmbeddingStrategy):
    one_pool = True

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.regions = regions(spec, slot_numbers=spec.dim)
        self.pool = Pool(self.regions[-1].end, spec, ends=ends_of(self.regions))

    def locate(self, feature: int, values: Any) -> Tensor:
        return self.regions[feature].rows(values, self.spec.seeds(feature))

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)

    def hashed_rows(self, feature: int) -> range:
        return range(self.regions[feature].start, self.regions[feature].end)
