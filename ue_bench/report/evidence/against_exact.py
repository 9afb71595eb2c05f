"""How far each strategy at each budget is from exact rows that keep no budget."""

import pandas as pd

from ue_bench.report.evidence.compare import ScoredArms
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.pairs import compare_pairs
from ue_bench.report.evidence.summary import SCOPE, row_scores

COLUMNS = [
    *SCOPE,
    "strategy",
    "label",
    "budget",
    "exact_table_bytes",
    "exact",
    "difference",
    "low",
    "high",
    "told_apart",
    "tests",
    "interval_by",
]


def against_exact(arms: ScoredArms) -> pd.DataFrame:
    """Return one row for each comparison, strategy and budget, sorted by them.

    Of the variants of a strategy at a budget, and of the exact rows, the one that is best on
    validation counts. difference: the MSE of the strategy less that of the exact rows, with its
    95 % interval. told_apart: after Holm's correction over all rows. A comparison without exact
    rows has no row.
    """
    ordered = arms.scored.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    ordered = ordered[~ordered["is_anchor"]]
    found = []
    pairs = []
    for _, part in groups(ordered, SCOPE):
        unlimited = records(part[part["budget"].isna() & (part["regions"] == "exact")])
        if not unlimited:
            continue
        exact = unlimited[0]
        best = part[part["budget"].notna()].drop_duplicates(["strategy", "budget"])
        for row in records(best.sort_values(["strategy", "budget"])):
            found.append(row | {"exact": exact["label"]})
            pairs.append((row_scores(arms.arm_of, exact), row_scores(arms.arm_of, row)))
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    tests = compare_pairs(pairs)
    frame = pd.DataFrame(found).drop(columns=[name for name in tests if name in found[0]])
    return pd.concat([frame, tests], axis=1)[COLUMNS]
