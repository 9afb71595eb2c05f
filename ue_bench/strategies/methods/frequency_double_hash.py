"""Frequency-based double hashing: the most frequent values own a row, all others add up two hashed rows of the rest.

    e(x) = E[own(x)] for a frequent x, otherwise E[row_1(x)] + E[row_2(x)]        row_k(x) = start + xxh32(x, seed_k) mod size

Zhang et al., RecSys 2020 (arXiv 2007.14523). `frequent_share` of the rows of a region are owned, one for each lookup of a value,
by the values with most training rows: of all features together when multiplexed, of its own feature when separate. Rows that
nobody can own go to the hashed ones, of which there is always one.
Bytes: 4 M D for all rows; the list of frequent values is a vocabulary, counted beside.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.dense_ids import require
from ue_bench.strategies.regions import Region, regions
from ue_bench.strategies.vocabulary import Vocabulary

NONE = -1  # in place of a second row


class FrequencyDoubleHash(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"frequent_share": 0.5}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        share = self.options["frequent_share"]
        require(spec, "frequent_share", share, 0 <= share <= 1, "between 0 and 1")
        parts = regions(spec, slot_numbers=spec.dim)
        self.pool = Pool(parts[-1].end, spec)
        every = range(len(spec.features))
        self.owned: list[dict[int, int]] = [
            {} for _ in every
        ]  # per feature: position of a value -> its first row
        self.rest = list(parts)
        for members in [[f] for f in every] if spec.regions == "separate" else [list(every)]:
            region = parts[members[0]]
            free = min(int(share * region.size), region.size - 1)
            taken = 0
            for feature, position in by_frequency(spec, members):
                if taken + spec.lookups[feature] <= free:
                    self.owned[feature][position] = region.start + taken
                    taken += spec.lookups[feature]
            for feature in members:
                self.rest[feature] = Region(region.start + taken, region.size - taken)
        self.frequent = [
            Vocabulary(Feature(f.name, [f.values[position] for position in own], len(own)))
            for f, own in zip(spec.features, self.owned, strict=True)
        ]
        self.vocabularies = [v for v in self.frequent if v.size]

    def locate(self, feature: int, values: Any) -> Tensor:
        lookups = self.spec.lookups[feature]
        hashed = (
            self.rest[feature].rows(values, self.spec.seeds(feature, 2)).unflatten(1, (lookups, 2))
        )
        first = torch.tensor([*self.owned[feature].values(), NONE])[
            self.frequent[feature].positions(values)
        ]
        own = torch.stack(
            [first.unsqueeze(1) + torch.arange(lookups), torch.full((len(first), lookups), NONE)],
            dim=2,
        )
        return torch.where(first.view(-1, 1, 1) == NONE, hashed, own).flatten(1)

    def to_serve(self, feature: int) -> Feature:
        """Only the values that own rows: as the only ones, in this order and with their counts, they own the same again."""
        whole, own = self.spec.features[feature], sorted(self.owned[feature])
        return whole.holding(
            [whole.values[position] for position in own],
            [whole.counts[position] for position in own],
        )

    def embed(self, slots: Tensor) -> Tensor:
        first, second = slots.unflatten(1, (-1, 2)).unbind(2)
        return (
            self.pool(first) + self.pool(second.clamp_min(0)) * (second != NONE).unsqueeze(2)
        ).flatten(1)


def by_frequency(spec: Spec, members: Iterable[int]) -> list[tuple[int, int]]:
    """(feature, position) of all training values of the features, the most frequent first, then by name and position."""
    ranked = []
    for index in members:
        feature = spec.features[index]
        if len(feature.counts) != feature.n_seen:
            raise BenchError(
                f"{spec.name}: feature {feature.name} has {len(feature.counts)} counts for {feature.n_seen} training values; "
                "give one for each"
            )
        ranked += [
            (-count, feature.name, position, index) for position, count in enumerate(feature.counts)
        ]
    return [(index, position) for _, _, position, index in sorted(ranked)]
