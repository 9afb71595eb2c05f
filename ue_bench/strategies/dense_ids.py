"""Dense ids of (value, lookup), which index whatever a method holds for every training value."""

from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary


class DenseIds:
    """Numbers from 0 on for every (training value, lookup) of a feature.

    The ids after the last training value belong to unseen values.

    counts: ids of each feature. starts: the first id of each feature when all features are
    numbered in one sequence. The sequence is in the order of names, so that the order of the
    features changes nothing. total: ids of all features.
    """

    def __init__(self, spec: Spec) -> None:
        self.lookups = spec.lookups
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.counts = []
        for lookups, vocabulary in zip(spec.lookups, self.vocabularies, strict=True):
            self.counts.append(lookups * (vocabulary.size + 1))
        self.starts = [0] * len(self.counts)
        self.total = 0
        by_name = sorted(range(len(self.counts)), key=lambda index: spec.features[index].name)
        for index in by_name:
            self.starts[index] = self.total
            self.total += self.counts[index]

    def of(self, feature: int, values: Any) -> Tensor:
        """Return the ids of raw values within their feature: int64 [n values, lookups]."""
        lookups = self.lookups[feature]
        positions = self.vocabularies[feature].positions(values)
        first = torch.from_numpy(lookups * positions)
        return first.unsqueeze(1) + torch.arange(lookups)
