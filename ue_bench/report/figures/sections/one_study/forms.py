"""Does feature multiplexing help? The two forms of each method, compared seed by seed."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.labels import bits_word
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two, family_text
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score
from ue_bench.report.figures import style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import delta_text, mse_text, p_cell, size_text

EMPTY = "no strategy has both a separate and a multiplexed form at one budget"
CAPTION = (
    "Each line leads from the MSE of a method with separate tables to its MSE with one "
    "multiplexed table, at the same budget. Of several region rules (or other variants) the "
    "figure shows the one that is best on validation. Blue and solid: multiplexing is better; "
    "orange and dashed: worse; grey and dotted: not told apart (Holm-corrected over the figure, 5 "
    "%, where the test had the power; the table says how many tests). Each panel has its own scale."
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
    "interval_by",
    "tests",
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
_FONT_SIZE = 7  # of the names of the strategies

Row = Mapping[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each method and budget.

    difference: the multiplexed MSE minus the separate one.
    multiplexing: what multiplexing does to the MSE: better, worse or not told apart.
    """
    scored = score(study.all_summary)
    scored = scored[scored["budget"].notna() & scored["regions"].isin(_FORMS)]
    arms = by_key(study.every_arm)
    pairs = []
    for _, variants in groups(scored, [*SCOPE, "budget", "method", "bits"]):
        variants = variants.assign(panel=panel(variants))
        best = _best_of_each_form(variants)
        if len(best) == len(_FORMS):
            pairs.append(_pair(best["separate"], best["multiplexed"], arms))
    frame = holm_corrected(pd.DataFrame(pairs, columns=[*COLUMNS, "sd", "floor"]))
    frame["multiplexing"] = [_effect(row) for row in rows(frame)]
    # With several splits or heads, the features alone do not identify the panel.
    ambiguous = frame.groupby("features")["panel"].transform("nunique") > 1
    frame["where"] = frame["panel"].where(ambiguous, frame["features"])
    frame = frame.sort_values(["panel", "budget", "strategy"], kind="stable", ignore_index=True)
    return frame[COLUMNS]


def _best_of_each_form(variants: pd.DataFrame) -> dict[str, Row]:
    """Return the row with the lowest validation MSE, by form."""
    ordered = variants.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    best = ordered.drop_duplicates("regions").to_dict("records")
    return {row["regions"]: row for row in best}


def _pair(separate: Row, multiplexed: Row, arms: Mapping[Any, Arm]) -> dict[str, Any]:
    test = compare_two(row_scores(arms, separate), row_scores(arms, multiplexed))
    strategies = [separate["strategy"]]
    if multiplexed["strategy"] not in strategies:
        strategies.append(multiplexed["strategy"])
    words = (" / ".join(strategies), bits_word(multiplexed["bits"]))
    pair = {
        "panel": multiplexed["panel"],
        "part": multiplexed["part"],
        "strategy": " ".join(filter(None, words)),
        "features": multiplexed["features"],
        "budget": multiplexed["budget"],
        "title": size_text(multiplexed["budget"], multiplexed["exact_table_bytes"]),
        "n": test.n,
        "difference": test.difference,
        "difference_low": test.low,
        "difference_high": test.high,
        "p": test.p,
        "interval_by": test.interval_by,
        "sd": test.sd,
        "floor": test.floor,
    }
    for form, row in zip(_FORMS, (separate, multiplexed), strict=True):
        pair[f"{form}_label"] = row["label"]
        pair[form] = row["mse"]
        pair[f"{form}_low"] = row["low"]
        pair[f"{form}_high"] = row["high"]
    return pair


