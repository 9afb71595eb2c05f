"""The text that a point of a figure shows on hover: its configuration and what was measured.

Such a point has a transparent marker whose link is the text. `picture.save` turns the link into a
group with a `<title>`, which a browser shows on hover. The rest of matplotlib is not involved, and
a PNG is not changed.
"""

from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from ue_bench.report.evidence.frames import records
from ue_bench.report.format import bytes_text, delta_text, interval_text, micros_text, missing

LINK = "point:"
_RADIUS = 4.7  # of the area that reacts, in 1/72 inch: larger than the marker that is seen

# The columns of a tidy frame that the text has a line for, in the order of the lines.
_LINES = (
    "label",
    "strategy",
    "regions",
    "budget",
    "total_bytes",
    "total_floor_bytes",
    "feature",
    "lookups",
    "bits",
    "head",
    "setting",
    "values",
    "batch",
    "epoch",
    "p50_us",
    "p99_us",
    "slot_cache_bytes",
    "total",
    "difference",
    "mse",
    "error",
    "auc",
    "tau",
    "n",
    "panel",
)
# Columns that the line of another column needs.
_BESIDE = (
    "part",
    "measure",
    "low",
    "high",
    "difference_low",
    "difference_high",
    "tau_low",
    "tau_high",
)


def hover(axes: Axes, frame: pd.DataFrame, x: str, y: str) -> None:
    """Show the configuration of each row of `frame` on hover, at its columns `x` and `y`."""
    offsets = frame[[x, y]].to_numpy(float, na_value=np.nan)
    is_drawn = ~np.isnan(offsets).any(axis=1)
    texts = list(compress(_texts(frame), is_drawn))
    if not any(texts):
        return
    areas = PathCollection(
        [Path.unit_circle()],
        sizes=[_RADIUS**2],
        offsets=offsets[is_drawn],
        offset_transform=axes.transData,
        facecolors=[(0, 0, 0, 0)],
        linewidths=[0],
        urls=[LINK + text for text in texts],
        zorder=9,
    )
    areas.set_transform(IdentityTransform())
    areas.set_in_layout(False)
    # The visible marks have set the limits; `scatter` would compute them anew for each call.
    axes.add_collection(areas, autolim=False)


def of_difference(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns `low` and `high` are of `difference`, as `hover` takes it."""
    return frame.rename(columns={"low": "difference_low", "high": "difference_high"})


def _texts(frame: pd.DataFrame) -> list[str]:
    """The text of each row, with one line for each column of `_LINES` that has a value."""
    columns = [name for name in (*_LINES, *_BESIDE) if name in frame]
    texts = []
    for row in records(frame[columns]):
        lines = []
        for name in _LINES:
            if name in row and not missing(row[name]):
                lines.append(_line(name, row))
        texts.append("\n".join(lines))
    return texts


def _line(name: str, row: dict[str, Any]) -> str:
    """The line of the text for the column `name`."""
    value = row[name]
    match name:
        case "label" | "strategy" | "panel":
            return value
        case "budget":
            return f"budget: {bytes_text(value)}"
        case "total_bytes":
            return f"total with dictionary: {bytes_text(value)}"
        case "total_floor_bytes":
            return f"total without stored keys: {bytes_text(value)}"
        case "lookups" if isinstance(value, float):
            return f"lookups: {value:g}"
        case "batch":
            return f"batch: {value} rows"
        case "epoch":
            return f"epoch: {value:g}"
        case "p50_us":
            return f"latency: {micros_text(value)} µs"
        case "p99_us":
            return f"latency, 99th percentile: {micros_text(value)} µs"
        case "slot_cache_bytes":
            return f"reads a cache of slots of {bytes_text(value)}"
        case "total":
            return f"memory: {bytes_text(value)}"
        case "difference":
            ends = row.get("difference_low"), row.get("difference_high")
            return f"difference: {delta_text(value, *ends)}"
        case "mse":
            score = interval_text(value, row.get("low"), row.get("high"))
            return f"{row.get('part', '')} MSE: {score}".lstrip()
        case "error":
            return f"{row['part']} {row['measure']}: {value:.4f}"
        case "values":
            return f"values: {value:,.0f}"
        case "tau":
            return f"Kendall τ: {interval_text(value, row.get('tau_low'), row.get('tau_high'))}"
        case "auc":
            return f"AUC: {interval_text(value, row.get('low'), row.get('high'))}"
        case "n":
            return f"seeds: {value:g}"
        case _:
            return f"{name}: {value}"
