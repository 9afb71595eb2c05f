"""What the number of values does to compressed tables, over planted logs of many sizes."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from ue_bench.config.click_worlds import values_of
from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.report.evidence.across_worlds import size_of
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.scaling_slopes import slope_of_arms, slope_of_differences
from ue_bench.report.evidence.statistics import Difference, compare_two, family_text
from ue_bench.report.evidence.summary import by_key, panel, row_scores, score
from ue_bench.report.figures import style
from ue_bench.report.figures.difference_line import difference_line
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import delta_text, missing, p_cell

FEWEST = 3  # logs of different numbers of values
FLOAT = parse_bits(32)
EMPTY = f"no {FEWEST} planted click logs of so many values have an exact table beside others"
CAPTION = (
    "The MSE of each table less that of the exact table in floats on the same log, with its 95 % "
    "interval, over the number of values of the log: a column of panels for each part of the exact "
    "table, a row for the bits of a number. Skew and rows a value are the same in all logs. Each "
    "log is one draw, which the intervals do not cover."
)
# Views of the frame.
EXCESS = "excess"
VALUES = "values"
LOAD = "load"
CLAIM = "claim"
FORM = "multiplexed less separate"
COLUMNS = [
    "view",
    "panel",
    "values",
    "size",
    "load",
    "bits",
    "label",
    "group",
    "kind",
    "places",
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

Line = dict[str, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return rows of four views.

    `excess`: an arm less the exact table in floats, on one log. `values`: the slope of that over
    the logs, for ten times the values. `load`: the slope of the MSE of an arm over its sizes on one
    log, for twice the rows of table a value. `claim`: what forms and bits differ in, on each data
    set and at each size. values: of the log; missing elsewhere. load: rows of table a value, of as
    many numbers as a value has in the exact table.
    """
    scored = score(study.all_summary)
    scored = scored[~scored["is_anchor"]]
    scored = scored.assign(panel=panel(scored))
    scored["size"] = [size_of(row) for row in rows(scored)]
    scored["values"] = [values_of(name) for name in scored["dataset"]]
    arms = by_key(study.every_arm)
    excess = _excess(scored, arms)
    if len({line["values"] for line in excess}) < FEWEST:
        return pd.DataFrame(columns=COLUMNS)
    views = (
        (EXCESS, excess),
        (VALUES, _over_values(excess)),
        (LOAD, _over_load(scored, arms)),
        (CLAIM, _claims(scored, arms)),
    )
    tables = []
    for view, lines in views:
        if lines:
            tables.append(holm_corrected(pd.DataFrame(lines).assign(view=view)))
    return pd.concat(tables).reindex(columns=COLUMNS).reset_index(drop=True)


def _about(row: Any) -> Line:
    names = ("panel", "values", "size", "bits", "label", "group")
    return {name: getattr(row, name) for name in names} | {"load": _load(row)}


def _load(row: Any) -> float:
    """Return the rows of table a value."""
    return BITS[FLOAT] / BITS[row.bits] / row.size


def _scores(arms: Mapping[Any, Arm], row: Any) -> Scores:
    return row_scores(arms, row._asdict())


def _excess(scored: pd.DataFrame, arms: Mapping[Any, Arm]) -> list[Line]:
    lines: list[Line] = []
    for _, log in groups(scored[scored["values"].notna()], "panel"):
        is_exact = (log["regions"] == "exact") & (log["bits"] == FLOAT) & log["size"].isna()
        if not is_exact.any():
            continue
        best = log[is_exact].sort_values(["val_mse_mean", "label"], kind="stable")
        exact = _scores(arms, next(rows(best)))
        for row in rows(log[log["size"].notna()]):
            lines.append(_about(row) | compare_two(exact, _scores(arms, row))._asdict())
    return lines


def _over_values(excess: list[Line]) -> list[Line]:
    lines: list[Line] = []
    by_arm: dict[tuple[str, int], list[Line]] = {}
    for line in excess:
        by_arm.setdefault((line["label"], line["size"]), []).append(line)
    for (label, size), of_logs in by_arm.items():
        if len(of_logs) < FEWEST:
            continue
        differences = []
        for line in of_logs:
            differences.append(Difference(**{name: line[name] for name in Difference._fields}))
        places = [math.log10(line["values"]) for line in of_logs]
        slope = slope_of_differences(differences, places)
        about = {name: of_logs[0][name] for name in ("group", "load")}
        about |= {"label": label, "size": size, "places": len(places)}
        lines.append(about | slope._asdict())
    return lines


