"""What bits do on average, and whether that adds up with the form and with the method."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.report.evidence.contrasts import effect, interaction
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import Difference, family_text
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import style
from ue_bench.report.figures.difference_line import difference_line
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import delta_text, size_text

EMPTY = "no methods have both forms in several bits at one budget"
CAPTION = (
    "Left: the mean MSE of all methods and forms in some bits less that in 32 bits, at the same "
    "bytes. Right: the mean of the multiplexed forms less that of the separate ones, in each bits. "
    "One line for each budget, 95 % intervals; below 0 is better. Forms are in the variant that is "
    "best on validation."
)
FLOAT = parse_bits(32)
OF_BITS = "bits"
OF_FORM = "multiplexing"
OF_BOTH = "multiplexing, more than in 32 bits"
OF_METHOD = "bits, more than for the others"
KINDS = (OF_BITS, OF_FORM, OF_BOTH, OF_METHOD)
COLUMNS = [
    "panel",
    "part",
    "budget",
    "title",
    "kind",
    "method",
    "bits",
    "cells",
    "n",
    "difference",
    "low",
    "high",
    "p",
    "tests",
    "p_holm",
    "told_apart",
    "interval_by",
]

Cells = Mapping[tuple[str, str, str], Scores]  # by method, regions and bits


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each effect at each budget.

    method: the one that the effect is of; empty where it is of all. cells: how many are averaged in
    32 bits. Methods count that have both forms in all bits of the budget.
    """
    scored = champions(score(study.all_summary))
    scored = scored[scored["budget"].notna() & ~scored["is_anchor"]]
    scored = scored.assign(panel=panel(scored))
    arms = by_key(study.every_arm)
    lines = []
    for _, at_size in groups(scored, [*SCOPE, "budget"]):
        cells = _balanced(at_size, arms)
        first = at_size.iloc[0]
        about = {name: first[name] for name in ("panel", "part", "budget")}
        about["title"] = size_text(first["budget"], first["exact_table_bytes"])
        for line in _effects(cells):
            lines.append(about | line)
    frame = pd.DataFrame(lines, columns=[*COLUMNS, "sd", "floor"])
    return holm_corrected(frame, "panel" if len(frame) else None)[COLUMNS]


def _balanced(at_size: pd.DataFrame, arms: Mapping[Any, Any]) -> Cells:
    """Return the cells of the methods that have both forms in all bits; none without 32 bits."""
    present = [bits for bits in BITS if bits in set(at_size["bits"])]
    both = ("multiplexed", "separate")
    cells: dict[tuple[str, str, str], Scores] = {}
    if FLOAT not in present or len(present) < 2:
        return cells
    for _, of_method in groups(at_size, "method"):
        of_forms = of_method[of_method["regions"].isin(both)]
        method = " / ".join(sorted(set(of_forms["strategy"])))
        found = {(row.regions, row.bits): row for row in rows(of_forms)}
        if len(found) < len(both) * len(present):
            continue
        for (regions, bits), row in found.items():
            cells[method, regions, bits] = row_scores(arms, row._asdict())
    return cells


def _effects(cells: Cells) -> list[dict[str, Any]]:
    lines = []
    methods = list(dict.fromkeys(method for method, _, _ in cells))
    present = [bits for bits in BITS if any(of == bits for _, _, of in cells)]

    def chosen(bits: str, regions: str = "", only: Sequence[str] = ()) -> list[Scores]:
        found = []
        for (method, of_regions, of_bits), scores in cells.items():
            wanted = of_bits == bits and regions in ("", of_regions)
            if wanted and (not only or method in only):
                found.append(scores)
        return found

    def add(kind: str, bits: str, test: Difference, method: str = "") -> None:
        about = {"kind": kind, "method": method, "bits": bits, "cells": len(chosen(FLOAT))}
        lines.append(about | test._asdict())

    for bits in present:
        pair = chosen(bits, "multiplexed"), chosen(bits, "separate")
        add(OF_FORM, bits, effect(*pair))
        if bits == FLOAT:
            continue
        add(OF_BITS, bits, effect(chosen(bits), chosen(FLOAT)))
        in_float = chosen(FLOAT, "multiplexed"), chosen(FLOAT, "separate")
        add(OF_BOTH, bits, interaction(*pair, *in_float))
        for method in methods if len(methods) > 1 else ():
            others = [other for other in methods if other != method]
            own = chosen(bits, only=[method]), chosen(FLOAT, only=[method])
            theirs = chosen(bits, only=others), chosen(FLOAT, only=others)
            add(OF_METHOD, bits, interaction(*own, *theirs), method)
    return lines


