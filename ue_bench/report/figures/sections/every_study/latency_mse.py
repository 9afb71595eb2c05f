"""What does a better MSE cost in time? Latency of a lookup from raw values against MSE, at the median budget."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.summary import BATCH, key, latency_at, panel, score, unstable_at
from ue_bench.report.evidence.verdict import champions, front
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style
from ue_bench.report.figures.placing import Box, around
from ue_bench.report.figures.sections.every_study.latency import machine
from ue_bench.report.format import micros_text

NAME = "latency_mse"
FEW = 3  # strategies that the latency figure shows well enough
EMPTY = f"the study has at most {FEW} strategies with both an MSE and a latency from raw values"
CAPTION = (
    f"MSE against the median latency of a lookup of {BATCH} rows from raw values (locate + embed, logarithmic), at the median "
    "budget and for tables without one; each form of a strategy stands with its variant that is best on validation. The "
    "stepped line joins the Pareto front of the means: no other is as fast and better. Bars: 95 % t-interval. Names are set "
    "where there is room, those on the front first; a ~ before a name: the clock called the measurement unstable. Hollow: "
    "not better than the bias model."
)
COLUMNS = [
    "panel",
    "machine",
    "part",
    "group",
    "regions",
    "label",
    "budget",
    "p50_us",
    "mse",
    "low",
    "high",
    "n",
    "front",
    "hollow",
    "text",
]
_TEXT = 7  # font size of the names


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """One row a form of a strategy: `p50_us` in microseconds; the front first, then by MSE: the order in which names are set."""
    timed = {arm.key: arm for arm in arms if arm.timings}
    scored = score(summary)
    known = [timed.get(key(row)) for row in records(scored)]
    scored["p50_us"] = [
        None if arm is None else latency_at(arm.timings, "values", BATCH) for arm in known
    ]
    scored["machine"] = ["" if arm is None else machine(arm) for arm in known]
    shaky = [arm is not None and unstable_at(arm.timings, "values", BATCH) for arm in known]
    scored["text"] = [
        f"~{name}" if own else name for own, name in zip(shaky, scored["strategy"], strict=True)
    ]
    scored = scored.dropna(subset=["p50_us", "mse"]).astype({"p50_us": float})
    if scored["strategy"].nunique() <= FEW:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.concat(
        champions(choose.middle_budget(part)) for _, part in groups(scored, "machine")
    )
    frame["panel"], frame["hollow"] = panel(frame), frame["beats_bias"].eq(False)
    frame["front"] = front(frame, "p50_us", ["panel", "machine"])
    order = ["panel", "machine", "front", "mse", "label"]
    return frame.sort_values(order, ascending=[True, True, False, True, True], ignore_index=True)[
        COLUMNS
    ]


def draw(frame: pd.DataFrame) -> Figure:
    """One panel a feature set and machine."""
    parts = [part for _, part in groups(frame, ["panel", "machine"])]
    across = min(2, len(parts))
    figure, grid = style.canvas(-(-len(parts) // across), across, 5.6, 5.4)
    for axes, part in zip(grid.flat, parts, strict=False):
        _panel(axes, part)
    for axes in grid.flat[len(parts) :]:
        axes.set_visible(False)
    figure.suptitle(
        "Latency and MSE on " + "; ".join(sorted(frame["machine"].unique())), fontsize=10
    )
    entries: list[Any] = [*style.form_entries(frame["regions"].unique(), joined=False)]
    entries.append(
        Line2D([], [], color="#404040", linewidth=1.1, label="Pareto front of the means")
    )
    if frame["hollow"].any():
        entries.append(style.mark("not better than the bias model"))
    style.legend(figure, entries)
    style.settle(figure)  # where the names go depends on the layout
    for axes, part in zip(grid.flat, parts, strict=False):
        _names(axes, part)
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    edge = part[part["front"]].sort_values("p50_us")
    axes.step(edge["p50_us"], edge["mse"], where="post", color="#404040", linewidth=1.1, zorder=1)
    for regions, own in groups(part, "regions"):
        look = style.form_look(regions)
        axes.vlines(
            own["p50_us"], own["low"], own["high"], color=look.color, linewidth=0.8, alpha=0.4
        )
        style.points(axes, own, "p50_us", "mse", look, joined=False)
    axes.set_xscale("log")  # before the margins, which are of the scale
    axes.margins(x=0.15, y=0.08)
    style.log_axis(axes, micros_text)
    axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
    axes.set_xlabel(f"µs a batch of {BATCH} rows, from raw values (p50)")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")


def _names(axes: Axes, part: pd.DataFrame) -> None:
    unit = axes.figure.dpi / 72  # pixels a point
    places = axes.transData.transform(part[["p50_us", "mse"]].to_numpy()) / unit
    edge = axes.bbox
    panel_box = Box(edge.x0 / unit, edge.y0 / unit, edge.x1 / unit, edge.y1 / unit)
    boxes = around(
        [(float(x), float(y)) for x, y in places],
        list(part["text"]),
        _TEXT,
        panel_box,
        list(part["front"]),
    )
    for row, (x, y), box in zip(rows(part), places, boxes, strict=True):
        if box is None:
            continue
        color = style.form_look(row.regions).color
        offset: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": False}
        near = min(max(x, box.left), box.right) - x, min(max(y, box.bottom), box.top) - y
        if near[0] ** 2 + near[1] ** 2 > 49:
            lead = {
                "arrowstyle": "-",
                "color": "#A0A0A0",
                "linewidth": 0.5,
                "shrinkA": 0,
                "shrinkB": 3,
            }
            axes.annotate("", (row.p50_us, row.mse), near, arrowprops=lead, **offset).set_in_layout(
                False
            )
        look: dict[str, Any] = {
            "color": color,
            "fontsize": _TEXT,
            "va": "bottom",
            "fontweight": "bold" if row.front else "normal",
        }
        axes.annotate(
            row.text, (row.p50_us, row.mse), (box.left - x, box.bottom - y), **offset, **look
        ).set_in_layout(False)
