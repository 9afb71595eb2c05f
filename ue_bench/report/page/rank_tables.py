"""The ranks as Markdown: a table a comparison, with a row for each strategy and form."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.ranks import ranked
from ue_bench.report.evidence.summary import ANCHORS, SCOPE
from ue_bench.report.format import NOTHING, bytes_text, interval_text, missing, mse_text, ratio_text
from ue_bench.report.page.cells import (
    ANCHOR_ROWS,
    bias_mark,
    full_title,
    interval_line,
    totals_cell,
)

Row = dict[str, Any]


def rank_tables(summary: pd.DataFrame) -> list[str]:
    """Return Markdown lines; none where no comparison has many strategies."""
    lines: list[str] = []
    for _, part in groups(ranked(summary), SCOPE):
        title = f"### Ranks: {full_title(part)}"
        lines += ["", title, "", interval_line(part), "", *_table(part)]
    return lines


def _table(part: pd.DataFrame) -> list[str]:
    sized = part[part["budget"].notna()]
    budgets = sorted(sized["budget"].unique())
    lines = _head(part, budgets)
    lines += _anchor_rows(part, len(budgets))
    by_place = {(row["group"], row["budget"]): row for row in records(sized)}
    for group in _by_mean_rank(sized):
        cells = [by_place.get((group, budget)) for budget in budgets]
        present = [cell for cell in cells if cell is not None]
        texts = " | ".join(_cell(cell) for cell in cells)
        name = f"{present[0]['strategy']} {_form(present)}".strip()
        lines.append(f"| {name} | {texts} |")
    for row in rows(part[part["budget"].isna()]):
        mse = interval_text(row.mse, row.low, row.high)
        cell = f"{mse} | {NOTHING} | {totals_cell(row._asdict())}"
        texts = " | ".join([cell] * len(budgets))
        name = row.label if row.is_anchor else f"{row.strategy} (no budget)"
        lines.append(f"| {name} | {texts} |")
    return lines


def _head(part: pd.DataFrame, budgets: list[int]) -> list[str]:
    exact_bytes = part["exact_table_bytes"].max()
    titles = []
    for budget in budgets:
        size = f"{bytes_text(budget)} ({ratio_text(budget, exact_bytes)})"
        titles.append(f"{size}: {part['part'].iloc[0]} MSE | rank | total")
    return [
        f"| strategy | {' | '.join(titles)} |",
        "|---|" + "---|--:|--:|" * len(budgets),
    ]


def _anchor_rows(part: pd.DataFrame, n_budgets: int) -> Iterator[str]:
    """Yield the anchors, which have no rank and whose size is not counted."""
    for name in ANCHORS:
        mse = part[f"anchor_{name}"].mean()
        if not missing(mse):
            cell = f"*{mse_text(mse)}* | {NOTHING} | {NOTHING}"
            texts = " | ".join([cell] * n_budgets)
            yield f"| *{ANCHOR_ROWS[name]}* | {texts} |"


def _by_mean_rank(sized: pd.DataFrame) -> list[str]:
    """Return the groups: those at most budgets first, of these the best mean rank first."""
    order = sized.groupby("group")["rank"].agg(["mean", "size"])
    order = order.sort_values(["size", "mean"], ascending=[False, True], kind="stable")
    return list(order.index)


def _form(cells: list[Row]) -> str:
    """Return the regions, with the rules that are best on validation at one budget or another.

    Where there are none, the text is empty.
    """
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
    if row["n"] < row["n_most"]:
        mse += f" n={row['n']}"
    return f"{mse}{bias_mark(row)} | {row['rank']} | {totals_cell(row)}"
