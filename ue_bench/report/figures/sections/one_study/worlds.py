"""Do conclusions hold on other data? What the worlds of one study agree in."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.record.world_facts import FEW, facts_of
from ue_bench.report.evidence.across_worlds import REFERENCES, agreements, size_of, worths
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.rank_agreement import tau_text
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover, of_difference
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.sections.one_study import forms
from ue_bench.report.format import bytes_text, delta_text, p_cell

EMPTY = "no two data sets have the same features, split, head and at least three of the same arms"
CAPTION = (
    "What multiplexing does in each world: the MSE of a method with one multiplexed table less "
    "that with separate tables at equal bytes, in percent of the MSE of the global mean of the "
    "world; below 0 multiplexing is better. Full marks are told apart (Holm-corrected over the "
    "figure, 5 %, with a power of 80 % at that level), half-filled ones are not. 95 % "
    "intervals, dotted where numbers have few bits. Each form is in the variant that is best on "
    "validation. All panels share their scale."
)
# The families of Holm's corrections. A document may show the sentences without the tables.
ALL_FORMS = "all differences of multiplexed and separate tables, in all worlds"
ALL_WORTHS = (
    "all differences of an embedding and a model without one that have an interval, in all worlds"
)
# Views of the frame.
WORLD = "world"
FORM = "form"
RANKS = "ranks"
WORTH = "worth"
# What may explain why worlds differ, with the words for it.
DESCRIPTORS = {
    "values": "distinct values",
    "rows_a_value": "rows a value",
    "unseen": "share of rows with an unseen value",
    "rare": f"share of rows with a value seen less than {FEW} times",
}
COLUMNS = [
    "view",
    "panel",
    "part",
    "other",
    "size",
    "budget",
    "title",
    "method",
    "label",
    "than",
    "bytes",
    "n",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "tests",
    "told_apart",
    "interval_by",
    "mean_mse",
    "arms",
    "tau",
    "tau_low",
    "tau_high",
    "reversed",
    "told",
    "rows",
    "features",
    *DESCRIPTORS,
]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return rows of four views.

    `world`: what a world is like. `form`: multiplexed less separate, of one method at one size.
    `ranks`: Kendall's tau of the arms of two worlds at one size; told: pairs that both tell apart.
    `worth`: the best arm within some bytes less a reference (`than`).
    """
    scored = score(study.all_summary)
    scored = scored[~scored["is_anchor"]]
    scored = scored.assign(panel=panel(scored))
    scored["size"] = [size_of(row) for row in rows(scored)]
    ranks = agreements(scored, study.every_arm)
    worlds = {found[end] for found in ranks for end in ("panel", "other")}
    scored = scored[scored["panel"].isin(worlds)]
    if scored["dataset"].nunique() < 2:
        return pd.DataFrame(columns=COLUMNS)
    lines: list[dict[str, Any]] = []
    by_panel = {arm.comparison.title: arm.sample for arm in study.every_arm if not arm.is_anchor}
    for title in scored["panel"].unique():
        lines.append({"view": WORLD, "panel": title, **facts_of(by_panel[title])})
    sizes = {(row.panel, row.budget): row.size for row in rows(scored)}
    means = scored.groupby("panel")["anchor_mean"].first()
    for row in rows(forms.tidy(study)):
        if row.panel not in worlds:
            continue
        line = {name: getattr(row, name, None) for name in COLUMNS}
        lines.append(
            line
            | {
                "view": FORM,
                "method": row.strategy,
                "size": sizes[row.panel, row.budget],
                "low": row.difference_low,
                "high": row.difference_high,
                "told_apart": row.multiplexing != "not told apart",
                "mean_mse": means[row.panel],
            }
        )
    for found in ranks:
        lines.append({"view": RANKS, **found, "told": found["told_apart"], "told_apart": None})
    for row in rows(worths(scored, study.every_arm)):
        line = {name: getattr(row, name, None) for name in COLUMNS}
        lines.append(line | {"view": WORTH, "part": scored["part"].iloc[0]})
    return pd.DataFrame(lines).reindex(columns=COLUMNS)


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each question, then a table for each view."""
    views = dict(groups(frame, "view"))
    worlds = views[WORLD]
    of_form = views.get(FORM, frame.iloc[:0])
    of_ranks = views.get(RANKS, frame.iloc[:0])
    of_worth = views.get(WORTH, frame.iloc[:0])
    lines = [*_form_sentences(of_form, worlds), *_rank_sentences(of_ranks)]
    lines += _worth_sentences(of_worth)
    for part in (
        _world_table(worlds),
        _form_table(of_form),
        _rank_table(of_ranks),
        _worth_table(of_worth),
    ):
        if part:
            lines += ["", *part]
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return how often multiplexing is better, and how often two worlds contradict each other."""
    of_form = frame[frame["view"] == FORM]
    told = of_form[of_form["told_apart"].astype(bool)]
    better = int((told["difference"] < 0).sum())
    ranks = frame[frame["view"] == RANKS]
    n_worlds = int((frame["view"] == WORLD).sum())
    text = f"In {n_worlds} worlds"
    if len(of_form):
        text += (
            f", multiplexing is shown to be better in {better} of {len(of_form)} comparisons and"
        )
        text += f" worse in {len(told) - better};"
    return (
        f"{text} of {int(ranks['told'].sum())} times that two worlds tell two arms apart, "
        f"{int(ranks['reversed'].sum())} are in opposite order."
    )


