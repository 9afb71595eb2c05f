"""Anchors as thin labelled lines: the predictors without a neural model, from the global mean to
gradient boosting.

A result means something only in comparison with them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import ANCHORS, panel
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.style import ANCHOR_NAMES, GREY

SIZE = 7  # of the names' font
IN_A_LINE = 2  # anchors beyond the axis
COLUMNS = ["panel", "anchor", "mse", "name", "value", "inside"]


def tidy(scored: pd.DataFrame) -> pd.DataFrame:
    """One row an anchor and panel: its `mse` (mean over the arms), `name`, and `value` as text.

    `inside` is false for an anchor that is far from the arms: it is written below the axis, which
    is scaled for the arms. The bias model is always inside.
    """
    columns = [f"anchor_{name}" for name in ANCHORS]
    titled = scored.assign(panel=panel(scored))
    long = titled.melt(["panel", "mse", "low", "high"], columns, "anchor", "value")
    lines = []
    for (title, column), part in groups(long.dropna(subset=["value"]), ["panel", "anchor"]):
        anchor = column.removeprefix("anchor_")
        mse = float(part["value"].astype(float).mean())
        bottom = float(np.nanmin(part[["mse", "low"]]))
        top = float(np.nanmax(part[["mse", "high"]]))
        margin = 0.1 * (top - bottom)
        inside = anchor == "bias" or bottom - margin <= mse <= top + margin
        lines.append([title, anchor, mse, ANCHOR_NAMES[anchor], f"{mse:.3f}", inside])
    frame = pd.DataFrame(lines, columns=COLUMNS)
    return frame.astype({"inside": bool}).sort_values(["panel", "mse"], ignore_index=True)


class Note(NamedTuple):
    """A name at the right of a panel, at the height of an MSE, in a colour."""

    text: str
    mse: float
    color: str


def draw(
    axes: Axes, anchors: pd.DataFrame, *, named: bool = True, beside: Sequence[Note] = ()
) -> None:
    """Draw the lines of one panel, with their names at its right unless it is not `named`.

    The anchors beyond the axis are written below its label, which must have been set. beside: what
    else has a name there.
    """
    inside = list(rows(anchors[anchors["inside"]]))
    for row in inside:
        axes.axhline(row.mse, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    if not named:
        return
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / axes.figure.dpi * 72  # 1/72 inch, before the layout
    notes = [Note(f"{row.name}\n{row.value}", row.mse, "#404040") for row in inside]
    notes += beside
    wanted = [(note.mse - low) / (high - low) * height for note in notes]
    for note, y in zip(notes, spread(wanted, 2 * LINE * SIZE, 0, height), strict=True):
        axes.annotate(
            note.text,
            (1.01, y / height),
            xycoords="axes fraction",
            va="center",
            fontsize=SIZE,
            color=note.color,
        )
    beyond = [f"{row.name} {row.value}" for row in rows(anchors[~anchors["inside"]])]
    if beyond:
        lines = []
        for start in range(0, len(beyond), IN_A_LINE):
            lines.append(", ".join(beyond[start : start + IN_A_LINE]))
        text = ",\n".join(lines)
        axes.set_xlabel(f"{axes.get_xlabel()}\n(beyond the axis: {text})")
