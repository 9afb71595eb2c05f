"""The summary for a terminal of 80 columns: what `ue-bench report` prints at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ue_bench.errors import one_line
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import ANCHORS, BATCH, SCOPE, is_binary, panel, score
from ue_bench.report.format import NOTHING, bytes_text, missing, mse_text
from ue_bench.report.page.abstract import sentences
from ue_bench.report.page.cells import bias_mark, latency_cell, score_cell

if TYPE_CHECKING:
    import pandas as pd

    from ue_bench.report.assemble import Outcome

ROWS = 25  # most arms of one comparison
COMPARISONS = 6  # most tables of several studies: more would be too long to read
_ANCHOR_NAMES = {
    "mean": "mean",
    "item_mean": "item mean",
    "bias": "bias model",
    "mf": "matrix factorisation",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
    "best": "best possible",
}


def print_summary(outcome: Outcome, console: Console) -> None:
    """Print a table a comparison with the best arms at each budget, then the paths of the report.

    Several studies with many comparisons are summarised in sentences instead.
    """
    summary = outcome.summary
    studies = list(summary["study"].unique())
    comparisons = list(groups(summary, SCOPE))
    if len(studies) > 1 and len(comparisons) > COMPARISONS:
        _print_answers(outcome, studies, console)
        console.print(
            f"{len(comparisons)} comparisons: their tables are in the report; "
            "--study NAME prints those of one study here\n"
        )
    else:
        for scope, part in comparisons:
            title = panel(part).iloc[0]
            if len(studies) > 1:
                title += f", study {scope[0]}"
            console.print(_table(part, title))
            console.print(Text(_notes(part), style="dim"))
            console.print()
        for line in outcome.power:
            console.print(Text(one_line(line)))
    if summary.empty:
        console.print("No arm has a result to show.")
    _print_paths(outcome, console)


def best_rows(part: pd.DataFrame, most: int = ROWS) -> pd.DataFrame:
    """At most `most` arms of one comparison, those with the lowest mean validation MSE.

    Every budget gets the same number of them, and so do the anchors.
    """
    ranked = part.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    rank = ranked.groupby(["budget", "is_anchor"], dropna=False).cumcount()
    kept = ranked.assign(rank=rank).sort_values(["rank", "budget"], kind="stable").head(most)
    return kept.sort_values(["budget", "rank"], kind="stable")


def _print_answers(outcome: Outcome, studies: list[str], console: Console) -> None:
    for study in studies:
        answer = " ".join(sentences(*outcome.evidence.of(study)))
        console.print(Text(one_line(study), style="bold"))
        console.print(Text(one_line(answer)))
        console.print()


def _table(part: pd.DataFrame, title: str) -> Table:
    scored = score(part)
    part_name = scored["part"].iloc[0] if len(scored) else "test"
    with_auc = is_binary(part)
    table = Table(
        title=Text(one_line(title), style="bold"),  # Text ignores markup within a name
        title_justify="left",
        expand=False,
        pad_edge=False,
        box=None,
        padding=(0, 1),
    )
    table.add_column("arm", overflow="fold", ratio=1, min_width=14)
    table.add_column("budget", justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column(f"{part_name} MSE [95 %]", no_wrap=True)
    if with_auc:  # its mean alone, without the log loss: the line is full
        table.add_column("AUC", justify="right", no_wrap=True)
    table.add_column(f"µs/{BATCH}", justify="right", no_wrap=True)
    previous_budget: str | None = None
    for row in records(best_rows(part)):
        budget = bytes_text(row["budget"])
        if previous_budget is not None and budget != previous_budget:
            table.add_section()
        cells: list[str | Text] = [
            Text(one_line(row["label"].replace(",", ", "))),
            "" if budget == previous_budget else budget,
            bytes_text(row["total_bytes"]),
            _mse_cell(row),
        ]
        if with_auc:
            cells.append(mse_text(row[f"{_quoted_part(row)}_auc_mean"]))
        table.add_row(*cells, latency_cell(row))
        previous_budget = budget
    return table


def _mse_cell(row: dict[Any, Any]) -> str:
    text = score_cell(row, _quoted_part(row), "mse")
    if 0 < row["n"] < row["n_most"]:
        text += f" n={row['n']}"
    return text + bias_mark(row)


def _quoted_part(row: dict[Any, Any]) -> str:
    """The part that is quoted, as columns of the summary name it."""
    return "val" if missing(row["test_mse_mean"]) else "test"


def _notes(part: pd.DataFrame) -> str:
    """The anchors, and what the marks and the selection of rows mean."""
    anchors = []
    for name in ANCHORS:
        value = part[f"anchor_{name}"].mean()
        if not missing(value):
            anchors.append(f"{_ANCHOR_NAMES[name]} {mse_text(value)}")
    notes = [f"anchors: {', '.join(anchors) or NOTHING}"]
    if part["latency_us"].notna().any():
        notes.append("µs from raw values")
    if part["vocabulary_bytes"].gt(0).any():
        notes.append("totals with a dictionary; the report has them without stored keys too")
    if part["beats_bias"].eq(False).any():
        notes.append("▽ not better than the bias model")
    methods = score(part)["interval_by"].unique()
    if len(methods):
        notes.append(f"95 %: {' or '.join(sorted(methods))}")
    if is_binary(part):
        notes.append("MSE is the Brier score; log loss is in the report")
    if part["latency_unstable"].eq(True).any():
        notes.append("~ unstable timing")
    if len(part) > ROWS:
        notes.append(f"{ROWS} of {len(part)} arms, the best on validation at each budget")
    return "; ".join(notes)


def _print_paths(outcome: Outcome, console: Console) -> None:
    """Print how much was left out, and where the report, the tables and the figures are."""
    if outcome.refused:
        n = len(outcome.refused)
        console.print(f"arms refused, not comparable: {n} (listed in the report)")
    if outcome.skipped:
        n = len(outcome.skipped)
        console.print(f"files that are no valid record: {n} (listed in the report)")
    figures = NOTHING
    if outcome.figures:
        figures = str(outcome.figures[0].parent)
    n_figures = sum(path.suffix == ".png" for path in outcome.figures)
    lines = (
        f"report:  {outcome.page}",
        f"tables:  {outcome.page.parent / 'tables'}",
        f"figures: {figures} ({n_figures})",
    )
    for line in lines:
        console.print(Text(one_line(line)), soft_wrap=True)
