"""Figures of many panels: one for each part of a tidy frame, or a row of them."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.figures import style


class Panel(NamedTuple):
    axes: Axes
    part: pd.DataFrame


def panels(
    frame: pd.DataFrame,
    across: int,
    draw_one: Callable[[Axes, pd.DataFrame], None],
    *,
    width: float,
    height: float,
    by: str | list[str] = "panel",
    **options: Any,
) -> tuple[Figure, list[Panel]]:
    """A figure with a panel for each part of `frame`, in the order of the frame.

    across: the most panels in a row.
    draw_one: draws a part.
    width, height: size of a panel in inches.
    by: the columns whose values make a part.
    options: those of `Figure.subplots`.
    """
    parts = [part for _, part in frame.groupby(by, sort=False)]
    columns = min(across, len(parts))
    rows = math.ceil(len(parts) / columns)
    figure, grid = style.canvas(rows, columns, width, height, **options)
    drawn = []
    for axes, part in filled(grid.flat, parts):
        draw_one(axes, part)
        drawn.append(Panel(axes, part))
    return figure, drawn


def filled(every_axes: Any, parts: Sequence[pd.DataFrame]) -> list[Panel]:
    """The first axes with the parts that they show. Those that are left over are hidden."""
    for axes in every_axes[len(parts) :]:
        axes.set_visible(False)
    return [Panel(axes, part) for axes, part in zip(every_axes, parts, strict=False)]


def rows_of_budgets(frame: pd.DataFrame, across: int) -> pd.DataFrame:
    """The frame with `row`, where a panel's budgets stand when a row has `across` of them."""
    number = frame.groupby("panel")["budget"].rank("dense") - 1
    return frame.assign(row=number // across)


def panel_rows(
    frame: pd.DataFrame,
    columns: int,
    draw_row: Callable[[Any, pd.DataFrame], None],
    *,
    width: float,
    height: float,
    by: str | list[str] = "panel",
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure with a row of panels for each part of `frame`, and its axes [2-d].

    draw_row: draws a part into the axes of its row. The other parameters are those of `panels`.
    """
    parts = [part for _, part in frame.groupby(by, sort=False)]
    figure, grid = style.canvas(len(parts), columns, width, height, **options)
    for axes_row, part in zip(grid, parts, strict=True):
        draw_row(axes_row, part)
    return figure, grid
