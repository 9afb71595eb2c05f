"""Contests: at each byte budget of a comparison, who competes and who leads."""

from collections import Counter
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import SCOPE
from ue_bench.report.format import bytes_text, ratio_text

# The columns that a place names where they differ between the comparisons of a study.
_PLACE_TEXT = {
    "features": "{} features",
    "dataset": "{}",
    "split": "{} split",
    "head": "{} head",
    "task": "{}",
}

# What competes, by the column that names it.
_NOUNS = {"group": "strategy", "label": "variant"}
_PLURALS = {"group": "strategies", "label": "variants"}


class Contest(NamedTuple):
    """One budget of one comparison.

    rows: the competitors as rows of the verdicts, the best first. place: the budget, and what
    distinguishes the comparison, in words.
    """

    rows: list[dict[Any, Any]]
    place: str

    @property
    def best(self) -> dict[Any, Any]:
        return self.rows[0]

    @property
    def rivals(self) -> list[dict[Any, Any]]:
        return self.rows[1:]

    @property
    def ties(self) -> list[dict[Any, Any]]:
        """The rivals that are not significantly worse than the best."""
        return [row for row in self.rivals if not row["told_apart"]]

    @property
    def is_decided(self) -> bool:
        """Whether the best is significantly better than every rival."""
        return not self.ties


class Competition(NamedTuple):
    """All contests of a study. column: `group` where strategies compete, `label` for variants."""

    contests: list[Contest]
    column: str

    @property
    def noun(self) -> str:
        return _NOUNS[self.column]

    @property
    def plural(self) -> str:
        return _PLURALS[self.column]

    @property
    def decided(self) -> list[Contest]:
        return [contest for contest in self.contests if contest.is_decided]

    @property
    def undecided(self) -> list[Contest]:
        return [contest for contest in self.contests if not contest.is_decided]

    def best_counts(self) -> Counter[str]:
        """At how many budgets each competitor is the best."""
        return Counter(contest.best[self.column] for contest in self.contests)

    def alone_counts(self) -> Counter[str]:
        """At how many budgets each competitor is significantly better than every other."""
        return Counter(contest.best[self.column] for contest in self.decided)

    def leader(self) -> str:
        """The competitor that is alone the best at most budgets, then the best at most budgets."""
        best = self.best_counts()
        alone = self.alone_counts()
        return min(best, key=lambda name: (-alone[name], -best[name], name))


def competition(verdicts: pd.DataFrame, scored: pd.DataFrame, column: str) -> Competition:
    """The budgets at which two or more values of `column` compete."""
    contests: list[Contest] = []
    if verdicts.empty:
        return Competition(contests, column)
    exact_bytes = {}
    for scope, part in groups(scored, SCOPE):
        exact_bytes[scope] = part["exact_table_bytes"].max()
    varying = [name for name in _PLACE_TEXT if scored[name].nunique() > 1]
    for (*scope, budget), part in groups(verdicts, [*SCOPE, "budget"]):
        if part[column].nunique() < 2:
            continue
        details = [f"{ratio_text(budget, exact_bytes[tuple(scope)])} of the exact table"]
        for name in varying:
            value = part[name].iloc[0].replace("_", " ")
            details.append(_PLACE_TEXT[name].format(value))
        place = f"{bytes_text(budget)} ({', '.join(details)})"
        contests.append(Contest(records(part), place))
    return Competition(contests, column)
