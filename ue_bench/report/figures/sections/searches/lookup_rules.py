"""Rules that share out a number of lookups: fitted to what searches found, and in whole lookups.

Each rule gives every feature one lookup and shares out the others in proportion to a weight.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ue_bench.config.lookups import apportion

RULES = ("cardinality", "share", "even")
POWERS = np.round(np.arange(-1, 3.001, 0.05), 2)  # of the cardinality; 0: the even allocation


class Fit(NamedTuple):
    """What is fitted to searches: a power of the cardinality, and the share of each feature."""

    power: float
    shares: dict[str, float]

    def weights(self, features: pd.DataFrame) -> dict[str, dict[str, float]]:
        """By rule the weights of these features (columns `feature` and `cardinality`)."""
        cardinalities = dict(zip(features["feature"], features["cardinality"], strict=True))
        return {
            "cardinality": by_cardinality(cardinalities, self.power),
            "share": {name: self.shares[name] for name in cardinalities},
            "even": dict.fromkeys(cardinalities, 1.0),
        }


def fit(target: pd.DataFrame) -> Fit:
    """Fit the rules to the allocations of searches, as `trial_lookups.wanted` returns them."""
    return Fit(power(target), shares(target))


def allocation(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """A rule in whole lookups, `total` together, at least one a feature."""
    beyond_one = apportion(total - len(weights), weights)
    return {name: 1 + lookups for name, lookups in beyond_one.items()}


def quotas(weights: Mapping[str, float], total: int) -> list[float]:
    """A rule before it is rounded."""
    beyond_one = total - len(weights)
    sum_of_weights = sum(weights.values())
    return [1 + beyond_one * weight / sum_of_weights for weight in weights.values()]


def by_cardinality(cardinalities: Mapping[str, int], power: float) -> dict[str, float]:
    return {name: float(count) ** power for name, count in cardinalities.items()}


def power(target: pd.DataFrame) -> float:
    """The one of `POWERS` with the least squares to the shares that the searches gave."""
    share = _shares_beyond_one(target).to_numpy()
    cardinality = target["cardinality"].to_numpy(float)
    search = pd.factorize(target["search"])[0]

    def loss(candidate: float) -> float:
        weight = cardinality**candidate
        of_search = np.bincount(search, weight)
        return float(np.square(share - weight / of_search[search]).sum())

    return float(min(POWERS, key=loss))


def shares(target: pd.DataFrame) -> dict[str, float]:
    """The mean share of the lookups beyond one that each feature got."""
    by_feature = _shares_beyond_one(target).groupby(target["feature"], sort=False)
    return {str(name): float(share) for name, share in by_feature.mean().items()}


def _shares_beyond_one(target: pd.DataFrame) -> pd.Series:
    features = target.groupby("search")["feature"].transform("size")
    return (target["wanted"] - 1) / (target["total"] - features)
