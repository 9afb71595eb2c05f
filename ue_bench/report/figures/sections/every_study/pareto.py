"""Test MSE against *total* bytes: table, auxiliary and vocabulary together, with the arms that no other arm beats in both."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.evidence.verdict import front
from ue_bench.report.figures import anchor_lines as anchor
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style
from ue_bench.report.format import bytes_text

NAME = "pareto"
EMPTY = "no arm has both a measured MSE and its total bytes"
CAPTION = (
    "MSE against total bytes (table + auxiliary + vocabulary): every arm at every budget. The stepped line joins "
    "the Pareto front, the arms that no other one beats in both size and mean MSE; the front follows the means, "
    f"so neighbours on it may not differ. Of more than {choose.MOST_NAMED} strategies the best on validation and those on the "
    "front are named. Hollow: not better than the bias model."
)
COLUMNS = [
    "panel",
    "part",
    "group",
    "label",
    "total_bytes",
    "mse",
    "low",
    "high",
    "n",
    "front",
    "named",
    "hollow",
]


def tidy(summary: pd.DataFrame) -> pd.DataFrame:
    """One row an arm; `front` where no arm of the panel is as small or smaller and better."""
    frame = score(summary).dropna(subset=["total_bytes", "mse"])
    frame["panel"], frame["hollow"] = panel(frame), frame["beats_bias"].eq(False)
    frame["front"] = front(frame)
    frame["named"] = frame["group"].isin(
        choose.named(frame, by="group") | set(frame.loc[frame["front"], "group"])
    )
    return frame.sort_values(["panel", "total_bytes", "mse"], kind="stable", ignore_index=True)[
        COLUMNS
    ]


def draw(frame: pd.DataFrame, anchors: pd.DataFrame, looks: style.Looks) -> Figure:
    """One panel a feature set; a colour and a marker a strategy."""
    titles = list(dict.fromkeys(frame["panel"]))
    columns = min(2, len(titles))
    figure, grid = style.canvas(-(-len(titles) // columns), columns, 5.6, 4.0)
    for axes, title in zip(grid.flat, titles, strict=False):
        part = frame[frame["panel"] == title]
        edge = part[part["front"]]
        axes.step(
            edge["total_bytes"], edge["mse"], where="post", color="#404040", linewidth=1.3, zorder=1
        )
        for name, points in groups(part, "group"):
            if not points["named"].all():
                style.pale(axes, points, "total_bytes", "mse", joined=False)
                continue
            axes.vlines(
                points["total_bytes"],
                points["low"],
                points["high"],
                color=looks[name].color,
                linewidth=0.8,
                alpha=0.5,
            )
            style.points(axes, points, "total_bytes", "mse", looks[name], joined=False)
        style.log_axis(axes, bytes_text)
        axes.set_title(style.heading(title))
        axes.set_xlabel("total bytes: table + auxiliary + vocabulary")
        axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")
        anchor.draw(axes, anchors[anchors["panel"] == title])
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    entries = [
        style.handle(looks[name], name, joined=False)
        for name in sorted(frame.loc[frame["named"], "group"].unique())
    ]
    entries += [] if frame["named"].all() else [style.others(joined=False)]
    entries.append(
        Line2D([], [], color="#404040", linewidth=1.3, label="Pareto front of the means")
    )
    if frame["hollow"].any():
        entries.append(style.mark("not better than the bias model"))
    style.legend(figure, entries)
    return figure
