"""How well two rankings of the same arms agree: rank correlation, and pairs in opposite order."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from ue_bench.report.evidence.joint_noise import joint_noise
from ue_bench.report.evidence.pairs import differences_of, holm_corrected
from ue_bench.report.evidence.run_scores import Scores, rounded
from ue_bench.report.evidence.statistics import ALPHA
from ue_bench.report.format import missing

AGREEMENT = (
    "arms",
    "seeds",
    "tau",
    "tau_low",
    "tau_high",
    "rho",
    "interval_by",
    "tests",
    "told_apart",
    "reversed",
)
FEWEST = 3  # arms: two have no ranking worth a correlation


def agreement(scores_x: Sequence[Scores], scores_y: Sequence[Scores]) -> dict[str, Any]:
    """Return how well two rankings of the same arms agree: the entries `AGREEMENT`."""
    return {
        "arms": len(scores_x),
        **rank_correlation(scores_x, scores_y),
        **pair_agreement(scores_x, scores_y),
    }


def rank_correlation(scores_x: Sequence[Scores], scores_y: Sequence[Scores]) -> dict[str, Any]:
    """Return Kendall's tau and Spearman's rho of the mean MSE over the seeds of all arms.

    The interval of tau is that of means drawn for all arms together, with their joint noise. Where
    nothing is known of the noise, as with one seed, tau has no interval. `interval_by` says how it
    was made.
    """
    noise = joint_noise([*scores_x, *scores_y])
    n_arms = len(scores_x)
    row = {
        "seeds": noise.n,
        "tau": np.nan,
        "tau_low": np.nan,
        "tau_high": np.nan,
        "rho": np.nan,
        "interval_by": noise.method.text,
    }
    if noise.n:
        x = noise.means[:n_arms]
        y = noise.means[n_arms:]
        row["tau"] = float(stats.kendalltau(x, y).statistic)
        row["rho"] = float(stats.spearmanr(x, y).statistic)
    if noise.covariance is not None:
        drawn = noise.draws()
        taus = _taus(drawn[:, :n_arms], drawn[:, n_arms:])
        row["tau_low"], row["tau_high"] = map(float, np.quantile(taus, [ALPHA / 2, 1 - ALPHA / 2]))
    return row


def _taus(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Kendall's tau of each row of x and y, [draws, arms]: [draws]."""
    return (_signs(x) * _signs(y)).mean(1)


def _signs(x: np.ndarray) -> np.ndarray:
    """Return the order of each pair of columns: [draws, pairs], 0 where they are equal."""
    first, second = np.triu_indices(x.shape[1], 1)
    return np.sign(rounded(x[:, first] - x[:, second]))


def pair_agreement(scores_x: Sequence[Scores], scores_y: Sequence[Scores]) -> dict[str, int]:
    """Count the pairs of arms that both rankings tell apart, and those of them in opposite order.

    tests: the pairs that each ranking tests, one family.
    """
    orders_x, tests = orders(scores_x)
    orders_y, _ = orders(scores_y)
    # 1: the same order in both rankings, -1: the opposite one, 0: not told apart in both
    products = orders_x * orders_y
    return {
        "tests": tests,
        "told_apart": int(np.count_nonzero(products)),
        "reversed": int(np.count_nonzero(products < 0)),
    }


def orders(scores: Sequence[Scores]) -> tuple[np.ndarray, int]:
    """Return the order of each pair of arms, and how many tests there are.

    An order is -1 or 1, and 0 where the pair is not told apart.
    """
    tests = holm_corrected(differences_of(list(combinations(scores, 2))))
    told_apart = np.where(tests["told_apart"], np.sign(tests["difference"]), 0)
    return told_apart, int(tests["tests"].max())


def tau_text(row: Any) -> str:
    """Return Kendall's tau of a row with its interval, where it has one."""
    if missing(row.tau_low):
        return f"{row.tau:.2f}"
    return f"{row.tau:.2f} [{row.tau_low:.2f}, {row.tau_high:.2f}]"
