"""What a better MSE costs in time: the latency of a lookup from raw values against the MSE."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import (
    BATCH,
    VALUES,
    key,
    latency_at,
    panel,
    score,
    unstable_at,
)
from ue_bench.report.evidence.verdict import front
from ue_bench.report.figures import anchor_points, chosen_lines, style
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.placing import Box, around
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.sections.every_study.latency import machine
from ue_bench.report.format import bytes_text, micros_text

FEW = 3  # strategies that the latency figure shows well enough
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
_TEXT_SIZE = 7
_FRONT_WIDTH = 1.1
_LEAD_BEYOND = 7  # points between a name and its mark; a longer way gets a line
_LEAD = {"arrowstyle": "-", "color": "#A0A0A0", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a form of a strategy, with `p50_us` in microseconds.

    The order is that in which the names are placed: the front first, then by MSE.
    """
    scored = _with_latency(score(study.summary), study.arms)
    scored = scored.dropna(subset=["p50_us", "mse"])
    strategies = scored.loc[~scored["is_anchor"], "strategy"]
    if strategies.nunique() <= FEW and not chosen_lines.is_advice(scored):
        return pd.DataFrame(columns=COLUMNS)
    of_machines = []
    for _, part in groups(scored, "machine"):
        of_machines.append(chosen_lines.best_variants(chosen_lines.middle_budget(part)))
    frame = pd.concat(of_machines)
    frame["panel"] = panel(frame)
    frame["regions"] = frame["regions"].fillna("none")  # of an anchor
    frame["hollow"] = frame["beats_bias"].eq(False)
    frame["front"] = front(frame, "p50_us", ["panel", "machine"])
    order = ["panel", "machine", "front", "mse", "label"]
    ascending = [name != "front" for name in order]
    return frame.sort_values(order, ascending=ascending, ignore_index=True)[COLUMNS]


def _with_latency(scored: pd.DataFrame, arms: Iterable[Arm]) -> pd.DataFrame:
    """The frame with `p50_us` (NaN without a measurement), `machine` and the `text` to draw."""
    timed = {arm.key: arm for arm in arms if arm.timings}
    latencies = []
    machines = []
    texts = []
    of_advice = chosen_lines.is_advice(scored)
    for row in records(scored):
        arm = timed.get(key(row))
        latency = None
        where = ""
        text = row["strategy"]
        if row["is_anchor"]:
            text = anchor_points.short_name(row["label"])
        if of_advice:
            text = f"{row['label']}, {bytes_text(row['total_bytes'])}"
        if arm is not None:
            latency = latency_at(arm.timings, VALUES, BATCH)
            where = machine(arm)
            if unstable_at(arm.timings, VALUES, BATCH):
                text = f"~{text}"
        latencies.append(latency)
        machines.append(where)
        texts.append(text)
    return scored.assign(p50_us=np.array(latencies, dtype=float), machine=machines, text=texts)


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """One panel a feature set and machine."""
    by = ["panel", "machine"]
    figure, drawn = panels(frame, 2, _panel, width=5.6, height=5.4, by=by)
    machines = sorted(frame["machine"].unique())
    figure.suptitle("Latency and MSE on " + "; ".join(machines), fontsize=10)
    entries = style.form_entries(frame["regions"].unique(), joined=False)
    entries.append(style.front_handle(_FRONT_WIDTH))
    if frame["hollow"].any():
        entries.append(style.mark(style.NOT_BETTER))
    style.legend(figure, entries)
    style.settle(figure)  # the places of the names depend on the layout
    for axes, part in drawn:
        _names(axes, part)
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    edge = part[part["front"]].sort_values("p50_us")
    look = {"color": style.FRONT, "linewidth": _FRONT_WIDTH, "zorder": 1}
    axes.step(edge["p50_us"], edge["mse"], where="post", **look)
    for regions, arms in groups(part, "regions"):
        form = style.form_look(regions)
        axes.vlines(
            arms["p50_us"], arms["low"], arms["high"], color=form.color, linewidth=0.8, alpha=0.4
        )
        style.points(axes, arms, "p50_us", "mse", form, joined=False)
    axes.set_xscale("log")  # before the margins, which are relative to the scale
    axes.margins(x=0.15, y=0.08)
    style.log_axis(axes, micros_text)
    axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
    axes.set_xlabel(f"µs a batch of {BATCH} rows, from raw values (p50)")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")


def _names(axes: Axes, part: pd.DataFrame) -> None:
    """Write the names beside the points, where there is room."""
    pixels = axes.figure.dpi / 72  # in a point
    places = axes.transData.transform(part[["p50_us", "mse"]].to_numpy()) / pixels
    edge = axes.bbox
    inside = Box(
        left=edge.x0 / pixels,
        bottom=edge.y0 / pixels,
        right=edge.x1 / pixels,
        top=edge.y1 / pixels,
    )
    spots = [(float(x), float(y)) for x, y in places]
    texts = list(part["text"])
    boxes = around(spots, texts, _TEXT_SIZE, panel=inside, needed=list(part["front"]))
    for row, spot, box in zip(rows(part), spots, boxes, strict=True):
        if box is not None:
            _name(axes, row, spot, box)


def _name(axes: Axes, row: Any, spot: tuple[float, float], box: Box) -> None:
    """Write one name into its box, with a line to its point where that is far away."""
    x, y = spot
    offset: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": False}
    across = min(max(x, box.left), box.right) - x
    up = min(max(y, box.bottom), box.top) - y
    if across**2 + up**2 > _LEAD_BEYOND**2:
        lead = axes.annotate("", (row.p50_us, row.mse), (across, up), arrowprops=_LEAD, **offset)
        lead.set_in_layout(False)
    name = axes.annotate(
        row.text,
        (row.p50_us, row.mse),
        (box.left - x, box.bottom - y),
        color=style.form_look(row.regions).color,
        fontsize=_TEXT_SIZE,
        va="bottom",
        fontweight="bold" if row.front else "normal",
        **offset,
    )
    name.set_in_layout(False)


SECTION = Section(
    name="latency_mse",
    title="Latency against MSE",
    tidy=tidy,
    empty=f"the study has at most {FEW} strategies with both an MSE and a latency from raw values",
    caption=(
        f"MSE against the median latency of a lookup of {BATCH} rows from raw values (locate + "
        "embed, logarithmic; of an anchor, the prediction is included), at the median budget and "
        "for tables without one; each form of a strategy appears with its variant that is best on "
        "validation, of an advice all arms appear. The stepped line joins the Pareto front of the "
        f"means: no other is as fast and better. Bars: 95 % interval ({RULE}). Names "
        "are written where there is room, those on the front first; a ~ before a name: the clock "
        "called the measurement unstable. Hollow: not better than the bias model."
    ),
    draw=draw,
)
