"""Draws a line of differences with their intervals."""

import pandas as pd
from matplotlib.axes import Axes

from ue_bench.report.figures.hover import hover, of_difference
from ue_bench.report.figures.style import Look


def difference_line(axes: Axes, line: pd.DataFrame, look: Look) -> None:
    """Draw the differences of a tidy frame over its column `x`, each with its 95 % interval."""
    hover(axes, of_difference(line), "x", "difference")
    axes.errorbar(
        list(line["x"]),
        list(line["difference"]),
        yerr=[line["difference"] - line["low"], line["high"] - line["difference"]],
        color=look.color,
        linestyle=look.dash,
        linewidth=1.2,
        elinewidth=0.8,
        marker=look.marker,
        markersize=look.size,
    )
