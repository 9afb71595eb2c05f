"""Slopes of scores: over arms of the same seeds, and over differences that have nothing in common.

A slope is that of least squares, a sum of scores with constant weights: its noise is that of a
difference.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import LEVEL, Difference, common_seeds, compare_two

FEWEST_PLACES = 2  # of x, for a slope


def weights_of(places: Sequence[float]) -> np.ndarray:
    """Return the weights of least squares: the slope of `y` over the places is `weights @ y`.

    Raises ValueError where all places are equal.
    """
    x = np.asarray(places, dtype=np.float64)
    apart = x - x.mean()
    total = float(apart @ apart)
    if len(set(places)) < FEWEST_PLACES:
        raise ValueError("a slope needs places that differ")
    weights: np.ndarray = apart / total
    return weights


def slope_of_arms(arms: Sequence[Scores], places: Sequence[float]) -> Difference:
    """Return the slope of the scores of arms over their places, one slope a seed that all have."""
    weights = weights_of(places)
    seeds = common_seeds(arms)
    scores = np.array([arm.of(seeds) for arm in arms])
    rising = np.maximum(weights, 0) @ scores
    falling = np.maximum(-weights, 0) @ scores
    sides = []
    for side in (falling, rising):
        sides.append(Scores(dict(zip(seeds, side.tolist(), strict=True)), arms[0].rows))
    return compare_two(*sides)


def slope_of_differences(differences: Sequence[Difference], places: Sequence[float]) -> Difference:
    """Return the slope of independent differences over their places.

    Its variance is the sum of theirs, with the degrees of freedom of Welch and Satterthwaite. What
    no difference knows, such as the draw of its data, is not in it. n: the fewest seeds of a
    difference.
    """
    weights = weights_of(places)
    n_seeds = min(of_place.n for of_place in differences)
    slope = float(weights @ [of_place.difference for of_place in differences])
    variances = []
    shares = []
    for weight, of_place in zip(weights, differences, strict=True):
        variance = weight**2 * (of_place.sd**2 / of_place.n + of_place.floor)
        variances.append(variance)
        shares.append(variance**2 / (of_place.n - 1) if of_place.n > 1 else math.nan)
    variance = math.fsum(variances)
    text = differences[0].interval_by
    nan = math.nan
    if not math.isfinite(variance) or not variance or not math.isfinite(math.fsum(shares)):
        return Difference(n_seeds, slope, nan, nan, nan, text)
    error = math.sqrt(variance)
    degrees = variance**2 / math.fsum(shares)
    half = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    p = 2 * float(stats.t.sf(abs(slope) / error, degrees))
    return Difference(
        n=n_seeds,
        difference=slope,
        low=slope - half,
        high=slope + half,
        p=p,
        interval_by=text,
        sd=error * math.sqrt(n_seeds),
        floor=0.0,
    )
