"""The summary as Markdown tables: one a comparison, for the page and for blocks of a document."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import ANCHORS, BATCH, MORE, SCOPE, is_binary
from ue_bench.report.format import bytes_text, micros_text, missing, mse_text, ratio_text
from ue_bench.report.page.cells import (
    ANCHOR_ROWS,
    bias_mark,
    codes_cell,
    full_title,
    interval_line,
    latency_cell,
    score_cell,
    totals_cell,
)

SCORE_TITLES = {"auc": "AUC", "log_loss": "log loss"}
NOTE = (
    f"MSE: mean over n seeds and 95 % interval ({RULE}). Table: bytes with auxiliary data, also as "
    "a fraction of the exact table. Total: bytes with the vocabulary, as a dictionary / as the "
    "least that stores no keys (one number where there is no vocabulary). Latency: microseconds of "
    f"a lookup of {BATCH} rows from raw values, median (~: unstable) and 99th percentile (of 100 "
    "calls or more); from codes, with the bytes of the cache of slots that it reads. ▽: not better "
    "than the bias model. Arms without a budget stand at the end, anchors among them."
)
BINARY_NOTE = (
    " The MSE of a binary task is that of the probabilities, the Brier score; AUC (higher is "
    "better) and log loss in nats follow it, each with its interval. The log loss of the anchors "
    "that predict no probability is that of predictions clipped to [0.001, 0.999]; the linear "
    "model and gradient boosting predict probabilities."
)


def note(summary: pd.DataFrame) -> str:
    """The explanation above the tables."""
    for _, part in groups(summary, SCOPE):
        if is_binary(part):
            return NOTE + BINARY_NOTE
    return NOTE


def tables(summary: pd.DataFrame) -> list[str]:
    """Markdown lines: a table for each comparison, which begins with the anchors."""
    lines = []
    for _, part in groups(summary, SCOPE):
        lines += ["", f"### {full_title(part)}", "", interval_line(part), "", *_table(part)]
    return lines


def _table(part: pd.DataFrame) -> list[str]:
    scores = MORE if is_binary(part) else ()
    if part["test_mse_mean"].notna().any():
        quoted = "test"
        part_name = "test"
    else:
        quoted = "val"
        part_name = "validation"
    titles = ["arm", f"{part_name} MSE"]  # first, so that a narrow screen shows it
    titles += [f"{part_name} {SCORE_TITLES[score]}" for score in scores]
    titles += ["budget", "table", "total", "n", "raw µs", "p99", "codes µs (cache)"]
    rule = "|---|---|" + "---|" * len(scores) + "--:|" * 7
    lines = [f"| {' | '.join(titles)} |", rule]
    for name in ANCHORS:
        if not missing(part[f"anchor_{name}"].mean()):
            lines.append(_anchor_row(part, name, scores))
    ordered = part.sort_values(["budget", f"{quoted}_mse_mean", "label"], kind="stable")
    for row in records(ordered):
        lines.append(_row(row, quoted, scores))
    return lines


def _anchor_row(part: pd.DataFrame, name: str, scores: Sequence[str]) -> str:
    """An anchor, whose scores are means over the arms of the comparison."""
    cells = [mse_text(part[f"anchor_{name}"].mean())]
    for score in scores:
        cells.append(mse_text(part[f"anchor_{name}_{score}"].mean()))
    emphasised = " | ".join(f"*{cell}*" for cell in cells)
    return f"| *{ANCHOR_ROWS[name]}* | {emphasised} |" + " |" * 7


def _row(row: dict[Any, Any], quoted: str, scores: Sequence[str]) -> str:
    """An arm. quoted: the part whose scores are shown, `test` or `val`."""
    table_bytes = row["table_bytes"] + row["auxiliary_bytes"]
    fraction = ratio_text(table_bytes, row["exact_table_bytes"])
    n = str(row["n"])
    if row["n"] < row["n_most"]:
        n += f" of {row['n_most']}"
    cells = [row["label"], score_cell(row, quoted, "mse") + bias_mark(row)]
    cells += [score_cell(row, quoted, score) for score in scores]
    cells += [
        bytes_text(row["budget"]),
        f"{bytes_text(table_bytes)} ({fraction})",
        totals_cell(row),
        n,
    ]
    cells += [latency_cell(row), micros_text(row["latency_p99_us"]), codes_cell(row)]
    return f"| {' | '.join(cells)} |"
