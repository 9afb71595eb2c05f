"""Who wins at each size: the best variant of each strategy on validation, compared on test.

Where a comparison has one strategy only, all its variants compete. The winner of a budget is named
by validation, and its test score is only quoted. Which contestants may be the best on test is a set
(see `best_set`).
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.best_set import BestSet, best_set
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import Difference, compare_two
from ue_bench.report.evidence.summary import SCOPE, by_key, key, row_scores, score
from ue_bench.report.evidence.unseen_share import share_columns, unseen_share

FAMILY = ["study", "phase"]
COLUMNS = (
    *SCOPE,
    "budget",
    "named",
    "named_group",
    "named_mse",
    "named_low",
    "named_high",
    "label",
    "group",
    "mse",
    "low",
    "high",
    "interval_by",
    "among_best",
    "most_behind",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "tests",
    "p_holm",
    "power",
    "told_apart",
    "unseen_rows",
    "unseen_share",
)


def champions(scored: pd.DataFrame, by: str = "group") -> pd.DataFrame:
    """Return each strategy's arm with the lowest mean validation MSE, by comparison and budget.

    by: the column that says which arms are variants of one strategy.
    """
    return _by_validation(scored).drop_duplicates([*SCOPE, by, "budget"]).sort_index()


def _by_validation(scored: pd.DataFrame) -> pd.DataFrame:
    return scored.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")


def verdicts(
    arms: Sequence[Arm], summary: pd.DataFrame, family: Sequence[str] = FAMILY
) -> pd.DataFrame:
    """Return one row a contestant and budget, with its difference from the MSE of the named one.

    The named one has the lowest mean validation MSE. It is the first row of its budget, with a
    difference of 0 and no test; the others follow by their MSE. `among_best` is whether a
    contestant may be the best on test, None where that cannot be told; `most_behind`, by how much
    it is behind the best at most; `unseen_share`, how much of the difference lies in rows with
    unseen values, the share `unseen_rows` of all. Holm's correction is over each `family`: the
    contestants that are not named, at all budgets of all comparisons of a study, where its grids
    are one family and what confirms its searches is another.
    """
    arm_of = by_key(arms)
    scored = score(summary)
    contestants = _contestants(scored[scored["budget"].notna()])
    found = []
    for _, cell in groups(contestants, [*SCOPE, "budget"]):
        found += _cell(cell, arm_of)
    frame = pd.DataFrame(found, columns=[*COLUMNS, "sd", "floor"])
    return holm_corrected(frame, list(family))[list(COLUMNS)]


def _contestants(budgeted: pd.DataFrame) -> pd.DataFrame:
    alone = budgeted.groupby(SCOPE)["group"].transform("nunique") == 1
    return pd.concat([champions(budgeted[~alone]), budgeted[alone]]).sort_index()


def _cell(cell: pd.DataFrame, arm_of: dict[tuple[Any, ...], Arm]) -> list[dict[str, Any]]:
    """Return the verdicts of one budget of one comparison."""
    contestants = records(cell)
    named = min(contestants, key=lambda row: (*_nan_last(row["val_mse_mean"]), row["label"]))
    ranked = sorted(contestants, key=lambda row: (row["mse"], row["label"]))
    ordered = [named, *(row for row in ranked if row["label"] != named["label"])]
    scores = [row_scores(arm_of, row) for row in ordered]
    best = best_set(scores)
    found = []
    for place, row in enumerate(ordered):
        share = unseen_share(arm_of[key(row)], arm_of[key(named)])
        found.append(_verdict(ordered, scores, best, place) | share_columns(share))
    return found


def _nan_last(value: float | None) -> tuple[bool, float]:
    """A key that sorts numbers up, and what is no number behind them."""
    return (True, 0.0) if value is None or math.isnan(value) else (False, value)


def _verdict(
    ordered: Sequence[dict[str, Any]], scores: Sequence[Scores], best: BestSet, place: int
) -> dict[str, Any]:
    """Return the verdict on one contestant. ordered: the rows of the budget, the named one first.

    scores: of each row.
    """
    row = ordered[place]
    named = ordered[0]
    nan = float("nan")
    test = Difference(n=row["n"], difference=0.0, low=nan, high=nan, p=nan, interval_by="")
    if place:
        test = compare_two(scores[0], scores[place])
    verdict: dict[str, Any] = Comparison.of_row(row)._asdict()
    for name in ("budget", "label", "group", "mse", "low", "high", "interval_by"):
        verdict[name] = row[name]
    for name in ("mse", "low", "high"):
        verdict[f"named_{name}"] = named[name]
    verdict["named"] = named["label"]
    verdict["named_group"] = named["group"]
    verdict["among_best"] = best.members[place]
    verdict["most_behind"] = best.most_behind[place]
    for name in ("n", "difference", "p", "sd", "floor"):
        verdict[name] = getattr(test, name)
    verdict["difference_low"] = test.low
    verdict["difference_high"] = test.high
    return verdict


def front_of_bytes(
    scored: pd.DataFrame, total: str = "total_bytes", within: Sequence[str] = SCOPE
) -> pd.Series:
    """Return whether an arm is on the Pareto front of MSE and a total of bytes.

    Arms of one budget count as equally large but for their vocabularies too: the few bytes that
    one of them leaves of it are no smaller size.

    total: the column of the bytes in all.
    """
    paid = scored["table_bytes"] + scored["auxiliary_bytes"]
    left = (scored["budget"] - paid).fillna(0).clip(lower=0)
    of_whole_budget = scored.assign(of_whole_budget=scored[total] + left)
    return front(scored, total, within) & front(of_whole_budget, "of_whole_budget", within)


def front(
    scored: pd.DataFrame, size: str = "total_bytes", within: Sequence[str] = SCOPE
) -> pd.Series:
    """Return whether an arm is on the Pareto front of its comparison.

    An arm is on it where no other one has at most its `size` and at most its mean MSE, and less of
    one of them. Arms that are equal in both are on it together, or not at all.
    """
    ordered = scored.sort_values([size, "mse"], kind="stable")
    # The last one on it, by comparison: the lowest MSE of those that are no larger.
    last_of: dict[tuple[Any, ...], tuple[float, float]] = {}
    on_front = []
    comparisons = zip(*(ordered[name].tolist() for name in within), strict=True)
    sizes = ordered[size].astype(float).tolist()
    places = zip(sizes, ordered["mse"].tolist(), strict=True)
    for comparison, place in zip(comparisons, places, strict=True):
        last = last_of.get(comparison, (math.inf, math.inf))
        is_lower = place[1] < last[1]
        on_front.append(is_lower or place == last)
        if is_lower:
            last_of[comparison] = place
    return pd.Series(on_front, ordered.index, dtype=bool).reindex(scored.index)
