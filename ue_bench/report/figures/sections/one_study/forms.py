"""Does feature multiplexing help? The two forms of each method, compared seed by seed."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.labels import bits_word
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two, family_text
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import filled, panel_rows, rows_of_budgets
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import delta_text, missing, mse_text, p_cell, size_text

EMPTY = "no strategy has both a separate and a multiplexed form at one budget"
CAPTION = (
    "Each mark is the MSE of a method with one multiplexed table less that with separate tables, "
    "at the same budget, with its 95 % interval; below 0 multiplexing is better. Of several "
    "region rules (or other variants) the figure shows the one that is best on validation. Blue "
    "and solid: better; orange and dashed: worse; grey and dotted: not told apart "
    "(Holm-corrected over the figure, 5 %, where the test had the power; the table says how many "
    "tests). Panels of a row share their scale."
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
_ACROSS = 3  # panels of a row; more would make letters too small for a screen
_OF_A_PAIR = [*SCOPE, "budget", "method", "form_bits"]  # in which the two forms of a pair agree
_FORMS = ("separate", "multiplexed")
_LEGEND = {
    "better": "multiplexing is better",
    "worse": "multiplexing is worse",
    "not told apart": "the two are not told apart",
}

Row = Mapping[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each method and budget.

    difference: the multiplexed MSE minus the separate one.
    multiplexing: what multiplexing does to the MSE: better, worse or not told apart.
    """
    scored = score(study.all_summary)
    scored = scored[scored["budget"].notna() & scored["regions"].isin(_FORMS)]
    arms = by_key(study.every_arm)
    best_forms: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in _best_of_each_form(scored):
        best_forms[tuple(row[name] for name in _OF_A_PAIR)][row["regions"]] = row
    pairs = []
    for best in best_forms.values():
        if len(best) == len(_FORMS):
            pairs.append(_pair(best["separate"], best["multiplexed"], arms))
    frame = holm_corrected(pd.DataFrame(pairs, columns=[*COLUMNS, "sd", "floor"]))
    frame["multiplexing"] = [_effect(row) for row in rows(frame)]
    # With several splits or heads, the features alone do not identify the panel.
    ambiguous = frame.groupby("features")["panel"].transform("nunique") > 1
    frame["where"] = frame["panel"].where(ambiguous, frame["features"])
    frame = frame.sort_values(["panel", "budget", "strategy"], kind="stable", ignore_index=True)
    return frame[COLUMNS]


def _best_of_each_form(scored: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the row of each form with the lowest validation MSE, in the order of `_OF_A_PAIR`."""
    ordered = scored.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    best = ordered.drop_duplicates([*_OF_A_PAIR, "regions"])
    best = best.sort_values(_OF_A_PAIR, kind="stable")
    return records(best.assign(panel=panel(best)))


def _pair(separate: Row, multiplexed: Row, arms: Mapping[Any, Arm]) -> dict[str, Any]:
    test = compare_two(row_scores(arms, separate), row_scores(arms, multiplexed))
    strategies = [separate["strategy"]]
    if multiplexed["strategy"] not in strategies:
        strategies.append(multiplexed["strategy"])
    words = (" / ".join(strategies), bits_word(multiplexed["form_bits"]))
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
    """Draw differences with their intervals, in rows of panels for each comparison.

    Of one method, a panel has a line for each budget; of several, each budget has a panel, with a
    line for each method.
    """
    several = frame.groupby("panel")["strategy"].nunique().max() > 1
    most_budgets = int(frame.groupby("panel")["budget"].nunique().max())
    across = min(_ACROSS, most_budgets) if several else 1
    lines = {title: _lines_of(part, several) for title, part in groups(frame, "panel")}
    frame = rows_of_budgets(frame, _ACROSS) if several else frame.assign(row=0)
    most = int(frame.groupby("panel")["strategy" if several else "budget"].nunique().max())

    def draw_row(axes_row: Any, of_row: pd.DataFrame) -> None:
        cells = [part for _, part in groups(of_row, "budget")] if several else [of_row]
        for axes, part in filled(axes_row, cells):
            title = part["where"].iloc[0]
            if several:
                title = f"{title}, {part['title'].iloc[0]}"
            axes.set_title(style.heading(title, style.NARROW), fontsize=9)
            _draw_differences(axes, part, lines[part["panel"].iloc[0]])
        for axes in axes_row[1 : len(cells)]:
            axes.set_yticklabels([])
        _share_scale(axes_row[: len(cells)])

    width = 3.0 if several else 5.6
    height = 1.1 + 0.24 * most
    by = ["panel", "row"]
    figure, _ = panel_rows(frame, across, draw_row, width=width, height=height, by=by)
    style.legend(figure, _legend_entries(frame))
    return figure


def _lines_of(of_panel: pd.DataFrame, several: bool) -> dict[str, float]:
    """Return the names of the lines of a panel, from above, with their heights.

    Methods come in the order of their mean difference, budgets in that of their bytes.
    """
    if several:
        names = list(of_panel.groupby("strategy")["difference"].mean().sort_values().index)
    else:
        names = list(of_panel.sort_values("budget")["title"])
    return {name: -float(place) for place, name in enumerate(names)}


def _draw_differences(axes: Axes, part: pd.DataFrame, heights: Mapping[str, float]) -> None:
    axes.axvline(0, color=style.GREY, linewidth=0.8)
    drawn_at = []
    for row in rows(part):
        color, dash = style.CHANGE[row.multiplexing]
        height = heights[row.strategy if row.strategy in heights else row.title]
        drawn_at.append(height)
        if not missing(row.difference_low):
            ends = [row.difference_low, row.difference_high]
            axes.plot(ends, [height, height], color=color, linestyle=dash, linewidth=1.4)
        axes.plot([row.difference], [height], color=color, marker="o")
    hover(axes, part.assign(height=drawn_at), "difference", "height")
    axes.set_yticks(list(heights.values()), list(heights))
    axes.set_ylim(min(heights.values()) - 0.6, 0.6)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(f"{part['part'].iloc[0]} MSE,\nmultiplexed less separate", fontsize=8)


def _share_scale(drawn: Any) -> None:
    """Give panels one scale, with 0 in it."""
    ends = [end for axes in drawn for end in axes.get_xlim()]
    for axes in drawn:
        axes.set_xlim(min(ends), max(ends))


def _legend_entries(frame: pd.DataFrame) -> list[Line2D]:
    effects = set(frame["multiplexing"])
    entries = []
    for effect, (color, dash) in style.CHANGE.items():
        if effect in effects:
            line = Line2D(
                [],
                [],
                color=color,
                linestyle=dash,
                marker="o",
                markersize=5,
                label=_LEGEND[effect],
            )
            entries.append(line)
    return entries


SECTION = Section(
    name="forms",
    title="Separate against multiplexed",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
    fewest=2,
)
