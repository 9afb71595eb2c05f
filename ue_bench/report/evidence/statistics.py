"""What may be claimed from a handful of seeds: t-interval, paired difference, and Holm's correction for many of them.

The formulas are scipy's (`stats.t`, `stats.ttest_rel`) and statsmodels' (`multipletests`); here stand only the cases that they
leave open: too few values, and values without any spread.
"""

import gc
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
    if len(values) == 0:
        return math.nan, math.nan, math.nan
    mean = float(np.mean(values))
    if len(values) == 1:
        return mean, math.nan, math.nan
    error = float(stats.sem(values))
    if error == 0:
        return mean, mean, mean
    low, high = stats.t.interval(LEVEL, len(values) - 1, loc=mean, scale=error)
    return mean, float(low), float(high)


def differences(own: Mapping[Hashable, float], other: Mapping[Hashable, float]) -> list[float]:
    """`other - own` for each seed that both have."""
    return [other[seed] - own[seed] for seed in own if seed in other]


def paired(own: Mapping[Hashable, float], other: Mapping[Hashable, float]) -> Paired:
    """Student's paired t-test over the seeds that both have. With fewer than two of them, p is NaN."""
    apart = differences(own, other)
    mean, low, high = interval(apart)
    if len(apart) < 2:
        return Paired(len(apart), mean, low, high, math.nan)
    if np.ptp(apart) <= 1e-9 * abs(
        mean
    ):  # equal in every seed, or apart by the same amount in each: nothing to divide by
        return Paired(len(apart), mean, low, high, 1.0 if mean == 0 else 0.0)
    common = [seed for seed in own if seed in other]
    test = stats.ttest_rel([other[seed] for seed in common], [own[seed] for seed in common])
    low, high = test.confidence_interval(LEVEL)
    return Paired(len(apart), mean, float(low), float(high), float(test.pvalue))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values. NaN (a test that could not be made) stays NaN and counts for nothing."""
    from statsmodels.stats.multitest import (
        multipletests,  # imports polars where that is installed: half a second
    )

    tested = [place for place, value in enumerate(p) if not math.isnan(value)]
    adjusted = [math.nan] * len(p)
    if tested:
        gc.freeze()  # multipletests collects garbage at each call: with thousands of records held, that takes longest of all
        corrected = multipletests([p[place] for place in tested], method="holm")[1]
        gc.unfreeze()
        for place, value in zip(tested, corrected, strict=True):
            adjusted[place] = float(value)
    return adjusted
