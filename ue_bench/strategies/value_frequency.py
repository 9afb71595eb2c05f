"""Training values in the order of their frequency, for methods that treat frequent ones better."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies.spec import Spec

BLOCK = 65_536  # pairs that are Python objects at a time


class Ranked(Sequence[tuple[int, int]]):
    """Pairs (feature, position) in an order, held in two arrays: int64 [n] each."""

    def __init__(self, features: np.ndarray, positions: np.ndarray) -> None:
        self.features = features
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Any) -> Any:
        """Return a pair, or the pairs of a slice."""
        if isinstance(index, slice):
            return Ranked(self.features[index], self.positions[index])
        return int(self.features[index]), int(self.positions[index])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for start in range(0, len(self), BLOCK):
            part = slice(start, start + BLOCK)
            yield from zip(self.features[part].tolist(), self.positions[part].tolist(), strict=True)


def by_frequency(spec: Spec, features: Iterable[int]) -> Ranked:
    """Return (feature, position) of the training values of some features that may be known.

    These are seen at least `Feature.min_count` times. The most frequent values are first, equals
    in the order of names and positions. Raises BenchError if the values of a feature were not
    counted.
    """
    features = tuple(features)
    for index in features:
        _require_counts(spec.name, spec.features[index])
    by_name = sorted(features, key=lambda index: spec.features[index].name)
    counts = [np.empty(0, np.int64)]
    positions = [np.empty(0, np.int64)]
    owners = [np.empty(0, np.int64)]
    for index in by_name:
        feature = spec.features[index]
        of_feature = np.asarray(feature.counts, np.int64)
        known = np.flatnonzero(of_feature >= feature.min_count)
        counts.append(of_feature[known])
        positions.append(known)
        owners.append(np.full(len(known), index))
    order = np.argsort(-np.concatenate(counts), kind="stable")
    return Ranked(np.concatenate(owners)[order], np.concatenate(positions)[order])


def _require_counts(strategy: str, feature: Feature) -> None:
    if len(feature.counts) != feature.n_seen:
        raise BenchError(
            f"{strategy}: feature {feature.name} has {len(feature.counts)} counts for "
            f"{feature.n_seen} training values; give one for each"
        )
