"""Who wins at each size: the best variant of each strategy on validation, compared on test.

Where a comparison has one strategy only, all its variants compete.
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.pairs import holm_within
from ue_bench.report.evidence.statistics import ALPHA, Paired, paired
from ue_bench.report.evidence.summary import SCOPE, by_key, row_scores, score

COLUMNS = (
    *SCOPE,
    "budget",
    "best",
    "best_group",
    "best_mse",
    "best_low",
    "best_high",
    "label",
    "group",
    "mse",
    "low",
    "high",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "told_apart",
)


def champions(scored: pd.DataFrame) -> pd.DataFrame:
    """Return each strategy's arm with the lowest mean validation MSE, by comparison and budget."""
    ordered = scored.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    return ordered.drop_duplicates([*SCOPE, "group", "budget"]).sort_index()


def verdicts(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row a contestant and budget: its paired difference from the best one's MSE.

    The best one is the first row of its budget, with a difference of 0 and no test. Holm's
    correction is over one figure: all comparisons and budgets of a study, where its grids are
    one figure and what confirms its searches is another.
    """
    arm_of = by_key(arms)
    scored = score(summary)
    contestants = _contestants(scored[scored["budget"].notna()])
    found = []
    for _, cell in groups(contestants, [*SCOPE, "budget"]):
        ranked = records(cell.sort_values(["mse", "label"], kind="stable"))
        scores = [row_scores(arm_of, row) for row in ranked]
        best = ranked[0]
        tests = [Paired(n=best["n"], difference=0.0, low=math.nan, high=math.nan, p=math.nan)]
        tests += [paired(scores[0], other) for other in scores[1:]]
        for row, test in zip(ranked, tests, strict=True):
            found.append(_verdict(best, row, test))
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    frame["p_holm"] = holm_within(frame, ["study", "phase"])
    # The best one and a rival with too few seeds have NaN here: they are not told apart.
    frame["told_apart"] = frame["p_holm"] < ALPHA
    return frame


def _contestants(budgeted: pd.DataFrame) -> pd.DataFrame:
    alone = budgeted.groupby(SCOPE)["group"].transform("nunique") == 1
    return pd.concat([champions(budgeted[~alone]), budgeted[alone]]).sort_index()


def _verdict(best: dict[str, Any], row: dict[str, Any], test: Paired) -> dict[str, Any]:
    verdict: dict[str, Any] = Comparison.of_row(row)._asdict()
    for name in ("budget", "label", "group"):
        verdict[name] = row[name]
    for name in ("mse", "low", "high"):
        verdict[f"best_{name}"] = best[name]
        verdict[name] = row[name]
    verdict["best"] = best["label"]
    verdict["best_group"] = best["group"]
    verdict["n"] = test.n
    verdict["difference"] = test.difference
    verdict["difference_low"] = test.low
    verdict["difference_high"] = test.high
    verdict["p"] = test.p
    return verdict


def front(
    scored: pd.DataFrame, size: str = "total_bytes", within: Sequence[str] = SCOPE
) -> pd.Series:
    """Return whether an arm is on the Pareto front of its comparison.

    An arm is on it where no other one has at most its `size` and a lower mean MSE.
    """
    ordered = scored.sort_values([size, "mse"], kind="stable")
    comparison = [ordered[name] for name in within]
    lowest_so_far = ordered.groupby(list(within))["mse"].cummin()
    lowest_of_smaller = lowest_so_far.groupby(comparison).shift()
    on_front = lowest_of_smaller.isna() | (ordered["mse"] < lowest_of_smaller)
    return on_front.reindex(scored.index)