def _over_load(scored: pd.DataFrame, arms: Mapping[Any, Arm]) -> list[Line]:
    lines: list[Line] = []
    sized = scored[scored["values"].notna() & scored["size"].notna()]
    for _, of_arm in groups(sized, ["panel", "label"]):
        shown = list(rows(of_arm))
        if len({row.size for row in shown}) < 2:
            continue
        loads = [math.log2(_load(row)) for row in shown]
        slope = slope_of_arms([_scores(arms, row) for row in shown], loads)
        about = _about(shown[0]) | {"size": None, "load": None, "places": len(shown)}
        lines.append(about | slope._asdict())
    return lines


def _claims(scored: pd.DataFrame, arms: Mapping[Any, Arm]) -> list[Line]:
    """Compare the two forms of a method in each bits, and the fewest bits with floats."""
    lines: list[Line] = []
    sized = scored[scored["size"].notna()]
    for _, cell in groups(sized, ["panel", "size", "method"]):
        found = {(row.regions, row.bits): row for row in rows(cell)}
        pairs = {}
        present = [bits for bits in BITS if any(of == bits for _, of in found)]
        for bits in present:
            pairs[f"{FORM}, {bits}"] = ("separate", bits), ("multiplexed", bits)
        for regions in ("multiplexed", "separate"):
            own = [bits for bits in present if (regions, bits) in found]
            if own and own[-1] != FLOAT:
                pair = (regions, FLOAT), (regions, own[-1])
                pairs[f"{own[-1]} less {FLOAT}, {regions}"] = pair
        for kind, (than, of) in pairs.items():
            if than in found and of in found:
                test = compare_two(_scores(arms, found[than]), _scores(arms, found[of]))
                lines.append(_about(found[of]) | {"kind": kind} | test._asdict())
    return lines


def table(frame: pd.DataFrame) -> list[str]:
    """Return sentences about the slopes and the claims, then a table of each view."""
    views = dict(groups(frame, "view"))
    excess = views.get(EXCESS, frame.iloc[:0])
    slopes = views.get(VALUES, frame.iloc[:0])
    loads = views.get(LOAD, frame.iloc[:0])
    claims = views.get(CLAIM, frame.iloc[:0])
    lines = [*_slope_sentences(slopes), *_claim_sentences(claims)]
    lines += ["", *_excess_table(excess), "", *_slope_table(slopes)]
    lines += ["", *_load_table(loads), "", *_claim_table(claims)]
    return lines


def _slope_sentences(slopes: pd.DataFrame) -> list[str]:
    lines = []
    for size, of_size in reversed(list(groups(slopes, "size"))):
        told = of_size["told_apart"].astype(bool)
        clauses = []
        if told.any():
            named = [f"by {_delta(row)} for {row.label}" for row in rows(of_size[told])]
            clauses.append(f"changes {', '.join(named)}")
        others = of_size[~told]
        if len(others):
            clause = f"is not told to change for {len(others)} of {len(of_size)} arms"
            low, high = others["low"].min(), others["high"].max()
            if not missing(low):  # one seed has no interval
                clause += f", with intervals from {low:+z.4f} to {high:+z.4f}"
            clauses.append(clause)
        lines.append(
            f"- at 1/{int(size)}, for ten times the values, the MSE above the exact table "
            f"{' and '.join(clauses)}."
        )
    return lines


def _claim_sentences(claims: pd.DataFrame) -> list[str]:
    """Say whether what other data sets tell has the same sign on the largest log."""
    lines = []
    for (kind, size), cell in groups(claims, ["kind", "size"]):
        logs = cell[cell["values"].notna()]
        others = cell[cell["values"].isna()]
        if logs.empty:
            continue
        largest = logs.sort_values("values").iloc[-1]
        where = f"at {largest['values']:,.0f} values ({_delta(largest)})"
        for row in rows(others):
            if not row.told_apart:
                verdict = "which is not told from 0"
            elif not largest["told_apart"]:
                verdict = f"which cannot be told {where}"
            elif (largest["difference"] > 0) == (row.difference > 0):
                verdict = f"which holds {where}"
            else:
                verdict = f"which is reversed {where}"
            lines.append(f"- {kind}, at 1/{int(size)}: {_delta(row)} on {row.panel}, {verdict}.")
    return lines


