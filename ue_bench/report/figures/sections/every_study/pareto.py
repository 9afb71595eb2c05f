"""Test MSE against *total* bytes (table, auxiliary and vocabulary), with the Pareto front.

A total is told twice: with a dictionary of the values, and with a structure that finds the same
rows and stores no keys.
"""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import SCOPE, TOTALS, panel, score
from ue_bench.report.evidence.verdict import front_of_bytes
from ue_bench.report.figures import anchor_lines, anchor_points, chosen_lines, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, interval_text

COLUMNS = [
    "panel",
    "part",
    "group",
    "label",
    "is_anchor",
    "vocabulary",
    "bytes",
    "total_bytes",
    "total_floor_bytes",
    "vocabulary_bytes",
    "head_bytes",
    "mse",
    "low",
    "high",
    "n",
    "front",
    "named",
    "hollow",
]
TITLES = {
    "dictionary": "vocabulary as a dictionary",
    "key-free": "vocabulary without keys (its least)",
}
NONE = "none"
_FRONT_WIDTH = 1.3


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm and kind of `vocabulary`, with the `bytes` in all.

    `front` where no arm of the panel is as small or smaller and better; arms of one budget are
    equally small but for their vocabularies. A panel whose arms have one size in bytes, which
    would be one column of marks, is left out. There is one kind only
    where no arm of the study holds a vocabulary, or the least of one was not counted.
    """
    scored = score(study.summary).dropna(subset=["total_bytes", "mse"])
    sizes = scored.groupby(SCOPE)["total_bytes"].transform("nunique")
    scored = scored[sizes > 1].copy()
    if scored.empty:
        return pd.DataFrame(columns=COLUMNS)
    scored["panel"] = panel(scored)
    scored["hollow"] = scored["beats_bias"].eq(False)
    kinds = []
    for total, vocabulary in TOTALS.items():
        sized = scored.dropna(subset=[total])
        edge = front_of_bytes(sized, total)
        kind = sized.assign(vocabulary=vocabulary, bytes=sized[total], front=edge)
        kinds.append(kind)
    dictionary, key_free = kinds
    if key_free["bytes"].eq(key_free["total_bytes"]).all():
        kinds = [dictionary]
    frame = pd.concat(kinds)
    on_front = set(frame.loc[frame["front"], "group"])
    named = chosen_lines.named(scored, by="group") | on_front
    frame["named"] = frame["group"].isin(named)
    order = ["panel", "vocabulary", "bytes", "mse"]
    return frame.sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """One row a feature set, one panel a kind of vocabulary; a colour and a marker a strategy."""
    kinds = [kind for kind in TITLES if kind in set(frame["vocabulary"])]
    draw_row = partial(_row, kinds=kinds, study=study)
    figure, _ = panel_rows(
        frame, len(kinds), draw_row, width=5.6, height=4.0, sharey="row", sharex="row"
    )
    strategies = frame[~frame["is_anchor"]]
    entries = chosen_lines.entries(strategies, study.looks, "group", joined=False)
    if frame["is_anchor"].any():
        entries.append(anchor_points.entry())
    entries.append(style.front_handle(_FRONT_WIDTH))
    if frame["hollow"].any():
        entries.append(style.mark(style.NOT_BETTER))
    style.legend(figure, entries)
    return figure


def _row(
    axes_row: Sequence[Axes], part: pd.DataFrame, kinds: Sequence[str], study: StudyData
) -> None:
    title = part["panel"].iloc[0]
    for axes, kind in zip(axes_row, kinds, strict=True):
        _panel(axes, part[part["vocabulary"] == kind], study)
        axes.set_title(f"{style.heading(title)}\n{TITLES[kind]}", fontsize=9)
        axes.set_xlabel("total bytes: table + auxiliary + vocabulary")
    axes_row[0].set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")
    anchors = study.anchors[study.anchors["panel"] == title]
    for axes in axes_row:  # the limits are those of both panels
        style.log_axis(axes, bytes_text)
        anchor_lines.draw(axes, anchors, named=axes is axes_row[-1])


def _panel(axes: Axes, part: pd.DataFrame, study: StudyData) -> None:
    edge = part[part["front"]]
    look = {"color": style.FRONT, "linewidth": _FRONT_WIDTH, "zorder": 1}
    axes.step(edge["bytes"], edge["mse"], where="post", **look)
    strategies = part[~part["is_anchor"]]
    for name, arms in groups(strategies, "group"):
        if arms["named"].all():
            _arms(axes, arms, study.looks[name])
        else:
            style.pale(axes, arms, "bytes", "mse", joined=False)
    anchor_points.draw(axes, part[part["is_anchor"]], "bytes")
    axes.set_xscale("log")


def _arms(axes: Axes, arms: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(
        arms["bytes"], arms["low"], arms["high"], color=look.color, linewidth=0.8, alpha=0.5
    )
    style.points(axes, arms, "bytes", "mse", look, joined=False)


def table(frame: pd.DataFrame) -> list[str]:
    """Return the arms on the front of each panel, from the smallest one on."""
    lines = []
    for title, part in groups(frame[frame["front"] & ~frame["is_anchor"]], "panel"):
        lines += [
            "",
            f"| {title}: on the front | bytes in all | {part['part'].iloc[0]} MSE | n "
            "| vocabulary | head |",
            "|---|--:|---|--:|---|--:|",
        ]
        part = part.assign(
            needs=part["vocabulary"].where(part["vocabulary_bytes"] > 0, NONE)
        ).drop_duplicates(["label", "bytes", "needs"])
        for arm in rows(part.sort_values(["bytes", "mse"], kind="stable")):
            mse = interval_text(arm.mse, arm.low, arm.high)
            lines.append(
                f"| {arm.label} | {bytes_text(arm.bytes)} | {mse} | {arm.n} | {arm.needs} "
                f"| {bytes_text(arm.head_bytes)} |"
            )
    return lines


SECTION = Section(
    name="pareto",
    title="Total bytes",
    tidy=tidy,
    empty="no arms of two sizes have both a measured MSE and their total bytes",
    caption=(
        "MSE against total bytes (table + auxiliary + vocabulary): every arm at every budget. "
        "Where arms hold a vocabulary, the left panel counts it as a dictionary (the values' text "
        "and 4 bytes each), the right panel as the least that finds the same rows without storing "
        "keys (1.3 bytes a value); hashed tables need neither. The stepped line joins the Pareto "
        "front, the arms that no other one beats in both size and mean MSE (what an arm leaves of "
        "its budget does not make it smaller); the front follows the means, so neighbours on it "
        "may not differ. Crosses are the anchors as arms, with bytes of their own. "
        f"Of more than {chosen_lines.MOST_NAMED} strategies the best on validation, "
        "those on the front, the default one and plug-ins are named. The table has the front, with "
        "the bytes of the head beside it, which no total counts. "
        f"Bars: 95 % interval ({RULE}). Hollow: not better than the bias model."
    ),
    draw=draw,
    table=table,
)
