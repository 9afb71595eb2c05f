"""The exact table: every training value of every feature has rows of its own, and each feature one set of rows for the unseen.

    row_k(x) = start + l * position(x) + k        vector(x) = [E[row_1(x)], ..., E[row_l(x)]]

The uncompressed reference; needs a vocabulary. Bytes: 4 D l (n + 1), summed over features of n training values and l lookups,
whatever the budget.
"""

from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.vocabulary import Vocabulary


class Collisionless(EmbeddingStrategy):
    one_pool = True

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        rows = [
            count * (v.size + 1) for count, v in zip(spec.lookups, self.vocabularies, strict=True)
        ]
        self.starts = [sum(rows[:index]) for index in range(len(rows))]
        self.pool = Pool(sum(rows), spec)

    def locate(self, feature: int, values: Any) -> Tensor:
        count = self.spec.lookups[feature]
        first = self.starts[feature] + count * torch.tensor(
            self.vocabularies[feature].positions(values), dtype=torch.int64
        )
        return first.unsqueeze(1) + torch.arange(count)

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
