"""Compositional embedding: a vector is put together from parts, each a narrow row of a table of its own.

    row_k(x) = start + xxh32(x, seed_k) mod size        e(x) = [T_1[row_1(x)], ..., T_K[row_K(x)]]

T_k has M rows of D / K numbers. M tables of one part know M vectors; K parts know M^K, so that few values share a whole vector.
Partitions of Shi et al., KDD 2020 (arXiv 1909.02107), here drawn by hashing and concatenated, as in the comparisons of Tsang and
Ahle, NeurIPS 2023 (arXiv 2210.05974). A feature has the same region in every T_k.
Bytes: 4 M D for all K tables together.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.dense_ids import require
from ue_bench.strategies.regions import regions


class Compositional(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"parts": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.parts = self.options["parts"]
        fits = self.parts >= 1 and spec.dim % self.parts == 0
        require(spec, "parts", self.parts, fits, f"a divisor of the {spec.dim} numbers per lookup")
        self.regions = regions(spec, slot_numbers=spec.dim)
        self.rows = self.regions[-1].end
        self.pool = Pool(self.parts * self.rows, spec, spec.dim // self.parts)  # T_1, then T_2, ...

    def locate(self, feature: int, values: Any) -> Tensor:
        rows = self.regions[feature].rows(values, self.spec.seeds(feature, self.parts))
        return rows + self.rows * torch.arange(self.parts).repeat(self.spec.lookups[feature])

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
