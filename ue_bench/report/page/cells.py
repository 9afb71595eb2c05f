"""Titles and cells of the tables of arms, from rows of the summary."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ue_bench.report.evidence.summary import panel
from ue_bench.report.format import code, interval_text, micros_text

ANCHOR_ROWS = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "user and item bias model",
    "mf": "biased matrix factorisation",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
}

# Those that a model should beat whose embeddings are worth their bytes, as sentences name them.
STRONG_ANCHORS = {
    "mf": "biased matrix factorisation",
    "linear": "the linear model of all features (one-hot)",
    "boosting": "gradient boosting",
}


def full_title(part: pd.DataFrame) -> str:
    """The title of the comparison of these rows, with its study, as Markdown."""
    return f"{panel(part).iloc[0]}, study {code(part['study'].iloc[0])}"


def score_cell(row: Mapping[Any, Any], part: str, score: str) -> str:
    """0.8990 [0.8951, 0.9029]: the mean of a score with its interval. part: `test` or `val`."""
    mean = row[f"{part}_{score}_mean"]
    low = row[f"{part}_{score}_low"]
    high = row[f"{part}_{score}_high"]
    return interval_text(mean, low, high)


def bias_mark(row: Mapping[Any, Any]) -> str:
    """The mark of an arm that does not beat the bias model."""
    return " ▽" if row["beats_bias"] is False else ""


def latency_cell(row: Mapping[Any, Any]) -> str:
    """Microseconds, after a ~ where the timing is unstable."""
    text = micros_text(row["latency_us"])
    return f"~{text}" if row["latency_unstable"] is True else text
