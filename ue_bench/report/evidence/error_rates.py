"""How often verdicts and intervals are wrong, counted where the truth is known.

Each draw of a planted world is one family: fresh data, on which a study searches, confirms and
judges as it does elsewhere. Two arms of a family are one arm under different hash functions, so
that whatever tells them apart is wrong. What an interval should hold is the mean over all draws,
which is known far better than from one of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ue_bench.config.drawn_worlds import world_of
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, collect
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.statistics import ALPHA, LEVEL, compare_two, estimate
from ue_bench.report.evidence.summary import by_seed, summarise
from ue_bench.report.evidence.verdict import FAMILY, verdicts

VERDICTS = "families in which a verdict tells the arms apart"
Range = tuple[float, float]  # lower and upper end of an interval


class Rate(NamedTuple):
    """How often something was found in `of` cases.

    what: in words. limit: the most that is right, or the least where `at_least`.
    """

    what: str
    found: int
    of: int
    limit: float
    at_least: bool = False

    @property
    def share(self) -> float:
        return self.found / self.of

    @property
    def interval(self) -> Range:
        """The 95 % interval of the share (Clopper and Pearson)."""
        found = stats.binomtest(self.found, self.of).proportion_ci(LEVEL)
        return float(found.low), float(found.high)

    @property
    def bound(self) -> str:
        """What the share should be, in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:.0%}"

    @property
    def is_kept(self) -> bool:
        """Whether the share is on the right side of its limit."""
        if self.at_least:
            return self.share >= self.limit
        return self.share <= self.limit


class Calibration(NamedTuple):
    """The rates of one world. world: its name. families: its draws. runs: of all of them."""

    world: str
    families: int
    runs: int
    rates: tuple[Rate, ...]


LEAST_COVERAGE = 0.93


def calibrations(drawn: Iterable[Record]) -> list[Calibration]:
    """Return the rates of each world, sorted by name. drawn: the runs on its draws."""
    by_world: dict[str, list[Record]] = defaultdict(list)
    for run in drawn:
        by_world[world_of(run.config.dataset)].append(run)
    return [_calibration(world, runs) for world, runs in sorted(by_world.items())]


def _calibration(world: str, runs: Sequence[Record]) -> Calibration:
    arms = collect(runs).kept
    summary = summarise(arms)
    contests = _contests(arms, summary)
    by_draw: dict[str, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.comparison.phase != "confirm":
            by_draw[arm.comparison.dataset].append(arm)
    estimates: dict[str, list[tuple[float, Range]]] = defaultdict(list)
    for of_draw in by_draw.values():
        for name, found_there in _estimates(of_draw):
            estimates[name].append(found_there)
    rates = []
    if contests:
        rates += _wrong(contests)
        rates.append(_wrong_without_luck(arms, summary))
    for name, of_draws in sorted(estimates.items()):
        rates.append(_coverage(name, of_draws))
    return Calibration(world, len(contests), len(runs), tuple(rates))


def _contests(arms: Sequence[Arm], summary: pd.DataFrame) -> list[list[dict[Any, Any]]]:
    """Return the verdicts on what the searches of each draw found. summary: that of the arms."""
    found = verdicts(arms, summary, family=(*FAMILY, "dataset"))
    confirmed = found[found["phase"] == "confirm"]
    return [records(rows) for _, rows in groups(confirmed, "dataset")]


def _wrong_without_luck(arms: Sequence[Arm], summary: pd.DataFrame) -> Rate:
    """Return in how many families a test is wrong that takes what was found as given.

    The luck of a short search is large, and hides whether anything else of a test is wrong.
    summary: that of the arms, in which nothing is of their search.
    """
    confirmed = [arm for arm in arms if arm.comparison.phase == "confirm"]
    is_confirmed = summary["phase"] == "confirm"
    as_given = [replace(arm, found_by=None) for arm in confirmed]
    contests = _contests(as_given, summary[is_confirmed].reset_index(drop=True))
    tested = sum(any(row["p_holm"] < ALPHA for row in contest) for contest in contests)
    what = "families in which a test does, if the luck of searches is left out"
    return Rate(what, tested, len(contests), ALPHA)


def _wrong(contests: Sequence[Sequence[Mapping[Any, Any]]]) -> list[Rate]:
    """Return how many families have a wrong test or verdict, and how many arms are left out."""
    tested = told_apart = 0
    members = []
    for contest in contests:
        tested += any(row["p_holm"] < ALPHA for row in contest)
        told_apart += any(row["told_apart"] for row in contest)
        members += [row["among_best"] for row in contest if row["among_best"] is not None]
    n = len(contests)
    return [
        Rate("families in which a test finds a difference (Holm)", tested, n, ALPHA),
        Rate(VERDICTS, told_apart, n, ALPHA),
        Rate("arms left out of the set of the best", members.count(False), len(members), ALPHA),
    ]


def _estimates(arms: Sequence[Arm]) -> Iterator[tuple[str, tuple[float, Range]]]:
    """Yield what the grid of one draw estimates: its name, its value and its interval."""
    scores = {arm.label: by_seed(arm, "test") for arm in arms}
    for label, of_arm in scores.items():
        interval = estimate(of_arm)
        yield f"test MSE of {label}", (interval.mean, (interval.low, interval.high))
    labels = sorted(scores)
    for first, second in pairwise(labels):
        gap = compare_two(scores[first], scores[second])
        yield f"{second} less {first}", (gap.difference, (gap.low, gap.high))


def _coverage(name: str, of_draws: Sequence[tuple[float, Range]]) -> Rate:
    truth = float(np.mean([value for value, _ in of_draws]))
    held = sum(low <= truth <= high for _, (low, high) in of_draws)
    what = f"95 % intervals of {name} that hold the mean over all draws, {truth:.4f}"
    return Rate(what, held, len(of_draws), LEAST_COVERAGE, at_least=True)
