"""How many seeds a comparison needs to see a difference of 0.005 MSE between two of its arms.

The variance of a mean difference over n seeds is sd^2 / n + floor (see `statistics.Difference`).
The floor, which comes from overlapping splits or from the one sample of users, stays however many
seeds there are. A test has power where it finds a difference in 80 % of repetitions: the power of
the two-sided t-test, by scipy's noncentral t. Assumption: differences are normal, and equally
noisy for every pair and budget of a comparison.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd
from scipy import stats

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.statistics import ALPHA, Difference, compare_two
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score, summarise

EMPTY = (
    "no two arms at one budget have two seeds in common and an interval, so that nothing is known "
    "of the noise of a difference"
)
TARGET = 0.005  # MSE: the smallest difference worth seeing
POWER = 0.8
MOST_SEEDS = 1_024  # a difference that so many seeds do not show is shown by no number of them
COLUMNS = [
    "panel",
    "study",
    "dataset",
    "features",
    "split",
    "phase",
    "pairs",
    "n",
    "sd",
    "floor",
    "needed",
    "smallest",
    "interval_by",
]


class SeedNoise(NamedTuple):
    """The noise of a mean difference.

    sd: of the difference of a seed. floor: the variance that no further seed reduces.
    """

    sd: float
    floor: float

    def error(self, n: int) -> float:
        """Return the standard error of the mean over n seeds."""
        return math.sqrt(self.sd**2 / n + self.floor)

    def smallest(self, alpha: float = ALPHA) -> float:
        """Return the difference that any number of seeds shows with the power asked for."""
        quantiles = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER)
        return float(quantiles) * math.sqrt(self.floor)


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row a comparison in which a pair of arms has two common seeds and an interval.

    Anchors are left out.

    n: the seeds it has. sd, floor: the noise of a difference, pooled over the pairs of arms at one
    budget. needed: the seeds that would show a difference of `TARGET`, NA where no number of them
    does. smallest: the difference that a large number of seeds shows.
    """
    arm_of = by_key(arms)
    found = []
    scored = score(summary)
    for _, part in groups(scored[~scored["is_anchor"]], SCOPE):
        samples = _samples(part, arm_of)
        if not samples:
            continue
        noise = _pooled(samples)
        row = part.iloc[0][["study", "dataset", "features", "split", "phase"]].to_dict()
        row["panel"] = panel(part).iloc[0]
        row["pairs"] = len(samples)
        row["n"] = int(part["n"].max())
        row["sd"] = noise.sd
        row["floor"] = noise.floor
        row["needed"] = seeds_needed(noise)
        row["smallest"] = noise.smallest()
        row["interval_by"] = samples[0].interval_by
        found.append(row)
    return pd.DataFrame(found, columns=COLUMNS).astype({"needed": "Int64"})


def _samples(part: pd.DataFrame, arm_of: dict[tuple[Any, ...], Arm]) -> list[Difference]:
    """Return the differences of each pair of arms at one budget whose noise is known."""
    samples = []
    for _, cell in part.groupby("budget", dropna=False):
        scores = [row_scores(arm_of, row) for row in records(cell)]
        for own, other in combinations(scores, 2):
            difference = compare_two(own, other)
            if not math.isnan(difference.sd):
                samples.append(difference)
    return samples


def _pooled(samples: Sequence[Difference]) -> SeedNoise:
    """Return the noise of the samples, their variances weighted by degrees of freedom."""
    variance = 0.0
    floor = 0.0
    degrees = 0
    for sample in samples:
        variance += sample.sd**2 * (sample.n - 1)
        floor += sample.floor * (sample.n - 1)
        degrees += sample.n - 1
    return SeedNoise(math.sqrt(variance / degrees), floor / degrees)


def power(noise: SeedNoise, difference: float, n: int, alpha: float = ALPHA) -> float:
    """Return the chance that a two-sided test at level `alpha` with n seeds finds a difference."""
    error = noise.error(n)
    if error == 0:
        return 1.0
    # One tail at half the level: with the power asked for, the other tail adds nothing. This is not
    # statsmodels' `TTestPower`, which is NaN for some large effects (by `scipy.special.nctdtr`): a
    # clear difference would then pass for one that cannot be told.
    critical = stats.t.isf(alpha / 2, n - 1)
    return float(stats.nct.sf(critical, n - 1, abs(difference) / error))


def seeds_needed(noise: SeedNoise, target: float = TARGET, alpha: float = ALPHA) -> int | None:
    """Return the least number of seeds with which a test has the power to see a mean difference.

    target: the difference to see, in the unit of the noise. alpha: the level of the two-sided test.
    The least number is 2. None where `MOST_SEEDS` are not enough.
    """

    def enough(n: int) -> bool:
        return power(noise, target, n, alpha) >= POWER

    # A bisection, as power grows with n: the library's own solver fails on few seeds.
    most = 2
    while not enough(most):
        most *= 2
        if most > MOST_SEEDS:
            return None
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
        needed = f"{row.needed} seeds to see {TARGET}"
        if pd.isna(row.needed):
            needed = f"no number of seeds shows {TARGET}, many show {row.smallest:.4f}"
        lines.append(
            f"{title}: sd of paired differences {row.sd:.4f}, {needed} "
            f"(5 %, power 80 %, {row.interval_by}); has {row.n}"
        )
    return lines


def of_arms(arms: Sequence[Arm]) -> list[str]:
    """Return one line a comparison of these arms, or the reason why there is none."""
    return lines_of(tidy(arms, summarise(arms)))


def lines_of(frame: pd.DataFrame) -> list[str]:
    """Return one line for each row of `tidy`, or the reason why it has none."""
    lines = sentences(frame)
    if not lines:
        return [f"seeds needed to see {TARGET}: {EMPTY}"]
    return lines
