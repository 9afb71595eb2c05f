"""Anchors that are arms: points of their own bytes, joined in the order of these.

The bias model comes first, and then matrix factorisation by rank. Every rank is shown, because none
of them was chosen.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ue_bench.report.evidence.frames import rows
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover

NAME = "bias model, and matrix factorisation by rank"
_TEXT_SIZE = 7
# A line that runs behind a name would strike it out.
_HALO = {"facecolor": "white", "alpha": 0.85, "pad": 0.3, "linewidth": 0}


def draw(axes: Axes, arms: pd.DataFrame, x: str, y: str = "mse", *, named: bool = True) -> None:
    """Draw the anchors of one panel at their columns `x` and `y`.

    named: whether each has its rank beside it.
    """
    ordered = arms.sort_values(x, kind="stable")
    look = style.ANCHOR
    axes.plot(
        ordered[x],
        ordered[y],
        color=look.color,
        linestyle=look.dash,
        linewidth=1,
        marker=look.marker,
        markersize=look.size,
        zorder=2.5,
    )
    hover(axes, ordered, x, y)
    if ordered.empty or not named:
        return
    # Ranks stand on the free side of the line; the bias model's name on the other one, out of the
    # way of the first rank's.
    rises = bool(ordered[y].iloc[-1] > ordered[y].iloc[0])
    for place, row in enumerate(rows(ordered)):
        name = short_name(row.label)
        if place > 1:  # the word stands at the first rank alone
            name = name.removeprefix("rank ")
        first = place == 0
        above = first is not rises
        axes.annotate(
            name,
            (getattr(row, x), getattr(row, y)),
            (0 if first else -4, 3 if above else -3),
            textcoords="offset points",
            ha="center" if first else "right",
            va="bottom" if above else "top",
            fontsize=_TEXT_SIZE,
            color=look.color,
            bbox=_HALO,
        )


def short_name(label: str) -> str:
    """Return `bias`, or `rank 4` of an arm with vectors."""
    _, rank, number = label.partition(" rank ")
    return f"rank {number}" if rank else label


def entry() -> Line2D:
    """Return the legend's entry."""
    return style.handle(style.ANCHOR, NAME)
