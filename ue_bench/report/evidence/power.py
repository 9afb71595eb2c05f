"""How many seeds a comparison needs to see a difference of 0.005 MSE between two of its arms.

Source: the power of the paired t-test, statsmodels' `TTestPower`, two-sided at 5 %, power 80 %.
The standard deviation is that of the paired differences of two arms at one budget, pooled over
all such pairs of a comparison and weighted by degrees of freedom. Assumption: differences are
normal, and equally noisy for every pair and budget of a comparison.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.statistics import ALPHA, differences
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score, summarise

EMPTY = (
    "no two arms at one budget have two seeds in common, so that nothing is known of the noise of "
    "a difference"
)
TARGET = 0.005  # MSE: the smallest difference worth seeing
POWER = 0.8
# Standard deviations. Far beyond it scipy's noncentral t is NaN, and two or three seeds are enough.
LARGEST_EFFECT = 20
COLUMNS = ["panel", "study", "dataset", "features", "split", "phase", "pairs", "n", "sd", "needed"]


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row a comparison in which a pair of arms has two common seeds, anchors apart.

    n: the seeds it has. sd: the standard deviation of a paired difference, MSE. needed: the seeds
    that would show a difference of `TARGET`.
    """
    arm_of = by_key(arms)
    found = []
    scored = score(summary)
    for _, part in groups(scored[~scored["is_anchor"]], SCOPE):
        samples = _samples(part, arm_of)
        if not samples:
            continue
        row = part.iloc[0][["study", "dataset", "features", "split", "phase"]].to_dict()
        row["panel"] = panel(part).iloc[0]
        row["pairs"] = len(samples)
        row["n"] = int(part["n"].max())
        row["sd"] = _pooled(samples)
        row["needed"] = seeds_needed(row["sd"])
        found.append(row)
    return pd.DataFrame(found, columns=COLUMNS)


def _samples(part: pd.DataFrame, arm_of: dict[tuple[Any, ...], Arm]) -> list[list[float]]:
    """Return the differences of each pair of arms at one budget with two common seeds or more."""
    samples = []
    for _, cell in part.groupby("budget", dropna=False):
        scores = [row_scores(arm_of, row) for row in records(cell)]
        for own, other in combinations(scores, 2):
            apart = differences(own, other)
            if len(apart) > 1:
                samples.append(apart)
    return samples


def _pooled(samples: Sequence[Sequence[float]]) -> float:
    """Return the standard deviation within the samples, weighted by degrees of freedom."""
    squares = 0.0
    degrees = 0
    for sample in samples:
        squares += float(np.var(sample)) * len(sample)
        degrees += len(sample) - 1
    return math.sqrt(squares / degrees)


def seeds_needed(sd: float, target: float = TARGET, alpha: float = ALPHA) -> int:
    """Return the least number of paired seeds with which the t-test sees a mean difference.

    sd: the standard deviation of a paired difference. target: the difference to see, in the unit
    of `sd`. alpha: the level of the two-sided test. The least number is 2.
    """
    # statsmodels imports polars where that is installed, which takes half a second.
    from statsmodels.stats.power import TTestPower

    test = TTestPower()
    effect: float = LARGEST_EFFECT
    if sd > 0:
        effect = min(target / sd, LARGEST_EFFECT)

    def enough(n: int) -> bool:
        # One tail at half the level: with the power asked for, the other tail adds nothing, and
        # scipy gives NaN for it.
        return bool(test.power(effect, n, alpha / 2, alternative="larger") >= POWER)

    # A bisection, as power grows with n: the library's own solver fails on few seeds.
    most = 2
    while not enough(most):
        most *= 2
    least = most // 2  # not enough, or 1
    while most - least > 1:
        middle = (least + most) // 2
        if enough(middle):
            most = middle
        else:
            least = middle
    return most


def sentences(frame: pd.DataFrame) -> list[str]:
    """Return one line a comparison, with its study where there are several."""
    several_studies = frame["study"].nunique() > 1
    lines = []
    for row in rows(frame):
        title = row.panel
        if several_studies:
            title += f", study {row.study}"
        lines.append(
            f"{title}: sd of paired differences {row.sd:.4f}, {row.needed} seeds to see {TARGET} "
            f"(5 %, power 80 %); has {row.n}"
        )
    return lines


def of_arms(arms: Sequence[Arm]) -> list[str]:
    """Return one line a comparison of these arms, or the reason why there is none."""
    lines = sentences(tidy(arms, summarise(arms)))
    if not lines:
        return [f"seeds needed to see {TARGET}: {EMPTY}"]
    return lines
