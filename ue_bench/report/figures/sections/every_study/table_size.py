"""Test MSE against the size of the table: where do the strategies part, and where do the budgets no longer separate them?"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.figures import anchor_lines as anchor
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style
from ue_bench.report.format import bytes_text, ratio_text

NAME = "table_size"
EMPTY = "no arm with a byte budget has a measured MSE"
CAPTION = (
    "MSE against the byte budget of the tables of all features (and as a fraction of the exact table). Points: "
    "mean over seeds; bars: 95 % t-interval; points at one budget are set apart sideways for legibility only. "
    "Band: the largest table without a budget. Shaded: budgets where the intervals of the best and the worst "
    f"budgeted arm overlap, so that size no longer separates them. Where there are more than {choose.MOST} arms, "
    "each strategy stands with its variant that is best on validation at that budget. Hollow: not better than the"
    " bias model."
)
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
_SPREAD = 0.16  # of an octave between the first and last of the lines at one budget


def tidy(summary: pd.DataFrame) -> pd.DataFrame:
    """One row an arm drawn. kind: `budget` (a line), `band` (the reference) or `point` (another arm without a budget)."""
    scored = score(summary)
    if scored["budget"].isna().all():
        return pd.DataFrame(columns=COLUMNS)
    frame = choose.lines(scored)
    frame["panel"], frame["named"] = panel(frame), frame["line"].isin(choose.named(frame))
    paid = frame["table_bytes"] + frame["auxiliary_bytes"]
    largest = paid.where(frame["budget"].isna()).groupby(frame["panel"]).transform("max")
    frame["kind"] = np.select(
        [frame["budget"].notna(), (paid == largest).fillna(False)], ["budget", "band"], "point"
    )
    size = frame["budget"].fillna(paid).astype(float)
    names = sorted(frame.loc[frame["kind"] == "budget", "line"].unique())
    place = (
        frame["line"]
        .map({name: i / max(1, len(names) - 1) - 0.5 for i, name in enumerate(names)})
        .fillna(0)
    )
    frame["x"] = size * 2.0 ** (place * 2 * _SPREAD)
    unit = frame["panel"].map(frame.groupby("panel")["exact_table_bytes"].max())
    frame["tick"] = [
        f"{bytes_text(s)}\n{ratio_text(s, u)}" for s, u in zip(size, unit, strict=True)
    ]
    frame["note"] = [
        f"n={n}" if n < most else "" for n, most in zip(frame["n"], frame["n_most"], strict=True)
    ]
    frame["hollow"] = frame["beats_bias"].eq(False)
    frame = frame.merge(_shades(frame), on=["panel", "budget"], how="left")
    frame["size"] = frame["budget"].fillna(frame["table_bytes"] + frame["auxiliary_bytes"])
    return frame.sort_values(["panel", "line", "size"], ignore_index=True)[COLUMNS]


def _shades(frame: pd.DataFrame) -> pd.DataFrame:
    """panel, budget, shade_from, shade_to: half a step around each budget at which best and worst overlap."""
    rows = []
    for title, part in groups(frame[frame["kind"] == "budget"], "panel"):
        budgets = sorted(part["budget"].unique())
        steps = [np.sqrt(float(a) * float(b)) for a, b in pairwise(budgets)]
        edges = (
            [budgets[0] ** 2 / steps[0], *steps, budgets[-1] ** 2 / steps[-1]]
            if steps
            else [budgets[0] / 1.4, budgets[0] * 1.4]
        )
        for budget, (start, stop) in zip(budgets, pairwise(edges), strict=True):
            here = part[part["budget"] == budget]
            best, worst = here.loc[here["mse"].idxmin()], here.loc[here["mse"].idxmax()]
            if len(here) > 1 and worst["low"] <= best["high"]:  # without an interval: False
                rows.append([title, budget, float(start), float(stop)])
    shades = pd.DataFrame(rows, columns=["panel", "budget", "shade_from", "shade_to"])
    return shades.astype({"panel": object, "budget": "Int64"})


def draw(frame: pd.DataFrame, anchors: pd.DataFrame, looks: style.Looks) -> Figure:
    """One panel a feature set; a line a strategy or arm."""
    titles = list(dict.fromkeys(frame["panel"]))
    columns = min(2, len(titles))
    figure, grid = style.canvas(-(-len(titles) // columns), columns, 5.6, 4.0)
    handles = {}
    for axes, title in zip(grid.flat, titles, strict=False):
        part = frame[frame["panel"] == title]
        _shade(axes, part)
        for name, line in groups(part[part["kind"] != "band"], "line"):
            if not line["named"].all():
                style.pale(axes, line, "x", "mse")
                continue
            look = looks[name]
            axes.vlines(
                line["x"],
                line["low"],
                line["high"],
                color=look.color,
                linewidth=1,
                alpha=0.75,
                zorder=2,
            )
            style.points(axes, line, "x", "mse", look)
            for row in rows(line[line["note"] != ""]):
                axes.annotate(
                    row.note, (row.x, row.mse), (4, 4), textcoords="offset points", fontsize=7
                )
            handles[name] = style.handle(look, name)
        for row in rows(part[part["kind"] == "band"]):
            look = looks[row.line]
            axes.axhline(row.mse, color=look.color, linestyle=look.dash, linewidth=1.4, zorder=2)
            axes.axhspan(row.low, row.high, color=look.color, alpha=0.13, linewidth=0, zorder=0)
            size = row.tick.split("\n")[0]
            place = {
                "xycoords": ("axes fraction", "data"),
                "xytext": (0, -2),
                "textcoords": "offset points",
                "va": "top",
            }
            axes.annotate(
                f"{row.line}: {size}", (0.01, row.mse), fontsize=7, color=look.color, **place
            )
            handles[row.line] = style.handle(look._replace(marker=""), f"{row.line} (no budget)")
        ticks = part[part["kind"] == "budget"].drop_duplicates("budget")
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks["budget"].astype(float), ticks["tick"])
        axes.set_xticks([], minor=True)
        axes.set_title(style.heading(title))
        axes.set_xlabel("byte budget of all tables, and as a part of the exact table")
        axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean, 95 % interval)")
        anchor.draw(axes, anchors[anchors["panel"] == title])
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    entries: list[Any] = [handles[name] for name in sorted(handles)]
    if frame["shade_from"].notna().any():
        entries.append(
            Patch(color="#B0B0B0", alpha=0.35, label="intervals of best and worst overlap")
        )
    if not frame["named"].all():
        entries.append(style.others())
    if frame["hollow"].any():
        entries.append(style.mark("not better than the bias model"))
    style.legend(figure, entries)
    return figure


def _shade(axes, part: pd.DataFrame) -> None:
    for row in rows(part.dropna(subset=["shade_from"]).drop_duplicates("budget")):
        axes.axvspan(
            row.shade_from, row.shade_to, color="#B0B0B0", alpha=0.3, linewidth=0, zorder=0
        )