def _form_sentences(part: pd.DataFrame, worlds: pd.DataFrame) -> list[str]:
    lines = []
    for method, cell in groups(part, "method"):
        clauses = []
        untold = 0
        for title, of_world in groups(cell, "panel"):
            told = of_world[of_world["told_apart"].astype(bool)]
            better = _titles(told[told["difference"] < 0])
            worse = _titles(told[told["difference"] > 0])
            words = []
            if better:
                words.append(f"better at {better}")
            if worse:
                words.append(f"worse at {worse}")
            untold += not words
            if words:
                clauses.append(f"{' and '.join(words)} on {title}")
        if untold:
            where = "elsewhere" if clauses else "in any world"
            clauses.append(f"cannot tell at any size {where}")
        lines.append(f"- multiplexing of {method}: {'; '.join(clauses)}.")
    if len(part):
        lines.append(_what_predicts(part, worlds))
    return lines


def _titles(part: pd.DataFrame) -> str:
    return ", ".join(f"1/{int(row.size)}" for row in rows(part))


def _what_predicts(part: pd.DataFrame, worlds: pd.DataFrame) -> str:
    """Say how the order of the worlds by each descriptor agrees with that by their effect."""
    effects = _mean_effects(part)
    facts = worlds.set_index("panel")
    shared = [title for title in facts.index if title in effects.index]
    n_worlds = len(shared)
    clauses = []
    least_p = 1.0
    for name, words in DESCRIPTORS.items():
        found = stats.kendalltau(facts.loc[shared, name], effects[shared])
        if not np.isnan(found.statistic):
            clauses.append(f"{words} τ = {found.statistic:+.2f}")
            least_p = min(least_p, found.pvalue)
    told = "no descriptor predicts it" if least_p > 0.05 else f"smallest p {least_p:.3f}"
    return (
        f"- what of a world predicts the mean effect of multiplexing, over {n_worlds} worlds: "
        f"{', '.join(clauses)}; {told} ({n_worlds} worlds can show a perfect order alone)."
    )


def _mean_effects(part: pd.DataFrame) -> pd.Series:
    shares = part["difference"].astype(float) / part["mean_mse"].astype(float)
    return shares.groupby(part["panel"]).mean()


def _rank_sentences(part: pd.DataFrame) -> list[str]:
    lines = []
    for size, cell in reversed(list(groups(part, "size"))):
        taus = cell["tau"].astype(float)
        between = f"with τ from {taus.min():.2f} to {taus.max():.2f}"
        if len(taus) == 1:
            between = f"with τ = {taus.item():.2f}"
        n_reversed, n_told = int(cell["reversed"].sum()), int(cell["told"].sum())
        lines.append(
            f"- at 1/{int(size)} the worlds rank their arms {between}; of {n_told} pairs of arms "
            f"that two worlds tell apart, {n_reversed} are in opposite order."
        )
    return lines


def _worth_sentences(part: pd.DataFrame) -> list[str]:
    lines = []
    for title, world in groups(part, "panel"):
        clauses = []
        for name in REFERENCES:
            cell = world[world["than"] == name]
            if cell.empty:
                continue
            better = cell[cell["told_apart"].astype(bool) & (cell["difference"] < 0)]
            words = style.ANCHOR_NAMES[name]
            if better.empty:
                clauses.append(f"at no size shown to beat {words}")
            else:
                first = better.sort_values("bytes").iloc[0]
                clauses.append(
                    f"beats {words} from {bytes_text(first['bytes'])} in all on ({first['label']})"
                )
        lines.append(f"- an embedding in {title}: {'; '.join(clauses)}.")
    return lines


