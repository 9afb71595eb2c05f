"""Chooses the lines that a figure shows where there are too many.

Each strategy then appears with the variant that is best on validation, never on test. What
`ue-bench advise` has confirmed is shown whole: it is a few arms, and each may be the advice.
Anchors are no lines: `anchor_points` draws them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ue_bench.record import ADVICE
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import SCOPE, key, panel, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import style
from ue_bench.report.format import size_text

LINE = ["panel", "label", "group", "size", "line", "named", "hollow", "mse"]
MOST = 10  # lines that a panel can hold and still be read
MOST_NAMED = 14  # strategies that are named when there are many; the others are thin and grey


def is_advice(frame: pd.DataFrame) -> bool:
    """Whether these are arms of `ue-bench advise`. Each of them has a size of its own."""
    return not frame.empty and bool(frame["study"].str.startswith(ADVICE).all())


def best_variants(frame: pd.DataFrame) -> pd.DataFrame:
    """The variant of each strategy and budget that is best on validation; all arms of an advice."""
    if is_advice(frame):
        return frame
    return champions(frame)


def lines(frame: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The frame without anchors and with a column `line`: the label of the arm, or its strategy.

    It is the strategy, with its best variant alone, where a panel would have more than `most`
    labels. In an advice it is the label.
    """
    frame = frame[~frame["is_anchor"]]
    if is_advice(frame) or frame.groupby(SCOPE)["label"].nunique().max() <= most:
        return frame.assign(line=frame["label"])
    best = champions(frame)
    return best.assign(line=best["group"])


def named(frame: pd.DataFrame, most: int = MOST_NAMED, by: str = "line") -> set[str]:
    """The lines that are named: all, or the `most` with the best mean rank on validation.

    All lines of an advice are named, all anchors, and what figures are about (`style.is_subject`).
    """
    anchors = set(frame.loc[frame["is_anchor"], by])
    frame = frame[~frame["is_anchor"]]
    if is_advice(frame):
        return anchors | set(frame[by])
    ranks = frame.groupby([*SCOPE, "budget"], dropna=False)["val_mse_mean"].rank()
    mean_ranks = ranks.groupby(frame[by]).mean().sort_values(kind="stable")
    is_subject = frame["group"].map(style.is_subject).astype(bool)
    return anchors | set(mean_ranks.index[:most]) | set(frame.loc[is_subject, by])


def middle_budget(frame: pd.DataFrame) -> pd.DataFrame:
    """The arms at the median budget of their comparison, and those without a budget.

    The median of an even number of budgets is the lower one of the two in the middle. Of an advice,
    all arms.
    """
    if is_advice(frame):
        return frame
    keep = frame["budget"].isna()
    for _, part in groups(frame[~keep], SCOPE):
        budgets = sorted(part["budget"].unique())
        median = budgets[(len(budgets) - 1) // 2]
        keep |= frame.index.isin(part.index[part["budget"] == median])
    return frame[keep]


def at_middle_budget(
    arms: Mapping[Any, Arm], summary: pd.DataFrame, has_scores: Callable[[Arm], bool], most: int
) -> pd.DataFrame:
    """The arms at the median budget or without one that have some scores, the best ones first.

    The columns `LINE` are what a figure of them needs. Each strategy has the variant that is best
    on validation, and at most `most` of them are named.

    arms: by key.
    """
    chosen = best_variants(middle_budget(score(summary)))
    has = [has_scores(arms[key(row)]) for row in records(chosen)]
    chosen = chosen[pd.Series(has, chosen.index, dtype=bool)].copy()
    by = "label" if is_advice(chosen) else "group"
    is_anchor = pd.Series([arms[key(row)].is_anchor for row in records(chosen)], chosen.index)
    chosen["line"] = chosen["label"].where(is_anchor.astype(bool), chosen[by])
    chosen["named"] = chosen["line"].isin(named(chosen, most))
    chosen["hollow"] = False
    chosen["size"] = [size_text(row["budget"], row["exact_table_bytes"]) for row in records(chosen)]
    chosen["panel"] = panel(chosen)
    return chosen.sort_values(["mse", "label"], kind="stable")


def entries(
    frame: pd.DataFrame, looks: style.Looks, by: str = "line", *, joined: bool = True
) -> list[Any]:
    """The legend's entries of the named lines of a tidy frame, and one for all others."""
    handles = []
    for name in sorted(frame.loc[frame["named"], by].unique()):
        handles.append(style.handle(looks[name], name, joined=joined))
    if not frame["named"].all():
        handles.append(style.others(joined=joined))
    return handles
