"""Titles and cells of the tables of arms, from rows of the summary."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.labels import bits_word
from ue_bench.report.evidence.summary import SCOPE, panel, score
from ue_bench.report.format import (
    NOTHING,
    bytes_text,
    code,
    interval_text,
    micros_text,
    missing,
)

ANCHOR_ROWS = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "user and item bias model",
    "mf": "biased matrix factorisation",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
    "best": "best possible: the formula of the world",
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


def in_short(summary: pd.DataFrame) -> pd.Series:
    """The names of arms in a sentence: their labels, or of what a search has shaped the form.

    That is so where no other arm of the form has the same budget. Bits that the search chose
    follow; the lookups are in the tables.
    """
    alike = summary.groupby([*SCOPE, "group", "budget"], dropna=False)["label"].transform("size")
    names = []
    for row, n_alike in zip(rows(summary), alike, strict=True):
        name = row.label
        if row.searched and n_alike == 1:
            name = row.group if row.form_bits else f"{row.group} {bits_word(row.bits)}".strip()
        names.append(name)
    return pd.Series(names, summary.index, dtype=str)


def interval_line(part: pd.DataFrame) -> str:
    """How the intervals of a comparison were made, one sentence."""
    methods = score(part)["interval_by"].unique()
    return f"95 % intervals: {' or '.join(sorted(methods)) or NOTHING}."


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
    """Median microseconds from raw values, after a ~ where the timing is unstable."""
    text = micros_text(row["latency_us"])
    return f"~{text}" if row["latency_unstable"] is True else text


def codes_cell(row: Mapping[Any, Any]) -> str:
    """10.9 (54 kB): median microseconds from codes, with the cache of slots that these read."""
    text = micros_text(row["latency_codes_us"])
    if missing(row["latency_codes_us"]):
        return text
    if missing(row["slot_cache_bytes"]):
        return f"{text} (cache not counted)"
    return f"{text} ({bytes_text(row['slot_cache_bytes'])})"


def totals_cell(row: Mapping[Any, Any]) -> str:
    """29 kB / 14 kB: the total with a dictionary, and without stored keys where that is less."""
    text = bytes_text(row["total_bytes"])
    if missing(row["total_floor_bytes"]) or row["total_floor_bytes"] == row["total_bytes"]:
        return text
    return f"{text} / {bytes_text(row['total_floor_bytes'])}"
