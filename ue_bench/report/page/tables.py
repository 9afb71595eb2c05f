"""The summary as Markdown tables: one a comparison, for the page and for marked blocks of a document."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import ANCHORS, BATCH, MORE, SCOPE, is_binary, panel
from ue_bench.report.format import (
    bytes_text,
    code,
    interval_text,
    micros_text,
    missing,
    mse_text,
    ratio_text,
)

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
BINARY = (
    " Of a binary task the MSE is that of the probabilities, the Brier score; AUC (higher is better) and log loss in nats stand "
    "beside it with their own intervals. The log loss of the trivial predictors is that of predictions clipped to [0.001, 0.999]."
)


def note(summary: pd.DataFrame) -> str:
    """What stands above the tables."""
    return NOTE + BINARY * any(is_binary(part) for _, part in groups(summary, SCOPE))


def tables(summary: pd.DataFrame) -> list[str]:
    """Markdown lines: a table for each comparison, with the anchors at its head."""
    lines = []
    for key, part in groups(summary, SCOPE):
        tested, scores = bool(part["test_mse_mean"].notna().any()), MORE if is_binary(part) else ()
        word = "test" if tested else "validation"
        lines += ["", f"### {panel(part).iloc[0]}, study {code(key[0])}", ""]
        lines += [
            f"| arm | budget | table | total | n | {word} MSE |{f' {word} AUC | {word} log loss |' if scores else ''} µs |",
            f"|---|--:|--:|--:|--:|---|{'---|' * len(scores)}--:|",
        ]
        for name in ANCHORS:
            value = part[f"anchor_{name}"].mean()
            if not missing(value):
                more = "".join(
                    f" *{mse_text(part[f'anchor_{name}_{score}'].mean())}* |" for score in scores
                )
                lines.append(f"| *{ANCHOR_ROWS[name]}* | | | | | *{mse_text(value)}* |{more} |")
        ordered = part.sort_values(
            ["budget", "test_mse_mean" if tested else "val_mse_mean", "label"], kind="stable"
        )
        lines += [_row(row, "test" if tested else "val", scores) for row in records(ordered)]
    return lines


def _row(row: dict[Any, Any], part: str, scores: Sequence[str]) -> str:
    table = row["table_bytes"] + row["auxiliary_bytes"]
    size = f"{bytes_text(table)} ({ratio_text(table, row['exact_table_bytes'])})"
    mse = interval_text(*(row[f"{part}_mse_{name}"] for name in ("mean", "low", "high"))) + (
        " ▽" if row["beats_bias"] is False else ""
    )
    more = "".join(
        f" {interval_text(*(row[f'{part}_{score}_{of}'] for of in ('mean', 'low', 'high')))} |"
        for score in scores
    )
    latency = ("~" if row["latency_unstable"] is True else "") + micros_text(row["latency_us"])
    n = f"{row['n']} of {row['n_most']}" if row["n"] < row["n_most"] else row["n"]
    total = bytes_text(row["total_bytes"])
    return f"| {row['label']} | {bytes_text(row['budget'])} | {size} | {total} | {n} | {mse} |{more} {latency} |"
