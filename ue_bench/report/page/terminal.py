"""The summary for a terminal of 80 columns: what `make bench` prints at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ue_bench.errors import one_line
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import ANCHORS, BATCH, SCOPE, is_binary, panel, score
from ue_bench.report.format import NOTHING, bytes_text, interval_text, micros_text, mse_text
from ue_bench.report.page.abstract import sentences

if TYPE_CHECKING:
    import pandas as pd

    from ue_bench.report import Outcome

ROWS = 25  # at the most, for one feature set
COMPARISONS = 6  # of several studies: with more of them a table each would be too long to read
_SHORT = {
    "mean": "mean",
    "item_mean": "item mean",
    "bias": "bias model",
    "mf": "matrix factorisation",
}


def print_summary(outcome: Outcome, console: Console) -> None:
    """A table a feature set: the best arms (on validation) at each budget, then where the report and the figures lie.

    Of several studies with many comparisons, the answers in sentences instead.
    """
    summary = outcome.summary
    studies = list(summary["study"].unique())
    parts = list(groups(summary, SCOPE))
    if len(studies) > 1 and len(parts) > COMPARISONS:
        for study in studies:
            console.print(Text(one_line(study), style="bold"))
            console.print(Text(one_line(" ".join(sentences(*outcome.evidence.of(study))))))
            console.print()
        console.print(
            f"{len(parts)} comparisons: their tables are in the report; with --study NAME those of one stand here\n"
        )
    else:
        for key, part in parts:
            of = f", study {key[0]}" if len(studies) > 1 else ""
            console.print(_table(part, f"{panel(part).iloc[0]}{of}"))
            console.print(Text(_notes(part), style="dim"))
            console.print()
        for line in outcome.power:
            console.print(Text(one_line(line)))
    if summary.empty:
        console.print("No arm has a result to show.")
    _places(outcome, console)


def best_rows(part: pd.DataFrame, most: int = ROWS) -> pd.DataFrame:
    """At most `most` arms of one comparison: of each budget the same number, those with the lowest mean validation MSE."""
    ranked = part.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    rank = ranked.groupby("budget", dropna=False).cumcount()
    kept = ranked.assign(rank=rank).sort_values(["rank", "budget"], kind="stable").head(most)
    return kept.sort_values(["budget", "rank"], kind="stable")


def _table(part: pd.DataFrame, title: str) -> Table:
    scored = score(part).set_index(["label", "budget"])
    what = scored["part"].iloc[0] if len(scored) else "test"
    title_shown = Text(one_line(title), style="bold")  # a text obeys no markup that a name may hold
    table = Table(
        title=title_shown,
        title_justify="left",
        expand=False,
        pad_edge=False,
        box=None,
        padding=(0, 1),
    )
    table.add_column("arm", overflow="fold", ratio=1, min_width=14)
    for name in ("budget", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(f"{what} MSE [95 %]", no_wrap=True)
    if is_binary(part):  # its mean; there is no room for the log loss
        table.add_column("AUC", justify="right", no_wrap=True)
    table.add_column(f"µs/{BATCH}", justify="right", no_wrap=True)
    previous: Any = None
    for row in records(best_rows(part)):
        budget = bytes_text(row["budget"])
        if previous not in (None, budget):
            table.add_section()
        table.add_row(
            Text(one_line(row["label"].replace(",", ", "))),
            "" if previous == budget else budget,
            bytes_text(row["total_bytes"]),
            _mse(row),
            *([mse_text(row[f"{_part(row)}_auc_mean"])] if is_binary(part) else []),
            _micros(row),
        )
        previous = budget
    return table


def _mse(row: dict[Any, Any]) -> str:
    few = f" n={row['n']}" if 0 < row["n"] < row["n_most"] else ""
    return (
        interval_text(*(row[f"{_part(row)}_mse_{of}"] for of in ("mean", "low", "high")))
        + few
        + (" ▽" if row["beats_bias"] is False else "")
    )


def _part(row: dict[Any, Any]) -> str:
    """The part that is quoted, as columns of the summary name it."""
    return "test" if row["test_mse_mean"] == row["test_mse_mean"] else "val"


def _micros(row: dict[Any, Any]) -> str:
    return ("~" if row["latency_unstable"] is True else "") + micros_text(row["latency_us"])


def _notes(part: pd.DataFrame) -> str:
    known = [f"{_SHORT[name]} {mse_text(part[f'anchor_{name}'].mean())}" for name in ANCHORS]
    lines = [f"anchors: {', '.join(text for text in known if NOTHING not in text) or NOTHING}"]
    if part["beats_bias"].eq(False).any():
        lines.append("▽ not better than the bias model")
    if is_binary(part):
        lines.append("MSE is the Brier score; log loss is in the report")
    if part["latency_unstable"].eq(True).any():
        lines.append("~ unstable timing")
    shown = min(len(part), ROWS)
    if shown < len(part):
        lines.append(f"{shown} of {len(part)} arms, the best on validation at each budget")
    return "; ".join(lines)


def _places(outcome: Outcome, console: Console) -> None:
    for lines, what in (
        (outcome.refused, "arms refused, not comparable"),
        (outcome.skipped, "files that are no valid record"),
    ):
        if lines:
            console.print(f"{what}: {len(lines)} (listed in the report)")
    console.print(Text(one_line(f"report:  {outcome.page}")), soft_wrap=True)
    console.print(Text(one_line(f"tables:  {outcome.page.parent / 'tables'}")), soft_wrap=True)
    folder = outcome.figures[0].parent if outcome.figures else NOTHING
    drawn = f"figures: {folder} ({sum(path.suffix == '.png' for path in outcome.figures)})"
    console.print(Text(one_line(drawn)), soft_wrap=True)
