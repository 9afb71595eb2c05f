"""Test MSE against table size: where strategies differ, and where size no longer matters."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.figures import anchor_lines, anchor_points, chosen_lines, style
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, ratio_text

COLUMNS = [
    "panel",
    "part",
    "line",
    "group",
    "label",
    "kind",
    "budget",
    "x",
    "tick",
    "mse",
    "low",
    "high",
    "n",
    "note",
    "hollow",
    "named",
    "shade_from",
    "shade_to",
]
_SPREAD = 0.16  # of an octave, between the first and the last line at one budget
_SHADE = "#B0B0B0"


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm that is drawn.

    kind: `budget` (a point of a line), `band` (the reference), `point` (another arm without a
    budget) or `anchor`.
    """
    scored = score(study.summary)
    if scored["budget"].isna().all():
        return pd.DataFrame(columns=COLUMNS)
    anchors = scored[scored["is_anchor"]]
    frame = pd.concat([chosen_lines.lines(scored), anchors.assign(line=anchors["label"])])
    frame["panel"] = panel(frame)
    frame["named"] = frame["line"].isin(chosen_lines.named(frame))
    frame["hollow"] = frame["beats_bias"].eq(False)
    paid = frame["table_bytes"] + frame["auxiliary_bytes"]
    frame["kind"] = _kinds(frame, paid)
    frame["size"] = frame["budget"].fillna(paid)
    frame["x"] = _set_apart(frame)
    frame["tick"] = _ticks(frame)
    frame["note"] = ""
    fewer_seeds = frame["n"] < frame["n_most"]
    frame.loc[fewer_seeds, "note"] = "n=" + frame["n"].astype(str)
    frame = frame.merge(_shades(frame, _undecided(study)), on=["panel", "budget"], how="left")
    return frame.sort_values(["panel", "line", "size"], ignore_index=True)[COLUMNS]


def _kinds(frame: pd.DataFrame, paid: pd.Series) -> np.ndarray:
    """The kind of each row, as `tidy` says; the band is the largest table without a budget."""
    has_budget = frame["budget"].notna()
    without_budget = paid.where(~has_budget & ~frame["is_anchor"])
    largest = without_budget.groupby(frame["panel"]).transform("max")
    is_largest = (paid == largest).fillna(False)
    conditions = [has_budget, frame["is_anchor"], is_largest]
    return np.select(conditions, ["budget", "anchor", "band"], "point")


def _set_apart(frame: pd.DataFrame) -> pd.Series:
    """The size of each arm, with the lines at one budget set apart sideways."""
    with_budget = frame["kind"] == "budget"
    names = sorted(frame.loc[with_budget, "line"].unique())
    places = {}
    for number, name in enumerate(names):
        places[name] = style.aside(number, len(names))
    place = frame["line"].map(places).fillna(0)
    return frame["size"].astype(float) * 2.0 ** (place * 2 * _SPREAD)


def _ticks(frame: pd.DataFrame) -> list[str]:
    """The size of each arm, and below it the fraction of the exact table."""
    exact_of_panel = frame.groupby("panel")["exact_table_bytes"].max()
    exact = frame["panel"].map(exact_of_panel)
    sizes = frame["size"].astype(float)
    ticks = []
    for size, unit in zip(sizes, exact, strict=True):
        ticks.append(f"{bytes_text(size)}\n{ratio_text(size, unit)}")
    return ticks


def _undecided(study: StudyData) -> set[tuple[Any, ...]]:
    """The panel and the budget of each verdict that leaves every contestant among the best."""
    found = study.verdicts
    undecided = set()
    for place, cell in groups(found.assign(panel=panel(found)), ["panel", "budget"]):
        if len(cell) > 1 and cell["among_best"].eq(True).all():
            undecided.add(place)
    return undecided


def _shades(frame: pd.DataFrame, undecided: set[tuple[Any, ...]]) -> pd.DataFrame:
    """`shade_from` and `shade_to` of each panel and budget that is undecided."""
    shades = []
    for title, part in groups(frame[frame["kind"] == "budget"], "panel"):
        budgets = sorted(part["budget"].unique())
        steps = pairwise(_edges(budgets))
        for budget, (start, stop) in zip(budgets, steps, strict=True):
            if (title, budget) in undecided:
                shades.append([title, budget, float(start), float(stop)])
    columns = ["panel", "budget", "shade_from", "shade_to"]
    frame = pd.DataFrame(shades, columns=columns)
    return frame.astype({"panel": object, "budget": "Int64"})