def table(frame: pd.DataFrame) -> list[str]:
    """Return sentences, then a table of each kind of effect, with a column for each bits."""
    lines = []
    for title, part in groups(frame, "panel"):
        lines += [f"- {title}: {sentence}" for sentence in _sentences(part)]
    lines.append("")
    present = [bits for bits in BITS if bits in set(frame["bits"])]
    for title, part in groups(frame, "panel"):
        for kind in KINDS:
            of_kind = part[part["kind"] == kind]
            if of_kind.empty:
                continue
            shown = [bits for bits in present if bits in set(of_kind["bits"])]
            lines += ["", f"| {title}: {kind} | budget | {' | '.join(shown)} |"]
            lines.append(f"|---|--:|{'---|' * len(shown)}")
            for (method, _), cell in groups(of_kind, ["method", "budget"]):
                by_bits = {row.bits: row for row in rows(cell)}
                cells = [_cell(by_bits.get(bits)) for bits in shown]
                name = method or f"all, {cell['cells'].iloc[0]} cells"
                lines.append(f"| {name} | {cell['title'].iloc[0]} | {' | '.join(cells)} |")
        tests = int(part["tests"].max())
        methods = " or ".join(sorted(part["interval_by"].dropna().unique()))
        what = f"all effects of {title}"
        lines += ["", f"Bold: told apart from 0. {family_text(tests, what)} {methods}."]
    return lines


def _sentences(part: pd.DataFrame) -> list[str]:
    """Say what the fewest bits and multiplexing are worth on average, at which budgets."""
    fewest = [bits for bits in BITS if bits in set(part["bits"])][-1]
    of_bits = part[(part["kind"] == OF_BITS) & (part["bits"] == fewest)]
    gains = f"{fewest} less {FLOAT} at the same bytes, mean of all forms: {_by_budget(of_bits)}."
    sentences = [gains]
    for bits in (FLOAT, fewest):
        of_form = part[(part["kind"] == OF_FORM) & (part["bits"] == bits)]
        text = f"multiplexed less separate in {bits}, mean of all methods: {_by_budget(of_form)}."
        sentences.append(text)
    return sentences


def _by_budget(effects: pd.DataFrame) -> str:
    """Return an effect at each budget; the ones that are not told from 0 by their budgets."""
    told = []
    unknown = []
    for row in rows(effects.sort_values("budget", kind="stable")):
        if row.told_apart:
            told.append(f"{row.difference:+.4f} at {row.title}")
        else:
            unknown.append(row.title)
    if unknown:
        told.append(f"not told from 0 at {', '.join(unknown)}")
    return "; ".join(told)


def _cell(row: Any) -> str:
    if row is None:
        return "–"
    text = delta_text(row.difference, row.low, row.high)
    return f"**{text}**" if row.told_apart else text


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row of two panels for each feature set, with a line for each budget."""
    titles = list(dict.fromkeys(frame.sort_values("budget")["title"]))
    looks = style.looks([(title, title) for title in titles], of_strategies=False)
    present = [bits for bits in BITS if bits in set(frame["bits"])]
    several = frame["panel"].nunique() > 1

    def draw_row(axes_row: Any, of_panel: pd.DataFrame) -> None:
        for axes, kind in zip(axes_row, (OF_BITS, OF_FORM), strict=True):
            of_kind = of_panel[of_panel["kind"] == kind]
            _draw_lines(axes, of_kind, present, looks)
            title = f"{of_panel['panel'].iloc[0]}, {kind}" if several else kind
            axes.set_title(style.heading(title), fontsize=9)
        axes_row[0].set_ylabel(f"difference of {frame['part'].iloc[0]} MSE")

    figure, _ = panel_rows(frame, 2, draw_row, width=4.2, height=3.2)
    style.legend(figure, [style.handle(looks[title], title) for title in titles])
    return figure


def _draw_lines(
    axes: Axes, part: pd.DataFrame, present: list[str], looks: Mapping[str, style.Look]
) -> None:
    shown = list(groups(part, "budget"))
    for number, (_, line) in enumerate(shown):
        look = looks[line["title"].iloc[0]]
        beside = 0.1 * (number - (len(shown) - 1) / 2)  # intervals do not cover each other
        places = [present.index(bits) + beside for bits in line["bits"]]
        difference_line(axes, line.assign(x=places), look)
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    axes.set_xticks(range(len(present)), [str(BITS[bits]) for bits in present])
    axes.set_xlim(-0.5, len(present) - 0.5)
    axes.set_xlabel("bits of a number")
    axes.tick_params(labelsize=8)


SECTION = Section(
    name="bit_effects",
    title="Effects of few bits",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
