"""MEmCom: values share hashed rows, and each training value has a multiplier of its own that tells it from the others.

    e(x) = v[id(x)] E[start + xxh32(x, seed) mod size]        and + b[id(x)] with `bias`, the same for all D numbers

Pansare et al., MLSys 2022 (arXiv 2203.10135), who take the id modulo the rows where a hash stands here. The ids of a feature
number its training values and one for all unseen, and each lookup of them; they need a vocabulary. v starts at 1 and b at 0, so
that training starts from the hashing trick.
Bytes: 4 (M D + n) for M rows and n ids, 4 n more with `bias`; the vocabulary is counted beside.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec, gather
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.regions import regions


class MEmCom(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"bias": False}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        self.regions = regions(
            spec, slot_numbers=spec.dim, beside=4 * self.ids.total * (1 + self.options["bias"])
        )
        self.pool = Pool(self.regions[-1].end, spec)
        self.multiplier = nn.Parameter(torch.ones(self.ids.total, 1))
        self.bias = nn.Parameter(torch.zeros(self.ids.total, 1)) if self.options["bias"] else None

    def locate(self, feature: int, values: Any) -> Tensor:
        rows = self.regions[feature].rows(values, self.spec.seeds(feature))
        return torch.stack(
            [rows, self.ids.of(feature, values) + self.ids.starts[feature]], dim=2
        ).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        rows, ids = slots.unflatten(1, (-1, 2)).unbind(2)
        vectors = self.pool(rows) * gather(self.multiplier, ids)
        return (vectors if self.bias is None else vectors + gather(self.bias, ids)).flatten(1)
