"""Compositional embedding: a vector consists of parts, each a narrow row of its own table.

    row_k(x) = start + xxh32(x, seed_k) mod size        e(x) = [T_1[row_1(x)], ..., T_K[row_K(x)]]

T_k has M rows of D / K numbers. M rows of a single table give M different vectors; K tables give
M^K, so that few values share a whole vector. Partitions of Shi et al., KDD 2020 (arXiv
1909.02107), here drawn by hashing and concatenated, as in the comparisons of Tsang and Ahle,
NeurIPS 2023 (arXiv 2210.05974). A feature has the same region in every T_k.
Bytes: 4 M D for all K tables together.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.knobs import require
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import ends_of, regions
from ue_bench.strategies.spec import Spec


class Compositional(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"parts": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.parts = self.options["parts"]
        divides = self.parts >= 1 and spec.dim % self.parts == 0
        allowed = f"a divisor of the {spec.dim} numbers per lookup"
        require(spec, "parts", self.parts, divides, allowed)
        self.regions = regions(spec, slot_numbers=spec.dim, tables=self.parts)
        self.n_rows = self.regions[-1].end
        ends = []
        for table in range(self.parts):  # T_1, then T_2, ...
            ends += [table * self.n_rows + end for end in ends_of(self.regions)]
        self.pool = Pool(ends[-1], spec, spec.dim // self.parts, ends=ends)

    def locate(self, feature: int, values: Any) -> Tensor:
        rows = self.regions[feature].rows(values, self.spec.seeds(feature, self.parts))
        return rows + self.n_rows * torch.arange(self.parts).repeat(self.spec.lookups[feature])

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
