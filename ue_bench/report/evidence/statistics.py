"""What a handful of seeds can prove: intervals, differences of two arms, and Holm's correction.

`interval_method` decides between the corrected resampled t and the bootstrap over users and seeds;
both are computed here. Holm's correction is that of statsmodels (`multipletests`).
"""

import gc
import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from ue_bench.report.evidence.interval_method import Method, method_of
from ue_bench.report.evidence.run_scores import Scores, rounded
from ue_bench.report.evidence.user_bootstrap import (
    SEED,
    drawn_means,
    group_variance,
    interval_of,
    t_quantile,
)

LEVEL = 0.95  # of every interval
ALPHA = 1 - LEVEL  # two arms are told apart where the adjusted p is below
COVARIATE = "unpaired, the bias model's score as covariate"
UNPAIRED = "unpaired"
LUCK = "with the luck of the searches"


class Interval(NamedTuple):
    """A mean and its two-sided 95 % interval.

    interval_by: how the interval was made, or why there is none (see `interval_method`).
    """

    mean: float
    low: float
    high: float
    interval_by: str = ""


class Difference(NamedTuple):
    """The mean of `other - own`, its 95 % interval, and the two-sided p.

    n: the common seeds; of an unpaired difference, the seeds of the arm that has fewer.
    interval_by: how interval and p were made, or why there are none.
    sd, floor: the variance of the mean over n seeds is sd^2 / n + floor. sd is the standard
    deviation of the difference of a seed, and no further seed reduces the floor. The luck of the
    searches that found the arms is in the floor (see `search_luck`).
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    interval_by: str
    sd: float = math.nan
    floor: float = math.nan


class _Noise(NamedTuple):
    """The noise of a mean: its interval, standard error with degrees of freedom, and its parts."""

    low: float
    high: float
    error: float
    degrees: float
    sd: float
    floor: float


_NO_NOISE = _Noise(*[math.nan] * 6)


def estimate(scores: Scores) -> Interval:
    """Return the mean of the scores with its interval. One score has only a mean, none has NaN."""
    method = method_of([scores])
    if len(scores) == 0:
        return Interval(math.nan, math.nan, math.nan, method.text)
    values = scores.of(scores)
    noise = _NO_NOISE
    if len(values) > 1 and method.is_corrected:
        noise = _corrected(values, scores.rows.ratio)
    elif len(values) > 1 and method.is_bootstrap:
        errors = scores.by_group
        of_groups = group_variance(errors.n, errors.sums.mean(0))
        noise = _bootstrapped(values, drawn_means(scores.drawn), of_groups, len(errors.n))
    return Interval(float(values.mean()), noise.low, noise.high, method.text)


def common_seeds(samples: Sequence[Scores]) -> list[Hashable]:
    """Return the seeds that all samples have, in the order of the first one."""
    first, *others = samples
    return [seed for seed in first if all(seed in other for other in others)]


def compare_two(own: Scores, other: Scores) -> Difference:
    """Compare two arms: paired over their common seeds, else unpaired where each has two seeds.

    With fewer than two seeds, and where nothing is known of the noise, p and interval are NaN.
    """
    seeds = common_seeds([own, other])
    if len(seeds) < 2 and min(len(own), len(other)) > 1:
        return _unpaired(own, other)
    return _paired(own, other, seeds)


def _paired(own: Scores, other: Scores, seeds: Sequence[Hashable]) -> Difference:
    method = method_of([own, other])
    apart = rounded(other.of(seeds) - own.of(seeds))
    noise = _NO_NOISE
    luck = own.search_variance + other.search_variance
    if len(seeds) > 1 and method.is_corrected:
        noise = _corrected(apart, own.rows.ratio, luck)
    elif len(seeds) > 1 and method.is_bootstrap:
        places = own.places(seeds)
        other_places = other.places(seeds)
        drawn = rounded(other.drawn[:, other_places] - own.drawn[:, places])
        errors = own.by_group
        other_errors = other.by_group
        sums = (other_errors.sums[other_places] - errors.sums[places]).mean(0)
        of_groups = group_variance(errors.n, sums)
        noise = _bootstrapped(apart, drawn_means(drawn), of_groups, len(errors.n), luck)
    mean = float(apart.mean()) if len(seeds) else math.nan
    return _difference(len(seeds), mean, noise, _with_luck(method.text, luck))


def _unpaired(own: Scores, other: Scores) -> Difference:
    """Compare arms without common seeds.

    Where each seed draws its rows, the score of the bias model on the same rows is a covariate,
    with one slope for both arms (analysis of covariance: Cochran, Biometrics 13, 1957). The
    correction of overlapping splits counts once for each arm, as if they shared nothing. Where all
    rows are the same, they need no covariate.
    """
    method = method_of([own, other])
    n = min(len(own), len(other))
    if method.is_bootstrap:
        return _unpaired_on_one_sample(own, other, method)
    if not method.is_corrected or set(own) - set(own.bias) or set(other) - set(other.bias):
        mean = float(other.of(other).mean() - own.of(own).mean())
        return _difference(n, mean, _NO_NOISE, method.text)
    bias = [np.array([scores.bias[seed] for seed in scores]) for scores in (own, other)]
    values = [own.of(own), other.of(other)]
    centred_bias = np.concatenate([of_arm - of_arm.mean() for of_arm in bias])
    centred = np.concatenate([of_arm - of_arm.mean() for of_arm in values])
    spread = float(np.square(centred_bias).sum())
    slope = float(centred_bias @ centred) / spread if spread else 0.0
    of_bias = float(bias[1].mean() - bias[0].mean())
    mean = float(values[1].mean() - values[0].mean()) - slope * of_bias
    degrees = len(centred) - 3
    if degrees < 1:
        return _difference(n, mean, _NO_NOISE, method.text)
    variance = float(np.square(centred - slope * centred_bias).sum()) / degrees
    of_slope = of_bias**2 / spread if spread else 0.0
    luck = own.search_variance + other.search_variance
    floor = variance * (own.rows.ratio + other.rows.ratio) + luck
    per_seed = variance * n * (1 / len(own) + 1 / len(other) + of_slope)
    noise = _t_noise(mean, math.sqrt(per_seed / n + floor), degrees, math.sqrt(per_seed), floor)
    return _difference(n, mean, noise, _with_luck(f"{method.text}, {COVARIATE}", luck))


def _unpaired_on_one_sample(own: Scores, other: Scores, method: Method) -> Difference:
    """Compare arms of different seeds that are scored on the same rows."""
    errors = own.by_group
    other_errors = other.by_group
    values = own.of(own)
    other_values = other.of(other)
    n = min(len(own), len(other))
    mean = float(other_values.mean() - values.mean())
    draws = drawn_means(other.drawn, stream=1) - drawn_means(own.drawn)
    floor = group_variance(errors.n, other_errors.sums.mean(0) - errors.sums.mean(0))
    of_seeds = float(values.var(ddof=1) / len(own) + other_values.var(ddof=1) / len(other))
    luck = own.search_variance + other.search_variance
    noise = _of_draws(draws, n, of_seeds, floor, len(errors.n), luck)
    return _difference(n, mean, noise, _with_luck(f"{method.text}, {UNPAIRED}", luck))


def _corrected(values: np.ndarray, ratio: float, luck: float = 0.0) -> _Noise:
    """Return the noise of the mean of values by seed whose training sets overlap.

    luck: its variance by the searches that found the arms.
    """
    sd = float(values.std(ddof=1))
    if np.ptp(values) <= 1e-9 * abs(values.mean()):  # equal but for rounding
        sd = 0.0
    floor = ratio * sd**2 + luck
    error = math.sqrt(sd**2 / len(values) + floor)
    return _t_noise(float(values.mean()), error, len(values) - 1, sd, floor)


def _t_noise(mean: float, error: float, degrees: float, sd: float, floor: float) -> _Noise:
    half = 0.0
    if error > 0:
        half = t_quantile((1 + LEVEL) / 2, degrees) * error
    return _Noise(
        low=mean - half, high=mean + half, error=error, degrees=degrees, sd=sd, floor=floor
    )


def _bootstrapped(
    values: np.ndarray, draws: np.ndarray, of_groups: float, n_groups: int, luck: float = 0.0
) -> _Noise:
    """Return the noise of the mean of values by seed, given draws of it; see `_of_draws`."""
    n = len(values)
    return _of_draws(draws, n, float(values.var(ddof=1)) / n, of_groups, n_groups, luck)


def _of_draws(
    draws: np.ndarray, n: int, of_seeds: float, of_groups: float, n_groups: int, luck: float
) -> _Noise:
    """Return the noise of a mean over n seeds, given draws of it.

    of_seeds, of_groups: its variance by the seeds and by the sampling of groups, each alone. luck:
    that by the searches that found the arms, which the draws do not hold yet.
    """
    floor = of_groups + luck
    degrees = _degrees(of_seeds, n - 1, floor, n_groups - 1)
    if luck:
        draws = draws + math.sqrt(luck) * np.random.default_rng(SEED).normal(size=len(draws))
    low, high = interval_of(draws, degrees, LEVEL)
    return _Noise(
        low=low,
        high=high,
        error=float(draws.std(ddof=1)),
        degrees=degrees,
        sd=math.sqrt(of_seeds * n),
        floor=floor,
    )


def _with_luck(text: str, luck: float) -> str:
    """Return how an interval was made, where it counts the luck of searches too."""
    return f"{text}, {LUCK}" if luck else text


def _degrees(first: float, of_first: float, second: float, of_second: float) -> float:
    """Return the degrees of freedom of a sum of two variances (Satterthwaite 1946)."""
    total = (first + second) ** 2
    if not total > 0:
        return of_first
    return total / (first**2 / of_first + second**2 / of_second)


def _difference(n: int, mean: float, noise: _Noise, interval_by: str) -> Difference:
    p = math.nan
    if noise.error > 0:
        p = 2 * float(stdtr(noise.degrees, -abs(mean) / noise.error))
    elif noise.error == 0:  # one difference in every seed: there is no spread to divide by
        p = 1.0 if mean == 0 else 0.0
    return Difference(
        n=n,
        difference=float(rounded(mean)),
        low=noise.low,
        high=noise.high,
        p=p,
        interval_by=interval_by,
        sd=noise.sd,
        floor=noise.floor,
    )


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


def family_text(tests: int, what: str) -> str:
    """Return what Holm's correction is over: how many tests, and which. what: a plural noun."""
    return f"Holm's correction is over {tests} test{'' if tests == 1 else 's'}: {what}."
