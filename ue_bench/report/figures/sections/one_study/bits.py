"""What do few bits do at equal bytes? Each form of each method, by the bits of its numbers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.form_names import form_names
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two, family_text
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import filled, panel_rows, rows_of_budgets
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import delta_text, interval_text, p_cell, size_text

EMPTY = "no method has numbers of several bits at one budget"
CAPTION = (
    "Every point is a form of a method in the variant that is best on validation, at the budget of "
    "the panel: its mean MSE against the bits of a number of its table. Fewer bits mean more rows "
    "for the same bytes. Lines join the bits of one form; all panels of a row share their scale."
)
FLOAT = parse_bits(32)
# Half the predicted law: numbers of 8 bits at some bytes are as good as floats at four times these.
QUARTER = parse_bits(8)
WITHIN = 0.003  # MSE, as the prediction says
ACROSS = 4  # panels in a row
COLUMNS = [
    "panel",
    "part",
    "form",
    "budget",
    "title",
    "bits",
    "label",
    "mse",
    "low",
    "high",
    "n",
    "named",
    "than",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "tests",
    "p_holm",
    "told_apart",
    "interval_by",
]

Row = Mapping[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each form, budget and bits.

    named: whether validation names these bits for the form at its budget. difference: from the
    form in 32 bits at the same budget ("than" says so), and in further rows, from the form in 32
    bits at four times the budget, for 8 bits.
    """
    scored = champions(score(study.all_summary))
    scored = scored[scored["budget"].notna() & ~scored["is_anchor"]]
    scored = scored.assign(panel=panel(scored), form=form_names(scored))
    arms = by_key(study.every_arm)
    lines = []
    for _, of_form in groups(scored, [*SCOPE, "form"]):
        floats = {row["budget"]: row for row in _of_bits(of_form, FLOAT)}
        for budget, cell in groups(of_form, "budget"):
            if cell["bits"].nunique() < 2:
                continue
            named = cell.sort_values(["val_mse_mean", "label"], kind="stable")["bits"].iloc[0]
            for row in records(cell):
                line = _line(row, named=row["bits"] == named)
                than = floats.get(budget)
                if than is not None and row["bits"] != FLOAT:
                    line |= _difference(row, than, arms) | {"than": "the same bytes"}
                lines.append(line)
                larger = floats.get(4 * budget)
                if larger is not None and row["bits"] == QUARTER:
                    lines.append(
                        _line(row, named=False)
                        | _difference(row, larger, arms)
                        | {"than": "four times the bytes"}
                    )
    frame = holm_corrected(pd.DataFrame(lines, columns=[*COLUMNS, "sd", "floor"]))
    frame["place"] = frame["bits"].map(list(BITS).index)
    order = ["panel", "budget", "form", "place", "than"]
    return frame.sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def _of_bits(frame: pd.DataFrame, bits: str) -> list[dict[str, Any]]:
    return records(frame[frame["bits"] == bits])


def _line(row: Row, named: bool) -> dict[str, Any]:
    line = {name: row.get(name) for name in COLUMNS}
    title = size_text(row["budget"], row["exact_table_bytes"])
    return {**line, "title": title, "named": named, "than": "", "difference": None}


def _difference(row: Row, than: Row, arms: Mapping[Any, Arm]) -> dict[str, Any]:
    test = compare_two(row_scores(arms, than), row_scores(arms, row))
    return {
        "difference": test.difference,
        "difference_low": test.low,
        "difference_high": test.high,
        "p": test.p,
        "interval_by": test.interval_by,
        "sd": test.sd,
        "floor": test.floor,
    }


def table(frame: pd.DataFrame) -> list[str]:
    """Return sentences, then a row for each form and budget with a column for each bits."""
    lines = []
    for title, part in groups(frame, "panel"):
        lines += [f"- {title}: {sentence}" for sentence in _sentences(part)]
    present = [bits for bits in BITS if bits in set(frame["bits"])]
    for title, part in groups(frame, "panel"):
        lines += ["", f"| {title} | budget | {' | '.join(present)} |"]
        lines.append(f"|---|--:|{'---|' * len(present)}")
        own = part[part["than"] != "four times the bytes"]
        for (_, form), cell in groups(own, ["budget", "form"]):
            by_bits = {row.bits: row for row in rows(cell)}
            cells = [_cell(by_bits.get(bits)) for bits in present]
            lines.append(f"| {form} | {cell['title'].iloc[0]} | {' | '.join(cells)} |")
    tested = frame[frame["than"] != ""]
    if len(tested):
        what = (
            f"each bits less {FLOAT} at the same bytes, {QUARTER} also less {FLOAT} at four times"
        )
        tests = int(tested["tests"].max())
        methods = " or ".join(sorted(tested["interval_by"].dropna().unique()))
        lines += ["", f"Bold: named by validation. {family_text(tests, what)} {methods}."]
        lines += ["", *_quarters(tested)]
    return lines


