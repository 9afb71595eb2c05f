"""Memory by part: what a strategy really holds, at small, middle and large budgets."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import SCOPE, panel
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style
from ue_bench.report.format import bytes_text

NAME = "memory"
EMPTY = "no record has its bytes counted"
PARTS = {
    "table": "#0072B2",
    "auxiliary": "#D55E00",
    "vocabulary": "#E69F00",
    "head": "#9A9A9A",
    "optimizer": "#DCDCDC",
}
_HATCHES = {"table": "", "auxiliary": "xxx", "vocabulary": "///", "head": "...", "optimizer": ""}
CAPTION = (
    "Bytes by part at the smallest, the median and the largest budget (the median alone where there are many "
    "strategies), and without a budget. Each strategy stands with its variant that is best on validation. Head "
    "and optimizer state are counted beside the table; the optimizer's exists in training only. The number is the"
    " sum of all parts; a bar that ends in ▸ goes on beyond the axis."
)
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
_FEW = 6  # strategies a panel for which three budgets are shown


def tidy(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a bar and part: `left` is where it starts, `end` where it ends on an axis that stops at `limit`."""
    frame = summary.dropna(subset=["table_bytes"])
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    frame = choose.champions(frame)
    frame = pd.concat([_representative(part) for _, part in groups(frame, SCOPE)])
    frame["panel"] = panel(frame)
    frame["size"] = frame["budget"].fillna(frame["table_bytes"] + frame["auxiliary_bytes"])
    frame = frame.sort_values(["panel", "size", "group"], kind="stable", ignore_index=True)
    frame["bar"] = (
        frame["label"]
        + ", "
        + frame["budget"].map(bytes_text).where(frame["budget"].notna(), "no budget")
    )
    frame["y"] = frame.groupby("panel").cumcount()
    names = [f"{part}_bytes" for part in PARTS]
    frame[names] = frame[names].fillna(0)
    frame["total"] = frame[names].sum(axis=1)
    bounded = (
        frame["total"]
        .where(frame["budget"].notna(), 0)
        .groupby(frame["panel"])
        .transform("max")
        .astype(float)
    )
    widest = frame.groupby("panel")["total"].transform("max").astype(float)
    frame["limit"] = widest.where((bounded == 0) | (widest < 4 * bounded), 2 * bounded)
    frame["text"] = (
        frame["total"]
        .map(bytes_text)
        .where(frame["total"] <= frame["limit"], "▸ " + frame["total"].map(bytes_text))
    )
    long = frame.melt(
        ["panel", "bar", "y", "group", "label", "budget", "total", "text", "limit"],
        names,
        "part",
        "bytes",
    )
    long["part"] = long["part"].str.removesuffix("_bytes")
    start = long.groupby(["panel", "y"])["bytes"].cumsum() - long["bytes"]
    long["left"] = start.astype(float).clip(upper=long["limit"])
    long["end"] = (start + long["bytes"]).astype(float).clip(upper=long["limit"])
    return long.sort_values(["panel", "y"], kind="stable", ignore_index=True)[COLUMNS]


def _representative(part: pd.DataFrame) -> pd.DataFrame:
    budgets = sorted(part["budget"].dropna().unique())
    places = (
        {0, (len(budgets) - 1) // 2, len(budgets) - 1}
        if part["group"].nunique() <= _FEW
        else {(len(budgets) - 1) // 2}
    )
    wanted = [budgets[place] for place in places] if budgets else []
    return part[part["budget"].isna() | part["budget"].isin(wanted)]


def draw(frame: pd.DataFrame) -> Figure:
    """One panel a feature set, a stacked bar an arm."""
    titles = list(dict.fromkeys(frame["panel"]))
    most = frame.groupby("panel")["y"].max().max() + 1
    figure, grid = style.canvas(len(titles), 1, 8.6, 1.1 + (0.3 if most <= 20 else 0.2) * most)
    for axes, title in zip(grid.flat, titles, strict=True):
        part = frame[frame["panel"] == title]
        for name, color in PARTS.items():
            own = part[part["part"] == name]
            widths = own["end"] - own["left"]
            axes.barh(
                own["y"],
                widths,
                left=own["left"],
                color=color,
                hatch=_HATCHES[name],
                edgecolor="white",
                linewidth=0.3,
            )
        last = part[part["part"] == list(PARTS)[-1]]
        for row in rows(last):
            axes.annotate(
                row.text,
                (row.end, row.y),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_yticks(last["y"], last["bar"], fontsize=8 if most <= 20 else 7)
        axes.set_ylim(-0.7, len(last) - 0.3)
        axes.set_xlim(0, last["limit"].iloc[0] * 1.12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: bytes_text(size)))
        axes.grid(axis="y", visible=False)
        axes.set_title(title)
        axes.set_xlabel("memory (1 kB = 1000 bytes)")
    style.legend(
        figure,
        [
            Patch(facecolor=c, hatch=_HATCHES[n], edgecolor="white", label=n)
            for n, c in PARTS.items()
        ],
    )
    return figure
