"""The ranks as Markdown: a table a comparison, with a row for each strategy and form."""

from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.ranks import ranked
from ue_bench.report.evidence.summary import SCOPE, panel
from ue_bench.report.format import NOTHING, bytes_text, code, interval_text, missing, ratio_text

Row = dict[str, Any]


def rank_tables(summary: pd.DataFrame) -> list[str]:
    """Return Markdown lines; none where no comparison has many strategies."""
    lines: list[str] = []
    for scope, part in groups(ranked(summary), SCOPE):
        title = f"### Ranks: {panel(part).iloc[0]}, study {code(scope[0])}"
        lines += ["", title, "", *_table(part)]
    return lines


def _table(part: pd.DataFrame) -> list[str]:
    sized = part[part["budget"].notna()]
    budgets = sorted(sized["budget"].unique())
    lines = _head(part, budgets)
    by_place = {(row["group"], row["budget"]): row for row in records(sized)}
    for group in _by_mean_rank(sized):
        cells = [by_place.get((group, budget)) for budget in budgets]
        present = [cell for cell in cells if cell is not None]
        texts = " | ".join(_cell(cell) for cell in cells)
        lines.append(f"| {present[0]['strategy']} | {_form(present)} | {texts} |")
    for row in rows(part[part["budget"].isna()]):
        mse = interval_text(row.mse, row.low, row.high)
        cell = f"{NOTHING} | {bytes_text(row.total_bytes)} | {mse}"
        texts = " | ".join([cell] * len(budgets))
        lines.append(f"| {row.strategy} | no budget | {texts} |")
    return lines


def _head(part: pd.DataFrame, budgets: list[int]) -> list[str]:
    exact_bytes = part["exact_table_bytes"].max()
    titles = []
    for budget in budgets:
        size = f"{bytes_text(budget)} ({ratio_text(budget, exact_bytes)})"
        titles.append(f"{size}: rank | total | {part['part'].iloc[0]} MSE")
    return [
        f"| strategy | form | {' | '.join(titles)} |",
        "|---|---|" + "--:|--:|---|" * len(budgets),
    ]


def _by_mean_rank(sized: pd.DataFrame) -> list[str]:
    """Return the groups: those at most budgets first, of these the best mean rank first."""
    order = sized.groupby("group")["rank"].agg(["mean", "size"])
    order = order.sort_values(["size", "mean"], ascending=[False, True], kind="stable")
    return list(order.index)


def _form(cells: list[Row]) -> str:
    """Return the regions, with the rules that are best on validation at one budget or another."""
    regions = str(cells[0]["regions"])
    rules: list[str] = []
    for cell in cells:
        rule = cell["region_rule"]
        if not missing(rule) and rule not in rules:
            rules.append(rule)
    if not rules:
        return regions
    return f"{regions} ({', '.join(rules)})"


def _cell(row: Row | None) -> str:
    if row is None:
        return f"{NOTHING} | {NOTHING} | {NOTHING}"
    mse = interval_text(row["mse"], row["low"], row["high"])
    mark = " ▽" if row["beats_bias"] is False else ""
    return f"{row['rank']} | {bytes_text(row['total_bytes'])} | {mse}{mark}"