def _world_table(part: pd.DataFrame) -> list[str]:
    lines = [
        f"| world | rows | features | {' | '.join(DESCRIPTORS.values())} |",
        f"|---|--:|--:|{'--:|' * len(DESCRIPTORS)}",
    ]
    for row in rows(part):
        cells = [row.panel, f"{row.rows:,.0f}", f"{row.features:.0f}", f"{row.values:,.0f}"]
        cells += [f"{row.rows_a_value:,.1f}", f"{row.unseen:.1%}", f"{row.rare:.1%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _form_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = [
        "| world | method | size | multiplexed less separate | of the mean's MSE | Holm p |",
        "|---|---|--:|---|--:|--:|",
    ]
    for row in rows(part):
        delta = delta_text(row.difference, row.low, row.high)
        share = f"{row.difference / row.mean_mse:+.1%}"
        cells = [row.panel, row.method, row.title, delta, share, p_cell(row.p_holm)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", family_text(int(part["tests"].max()), ALL_FORMS)]


def _rank_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = ["| worlds | size | arms | τ | told apart in both | reversed |"]
    lines.append("|---|--:|--:|---|--:|--:|")
    for row in rows(part):
        cells = [f"{row.panel} and {row.other}", f"1/{int(row.size)}", f"{row.arms:.0f}"]
        cells += [tau_text(row), f"{row.told:.0f}", f"{row.reversed:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _worth_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = ["| world | bytes in all | best arm | less | difference | Holm p |"]
    lines.append("|---|--:|---|---|---|--:|")
    for row in rows(part):
        cells = [row.panel, bytes_text(row.bytes), row.label, style.ANCHOR_NAMES[row.than]]
        cells += [delta_text(row.difference, row.low, row.high), p_cell(row.p_holm)]
        lines.append(f"| {' | '.join(cells)} |")
    tests = int(part["tests"].max())
    return [*lines, "", family_text(tests, ALL_WORTHS)]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a panel for each world, with a line for each method over the sizes."""
    shown = frame[frame["view"].isin([WORLD, FORM])]
    methods = sorted(shown["method"].dropna().unique())
    looks = style.looks([(method, method) for method in methods])
    sizes = sorted({int(size) for size in shown["size"].dropna()}, reverse=True)

    def draw_one(axes: Axes, part: pd.DataFrame) -> None:
        axes.axhline(0, color=style.GREY, linewidth=0.8)
        for place, (method, line) in enumerate(groups(part[part["view"] == FORM], "method")):
            shift = 0.12 * (place - (len(methods) - 1) / 2)
            _draw_method(axes, line, sizes, looks[method], shift)
        axes.set_xticks(range(len(sizes)), [f"1/{size}" for size in sizes])
        axes.set_xlim(-0.5, len(sizes) - 0.5)
        axes.set_xlabel("budget, as a part of the exact table")
        axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=8)
        axes.tick_params(labelsize=8)

    figure, _ = panels(shown, 2, draw_one, width=4.6, height=3.0, sharey=True)
    for axes in figure.axes[::2]:
        axes.set_ylabel("multiplexed less separate,\n% of the mean's MSE", fontsize=8)
    entries = [style.handle(looks[method], method) for method in methods]
    if not shown["told_apart"].dropna().astype(bool).all():
        entries.append(style.mark("not told apart", half=True))
    style.legend(figure, entries)
    return figure


def _draw_method(
    axes: Axes, line: pd.DataFrame, sizes: list[int], look: style.Look, shift: float
) -> None:
    places = [sizes.index(int(size)) + shift for size in line["size"]]
    percents = 100 * line["difference"] / line["mean_mse"]
    hover(axes, of_difference(line.assign(x=places, y=percents)), "x", "y")
    for row, x in zip(rows(line), places, strict=True):
        percent = 100 / row.mean_mse
        ends = [row.low * percent, row.high * percent]
        axes.plot([x, x], ends, color=look.color, linestyle=look.dash, linewidth=1.4)
        axes.plot(
            [x],
            [row.difference * percent],
            marker=look.marker,
            markersize=look.size,
            color=look.color,
            fillstyle="full" if row.told_apart else style.UNSURE,
            markerfacecoloralt="white",
        )


SECTION = Section(
    name="worlds",
    title="Other data",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
