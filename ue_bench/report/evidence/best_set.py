"""The set of the best: Hsu's multiple comparison with the best, the smallest mean being best.

"Best" is no one arm where several cannot be told from it. An arm is in the set unless some other
arm is better than it by more than noise explains, so that the set holds the truly best arm with 95
% (Hsu, "Constrained simultaneous confidence intervals for multiple comparisons with the best",
Annals of Statistics 12, 1984; "Multiple Comparisons", 1996, chapter 4).

The arms of a comparison have the same seeds, so that two arms are compared by their differences
seed by seed (blocks), each pair with its own standard error. The critical value of an arm is the 95
% point of its largest t against all others where all are equally good: that of Dunnett's one-sided
test with this arm as control, for arms that are not equally noisy and pairs that have standard
errors of their own. It is found by simulation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ue_bench.report.evidence.interval_method import method_of
from ue_bench.report.evidence.joint_noise import JointNoise, joint_noise, pair_variances
from ue_bench.report.evidence.pairs import FEWEST
from ue_bench.report.evidence.run_scores import Scores, rounded
from ue_bench.report.evidence.statistics import LEVEL

SIMULATIONS = 2_000
MOST_DEGREES = 50.0  # beyond it t hardly differs from the normal distribution


@dataclass(frozen=True)
class BestSet:
    """Which arms may be the best.

    members: of each arm; None where it cannot be judged: it has fewer than half of the seeds of
    the others, all arms have fewer than three in common, or there is no interval.
    most_behind: how far the arm is behind the best one at most, 95 %, for all arms at once; NaN
    where it cannot be judged.
    n: the seeds that all judged arms have. interval_by: how it was found, or why it was not.
    """

    members: tuple[bool | None, ...]
    most_behind: tuple[float, ...]
    n: int
    interval_by: str


def best_set(samples: Sequence[Scores]) -> BestSet:
    """Return which of the arms may have the smallest mean."""
    most = max(map(len, samples))
    places = [place for place, scores in enumerate(samples) if 2 * len(scores) >= max(most, 2)]
    members: list[bool | None] = [None] * len(samples)
    most_behind = [math.nan] * len(samples)
    judged = [samples[place] for place in places]
    if not judged:
        return BestSet(tuple(members), tuple(most_behind), 0, method_of(samples).text)
    noise = joint_noise(judged)
    if noise.covariance is not None and noise.n >= FEWEST:
        behind = rounded(
            noise.means[:, None] - noise.means
        )  # of the arm of a row behind that of a column
        allowed = rounded(_allowed(noise, noise.covariance))
        for arm, place in enumerate(places):
            others = np.delete(behind[arm] + allowed[:, arm], arm)
            members[place] = bool((behind[arm] <= allowed[arm]).all())
            most_behind[place] = float(others.max(initial=0.0))
    return BestSet(tuple(members), tuple(most_behind), noise.n, noise.method.text)


def _allowed(noise: JointNoise, covariance: np.ndarray) -> np.ndarray:
    """Return how far the arm of each row may be behind that of each column by noise: [k, k]."""
    critical = _critical_values(_own_variances(covariance), noise.degrees)
    return critical[:, None] * np.sqrt(pair_variances(covariance))


def _own_variances(covariance: np.ndarray) -> np.ndarray:
    """Return the variance of each mean beside what all arms have in common: [k].

    With independent errors of variance v_i, and V their sum, the mean over the arms taken out
    leaves v_i (1 - 2 / k) + V / k^2 of each.
    """
    k = len(covariance)
    if k < 3:  # two variances cannot be told from their sum
        return np.ones(k)
    centring = np.eye(k) - 1 / k
    left = np.diag(centring @ covariance @ centring)
    total = left.sum() / (1 - 1 / k)
    return ((left - total / k**2) / (1 - 2 / k)).clip(min=0.0)


def _critical_values(variances: np.ndarray, degrees: float) -> np.ndarray:
    """Return the 95 % point of the largest t of each arm against all others: [k].

    variances: of independent normal errors, [k]. degrees: of freedom of each pair's t.
    """
    if len(variances) < 2 or not variances.any():
        return np.zeros(len(variances))
    n = round(min(degrees, MOST_DEGREES)) + 1
    return np.array(_simulated(tuple(variances.tolist()), n))


@lru_cache(maxsize=4_096)  # two arms always have the same, and each draw of a world asks for it
def _simulated(variances_of: tuple[float, ...], n: int) -> list[float]:
    """Return the critical values of arms with these variances and n seeds."""
    k = len(variances_of)
    variances = np.array(variances_of)
    draws = np.random.default_rng([n, k])
    errors = draws.normal(size=(SIMULATIONS, k, n)) * np.sqrt(variances)[:, None]
    means = errors.mean(2)
    centred = errors - means[:, :, None]
    products = centred @ centred.transpose(0, 2, 1) / (n - 1)
    own = np.diagonal(products, axis1=1, axis2=2)
    scales = np.sqrt((own[:, :, None] + own[:, None, :] - 2 * products).clip(min=0.0) / n)
    behind = means[:, :, None] - means[:, None, :]
    t = np.full_like(behind, -np.inf)
    np.divide(behind, scales, out=t, where=scales > 1e-12 * scales.max())
    t[:, np.arange(k), np.arange(k)] = -np.inf  # no arm is its own rival
    critical: list[float] = np.quantile(t.max(2), LEVEL, axis=0).clip(min=0.0).tolist()
    return critical