def _delta(row: Any) -> str:
    return delta_text(row.difference, row.low, row.high)


def _test(row: Any) -> list[str]:
    """Return the last cells of a row: the difference, its p, and whether it is told from 0."""
    return [_delta(row), p_cell(row.p_holm), "yes" if row.told_apart else "no"]


def _count(values: float) -> str:
    return f"{values:,.0f} values"


def _data(row: Any) -> str:
    """Return what the rows of a table name a data set by; the logs differ in nothing else."""
    data: str = row.panel if pd.isna(row.values) else _count(row.values)
    return data


def _excess_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    counts = sorted(part["values"].unique())
    above = " | ".join(f"above exact, {_count(values)}" for values in counts)
    lines = [f"| size | arm | {above} |", f"|--:|---{'|---' * len(counts)}|"]
    for (size, label), of_arm in groups(part, ["size", "label"]):
        by_count = {row.values: _delta(row) for row in rows(of_arm)}
        cells = [f"1/{int(size)}", label, *(by_count.get(values, "–") for values in counts)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _slope_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = [
        "| arm | size | rows of table a value | logs | for ten times the values | Holm p | told |"
    ]
    lines.append("|---|--:|--:|--:|---|--:|---|")
    for row in rows(part):
        cells = [row.label, f"1/{int(row.size)}", f"{row.load:.3g}", f"{row.places:.0f}"]
        lines.append(f"| {' | '.join([*cells, *_test(row)])} |")
    return [*lines, "", family_text(int(part["tests"].max()), "all slopes over the values")]


def _load_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = ["| data | arm | sizes | MSE for twice the rows of table a value | Holm p | told |"]
    lines.append("|---|---|--:|---|--:|---|")
    for row in rows(part.sort_values(["values", "label"], kind="stable")):
        cells = [_data(row), row.label, f"{row.places:.0f}", *_test(row)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", family_text(int(part["tests"].max()), "all slopes over the load")]


def _claim_table(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    lines = ["| comparison | size | data | difference | Holm p | told |"]
    lines.append("|---|--:|---|---|--:|---|")
    ordered = part.sort_values(["kind", "size", "values"], kind="stable", na_position="first")
    for row in rows(ordered):
        cells = [row.kind, f"1/{int(row.size)}", _data(row), *_test(row)]
        lines.append(f"| {' | '.join(cells)} |")
    what = "all comparisons of forms and bits, on all data"
    return [*lines, "", family_text(int(part["tests"].max()), what)]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a panel for each size in each bits, with a line for each form over the values."""
    excess = frame[frame["view"] == EXCESS]
    fewest_last = excess["bits"].map(list(BITS).index)
    shown = excess.assign(fewest_last=fewest_last)
    shown = shown.sort_values(["fewest_last", "size", "label", "values"])

    def draw_one(axes: Axes, part: pd.DataFrame) -> None:
        axes.axhline(0, color=style.GREY, linewidth=0.8)
        lines = list(groups(part, "label"))
        for place, (label, line) in enumerate(lines):
            look = study.looks[label]
            beside = 1.12 ** (place - (len(lines) - 1) / 2)  # intervals do not cover each other
            places = line["values"].astype(float) * beside
            difference_line(axes, line.assign(x=places), look)
        style.log_axis(axes, EngFormatter(sep="").format_eng, most=5)  # 10k, 1M
        first = part.iloc[0]
        axes.set_title(f"1/{int(first['size'])} of the exact table, {first['bits']}", fontsize=9)
        axes.tick_params(labelsize=8)

    across = excess["size"].nunique()
    by = ["fewest_last", "size"]
    shape = {"width": 3.4, "height": 2.2, "sharex": True, "sharey": True}
    figure, drawn = panels(shown, across, draw_one, by=by, **shape)
    for below in drawn[-across:]:
        below.axes.set_xlabel("values of the log", fontsize=9)
    figure.supylabel("MSE less that of the exact table", fontsize=9)
    labels = list(dict.fromkeys(shown["label"]))
    style.legend(figure, [style.handle(study.looks[label], label) for label in labels])
    return figure


SECTION = Section(
    name="scale",
    title="Number of values",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
