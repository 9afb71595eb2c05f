"""Who wins at each size: every strategy sends its variant that is best on *validation*; they are compared on test, by seed.

Where a comparison has one strategy only, all its variants compete.
"""

from collections.abc import Sequence

import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.statistics import LEVEL, holm, paired
from ue_bench.report.evidence.summary import SCOPE, by_seed, key, score

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
    """Of each strategy, at each budget of each comparison, the arm with the lowest mean validation MSE."""
    ordered = scored.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    return ordered.drop_duplicates([*SCOPE, "group", "budget"]).sort_index()


def verdicts(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """One row a contestant and budget: its difference to the best (whose own is 0), Holm-corrected over the figure they stand in:
    all comparisons and budgets of a study, its grids and what confirms its searches apart."""
    scored = score(summary)
    runs = {arm.key: arm for arm in arms}
    rows = []
    for scope, cell in groups(_contestants(scored[scored["budget"].notna()]), [*SCOPE, "budget"]):
        ranked = cell.sort_values(["mse", "label"], kind="stable").to_dict("records")
        scores = [by_seed(runs[key(row)], row["part"]) for row in ranked]
        tests = [paired(scores[0], other) for other in scores[1:]]
        best = ranked[0]
        head = [*scope, best["label"], best["group"], best["mse"], best["low"], best["high"]]
        rows.append([*head, *_own(best), best["n"], 0.0, None, None, None, None, False])
        rows += [
            [*head, *_own(row), *test, None, False]
            for row, test in zip(ranked[1:], tests, strict=True)
        ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, figure in frame.groupby(["study", "phase"]):
        frame.loc[figure.index, "p_holm"] = holm(list(figure["p"].astype(float)))
    frame["told_apart"] = (
        frame["p_holm"] < 1 - LEVEL
    )  # NaN, the best itself or too few seeds: not told apart
    return frame


def _contestants(budgeted: pd.DataFrame) -> pd.DataFrame:
    alone = budgeted.groupby(SCOPE)["group"].transform("nunique") == 1
    return pd.concat([champions(budgeted[~alone]), budgeted[alone]]).sort_index()


def front(
    scored: pd.DataFrame, size: str = "total_bytes", within: Sequence[str] = SCOPE
) -> pd.Series:
    """Whether an arm is on the Pareto front of its comparison: no other has as little of `size` or less, and a lower mean MSE."""
    ordered = scored.sort_values([size, "mse"], kind="stable")
    keys = [ordered[name] for name in within]
    smaller = ordered.groupby(list(within))["mse"].cummin().groupby(keys).shift()
    return (smaller.isna() | (ordered["mse"] < smaller)).reindex(scored.index)


def _own(row: dict) -> list:
    return [row["label"], row["group"], row["mse"], row["low"], row["high"]]
