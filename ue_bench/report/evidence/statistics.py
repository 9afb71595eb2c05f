"""What a handful of seeds can prove: t-intervals, paired differences and Holm's correction.

The formulas are scipy's (`stats.t`, `stats.ttest_rel`) and statsmodels' (`multipletests`). This
file adds the cases that they leave open: too few values, and values without any spread.
"""

import gc
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval
ALPHA = 1 - LEVEL  # two arms are told apart where the adjusted p is below

Scores = Mapping[Hashable, float]  # the MSE, or another score, of each run by its seeds


class Interval(NamedTuple):
    """A mean and its two-sided 95 % interval."""

    mean: float
    low: float
    high: float


class Paired(NamedTuple):
    """The mean of `other - own` over n common seeds, its 95 % interval, and the two-sided p."""

    n: int
    difference: float
    low: float
    high: float
    p: float


def interval(values: Sequence[float]) -> Interval:
    """Return the t-interval of the mean. One value has only a mean; no values give NaN alone."""
    if len(values) == 0:
        return Interval(math.nan, math.nan, math.nan)
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, math.nan, math.nan)
    error = float(stats.sem(values))
    if error == 0:
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(LEVEL, len(values) - 1, loc=mean, scale=error)
    return Interval(mean, float(low), float(high))


def differences(own: Scores, other: Scores) -> list[float]:
    """Return `other - own` for each seed that both have."""
    own_scores, other_scores = _common(own, other)
    pairs = zip(own_scores, other_scores, strict=True)
    return [other_score - own_score for own_score, other_score in pairs]


def _common(own: Scores, other: Scores) -> tuple[list[float], list[float]]:
    """Return the scores of both for the seeds that both have, in the order of `own`."""
    own_scores = []
    other_scores = []
    for seed, score in own.items():
        if seed in other:
            own_scores.append(score)
            other_scores.append(other[seed])
    return own_scores, other_scores


def paired(own: Scores, other: Scores) -> Paired:
    """Student's paired t-test over the common seeds. With fewer than two of them p is NaN."""
    apart = differences(own, other)
    n = len(apart)
    mean, low, high = interval(apart)
    if n < 2:
        return Paired(n=n, difference=mean, low=low, high=high, p=math.nan)
    if np.ptp(apart) <= 1e-9 * abs(mean):
        # One difference in every seed: there is no spread to divide by.
        p = 1.0 if mean == 0 else 0.0
        return Paired(n=n, difference=mean, low=low, high=high, p=p)
    own_scores, other_scores = _common(own, other)
    test = stats.ttest_rel(other_scores, own_scores)
    low, high = test.confidence_interval(LEVEL)
    return Paired(n=n, difference=mean, low=float(low), high=float(high), p=float(test.pvalue))


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p values.

    NaN, a test that could not be made, stays NaN and does not count as a test.
    """
    # statsmodels imports polars where that is installed, which takes half a second.
    from statsmodels.stats.multitest import multipletests

    values = np.array(p, dtype=float)
    tested = ~np.isnan(values)
    if not tested.any():
        return values.tolist()
    # multipletests collects garbage at each call; beside thousands of records that takes longest.
    gc.freeze()
    values[tested] = multipletests(values[tested], method="holm")[1]
    gc.unfreeze()
    return values.tolist()
