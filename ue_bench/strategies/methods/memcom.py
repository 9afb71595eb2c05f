"""MEmCom: values share hashed rows, and each training value has its own multiplier, which tells it
from the others.

    e(x) = (1 + v[id(x)]) E[start + xxh32(x, seed) mod size]
    and + b[id(x)] with `bias`, the same for all D numbers

Pansare et al., MLSys 2022 (arXiv 2203.10135), who take the id modulo the rows instead of a hash.
The ids of a feature number each lookup of its training values and of one value for all unseen
ones. v and b start at 0, so that training starts from the hashing trick. Needs a vocabulary.
Bytes: 4 (M D + n) for M rows and n ids, 4 n more with `bias`; the vocabulary is counted
separately.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import ends_of, regions
from ue_bench.strategies.spec import Spec


class MEmCom(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"bias": False}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        has_bias = self.options["bias"]
        numbers_per_id = 2 if has_bias else 1
        beside = spec.numbers.pool_bytes(self.ids.total, numbers_per_id)
        self.regions = regions(spec, slot_numbers=spec.dim, beside=beside)
        self.pool = Pool(self.regions[-1].end, spec, ends=ends_of(self.regions))
        self.of_ids = Pool(self.ids.total, spec, numbers_per_id, zero=True)

    def locate(self, feature: int, values: Any) -> Tensor:
        rows = self.regions[feature].rows(values, self.spec.seeds(feature))
        ids = self.ids.of(feature, values) + self.ids.starts[feature]
        return torch.stack([rows, ids], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        rows, ids = slots.unflatten(1, (-1, 2)).unbind(2)
        of_id = self.of_ids(ids)
        vectors = self.pool(rows) * (1 + of_id[..., :1])
        if self.options["bias"]:
            vectors = vectors + of_id[..., 1:]
        return vectors.flatten(1)
