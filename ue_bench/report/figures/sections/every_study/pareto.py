"""Test MSE against *total* bytes (table, auxiliary and vocabulary), with the Pareto front."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.evidence.verdict import front
from ue_bench.report.figures import anchor_lines, chosen_lines, style
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text

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
_FRONT_WIDTH = 1.3


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm; `front` where no arm of the panel is as small or smaller and better."""
    frame = score(study.summary).dropna(subset=["total_bytes", "mse"])
    frame["panel"] = panel(frame)
    frame["hollow"] = frame["beats_bias"].eq(False)
    frame["front"] = front(frame)
    on_front = set(frame.loc[frame["front"], "group"])
    named = chosen_lines.named(frame, by="group") | on_front
    frame["named"] = frame["group"].isin(named)
    order = ["panel", "total_bytes", "mse"]
    return frame.sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """One panel a feature set; a colour and a marker a strategy."""
    draw_one = partial(_panel, study=study)
    figure, _ = panels(frame, 2, draw_one, width=5.6, height=4.0)
    entries = chosen_lines.entries(frame, study.looks, "group", joined=False)
    entries.append(style.front_handle(_FRONT_WIDTH))
    if frame["hollow"].any():
        entries.append(style.mark(style.NOT_BETTER))
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, study: StudyData) -> None:
    edge = part[part["front"]]
    look = {"color": style.FRONT, "linewidth": _FRONT_WIDTH, "zorder": 1}
    axes.step(edge["total_bytes"], edge["mse"], where="post", **look)
    for name, arms in groups(part, "group"):
        if arms["named"].all():
            _arms(axes, arms, study.looks[name])
        else:
            style.pale(axes, arms, "total_bytes", "mse", joined=False)
    style.log_axis(axes, bytes_text)
    title = part["panel"].iloc[0]
    axes.set_title(style.heading(title))
    axes.set_xlabel("total bytes: table + auxiliary + vocabulary")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")
    anchor_lines.draw(axes, study.anchors[study.anchors["panel"] == title])


def _arms(axes: Axes, arms: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(
        arms["total_bytes"], arms["low"], arms["high"], color=look.color, linewidth=0.8, alpha=0.5
    )
    style.points(axes, arms, "total_bytes", "mse", look, joined=False)


SECTION = Section(
    name="pareto",
    title="Total bytes",
    tidy=tidy,
    empty="no arm has both a measured MSE and its total bytes",
    caption=(
        "MSE against total bytes (table + auxiliary + vocabulary): every arm at every budget. The "
        "stepped line joins the Pareto front, the arms that no other one beats in both size and "
        "mean MSE; the front follows the means, so neighbours on it may not differ. Of more than "
        f"{chosen_lines.MOST_NAMED} strategies the best on validation and those on the front are "
        "named. Hollow: not better than the bias model."
    ),
    draw=draw,
)
