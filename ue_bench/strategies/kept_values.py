"""Which training values a method keeps for itself where the budget does not pay for all."""

from collections.abc import Callable
from dataclasses import replace

from ue_bench.strategies.spec import Spec


def keeping_frequent(spec: Spec, smallest: Callable[[Spec], int]) -> Spec:
    """Return the spec with the lowest `min_count`, for all features, that the budget pays for.

    Rarer values are then unseen ones. If the budget pays for no value, there is none. smallest:
    bytes of the smallest form of a spec. The spec is returned as it is if it works as it is, or if
    values were not counted.
    """
    budget = spec.require_budget()
    if smallest(spec) <= budget or not all(len(feature.counts) for feature in spec.features):
        return spec
    fewer = spec
    for count in sorted({count for feature in spec.features for count in feature.counts}):
        features = []
        for feature in spec.features:
            features.append(replace(feature, min_count=max(count + 1, feature.min_count)))
        fewer = replace(spec, features=tuple(features))
        if smallest(fewer) <= budget:
            break
    return fewer
