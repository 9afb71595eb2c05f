"""Memory by part: what a strategy really holds, at small, middle and large budgets."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import SCOPE, panel
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text

PARTS = {
    "table": "#0072B2",
    "auxiliary": "#D55E00",
    "vocabulary": "#E69F00",
    "head": "#9A9A9A",
    "floats": "#56B4E9",
    "optimizer": "#DCDCDC",
}
_HATCHES = {
    "table": "",
    "auxiliary": "xxx",
    "vocabulary": "///",
    "head": "...",
    "floats": "\\\\\\",
    "optimizer": "",
}
_NAMES = {"floats": "floats in training", "optimizer": "optimizer, in training"}
COLUMNS = [
    "panel",
    "bar",
    "y",
    "group",
    "label",
    "budget",
    "part",
    "bytes",
    "left",
    "total",
    "end",
    "text",
    "limit",
]
_OF_A_BAR = ["panel", "bar", "y", "group", "label", "budget", "total", "text", "limit"]
_FEW = 6  # strategies in a panel for which three budgets are shown
_MANY_BARS = 20  # in a panel; more are drawn narrower


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a bar and part, from `left` to `end` on an axis that stops at `limit`."""
    summary = study.summary.dropna(subset=["table_bytes"])
    if summary.empty:
        return pd.DataFrame(columns=COLUMNS)
    parts = [
        _representative(part) for _, part in groups(chosen_lines.best_variants(summary), SCOPE)
    ]
    bars = pd.concat(parts)
    bars["panel"] = panel(bars)
    bars["size"] = bars["budget"].fillna(bars["table_bytes"] + bars["auxiliary_bytes"])
    served = bars["table_bytes"] + bars["auxiliary_bytes"]
    bars["floats_bytes"] = (bars["training_table_bytes"] - served).clip(lower=0)
    names = [f"{part}_bytes" for part in PARTS]
    bars[names] = bars[names].fillna(0)
    bars["total"] = bars[names].sum(axis=1)
    order = ["panel", "size", "total", "group"]  # y grows upwards: the smallest bar is on top
    ascending = [name == "panel" for name in order]
    bars = bars.sort_values(order, ascending=ascending, kind="stable", ignore_index=True)
    budget = bars["budget"].map(bytes_text).where(bars["budget"].notna(), "no budget")
    bars["bar"] = bars["label"] + ", " + budget
    bars["y"] = bars.groupby("panel").cumcount()
    bars["limit"] = _limit(bars)
    total = bars["total"].map(bytes_text)
    bars["text"] = total.where(bars["total"] <= bars["limit"], "▸ " + total)
    long = bars.melt(_OF_A_BAR, names, "part", "bytes")
    long["part"] = long["part"].str.removesuffix("_bytes")
    start = long.groupby(["panel", "y"])["bytes"].cumsum() - long["bytes"]
    long["left"] = start.astype(float).clip(upper=long["limit"])
    long["end"] = (start + long["bytes"]).astype(float).clip(upper=long["limit"])
    return long.sort_values(["panel", "y"], kind="stable", ignore_index=True)[COLUMNS]


def _representative(part: pd.DataFrame) -> pd.DataFrame:
    """The arms without a budget, and those at the smallest, median and largest budget.

    Where there are many strategies, only the median budget is kept. Of an advice, all arms are.
    """
    if chosen_lines.is_advice(part):
        return part
    budgets = sorted(part["budget"].dropna().unique())
    if not budgets:
        return part
    shown = {budgets[(len(budgets) - 1) // 2]}
    if part["group"].nunique() <= _FEW:
        shown |= {budgets[0], budgets[-1]}
    return part[part["budget"].isna() | part["budget"].isin(shown)]


def _limit(bars: pd.DataFrame) -> pd.Series:
    """The end of the axis of each bar's panel.

    Bars that are far larger than three quarters of those with a budget go on beyond it.
    """
    totals = bars["total"].astype(float)
    of_budgets = totals.where(bars["budget"].notna())
    usual = of_budgets.groupby(bars["panel"]).transform("quantile", 0.75)
    widest = totals.groupby(bars["panel"]).transform("max")
    return widest.where(usual.isna() | (widest < 4 * usual), 2 * usual)


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """One panel a feature set, a stacked bar an arm."""
    most = frame.groupby("panel")["y"].max().max() + 1
    bar_height = 0.3
    label_size = 8
    if most > _MANY_BARS:
        bar_height = 0.2
        label_size = 7
    draw_one = partial(_panel, label_size=label_size)
    figure, _ = panels(frame, 1, draw_one, width=8.6, height=1.1 + bar_height * most)
    entries = []
    for part, color in PARTS.items():
        hatch = _HATCHES[part]
        label = _NAMES.get(part, part)
        entries.append(Patch(facecolor=color, hatch=hatch, edgecolor="white", label=label))
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, bars: pd.DataFrame, label_size: int) -> None:
    for name, color in PARTS.items():
        part = bars[bars["part"] == name]
        axes.barh(
            part["y"],
            part["end"] - part["left"],
            left=part["left"],
            color=color,
            hatch=_HATCHES[name],
            edgecolor="white",
            linewidth=0.3,
        )
    last = bars[bars["part"] == list(PARTS)[-1]]
    middle = last.assign(middle=last["end"] / 2)
    hover(axes, middle.drop(columns="part"), "middle", "y")
    for row in rows(last):
        end = (row.end, row.y)
        axes.annotate(row.text, end, (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(last["y"], last["bar"], fontsize=label_size)
    axes.set_ylim(-0.7, len(last) - 0.3)
    axes.set_xlim(0, last["limit"].iloc[0] * 1.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: bytes_text(size)))
    axes.grid(axis="y", visible=False)
    axes.set_title(bars["panel"].iloc[0])
    axes.set_xlabel("memory (1 kB = 1000 bytes)")


SECTION = Section(
    name="memory",
    title="Memory",
    tidy=tidy,
    empty="no record has its bytes counted",
    caption=(
        "Bytes by part at the smallest, the median and the largest budget (the median alone where "
        "there are many strategies), and without a budget. Each strategy appears with its variant "
        "that is best on validation; of an advice all arms appear. Codes of few bits, and what "
        "decodes them, count as auxiliary data. The head is counted beside the table, and what "
        "exists in training only: the numbers that training keeps as floats beyond the bytes that "
        "are served, and the optimizer's state. The number is the sum of all parts; a bar that "
        "ends in ▸ goes on beyond the axis."
    ),
    draw=draw,
)