def _edges(budgets: list[int]) -> list[float]:
    """The borders between the budgets on a logarithmic axis, half a step beyond both ends too."""
    first = budgets[0]
    last = budgets[-1]
    middles = [np.sqrt(float(small) * float(large)) for small, large in pairwise(budgets)]
    if not middles:
        return [first / 1.4, first * 1.4]
    return [first**2 / middles[0], *middles, last**2 / middles[-1]]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """One panel a feature set; a line a strategy or arm."""
    draw_one = partial(_panel, study=study)
    figure, _ = panels(frame, 2, draw_one, width=5.6, height=4.0)
    style.legend(figure, _entries(frame, study.looks))
    return figure


def _panel(axes: Axes, part: pd.DataFrame, study: StudyData) -> None:
    shaded = part.dropna(subset=["shade_from"]).drop_duplicates("budget")
    for row in rows(shaded):
        axes.axvspan(row.shade_from, row.shade_to, color=_SHADE, alpha=0.3, linewidth=0, zorder=0)
    lines = part[part["kind"].isin(["budget", "point"])]
    for name, line in groups(lines, "line"):
        if line["named"].all():
            _line(axes, line, study.looks[name])
        else:
            style.pale(axes, line, "x", "mse")
    bands = []
    for row in rows(part[part["kind"] == "band"]):
        bands.append(_band(axes, row, study.looks[row.line]))
    anchor_points.draw(axes, part[part["kind"] == "anchor"], "x")
    ticks = part[part["kind"] == "budget"].drop_duplicates("budget")
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks["budget"].astype(float), ticks["tick"])
    axes.set_xticks([], minor=True)
    title = part["panel"].iloc[0]
    axes.set_title(style.heading(title))
    axes.set_xlabel("byte budget of all tables, and as a part of the exact table")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")
    anchor_lines.draw(axes, study.anchors[study.anchors["panel"] == title], beside=bands)


def _line(axes: Axes, line: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(
        line["x"], line["low"], line["high"], color=look.color, linewidth=1, alpha=0.75, zorder=2
    )
    style.points(axes, line, "x", "mse", look)
    for row in rows(line[line["note"] != ""]):
        spot = (row.x, row.mse)
        axes.annotate(row.note, spot, (4, 4), textcoords="offset points", fontsize=7)


def _band(axes: Axes, row: Any, look: style.Look) -> anchor_lines.Note:
    """Draw the mean and the interval of the reference across the panel; return its name."""
    axes.axhline(row.mse, color=look.color, linestyle=look.dash, linewidth=1.4, zorder=2)
    axes.axhspan(row.low, row.high, color=look.color, alpha=0.13, linewidth=0, zorder=0)
    size = row.tick.split("\n")[0]
    return anchor_lines.Note(f"{row.line}\n{row.mse:.3f}, {size}", row.mse, look.color)


def _entries(frame: pd.DataFrame, looks: style.Looks) -> list[Any]:
    """The legend's entries."""
    by_name: dict[str, Any] = {}
    is_anchor = frame["kind"] == "anchor"
    for _, part in groups(frame[~is_anchor], "panel"):
        band = part["kind"] == "band"
        for name in part.loc[~band & part["named"], "line"].unique():
            by_name[name] = style.handle(looks[name], name)
        for name in part.loc[band, "line"].unique():
            without_marker = looks[name]._replace(marker="")
            by_name[name] = style.handle(without_marker, f"{name} (no budget)")
    entries = [by_name[name] for name in sorted(by_name)]
    if is_anchor.any():
        entries.append(anchor_points.entry())
    if frame["shade_from"].notna().any():
        label = "all in the set of the best"
        entries.append(Patch(color=_SHADE, alpha=0.35, label=label))
    if not frame["named"].all():
        entries.append(style.others())
    if frame["hollow"].any():
        entries.append(style.mark(style.NOT_BETTER))
    return entries


SECTION = Section(
    name="table_size",
    title="Table size",
    tidy=tidy,
    empty="no arm with a byte budget has a measured MSE",
    caption=(
        "MSE against the byte budget of the tables of all features (and as a fraction of the exact "
        f"table). Points: mean over seeds; bars: 95 % interval ({RULE}); points at one budget are "
        "set apart sideways for legibility only. Band: the largest table without a budget. Shaded: "
        "budgets at which all that compete are in the set of the best, so that nothing separates "
        "them. Crosses: the anchors as arms, at the bytes of their numbers. "
        f"Where there are more than {chosen_lines.MOST} arms, each "
        "strategy appears with its variant that is best on validation at that budget. Hollow: not "
        "better than the bias model."
    ),
    draw=draw,
)
