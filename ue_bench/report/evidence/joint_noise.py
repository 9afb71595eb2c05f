"""The noise of the means of several arms together: what two of them at a time cannot say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ue_bench.report.evidence.interval_method import Method, method_of
from ue_bench.report.evidence.run_scores import Scores, rounded
from ue_bench.report.evidence.statistics import common_seeds
from ue_bench.report.evidence.user_bootstrap import DRAWS, SEED, drawn_means


@dataclass(frozen=True)
class JointNoise:
    """Means of k arms over their n common seeds, float64 [k], and the noise of these means.

    covariance: of the means, float64 [k, k]; None where nothing is known of the noise, as with
    fewer than two seeds. degrees: of freedom of the variance of a difference of two means.
    """

    n: int
    means: np.ndarray
    covariance: np.ndarray | None
    degrees: float
    method: Method

    def draws(self) -> np.ndarray:
        """Return means as they might have been: float64 [draws, k]. There must be a covariance."""
        if self.covariance is None:
            raise ValueError("nothing is known of the noise")
        draws = np.random.default_rng([SEED, len(self.means)])
        values, vectors = np.linalg.eigh(self.covariance)
        # The symmetric root: each vector's sign, and the order of equal values, hang on last bits.
        root = vectors * np.sqrt(values.clip(min=0.0)) @ vectors.T
        errors = draws.normal(size=(DRAWS, len(values))) @ root
        errors /= np.sqrt(draws.chisquare(self.degrees, (DRAWS, 1)) / self.degrees)
        return self.means + errors


def joint_noise(samples: Sequence[Scores]) -> JointNoise:
    """Return the noise of the means of arms whose scores are compared.

    Where each seed draws its rows, the covariance is that of the arms over the seeds, corrected for
    overlapping splits as one variance is. Where all seeds have the same rows, it is that of the
    bootstrap over users and seeds, which draws the same for all arms. The luck of the searches that
    found the arms is added to their variances.
    """
    method = method_of(samples)
    seeds = common_seeds(samples)
    scores = np.stack([arm.of(seeds) for arm in samples])
    n = len(seeds)
    means = rounded(scores.mean(1)) if n else np.full(len(samples), math.nan)
    if n < 2 or not method.is_known:
        return JointNoise(n=n, means=means, covariance=None, degrees=math.nan, method=method)
    of_seeds = np.atleast_2d(np.cov(scores)) / n
    degrees = float(n - 1)
    if method.is_corrected:
        covariance = of_seeds * (1 + n * samples[0].rows.ratio)
    else:
        drawn = [drawn_means(arm.drawn[:, arm.places(seeds)]) for arm in samples]
        covariance = np.atleast_2d(np.cov(np.stack(drawn)))
        degrees = _fewest_degrees(pair_variances(of_seeds), pair_variances(covariance), n)
    covariance = covariance + np.diag([arm.search_variance for arm in samples])
    return JointNoise(n=n, means=means, covariance=covariance, degrees=degrees, method=method)


def pair_variances(covariance: np.ndarray) -> np.ndarray:
    """Return the variance of the difference of each pair of means: [k, k]."""
    variances = np.diag(covariance)
    return (variances[:, None] + variances - 2 * covariance).clip(min=0.0)


def _fewest_degrees(of_seeds: np.ndarray, whole: np.ndarray, n: int) -> float:
    """Return the fewest degrees of freedom that a pair has (Satterthwaite 1946).

    of_seeds: the part of the variance that n seeds estimate; users, who are many, estimate the
    rest.
    """
    has_noise = of_seeds > 0
    if not has_noise.any():
        return float(n - 1)
    share = of_seeds[has_noise] / np.maximum(whole, of_seeds)[has_noise]
    return float((n - 1) / np.square(share).max())
