"""What may be claimed from a handful of seeds: t-interval, paired difference, and Holm's correction for many of them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Paired(NamedTuple):
    """The mean of `other - own` over common seeds, its 95 % interval, and the two-sided p of no difference."""

    n: int
    difference: float
    low: float
    high: float
    p: float


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): the two-sided 95 % t-interval of the mean. One value has no interval, none has nothing: NaN."""
    n = len(values)
    if n == 0:
        return math.nan, math.nan, math.nan
    mean = float(np.mean(values))
    if n == 1:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def paired(own: Mapping[Hashable, float], other: Mapping[Hashable, float]) -> Paired:
    """Student's paired t-test over the seeds that both have. With fewer than two of them, p is NaN."""
    common = [seed for seed in own if seed in other]
    differences = [other[seed] - own[seed] for seed in common]
    mean, low, high = interval(differences)
    if len(common) < 2:
        return Paired(len(common), mean, low, high, math.nan)
    error = float(np.std(differences, ddof=1)) / math.sqrt(len(common))
    if error == 0:  # equal in every seed, or apart by the same amount in each
        return Paired(len(common), mean, low, high, 1.0 if mean == 0 else 0.0)
    p = float(2 * stats.t.sf(abs(mean) / error, len(common) - 1))
    return Paired(len(common), mean, low, high, p)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values. NaN (a test that could not be made) stays NaN and counts for nothing."""
    order = sorted((place for place, value in enumerate(p) if not math.isnan(value)), key=lambda place: p[place])
    adjusted, largest = [math.nan] * len(p), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted
