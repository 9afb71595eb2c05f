"""How well two rankings of the same arms agree: rank correlation, and pairs in opposite order."""

from collections.abc import Hashable, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from ue_bench.report.evidence.pairs import paired_tests
from ue_bench.report.evidence.statistics import ALPHA, LEVEL, Scores, holm
from ue_bench.report.format import missing

RESAMPLES = 999


def rank_correlation(scores_x: Sequence[Scores], scores_y: Sequence[Scores]) -> dict[str, Any]:
    """Return Kendall's tau and Spearman's rho of the mean MSE over the seeds of all arms.

    With one seed, tau has no interval.
    """
    seeds = set(scores_x[0])
    for arm in (*scores_x, *scores_y):
        seeds &= set(arm)
    ordered_seeds = sorted(seeds, key=str)
    x = _matrix(scores_x, ordered_seeds)
    y = _matrix(scores_y, ordered_seeds)

    @cache  # few seeds can be drawn in few ways
    def tau_of(sample: tuple[int, ...]) -> float:
        mean_x = x[:, sample].mean(1)
        mean_y = y[:, sample].mean(1)
        return float(stats.kendalltau(mean_x, mean_y).statistic)

    def tau(sample: np.ndarray) -> float:
        return tau_of(tuple(sorted(sample.tolist())))

    every_seed = np.arange(len(seeds))
    row = {
        "seeds": len(seeds),
        "tau": np.nan,
        "tau_low": np.nan,
        "tau_high": np.nan,
        "rho": np.nan,
    }
    if len(seeds):
        row["tau"] = tau(every_seed)
        rho = stats.spearmanr(x.mean(1), y.mean(1))
        row["rho"] = float(rho.statistic)
    if len(seeds) > 1:
        bootstrap = stats.bootstrap(
            (every_seed,),
            tau,
            n_resamples=RESAMPLES,
            method="percentile",
            confidence_level=LEVEL,
            vectorized=False,
            rng=0,
        )
        interval = bootstrap.confidence_interval
        row["tau_low"] = float(interval.low)
        row["tau_high"] = float(interval.high)
    return row


def _matrix(scores: Sequence[Scores], seeds: Sequence[Hashable]) -> np.ndarray:
    """Return the MSE as an array of shape [arms, seeds]."""
    return np.array([[arm[seed] for seed in seeds] for arm in scores])


def pair_agreement(scores_x: Sequence[Scores], scores_y: Sequence[Scores]) -> dict[str, int]:
    """Count the pairs of arms that both heads tell apart, and those of them in opposite order."""
    # 1: the same order under both heads, -1: the opposite one, 0: not told apart under both
    products = orders(scores_x) * orders(scores_y)
    return {
        "told_apart": int(np.count_nonzero(products)),
        "reversed": int(np.count_nonzero(products < 0)),
    }


def orders(scores: Sequence[Scores]) -> np.ndarray:
    """Return the order of each pair of arms, -1 or 1; 0 where the pair is not told apart."""
    tests = paired_tests(list(combinations(scores, 2)))
    told_apart = np.array(holm(tests["p"].tolist())) < ALPHA
    return np.where(told_apart, np.sign(tests["difference"]), 0)


def tau_text(row: Any) -> str:
    """Return Kendall's tau of a row with its interval, where it has one."""
    if missing(row.tau_low):
        return f"{row.tau:.2f}"
    return f"{row.tau:.2f} [{row.tau_low:.2f}, {row.tau_high:.2f}]"
