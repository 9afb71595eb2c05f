"""Which lines a figure shows when there are too many: of each strategy the variant that is best on validation, never on test."""

import pandas as pd

from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import SCOPE
from ue_bench.report.evidence.verdict import champions

MOST = 10  # lines a panel can hold and still be read
MOST_NAMED = 14  # strategies that are named when there are many; the others are thin and grey


def lines(frame: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The frame with a column `line`: the arm's label, or the strategy where labels would be more than `most` in a panel."""
    if frame.groupby(SCOPE)["label"].nunique().max() <= most:
        return frame.assign(line=frame["label"])
    best = champions(frame)
    return best.assign(line=best["group"])


def named(frame: pd.DataFrame, most: int = MOST_NAMED, by: str = "line") -> set[str]:
    """The lines that are named: all, or the `most` with the best mean rank on validation."""
    ranks = frame.groupby([*SCOPE, "budget"], dropna=False)["val_mse_mean"].rank()
    mean = ranks.groupby(frame[by]).mean().sort_values(kind="stable")
    return set(mean.index[:most])


def middle_budget(frame: pd.DataFrame) -> pd.DataFrame:
    """The arms at the median budget of their comparison (the lower one of two), and those without a budget."""
    keep = frame["budget"].isna()
    for _, part in groups(frame[~keep], SCOPE):
        budgets = sorted(part["budget"].unique())
        keep |= frame.index.isin(part.index[part["budget"] == budgets[(len(budgets) - 1) // 2]])
    return frame[keep]
