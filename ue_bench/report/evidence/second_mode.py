"""Do the runs of an arm fall into two modes, as where some of them stop on a plateau?

One normal distribution is tested against a mixture of two with a common deviation, by the ratio of
their likelihoods (Wolfe, 1971). The ratio has no chi-squared distribution, since the mixture has
parameters that one distribution leaves undefined, so its distribution is simulated (McLachlan, On
bootstrapping the likelihood ratio test statistic, Applied Statistics 36, 1987). It depends on the
number of values alone. The two parts of a mixture are two modes where their means lie more than two
deviations apart.

Each arm is tested at 1 %, without a correction for how many there are: what is judged is the share
of all runs that lie in a second mode, to which false alarms add less than one run in a thousand.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ue_bench.report.evidence.arms import Arm

FEWEST = 20  # runs: fewer show no second mode
LEVEL = 0.01  # of the test of one arm
SIMULATED = 999
STEPS = 100  # of expectation and maximisation
APART = 2.0  # deviations between the means of two modes
_STARTS = (0.1, 0.25, 0.5, 0.75, 0.9)  # shares of the values in the lower part at the start
_SMALLEST_SHARE = 1e-3  # of the total deviation: the least deviation of a part
COLUMNS = ["study", "title", "label", "budget", "n", "second", "apart", "p", "bimodal"]


class Mixture(NamedTuple):
    """Two normal distributions with one deviation, fitted to samples, one entry a sample.

    ratio: twice the logarithm of the likelihood over that of one distribution. apart: the distance
    of the means in deviations. lower: the probability that a value belongs to the lower part.
    """

    ratio: np.ndarray
    apart: np.ndarray
    lower: np.ndarray


def second_modes(arms: Iterable[Arm]) -> pd.DataFrame:
    """Return one row for each arm with at least `FEWEST` runs.

    The values are the best validation MSE of each run less that of the bias model on the same rows.
    second: runs in the smaller part of the mixture; 0 where the arm is not bimodal.
    bimodal: whether the mixture fits better at `LEVEL` and its parts are two modes.
    """
    rows: list[dict[str, Any]] = []
    smaller = []
    for arm in arms:
        values = _above_bias(arm)
        if len(values) < FEWEST:
            continue
        mixture = fit(np.array([values]))
        in_lower = int(np.sum(mixture.lower[0] > 0.5))
        smaller.append(min(in_lower, len(values) - in_lower))
        rows.append(
            {
                "study": arm.comparison.study,
                "title": arm.comparison.title,
                "label": arm.label,
                "budget": arm.config["budget"],
                "n": len(values),
                "apart": float(mixture.apart[0]),
                "p": p_value(float(mixture.ratio[0]), len(values)),
            }
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    if rows:
        frame["bimodal"] = (frame["p"] < LEVEL) & (frame["apart"] > APART)
        frame["second"] = np.where(frame["bimodal"], smaller, 0)
    return frame


def _above_bias(arm: Arm) -> list[float]:
    values = []
    for run in arm.runs:
        bias = run.quality.get("anchors", {}).get("bias")
        if bias is not None and run.quality.get("val_mse") is not None:
            values.append(run.quality["val_mse"] - bias["val_mse"])
    return values


def p_value(ratio: float, n: int) -> float:
    """Return the share of samples of one normal distribution with at least this ratio.

    The sample itself counts as one of them, so that no p is 0.
    """
    simulated = _simulated_ratios(n)
    return float((1 + np.sum(simulated >= ratio)) / (1 + len(simulated)))


@cache
def _simulated_ratios(n: int) -> np.ndarray:
    samples = np.random.default_rng(0).standard_normal((SIMULATED, n))
    return fit(samples).ratio


def fit(samples: np.ndarray) -> Mixture:
    """Fit the mixture to each sample by expectation and maximisation, from several starts.

    samples: float64 [samples, values].
    """
    values = np.sort(samples, axis=1)
    places = np.argsort(np.argsort(samples, axis=1), axis=1)
    fits = (_fit_from(values, _start(values, share)) for share in _STARTS)
    best = next(fits)
    for fitted in fits:
        better = fitted.ratio > best.ratio
        best = Mixture(
            ratio=np.where(better, fitted.ratio, best.ratio),
            apart=np.where(better, fitted.apart, best.apart),
            lower=np.where(better[:, None], fitted.lower, best.lower),
        )
    return best._replace(lower=np.take_along_axis(best.lower, places, axis=1))


def _start(values: np.ndarray, share: float) -> np.ndarray:
    """Return the probabilities with which a fit starts: a share of sorted values are lower ones."""
    started = np.zeros_like(values)
    started[:, : max(1, round(share * values.shape[1]))] = 1.0
    return started


def _fit_from(values: np.ndarray, lower: np.ndarray) -> Mixture:
    """Fit from the probabilities `lower` that each value belongs to the lower part."""
    n = values.shape[1]
    total_variance = np.maximum(values.var(axis=1, keepdims=True), np.finfo(float).tiny)
    floor = _SMALLEST_SHARE**2 * total_variance
    log_density = np.zeros_like(values)
    for _ in range(STEPS):
        weight = np.clip(lower.mean(axis=1, keepdims=True), 1e-9, 1 - 1e-9)
        low = (lower * values).mean(axis=1, keepdims=True) / weight
        high = ((1 - lower) * values).mean(axis=1, keepdims=True) / (1 - weight)
        spread = lower * (values - low) ** 2 + (1 - lower) * (values - high) ** 2
        variance = np.maximum(spread.mean(axis=1, keepdims=True), floor)
        log_low = np.log(weight) - (values - low) ** 2 / (2 * variance)
        log_high = np.log(1 - weight) - (values - high) ** 2 / (2 * variance)
        log_sum = np.logaddexp(log_low, log_high)
        lower = np.exp(log_low - log_sum)
        log_density = log_sum - 0.5 * np.log(2 * np.pi * variance)
    one = -0.5 * n * (np.log(2 * np.pi * total_variance[:, 0]) + 1)
    return Mixture(
        ratio=2 * (log_density.sum(axis=1) - one),
        apart=((high - low) / np.sqrt(variance))[:, 0],
        lower=lower,
    )