def _cell(row: Any) -> str:
    if row is None:
        return "–"
    text = interval_text(row.mse, row.low, row.high)
    return f"**{text}**" if row.named else text


def _sentences(part: pd.DataFrame) -> list[str]:
    """Say of each budget which bits validation names for how many forms, and what they gain."""
    sentences = []
    for _, cell in groups(part[part["named"]], "budget"):
        counts = cell["bits"].value_counts()
        named = [f"{bits} for {counts[bits]}" for bits in reversed(BITS) if bits in counts]
        forms = "form" if len(cell) == 1 else "forms"
        text = f"at {cell['title'].iloc[0]}, of {len(cell)} {forms}, validation names "
        text += ", ".join(named)
        tested = cell[cell["than"] != ""]
        told = tested[tested["told_apart"].eq(True) & (tested["difference"] < 0)]
        if len(tested):
            text += f"; {len(told)} of {len(tested)} are better than {FLOAT} at the same bytes"
        if len(told):
            ends = sorted({f"{told['difference'].min():+.4f}", f"{told['difference'].max():+.4f}"})
            text += f" ({' to '.join(reversed(ends))})"
        sentences.append(f"{text}.")
    return sentences


def _quarters(tested: pd.DataFrame) -> list[str]:
    """Return how the prediction came out: 8 bits against 32 at four times the bytes."""
    pairs = tested[tested["than"] == "four times the bytes"]
    if pairs.empty:
        return []
    n_within = int((pairs["difference"].abs() <= WITHIN).sum())
    lines = [
        f"Predicted before the run: {QUARTER} is within {WITHIN} of {FLOAT} at four times its "
        f"bytes. It is in {n_within} of {len(pairs)} cases.",
        "",
        f"| form | {QUARTER} at | less {FLOAT} at four times | Holm p |",
        "|---|--:|---|--:|",
    ]
    for row in rows(pairs):
        delta = delta_text(row.difference, row.difference_low, row.difference_high)
        lines.append(f"| {row.form} | {row.title} | {delta} | {p_cell(row.p_holm)} |")
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a panel for each budget of each feature set."""
    shown = frame[frame["than"] != "four times the bytes"]
    pairs = [(form, form) for form in shown["form"].unique()]
    looks = style.looks(pairs)
    present = [bits for bits in BITS if bits in set(shown["bits"])]
    several = shown["panel"].nunique() > 1
    across = min(ACROSS, int(shown.groupby("panel")["budget"].nunique().max()))

    def draw_row(axes_row: Any, of_row: pd.DataFrame) -> None:
        low, high = of_row["mse"].min(), of_row["mse"].max()
        room = 0.06 * (high - low)
        cells = [part for _, part in groups(of_row, "budget")]
        for axes, part in filled(axes_row, cells):
            _draw_lines(axes, part, present, looks)
            title = part["title"].iloc[0]
            if several:
                title = f"{part['panel'].iloc[0]}, {title}"
            axes.set_title(style.heading(title, style.NARROW), fontsize=9)
            axes.set_ylim(low - room, high + room)
        axes_row[0].set_ylabel(f"{of_row['part'].iloc[0]} MSE (mean)")

    shown = rows_of_budgets(shown, across)
    by = ["panel", "row"]
    figure, _ = panel_rows(shown, across, draw_row, width=2.8, height=2.8, by=by)
    entries = [style.handle(looks[form], form) for form in sorted(looks)]
    style.legend(figure, entries)
    return figure


def _draw_lines(
    axes: Axes, part: pd.DataFrame, present: list[str], looks: Mapping[str, style.Look]
) -> None:
    for form, line in groups(part, "form"):
        look = looks[form]
        places = [present.index(bits) for bits in line["bits"]]
        hover(axes, line.drop(columns="difference").assign(x=places), "x", "mse")
        axes.plot(
            places,
            list(line["mse"]),
            color=look.color,
            linestyle=look.dash,
            linewidth=1.4,
            marker=look.marker,
            markersize=look.size,
        )
    axes.set_xticks(range(len(present)), [str(BITS[bits]) for bits in present])
    axes.set_xlabel("bits of a number")
    axes.tick_params(labelsize=8)


SECTION = Section(
    name="bits",
    title="Numbers of few bits",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
