"""What the points of a figure tell: on hover each says which configuration it is, and what was measured.

A point that tells is a transparent marker with its text for a link; `picture.save` makes the link a group with a `<title>`, which
a browser shows on hover. The rest of matplotlib knows nothing of it, and a PNG is as before.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from ue_bench.report.evidence.frames import records
from ue_bench.report.format import bytes_text, interval_text, micros_text, missing

LINK = "point:"
_RADIUS = 4.7  # of what can be pointed at, in 1/72 inch: larger than what is seen

_TOLD: dict[
    str, Callable[[dict[Any, Any]], str]
] = {  # by the column of a tidy frame, in the order told
    "label": lambda row: row["label"],
    "regions": lambda row: f"regions: {row['regions']}",
    "budget": lambda row: f"budget: {bytes_text(row['budget'])}",
    "total_bytes": lambda row: f"total with vocabulary: {bytes_text(row['total_bytes'])}",
    "feature": lambda row: f"feature: {row['feature']}",
    "lookups": lambda row: (
        f"lookups: {row['lookups']:g}"
        if isinstance(row["lookups"], float)
        else f"lookups: {row['lookups']}"
    ),
    "batch": lambda row: f"batch: {row['batch']} rows",
    "epoch": lambda row: f"epoch: {row['epoch']:g}",
    "p50_us": lambda row: f"latency: {micros_text(row['p50_us'])} µs",
    "mse": lambda row: (
        f"{row.get('part', '')} MSE: {interval_text(row['mse'], row.get('low'), row.get('high'))}".lstrip()
    ),
    "error": lambda row: f"{row['part']} {row['measure']}: {row['error']:.4f}",
    "auc": lambda row: f"AUC: {interval_text(row['auc'], row.get('low'), row.get('high'))}",
    "n": lambda row: f"seeds: {row['n']:g}",
    "panel": lambda row: row["panel"],
}
_BESIDE = ("part", "measure", "low", "high")  # columns that the text of another one needs


def told(frame: pd.DataFrame) -> list[str]:
    """A text of some lines for each row, from those of its columns that are known here and have a value."""
    rows = records(frame[[name for name in (*_TOLD, *_BESIDE) if name in frame]])
    return [
        "\n".join(
            text(row) for name, text in _TOLD.items() if name in row and not missing(row[name])
        )
        for row in rows
    ]


def hover(axes: Axes, frame: pd.DataFrame, x: str, y: str) -> None:
    """Each row of `frame`, drawn at its columns `x` and `y`, tells its configuration on hover."""
    known = frame.dropna(subset=[x, y])
    texts = told(known)
    if not any(texts):
        return
    spots = PathCollection(
        [Path.unit_circle()],
        [_RADIUS**2],
        offsets=known[[x, y]].to_numpy(float),
        offset_transform=axes.transData,
        facecolors=[(0, 0, 0, 0)],
        linewidths=[0],
        urls=[LINK + text for text in texts],
        zorder=9,
    )
    spots.set_transform(IdentityTransform())
    spots.set_in_layout(False)
    axes.add_collection(
        spots, autolim=False
    )  # what is seen has set the limits; `scatter` would reckon them anew each time
