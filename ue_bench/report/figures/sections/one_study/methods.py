"""The MSE of every method against its total bytes, each in a small panel before all the others."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import SCOPE, panel, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import anchor_points, style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, missing, mse_text

FEW = 3  # strategies that one panel shows well enough
EMPTY = f"the study has at most {FEW} strategies with a byte budget, or one budget alone"
CAPTION = (
    "MSE against total bytes (table + auxiliary + vocabulary), one panel for each method, all on "
    "the same axes: its forms in colour, all other methods in grey. Mean over seeds with a 95 % "
    f"interval ({RULE}). Each form is shown with its variant that is best on validation at that "
    "budget. Faint: the same form with a vocabulary that stores no keys, at its least bytes. "
    "Dash-dotted: the tables without a budget, at their bytes and MSE; dotted: the "
    "anchors; crosses: those that are arms, with bytes of their own. A number with ▴ is an MSE "
    "beyond the axis. Hollow: not better than the bias model."
)
COLUMNS = [
    "panel",
    "part",
    "method",
    "title",
    "line",
    "regions",
    "label",
    "is_anchor",
    "budget",
    "total_bytes",
    "total_floor_bytes",
    "mse",
    "low",
    "high",
    "n",
    "hollow",
    "bottom",
    "top",
    "y",
    "note",
]
_ACROSS = 5
_FREE_LINE: dict[str, Any] = {  # of a table without a budget
    "color": "#000000",
    "linestyle": (0, (6, 2, 1, 2)),
    "linewidth": 0.8,
}
_ANCHOR_LINE: dict[str, Any] = {
    "color": style.GREY,
    "linestyle": (0, (1, 1.5)),
    "linewidth": 0.9,
}


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each form and budget, and one for each table without a budget.

    bottom, top: the limits of the axis.
    y: where the point is drawn: `mse`, or just below `top` where `mse` lies beyond it.
    note: the MSE in words where it lies beyond the axis.
    """
    scored = score(study.summary).dropna(subset=["total_bytes", "mse"])
    # With one budget each panel would have a single mark, and Table size shows them all together.
    scored = scored[scored.groupby(SCOPE)["budget"].transform("nunique") > 1]
    if scored.loc[scored["budget"].notna(), "strategy"].nunique() <= FEW:
        return pd.DataFrame(columns=COLUMNS)
    frame = champions(scored)
    frame["panel"] = panel(frame)
    frame["line"] = frame["group"]
    frame["hollow"] = frame["beats_bias"].eq(False)
    names = frame.groupby("method")["strategy"].agg(_joined)
    frame["title"] = frame["method"].map(names)
    frame = frame.merge(_limits(frame), on="panel")
    beyond = frame["mse"] > frame["top"]
    height = frame["top"] - frame["bottom"]
    frame["y"] = frame["mse"].where(~beyond, frame["top"] - 0.04 * height)
    frame["note"] = ""
    frame.loc[beyond, "note"] = frame.loc[beyond, "mse"].map("▴ {:.2f}".format)
    by = ["panel", "title", "line", "total_bytes"]
    return frame.sort_values(by, kind="stable", ignore_index=True)[COLUMNS]


def _joined(names: pd.Series) -> str:
    return " / ".join(sorted(set(names)))


