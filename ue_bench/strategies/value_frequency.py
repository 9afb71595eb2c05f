"""Training values in the order of their frequency, for methods that treat frequent ones better."""

from collections.abc import Iterable

from ue_bench.errors import BenchError
from ue_bench.strategies.spec import Spec


def by_frequency(spec: Spec, features: Iterable[int]) -> list[tuple[int, int]]:
    """Return (feature, position) of the training values of some features that may be known.

    These are seen at least `Feature.min_count` times. The most frequent values are first, equals
    in the order of names and positions. Raises BenchError if the values of a feature were not
    counted.
    """
    ranked = []
    for index in features:
        feature = spec.features[index]
        if len(feature.counts) != feature.n_seen:
            raise BenchError(
                f"{spec.name}: feature {feature.name} has {len(feature.counts)} counts for "
                f"{feature.n_seen} training values; give one for each"
            )
        for position, count in enumerate(feature.counts):
            if count >= feature.min_count:
                ranked.append((-count, feature.name, position, index))
    return [(index, position) for _, _, position, index in sorted(ranked)]
