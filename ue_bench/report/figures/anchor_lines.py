"""Trivial anchors as thin labelled lines: a result means something only beside the mean, the item mean and the bias model."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import ANCHORS, panel
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.style import ANCHOR_NAMES, GREY

SIZE = 7  # of the names' font


def tidy(scored: pd.DataFrame) -> pd.DataFrame:
    """One row an anchor and panel: panel, anchor, mse (mean over the arms), name, value (text), inside. Far anchors are told,
    not drawn: the axis belongs to the arms. The bias model is always drawn."""
    long = scored.assign(panel=panel(scored)).melt(
        ["panel", "mse", "low", "high"], [f"anchor_{name}" for name in ANCHORS], "anchor", "value"
    )
    found = []
    for (title, column), part in groups(long.dropna(subset=["value"]), ["panel", "anchor"]):
        anchor, mse = column.removeprefix("anchor_"), float(part["value"].astype(float).mean())
        bottom, top = (
            float(np.nanmin(part[["mse", "low"]])),
            float(np.nanmax(part[["mse", "high"]])),
        )
        margin = 0.1 * (top - bottom)
        inside = anchor == "bias" or bottom - margin <= mse <= top + margin
        found.append([title, anchor, mse, ANCHOR_NAMES[anchor], f"{mse:.3f}", inside])
    frame = pd.DataFrame(found, columns=["panel", "anchor", "mse", "name", "value", "inside"])
    return frame.astype({"inside": bool}).sort_values(["panel", "mse"], ignore_index=True)


def draw(axes: Axes, anchors: pd.DataFrame) -> None:
    """Lines, named at the right of the panel; the anchors beyond the axis are told under its label, which must be there."""
    inside = list(rows(anchors[anchors["inside"]]))
    for row in inside:
        axes.axhline(row.mse, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / axes.figure.dpi * 72  # 1/72 inch, before the layout
    wanted = [(row.mse - low) / (high - low) * height for row in inside]
    for row, y in zip(inside, spread(wanted, 2 * LINE * SIZE, 0, height), strict=True):
        axes.annotate(
            f"{row.name}\n{row.value}",
            (1.01, y / height),
            xycoords="axes fraction",
            va="center",
            fontsize=SIZE,
            color="#404040",
        )
    beyond = ", ".join(f"{row.name} {row.value}" for row in rows(anchors[~anchors["inside"]]))
    if beyond:
        axes.set_xlabel(f"{axes.get_xlabel()}\n(beyond the axis: {beyond})")