def _effect(row: Any) -> str:
    if not row.told_apart:
        return "not told apart"
    if row.difference < 0:
        return "better"
    return "worse"


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each feature set, then the Markdown table of every pair."""
    lines = [_sentence(title, part, len(frame)) for title, part in groups(frame, "panel")]
    lines += [
        "",
        "| strategy | features | budget | separate | multiplexed "
        "| difference | Holm p | multiplexing |",
        "|---|---|--:|--:|--:|---|--:|---|",
    ]
    for row in rows(frame):
        cells = [
            row.strategy,
            row.where,
            row.title,
            mse_text(row.separate),
            mse_text(row.multiplexed),
            delta_text(row.difference, row.difference_low, row.difference_high),
            p_cell(row.p_holm),
            row.multiplexing,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    tests = int(frame["tests"].max())
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    what = "multiplexed less separate, every line of the table that has an interval"
    return [*lines, "", f"{family_text(tests, what)} Intervals are 95 %: {methods}."]


def _sentence(title: str, part: pd.DataFrame, n_tests: int) -> str:
    """Return at which budgets one multiplexed table is better than separate ones, and worse."""
    clauses = []
    for effect, words in _LEGEND.items():
        cells = []
        for budget, at_budget in part[part["multiplexing"] == effect].groupby("title", sort=False):
            cells.append(str(budget))
            if part["strategy"].nunique() > 1:
                cells[-1] += f" ({', '.join(at_budget['strategy'])})"
        if cells:
            clauses.append(f"{words} at {', '.join(cells)}")
    return (
        f"- {title}, each form in its variant that is best on validation: {'; '.join(clauses)} "
        f"(Holm-corrected over {n_tests} comparisons)."
    )


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row of panels for each feature set, one column for each budget."""
    across = int(frame.groupby("panel")["budget"].nunique().max())
    most_names = int(frame.groupby(["panel", "budget"]).size().max())
    height = max(2.6, 0.9 + 0.17 * most_names)
    drawn = []

    def draw_row(axes_row: Any, of_panel: pd.DataFrame) -> None:
        cells = list(groups(of_panel, "budget"))
        for axes, (_, part) in zip(axes_row, cells, strict=False):
            _draw_slopes(axes, part)
            drawn.append((axes, part))
        for axes in axes_row[len(cells) :]:
            axes.set_visible(False)
        axes_row[0].set_ylabel(f"{frame['part'].iloc[0]} MSE (mean)")

    figure, _ = panel_rows(frame, across, draw_row, width=3.3, height=height)
    style.legend(figure, _legend_entries(frame))
    style.settle(figure)  # the places of the names depend on the layout
    for axes, part in drawn:
        _write_names(axes, part)
    return figure


def _legend_entries(frame: pd.DataFrame) -> list[Line2D]:
    effects = set(frame["multiplexing"])
    entries = []
    for effect, (color, dash) in style.CHANGE.items():
        if effect in effects:
            label = _LEGEND[effect]
            line = Line2D(
                [], [], color=color, linestyle=dash, marker="o", markersize=4, label=label
            )
            entries.append(line)
    return entries


def _draw_slopes(axes: Axes, part: pd.DataFrame) -> None:
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
    longest_name = part["strategy"].str.len().max()
    axes.set_xlim(-0.12, max(2.05, 1.25 + 0.05 * longest_name))
    axes.margins(y=0.12)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", visible=False)
    axes.set_title(style.heading(f"{part['where'].iloc[0]}, {part['title'].iloc[0]}"), fontsize=9)


def _write_names(axes: Axes, part: pd.DataFrame) -> None:
    """Write the names at the right ends of the lines, moved apart where they would overlap.

    A thin line joins each name to the end of its line.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    line_in_pixels = _FONT_SIZE * LINE / 72 * axes.figure.dpi
    line_in_mse = line_in_pixels / axes.bbox.height * (high - low)
    places = spread(
        list(part["multiplexed"]), line_in_mse, low + line_in_mse / 2, high - line_in_mse / 2
    )
    for row, place in zip(rows(part), places, strict=True):
        color, _ = style.CHANGE[row.multiplexing]
        axes.plot([1.03, 1.16], [row.multiplexed, place], color=style.PALE, linewidth=0.7)
        name = axes.text(1.19, place, row.strategy, fontsize=_FONT_SIZE, color=color, va="center")
        name.set_in_layout(False)


SECTION = Section(
    name="forms",
    title="Separate against multiplexed",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
