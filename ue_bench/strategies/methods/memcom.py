"""MEmCom: values share hashed rows, and each training value has its own multiplier, which tells it
from the others.

    e(x) = v[id(x)] E[start + xxh32(x, seed) mod size]
    and + b[id(x)] with `bias`, the same for all D numbers

Pansare et al., MLSys 2022 (arXiv 2203.10135), who take the id modulo the rows instead of a hash.
The ids of a feature number each lookup of its training values and of one value for all unseen
ones. v starts at 1 and b at 0, so that training starts from the hashing trick. Needs a vocabulary.
Bytes: 4 (M D + n) for M rows and n ids, 4 n more with `bias`; the vocabulary is counted
separately.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.pool import Pool, gather
from ue_bench.strategies.regions import regions
from ue_bench.strategies.spec import Spec


class MEmCom(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"bias": False}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        has_bias = self.options["bias"]
        numbers_per_id = 2 if has_bias else 1
        beside = 4 * self.ids.total * numbers_per_id
        self.regions = regions(spec, slot_numbers=spec.dim, beside=beside)
        self.pool = Pool(self.regions[-1].end, spec)
        self.multiplier = nn.Parameter(torch.ones(self.ids.total, 1))
        self.bias = nn.Parameter(torch.zeros(self.ids.total, 1)) if has_bias else None

    def locate(self, feature: int, values: Any) -> Tensor:
        rows = self.regions[feature].rows(values, self.spec.seeds(feature))
        ids = self.ids.of(feature, values) + self.ids.starts[feature]
        return torch.stack([rows, ids], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        rows, ids = slots.unflatten(1, (-1, 2)).unbind(2)
        vectors = self.pool(rows) * gather(self.multiplier, ids)
        if self.bias is not None:
            vectors = vectors + gather(self.bias, ids)
        return vectors.flatten(1)
