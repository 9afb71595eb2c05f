"""The rank of every strategy and form at each budget: one Markdown table a comparison of many strategies."""

from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.summary import SCOPE, panel, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.format import NOTHING, bytes_text, code, interval_text, missing, ratio_text

MANY = 6  # strategies: with more of them a comparison gets its table


def tables(summary: pd.DataFrame) -> list[str]:
    """Markdown lines; none where no comparison has more than `MANY` strategies."""
    lines: list[str] = []
    for scope, part in groups(champions(score(summary)), SCOPE):
        if part["strategy"].nunique() > MANY and part["budget"].notna().any():
            lines += [
                "",
                f"### Ranks: {panel(part).iloc[0]}, study {code(scope[0])}",
                "",
                *_table(part),
            ]
    return lines


def _table(part: pd.DataFrame) -> list[str]:
    sized, free = part[part["budget"].notna()].copy(), part[part["budget"].isna()]
    sized["rank"] = sized.groupby("budget")["mse"].rank(method="min").astype(int)
    budgets = sorted(sized["budget"].unique())
    unit = part["exact_table_bytes"].max()
    heads = [
        f"{bytes_text(budget)} ({ratio_text(budget, unit)}): rank | total | {part['part'].iloc[0]} MSE"
        for budget in budgets
    ]
    lines = [
        f"| strategy | form | {' | '.join(heads)} |",
        "|---|---|" + "--:|--:|---|" * len(budgets),
    ]
    order = (
        sized.groupby("group")["rank"]
        .agg(["mean", "size"])
        .sort_values(["size", "mean"], ascending=[False, True], kind="stable")
    )
    cells = {(row["group"], row["budget"]): row for row in records(sized)}
    for group in order.index:
        own: list[Any] = [cells.get((group, budget)) for budget in budgets]
        found = [row for row in own if row]
        lines.append(f"| {found[0]['strategy']} | {_form(found)} | {' | '.join(map(_cell, own))} |")
    for row in rows(free):
        wide = f"{bytes_text(row.total_bytes)} | {interval_text(row.mse, row.low, row.high)}"
        lines.append(
            f"| {row.strategy} | no budget | {' | '.join([f'{NOTHING} | {wide}'] * len(budgets))} |"
        )
    return lines


def _form(found: list[dict[str, Any]]) -> str:
    """The regions, with their rule; the rule that is best on validation may be another one at another budget."""
    rules = dict.fromkeys(row["region_rule"] for row in found if not missing(row["region_rule"]))
    return f"{found[0]['regions']} ({', '.join(rules)})" if rules else str(found[0]["regions"])


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return f"{NOTHING} | {NOTHING} | {NOTHING}"
    mark = " ▽" if row["beats_bias"] is False else ""
    return f"{row['rank']} | {bytes_text(row['total_bytes'])} | {interval_text(row['mse'], row['low'], row['high'])}{mark}"
