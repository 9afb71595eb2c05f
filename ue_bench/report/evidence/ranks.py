"""The rank of every strategy and form at each budget, in the comparisons of many strategies."""

import pandas as pd

from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import SCOPE, score
from ue_bench.report.evidence.verdict import champions

MANY = 6  # a comparison of more strategies than these is ranked


def ranked(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the champions of each comparison of many strategies, with their `rank`.

    rank: the place of the arm's MSE among the champions of its budget, from 1; NA without a budget.
    The frame is empty where no comparison has more than `MANY` strategies.
    """
    scored = score(summary)
    large = []
    for _, part in groups(champions(scored), SCOPE):
        strategies = part.loc[~part["is_anchor"], "strategy"]
        if strategies.nunique() > MANY and part["budget"].notna().any():
            large.append(with_ranks(part))
    if not large:
        return scored.iloc[:0].assign(rank=pd.array([], dtype="Int64"))
    return pd.concat(large)


def with_ranks(part: pd.DataFrame) -> pd.DataFrame:
    """Return the champions of one comparison with their `rank`: of the MSE, by budget, from 1."""
    return part.assign(rank=part.groupby("budget")["mse"].rank(method="min").astype("Int64"))
