"""The summary as Markdown tables: one a comparison, for the page and for marked blocks of a document."""

from typing import Any

import pandas as pd

from ue_bench.report.frames import groups, records
from ue_bench.report.summary import ANCHORS, BATCH, SCOPE, panel
from ue_bench.report.text import bytes_text, code, interval_text, micros_text, missing, mse_text, ratio_text

ANCHOR_ROWS = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "user and item bias model",
    "mf": "biased matrix factorisation",
}
NOTE = (
    "MSE: mean and 95 % t-interval over n seeds. Table: with auxiliary data, and as a part of the exact table. "
    f"Total: with the vocabulary. Latency: median microseconds of a lookup of {BATCH} rows from codes (~: unstable). "
    "▽: not better than the bias model."
)


def tables(summary: pd.DataFrame) -> list[str]:
    """Markdown lines: a table for each comparison, with the anchors at its head."""
    lines = []
    for key, part in groups(summary, SCOPE):
        tested = bool(part["test_mse_mean"].notna().any())
        lines += ["", f"### {panel(part).iloc[0]}, study {code(key[0])}", ""]
        lines += [
            f"| arm | budget | table | total | n | {'test' if tested else 'validation'} MSE | µs |",
            "|---|--:|--:|--:|--:|---|--:|",
        ]
        for name in ANCHORS:
            value = part[f"anchor_{name}"].mean()
            if not missing(value):
                lines.append(f"| *{ANCHOR_ROWS[name]}* | | | | | *{mse_text(value)}* | |")
        ordered = part.sort_values(["budget", "test_mse_mean" if tested else "val_mse_mean", "label"], kind="stable")
        lines += [_row(row, "test" if tested else "val") for row in records(ordered)]
    return lines


def _row(row: dict[Any, Any], part: str) -> str:
    table = row["table_bytes"] + row["auxiliary_bytes"]
    size = f"{bytes_text(table)} ({ratio_text(table, row['exact_table_bytes'])})"
    mse = interval_text(*(row[f"{part}_mse_{name}"] for name in ("mean", "low", "high"))) + (
        " ▽" if row["beats_bias"] is False else ""
    )
    latency = ("~" if row["latency_unstable"] is True else "") + micros_text(row["latency_us"])
    n = f"{row['n']} of {row['n_most']}" if row["n"] < row["n_most"] else row["n"]
    return (
        f"| {row['label']} | {bytes_text(row['budget'])} | {size} | {bytes_text(row['total_bytes'])} | {n} | {mse} | {latency} |"
    )
