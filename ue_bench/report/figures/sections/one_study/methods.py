"""Every method in a small panel of its own, on all the others in grey: test MSE against total bytes."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, mse_text

NAME = "methods"
FEW = 3  # strategies that one panel shows well enough
EMPTY = f"the study has at most {FEW} strategies that stand at a byte budget"
CAPTION = (
    "MSE against total bytes (table + auxiliary + vocabulary), a panel a method, on the same axes: its forms in colour, all "
    "other methods in grey. Mean over seeds with a 95 % t-interval; each form stands with its variant that is best on "
    "validation at that budget. Dash-dotted: the tables without a budget, at their bytes and MSE; dotted: the trivial "
    "anchors. A number with ▴ is an MSE beyond the axis. Hollow: not better than the bias model."
)
COLUMNS = [
    "panel",
    "part",
    "method",
    "title",
    "line",
    "regions",
    "label",
    "budget",
    "total_bytes",
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


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a form and budget, and one a table without a budget. `bottom` and `top` bound the axis; `y` is `mse` within it,
    and `note` tells the MSE that lies beyond."""
    scored = score(study.summary).dropna(subset=["total_bytes", "mse"])
    if scored.loc[scored["budget"].notna(), "strategy"].nunique() <= FEW:
        return pd.DataFrame(columns=COLUMNS)
    frame = champions(scored)
    frame["panel"], frame["line"], frame["hollow"] = (
        panel(frame),
        frame["group"],
        frame["beats_bias"].eq(False),
    )
    names = frame.groupby("method")["strategy"].agg(lambda found: " / ".join(sorted(set(found))))
    frame["title"] = frame["method"].map(names)
    frame = frame.merge(_limits(frame), on="panel")
    beyond = frame["mse"] > frame["top"]
    frame["y"] = frame["mse"].where(~beyond, frame["top"] - 0.04 * (frame["top"] - frame["bottom"]))
    frame["note"] = [
        f"▴ {mse:.2f}" if over else "" for mse, over in zip(frame["mse"], beyond, strict=True)
    ]
    return frame.sort_values(
        ["panel", "title", "line", "total_bytes"], kind="stable", ignore_index=True
    )[COLUMNS]


def _limits(frame: pd.DataFrame) -> pd.DataFrame:
    """panel, bottom, top: the axis holds nine points in ten and the bias model, and is not stretched for the worst few."""
    found = []
    for title, part in groups(frame, "panel"):
        low, high, usual = part["mse"].min(), part["mse"].max(), part["mse"].quantile(0.9)
        wide = max(
            part["anchor_bias"].max(), usual + 0.5 * (usual - low)
        )  # NaN where no bias model is known: left out
        margin = 0.1 * (min(high, wide) - low) or 0.01
        found.append([title, low - margin, min(high, wide) + margin])
    return pd.DataFrame(found, columns=["panel", "bottom", "top"])


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """The figure of one feature set."""
    budgeted, free = frame[frame["budget"].notna()], frame[frame["budget"].isna()]
    titles = list(dict.fromkeys(budgeted["title"]))
    down = -(-len(titles) // _ACROSS)
    figure, grid = style.canvas(down, _ACROSS, 2.25, 1.75, sharex=True, sharey=True)
    known = study.anchors[study.anchors["panel"] == frame["panel"].iloc[0]]
    lines = [(line["title"].iloc[0], line) for _, line in groups(budgeted, "line")]
    for axes, title in zip(grid.flat, titles, strict=False):
        _behind(axes, [line for other, line in lines if other != title])
        _panel(
            axes, [line for own, line in lines if own == title], free, known[known["inside"]], title
        )
    for place, axes in enumerate(grid.flat):
        lowest = len(titles) - _ACROSS <= place
        axes.set_visible(place < len(titles))
        axes.tick_params(labelsize=7, labelbottom=lowest)
        axes.set_xlabel("total bytes" if lowest else "", fontsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{frame['part'].iloc[0]} MSE", fontsize=7)
    axes = grid.flat[0]
    axes.set_ylim(frame["bottom"].iloc[0], frame["top"].iloc[0])
    style.log_axis(axes, bytes_text, most=4)
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    style.legend(figure, _entries(budgeted, free, known))
    return figure


def _behind(axes: Axes, lines: list[pd.DataFrame]) -> None:
    """All lines as one with gaps: a line each, in a panel each, would take most of the report's time."""
    points = [
        point
        for line in lines
        for point in [*zip(line["total_bytes"], line["y"], strict=True), (math.nan, math.nan)]
    ]
    axes.plot(*zip(*points, strict=True), color=style.PALE, linewidth=0.8, zorder=1)


def _panel(
    axes: Axes, lines: list[pd.DataFrame], free: pd.DataFrame, anchors: pd.DataFrame, title: str
) -> None:
    for row in rows(free):
        axes.axhline(row.y, color="#000000", linestyle=(0, (6, 2, 1, 2)), linewidth=0.8, zorder=2)
        axes.plot([row.total_bytes], [row.y], "*", color="#000000", markersize=6, zorder=2)
    hover(axes, free, "total_bytes", "y")
    for row in rows(anchors):
        axes.axhline(row.mse, color=style.GREY, linestyle=(0, (1, 1.5)), linewidth=0.9, zorder=1)
    for place, line in enumerate(lines):
        look = style.form_look(line["regions"].iloc[0])
        axes.vlines(
            line["total_bytes"], line["low"], line["high"], color=look.color, linewidth=1, zorder=3
        )
        style.points(axes, line, "total_bytes", "y", look)
        for row in rows(line[line["note"] != ""]):
            own: dict[str, Any] = {
                "textcoords": "offset points",
                "va": "top",
                "fontsize": 6,
                "color": look.color,
                "zorder": 6,
            }
            own["bbox"] = {"facecolor": "white", "alpha": 0.8, "pad": 0.3, "linewidth": 0}
            axes.annotate(row.note, (row.total_bytes, row.y), (5, -1 - 8 * place), **own)
    axes.set_title(title, fontsize=8)


def _entries(budgeted: pd.DataFrame, free: pd.DataFrame, anchors: pd.DataFrame) -> list[Any]:
    entries: list[Any] = [*style.form_entries(budgeted["regions"].unique())]
    entries.append(Line2D([], [], color=style.PALE, linewidth=1.2, label="all other methods"))
    for row in rows(free):
        text = f"{row.label}: {mse_text(row.mse)}, {bytes_text(row.total_bytes)}"
        entries.append(
            Line2D(
                [],
                [],
                color="#000000",
                linestyle=(0, (6, 2, 1, 2)),
                linewidth=0.8,
                marker="*",
                label=text,
            )
        )
    for inside, some in groups(anchors, "inside"):
        text = ", ".join(f"{row.name} {row.value}" for row in rows(some))
        if inside:
            entries.append(
                Line2D([], [], color=style.GREY, linestyle=(0, (1, 1.5)), linewidth=0.9, label=text)
            )
        else:
            entries.append(Line2D([], [], linestyle="none", label=f"beyond the axis: {text}"))
    if budgeted["hollow"].any():
        entries.append(style.mark("not better than the bias model"))
    return entries


SECTION = Section(
    name=NAME,
    title="Methods",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    each=True,
)