def _limits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the limits of the axis: columns panel, bottom, top.

    The axis contains nine points in ten and the bias model; the worst few do not stretch it.
    """
    limits = []
    for title, part in groups(frame, "panel"):
        low = part["mse"].min()
        high = part["mse"].max()
        usual = part["mse"].quantile(0.9)
        bias = part["anchor_bias"].max()
        if not missing(bias):
            high = min(high, max(bias, usual + 0.5 * (usual - low)))
        margin = 0.1 * (high - low) or 0.01
        limits.append([title, low - margin, high + margin])
    return pd.DataFrame(limits, columns=["panel", "bottom", "top"])


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw the figure of one feature set, one panel for each method."""
    budgeted = frame[frame["budget"].notna()]
    anchors = frame[frame["is_anchor"]]
    free = frame[frame["budget"].isna() & ~frame["is_anchor"]]
    titles = list(budgeted["title"].unique())
    down = math.ceil(len(titles) / _ACROSS)
    figure, grid = style.canvas(down, _ACROSS, 2.25, 1.75, sharex=True, sharey=True)
    known = study.anchors[study.anchors["panel"] == frame["panel"].iloc[0]]
    for axes, title in zip(grid.flat, titles, strict=False):
        own = budgeted["title"] == title
        _draw_others(axes, budgeted[~own])
        _draw_references(axes, free, known[known["inside"]])
        anchor_points.draw(axes, anchors, "total_bytes", "y", named=False)
        _draw_forms(axes, budgeted[own])
        axes.set_title(title, fontsize=8)
    for number, axes in enumerate(grid.flat):
        lowest = len(titles) - _ACROSS <= number
        axes.set_visible(number < len(titles))
        axes.tick_params(labelsize=7, labelbottom=lowest)
        if lowest:
            axes.set_xlabel("total bytes", fontsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{frame['part'].iloc[0]} MSE", fontsize=7)
    shared = grid.flat[0]
    shared.set_ylim(frame["bottom"].iloc[0], frame["top"].iloc[0])
    style.log_axis(shared, bytes_text, most=4)
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    entries = _legend_entries(budgeted, free, known)
    if len(anchors):
        entries.append(anchor_points.entry())
    style.legend(figure, entries)
    return figure


def _draw_others(axes: Axes, others: pd.DataFrame) -> None:
    """Draw all other methods in grey.

    They are one line with gaps, because a line for each method in each panel would take most of
    the time of the report.
    """
    x: list[float] = []
    y: list[float] = []
    for _, line in groups(others, "line"):
        x += [*line["total_bytes"], math.nan]
        y += [*line["y"], math.nan]
    axes.plot(x, y, color=style.PALE, linewidth=0.8, zorder=1)


def _draw_references(axes: Axes, free: pd.DataFrame, anchors: pd.DataFrame) -> None:
    for row in rows(free):
        style.level(axes, row.y, zorder=2, **_FREE_LINE)
        axes.plot(
            [row.total_bytes],
            [row.y],
            "*",
            color="#000000",
            markersize=6,
            zorder=2,
        )
    hover(axes, free, "total_bytes", "y")
    for row in rows(anchors):
        style.level(axes, row.mse, zorder=1, **_ANCHOR_LINE)


def _draw_forms(axes: Axes, forms: pd.DataFrame) -> None:
    for number, (_, line) in enumerate(groups(forms, "line")):
        look = style.form_look(line["regions"].iloc[0])
        axes.vlines(
            line["total_bytes"],
            line["low"],
            line["high"],
            color=look.color,
            linewidth=1,
            zorder=3,
        )
        keys_cost = line["total_floor_bytes"] < line["total_bytes"]
        least = line[keys_cost.fillna(False)]
        axes.plot(
            least["total_floor_bytes"],
            least["y"],
            color=look.color,
            marker=look.marker,
            markersize=3,
            linewidth=1,
            alpha=0.35,
            zorder=2.8,
        )
        style.points(axes, line, "total_bytes", "y", look)
        for row in rows(line[line["note"] != ""]):
            axes.annotate(
                row.note,
                (row.total_bytes, row.y),
                (5, -1 - 8 * number),
                textcoords="offset points",
                va="top",
                fontsize=7,
                color=look.color,
                zorder=6,
                bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.3, "linewidth": 0},
            )


def _legend_entries(
    budgeted: pd.DataFrame, free: pd.DataFrame, anchors: pd.DataFrame
) -> list[Line2D]:
    entries = style.form_entries(budgeted["regions"].unique())
    entries.append(Line2D([], [], color=style.PALE, linewidth=1.2, label="all other methods"))
    for row in rows(free):
        text = f"{row.label}: {mse_text(row.mse)}, {bytes_text(row.total_bytes)}"
        entries.append(Line2D([], [], marker="*", label=text, **_FREE_LINE))
    for inside, some in groups(anchors, "inside"):
        text = ", ".join(f"{row.name} {row.value}" for row in rows(some))
        if inside:
            entries.append(Line2D([], [], label=text, **_ANCHOR_LINE))
        else:
            entries.append(Line2D([], [], linestyle="none", label=f"beyond the axis: {text}"))
    if budgeted["hollow"].any():
        entries.append(style.mark("not better than the bias model"))
    return entries


SECTION = Section(
    name="methods",
    title="Methods",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    each=True,
)
