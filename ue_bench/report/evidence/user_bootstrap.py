"""Means of scores under resampled users and seeds, where all seeds have the same scored rows.

Users (or blocks of rows) and seeds are two crossed factors, and each draw resamples both: the
bootstrap of Owen ("The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007), whose variance
is that of the mean or a little above. J seeds are few, so that J - 1 of them are drawn, which makes
the variance of the drawn mean s^2 / J (McCarthy and Snowden, "The bootstrap and finite population
sampling", 1985). All arms have the same draws, so that their differences are paired.
"""

from functools import cache

import numpy as np
from scipy.special import ndtr, stdtrit

from ue_bench.record.group_errors import GroupErrors

DRAWS = 2_000
SEED = 0


def drawn_scores(errors: GroupErrors) -> np.ndarray:
    """Return the score of each run under each draw of groups: float64 [draws, seeds]."""
    # One product: it takes as long as its weights take to be read, however few columns it has.
    drawn = _group_weights(len(errors.n)) @ np.vstack([errors.sums, errors.n]).T
    return drawn[:, :-1] / drawn[:, -1:]


def drawn_means(scores: np.ndarray, stream: int = 0) -> np.ndarray:
    """Return the mean over drawn seeds of `drawn_scores`, or of differences of them: [draws].

    stream: samples with other seeds are drawn from other streams, independently.
    """
    return np.einsum("ij,ij->i", scores, _seed_weights(scores.shape[1], stream))


def group_variance(n: np.ndarray, sums: np.ndarray) -> float:
    """Return the variance of a pooled score by the sampling of groups, to first order.

    n: rows of each group. sums: their errors, or differences of errors, means over the seeds. The
    formula is that of a ratio of two means (Cochran, "Sampling Techniques", section 2.11).
    """
    groups = len(n)
    if groups < 2:
        return float("nan")
    residuals = sums - n * (sums.sum() / n.sum())
    return float(groups / (groups - 1) * np.square(residuals).sum() / n.sum() ** 2)


def interval_of(draws: np.ndarray, degrees: float, level: float) -> tuple[float, float]:
    """Return the percentile interval of drawn means.

    It is expanded for few seeds: its tails are those of the normal distribution beyond the
    quantiles of Student's t (Hesterberg, "What teachers should know about the bootstrap", The
    American Statistician 69, 2015).
    """
    tail = float(ndtr(-t_quantile((1 + level) / 2, degrees)))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def t_quantile(share: float, degrees: float) -> float:
    """Return the quantile of Student's t: `scipy.stats.t.ppf` without its checks of arrays.

    A report asks for ten thousands of quantiles, and the checks take a hundred times as long.
    """
    return float(stdtrit(degrees, share))


@cache
def _group_weights(n_groups: int) -> np.ndarray:
    """Return how often each group is drawn: float64 [draws, groups]."""
    draws = np.random.default_rng([SEED, n_groups])
    return draws.multinomial(n_groups, np.full(n_groups, 1 / n_groups), DRAWS).astype(np.float64)


@cache
def _seed_weights(n_seeds: int, stream: int) -> np.ndarray:
    """Return the share of each seed in a mean: float64 [draws, seeds]."""
    if n_seeds == 1:
        return np.ones((DRAWS, 1))
    draws = np.random.default_rng([SEED, n_seeds, 1, stream])
    counts = draws.multinomial(n_seeds - 1, np.full(n_seeds, 1 / n_seeds), DRAWS)
    return counts / (n_seeds - 1)
