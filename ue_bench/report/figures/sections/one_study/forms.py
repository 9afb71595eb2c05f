"""Does feature multiplexing help? Each method's separate tables against its multiplexed one, at equal budget, seed by seed."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.statistics import LEVEL, holm, paired
from ue_bench.report.evidence.summary import SCOPE, by_seed, key, panel, score
from ue_bench.report.figures import style
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, missing, mse_text, p_cell, ratio_text

NAME = "forms"
EMPTY = "no strategy has both a separate and a multiplexed form at one budget"
CAPTION = (
    "Each line leads from the MSE of a method with separate tables to its MSE with one multiplexed table, at the same budget; "
    "of several region rules (or other variants) the one that is best on validation stands. Blue and solid: multiplexing is "
    "better; orange and dashed: worse; grey and dotted: not told apart (paired t-test over common seeds, Holm-corrected over "
    "the figure, 5 %). Each panel has its own scale."
)
COLUMNS = [
    "panel",
    "part",
    "strategy",
    "features",
    "budget",
    "title",
    "separate_label",
    "multiplexed_label",
    "separate",
    "separate_low",
    "separate_high",
    "multiplexed",
    "multiplexed_low",
    "multiplexed_high",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "multiplexing",
    "where",
]
_FORMS = ("separate", "multiplexed")
_LEGEND = {
    "better": "multiplexing is better",
    "worse": "multiplexing is worse",
    "not told apart": "the two are not told apart",
}
_TEXT = 7  # font size of the labels


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a method and budget: `difference` is multiplexed - separate; `multiplexing` is what it does (better, ...)."""
    scored = score(study.summary)
    scored = scored[scored["budget"].notna() & scored["regions"].isin(_FORMS)]
    runs = {arm.key: arm for arm in study.arms}
    found = []
    for cell, part in groups(scored, [*SCOPE, "budget", "method"]):
        ordered = part.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
        best = {
            row["regions"]: row for row in ordered.drop_duplicates("regions").to_dict("records")
        }
        if len(best) < len(_FORMS):
            continue
        test = paired(*(by_seed(runs[key(best[form])], best[form]["part"]) for form in _FORMS))
        one = best["multiplexed"]
        size = (
            f"{bytes_text(one['budget'])} ({ratio_text(one['budget'], one['exact_table_bytes'])})"
        )
        row = {
            "panel": panel(part).iloc[0],
            "part": one["part"],
            "features": one["features"],
            "budget": cell[-2],
            "title": size,
        }
        row["strategy"] = " / ".join(dict.fromkeys(best[form]["strategy"] for form in _FORMS))
        for form in _FORMS:
            row |= {f"{form}_label": best[form]["label"], form: best[form]["mse"]}
            row |= {f"{form}_{end}": best[form][end] for end in ("low", "high")}
        found.append(
            row
            | {"n": test.n, "p": test.p}
            | {name: getattr(test, name[11:] or name) for name in _DIFFERENCE}
        )
    frame = pd.DataFrame(found, columns=COLUMNS)
    frame["p_holm"] = holm(list(frame["p"]))
    frame["multiplexing"] = [_change(row) for row in rows(frame)]
    several = (
        frame.groupby("features")["panel"].transform("nunique") > 1
    )  # splits or heads: the features alone do not tell
    frame["where"] = frame["panel"].where(several, frame["features"])
    return frame.sort_values(["panel", "budget", "strategy"], kind="stable", ignore_index=True)


_DIFFERENCE = ("difference", "difference_low", "difference_high")


def _change(row: Any) -> str:
    if not row.p_holm < 1 - LEVEL:  # NaN, too few seeds: not told apart
        return "not told apart"
    return "better" if row.difference < 0 else "worse"


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: every pair of the figure."""
    lines = [
        "| strategy | features | budget | separate | multiplexed | difference | Holm p | multiplexing |",
        "|---|---|--:|--:|--:|---|--:|---|",
    ]
    for row in rows(frame):
        difference = f"{row.difference:+.4f}"
        if not missing(row.difference_low):
            difference += f" [{row.difference_low:+.4f}, {row.difference_high:+.4f}]"
        p = p_cell(row.p_holm)
        mse = f"{mse_text(row.separate)} | {mse_text(row.multiplexed)}"
        lines.append(
            f"| {row.strategy} | {row.where} | {row.title} | {mse} | {difference} | {p} | {row.multiplexing} |"
        )
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row a feature set, a column a budget."""
    titles = list(dict.fromkeys(frame["panel"]))
    across = int(frame.groupby("panel")["budget"].nunique().max())
    most = int(frame.groupby(["panel", "budget"]).size().max())
    figure, grid = style.canvas(len(titles), across, 3.3, max(2.6, 0.9 + 0.17 * most))
    drawn = []
    for axes_row, title in zip(grid, titles, strict=True):
        cells = list(groups(frame[frame["panel"] == title], "budget"))
        for axes, (_, part) in zip(axes_row, cells, strict=False):
            _slopes(axes, part)
            drawn.append((axes, part))
        for axes in axes_row[len(cells) :]:
            axes.set_visible(False)
        axes_row[0].set_ylabel(f"{frame['part'].iloc[0]} MSE (mean)")
    entries = [
        Line2D([], [], color=color, linestyle=dash, marker="o", markersize=4, label=_LEGEND[name])
        for name, (color, dash) in style.CHANGE.items()
        if frame["multiplexing"].eq(name).any()
    ]
    style.legend(figure, entries)
    style.settle(figure)  # where the names go depends on the layout
    for axes, part in drawn:
        _names(axes, part)
    return figure


def _slopes(axes: Axes, part: pd.DataFrame) -> None:
    for row in rows(part):
        color, dash = style.CHANGE[row.multiplexing]
        axes.plot(
            [0, 1],
            [row.separate, row.multiplexed],
            color=color,
            linestyle=dash,
            linewidth=1.4,
            marker="o",
            markersize=4,
        )
    axes.set_xticks([0, 1], _FORMS)
    axes.set_xlim(
        -0.12, max(2.05, 1.25 + 0.05 * part["strategy"].str.len().max())
    )  # room for the names
    axes.margins(y=0.12)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", visible=False)
    axes.set_title(style.heading(f"{part['where'].iloc[0]}, {part['title'].iloc[0]}"), fontsize=9)


def _names(axes: Axes, part: pd.DataFrame) -> None:
    """Names at the right ends, set apart where they would overlap, each with a thin line to its end."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    line = (
        _TEXT * LINE / 72 * axes.figure.dpi / axes.bbox.height * (high - low)
    )  # the height of a line of text, in MSE
    places = spread(list(part["multiplexed"]), line, low + line / 2, high - line / 2)
    for row, place in zip(rows(part), places, strict=True):
        color, _ = style.CHANGE[row.multiplexing]
        axes.plot([1.03, 1.16], [row.multiplexed, place], color=style.PALE, linewidth=0.7)
        axes.text(
            1.19, place, row.strategy, fontsize=_TEXT, color=color, va="center"
        ).set_in_layout(False)


SECTION = Section(
    name=NAME,
    title="Separate against multiplexed",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
