"""Contests: at each byte budget of a comparison, who competes, whom validation names, and which
ones may be the best on test."""

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

# The feature set that shows how strategies stand rare values, and carries no headline.
STRESS = "wide"

# What competes, by the column that names it.
_NOUNS = {"group": "strategy", "label": "variant"}
_PLURALS = {"group": "strategies", "label": "variants"}


class Contest(NamedTuple):
    """One budget of one comparison.

    rows: the competitors as rows of the verdicts, the one that validation names first. place: the
    budget, and what distinguishes the comparison, in words.
    """

    rows: list[dict[Any, Any]]
    place: str

    @property
    def named(self) -> dict[Any, Any]:
        """The one with the lowest validation MSE."""
        return self.rows[0]

    @property
    def rivals(self) -> list[dict[Any, Any]]:
        return self.rows[1:]

    @property
    def is_known(self) -> bool:
        """Whether there is a set of the best."""
        return any(row["among_best"] is True for row in self.rows)

    @property
    def ties(self) -> list[dict[Any, Any]]:
        """The rivals in the set of the best, or that cannot be judged."""
        return [row for row in self.rivals if row["among_best"] is not False]

    @property
    def is_decided(self) -> bool:
        """Whether the named one is alone in the set of the best."""
        return self.named["among_best"] is True and not self.ties


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

    def named_counts(self) -> Counter[str]:
        """At how many budgets validation names each competitor."""
        return Counter(contest.named[self.column] for contest in self.contests)

    def alone_counts(self) -> Counter[str]:
        """At how many budgets each named competitor is alone in the set of the best."""
        return Counter(contest.named[self.column] for contest in self.decided)

    def leader(self) -> str:
        """The competitor that is named and alone at most budgets, then named at most budgets."""
        named = self.named_counts()
        alone = self.alone_counts()
        return min(named, key=lambda name: (-alone[name], -named[name], name))

    def methods(self) -> str:
        """How the intervals and the sets of the best were made, or why there are none."""
        texts = {row["interval_by"] for contest in self.contests for row in contest.rows}
        return " or ".join(sorted(texts))


def is_stress(features: str) -> bool:
    """Return whether a comparison of these features carries no headline."""
    return features.split()[0] == STRESS


def headlined(scored: pd.DataFrame, verdicts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the arms and verdicts that count in a headline: those of `STRESS` only where there
    are no others."""
    counts = ~scored["features"].map(is_stress)
    if not counts.any() or verdicts.empty:
        return scored, verdicts
    kept = scored[counts]
    return kept, verdicts[verdicts["features"].isin(kept["features"])]


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
