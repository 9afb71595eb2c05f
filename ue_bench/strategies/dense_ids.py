"""What several methods need: a check of a knob's value, and the dense ids of (value, lookup)."""

from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.strategies.base import Spec
from ue_bench.strategies.vocabulary import Vocabulary


def require(spec: Spec, knob: str, value: Any, legal: bool, allowed: str) -> None:
    """Raise BenchError unless the value of a knob is legal. allowed: completes `it must be ...`."""
    if not legal:
        raise BenchError(f"{spec.name}: knob {knob}={value!r} was given; it must be {allowed}")


class DenseIds:
    """Numbers from 0 on for every (training value, lookup) of a feature; those after the last are of its unseen values.

    counts: how many a feature has. starts: where its ids begin when all features are numbered in one row. That row is in the
    order of names, so that the order of the features changes nothing.
    """

    def __init__(self, spec: Spec) -> None:
        self.lookups = spec.lookups
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.counts = [
            n * (v.size + 1) for n, v in zip(spec.lookups, self.vocabularies, strict=True)
        ]
        self.starts = [0] * len(self.counts)
        self.total = 0
        for index in sorted(range(len(self.counts)), key=lambda i: spec.features[i].name):
            self.starts[index] = self.total
            self.total += self.counts[index]

    def of(self, feature: int, values: Any) -> Tensor:
        """Ids of raw values within their feature: int64 [n values, lookups of that feature]."""
        count = self.lookups[feature]
        position = torch.tensor(self.vocabularies[feature].positions(values), dtype=torch.int64)
        return count * position.unsqueeze(1) + torch.arange(count)
