"""The exact table: every training value of every feature has its own rows, and each feature one set
of rows for unseen values.

    row_k(x) = start + l * position(x) + k        vector(x) = [E[row_1(x)], ..., E[row_l(x)]]

The uncompressed reference. Needs a vocabulary. Bytes: 4 D l (n + 1), summed over features of n
training values and l lookups, whatever the budget.
"""

from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary


class Collisionless(EmbeddingStrategy):
    one_pool = True

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.starts = []
        ends = []
        rows = 0
        for lookups, vocabulary in zip(spec.lookups, self.vocabularies, strict=True):
            self.starts.append(rows)
            rows += lookups * (vocabulary.size + 1)
            ends.append(rows)
        self.pool = Pool(rows, spec, ends=ends)

    def locate(self, feature: int, values: Any) -> Tensor:
        lookups = self.spec.lookups[feature]
        positions = self.vocabularies[feature].positions(values)
        first = torch.from_numpy(self.starts[feature] + lookups * positions).unsqueeze(1)
        if lookups == 1:
            return first
        return first + torch.arange(lookups)

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
