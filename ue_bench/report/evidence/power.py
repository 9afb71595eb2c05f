"""How many seeds a study needs: what it would take to see a difference of 0.005 MSE between two of its arms.

Source: the power of the paired t-test, statsmodels' `TTestPower`, two-sided at 5 %, power 80 %. The standard deviation is that of
the paired differences of two arms at one budget, pooled over all such pairs of a comparison (weighted by degrees of freedom).
Assumption: differences are normal, and equally noisy for every pair and budget of a comparison.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.statistics import LEVEL, differences
from ue_bench.report.evidence.summary import SCOPE, by_seed, key, panel, score, summarise

NAME = "power"
EMPTY = "no two arms at one budget have two seeds in common, so that nothing is known of the noise of a difference"
TARGET = 0.005  # MSE: the smallest difference worth seeing
POWER = 0.8
CAPTION = (
    f"How many seeds a comparison needs to see a difference of {TARGET} MSE (paired t-test, two-sided 5 %, power 80 %), from the "
    "standard deviation of the paired differences between arms at one budget, pooled over these pairs."
)
LARGEST = 20  # standard deviations: scipy's noncentral t is NaN far beyond, where two or three seeds are enough anyway
COLUMNS = ["panel", "study", "dataset", "features", "split", "phase", "pairs", "n", "sd", "needed"]


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """One row a comparison: `n` seeds that it has, `sd` of a paired difference (MSE), seeds `needed` to see `TARGET`."""
    runs = {arm.key: arm for arm in arms}
    found = []
    for _, part in groups(score(summary), SCOPE):
        pooled, degrees, pairs = 0.0, 0, 0
        for _, cell in part.groupby("budget", dropna=False):
            scores = [by_seed(runs[key(row)], row["part"]) for row in cell.to_dict("records")]
            for apart in _differences(scores):
                pooled, degrees, pairs = (
                    pooled + float(np.var(apart)) * len(apart),
                    degrees + len(apart) - 1,
                    pairs + 1,
                )
        if pairs:
            sd, first = math.sqrt(pooled / degrees), part.iloc[0]
            where = [
                panel(part).iloc[0],
                first["study"],
                first["dataset"],
                first["features"],
                first["split"],
                first["phase"],
            ]
            found.append([*where, pairs, int(part["n"].max()), sd, seeds_needed(sd)])
    return pd.DataFrame(found, columns=COLUMNS)


def _differences(scores: Sequence[Mapping[Hashable, float]]) -> Iterable[list[float]]:
    """Of each pair of arms with two common seeds or more."""
    return (
        apart for one, two in combinations(scores, 2) if len(apart := differences(one, two)) > 1
    )


def seeds_needed(sd: float, target: float = TARGET, alpha: float = 1 - LEVEL) -> int:
    """The least number of paired seeds (2 or more) with which the t-test sees a mean difference of `target` (unit as `sd`)."""
    from statsmodels.stats.power import (
        TTestPower,  # imports polars where that is installed: half a second
    )

    test, effect = TTestPower(), min(target / sd, LARGEST) if sd > 0 else LARGEST

    def enough(n: int) -> bool:
        # one tail at half the level: with the power asked for, the other one adds nothing, and scipy gives NaN for it
        return bool(test.power(effect, n, alpha / 2, alternative="larger") >= POWER)

    most = 2
    while not enough(most):
        most *= 2
    least = most // 2  # not enough, or 1; power grows with n
    while most - least > 1:  # the library's own solver fails on few seeds
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most


def sentences(frame: pd.DataFrame) -> list[str]:
    """One line a comparison."""
    several_studies = frame["study"].nunique() > 1
    lines = []
    for row in rows(frame):
        title = f"{row.panel}, study {row.study}" if several_studies else row.panel
        lines.append(
            f"{title}: sd of paired differences {row.sd:.4f}, {row.needed} seeds to see {TARGET} "
            f"(5 %, power 80 %); has {row.n}"
        )
    return lines


def of_arms(arms: Sequence[Arm]) -> list[str]:
    """One line a comparison of these arms, or why there is none."""
    return sentences(tidy(arms, summarise(arms))) or [f"seeds needed to see {TARGET}: {EMPTY}"]


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines."""
    lines = [
        f"| comparison | pairs | sd of a difference | seeds to see {TARGET} | seeds it has |",
        "|---|--:|--:|--:|--:|",
    ]
    return lines + [
        f"| {row.panel} | {row.pairs} | {row.sd:.4f} | {row.needed} | {row.n} |"
        for row in rows(frame)
    ]
