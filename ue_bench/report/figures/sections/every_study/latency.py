"""Lookup latency against batch size: from raw values with one caller and with two at once, and
from codes, beside the cache of slots that these read."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.summary import (
    BATCH,
    CODES,
    ENOUGH_CALLS,
    TOGETHER,
    VALUES,
    key,
    latency_rows,
    panel,
)
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, bytes_text, micros_text, missing

COLUMNS = [
    "panel",
    "machine",
    "line",
    "group",
    "label",
    "is_anchor",
    "budget",
    "source",
    "batch",
    "p50_us",
    "p90_us",
    "p99_us",
    "rows_per_second",
    "slot_cache_bytes",
    "n",
    "hollow",
    "unsure",
    "named",
]
MOST = 6  # lines in a panel: latencies lie close together
MOST_NAMED = 10  # strategies that are named when there are many
_MEASURED = [
    "source",
    "callers",
    "batch",
    "p50_us",
    "p90_us",
    "p99_us",
    "rows_per_second",
    "n",
    "unstable",
]
# What is called, by source and number of callers.
SOURCES = {
    (VALUES, 1): "from raw values",
    (VALUES, TOGETHER): "from raw values, two callers at once",
    (CODES, 1): "from codes, which read a cache of slots",
}


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a line, source and batch: medians over the arm's timings, in microseconds.

    A source is one of the texts of `SOURCES`. Anchors, which are in the table alone, have rows too.
    The 99th percentile is NaN where there were too few calls for it.
    """
    timed = {arm.key: arm for arm in study.arms if arm.timings}
    is_timed = [key(row) in timed for row in records(study.summary)]
    summary = study.summary[is_timed]
    if summary.empty or summary["is_anchor"].all():
        return pd.DataFrame(columns=COLUMNS)
    machines = [machine(timed[key(row)]) for row in records(summary)]
    summary = summary.assign(machine=machines)
    several_machines = summary["machine"].nunique() > 1
    of_machines = []
    for _, part in groups(summary, "machine"):
        of_machines.append(chosen_lines.lines(chosen_lines.middle_budget(part), MOST))
        anchors = part[part["is_anchor"]]
        of_machines.append(anchors.assign(line=anchors["label"]))
    chosen = pd.concat(of_machines)
    named = chosen_lines.named(chosen, MOST_NAMED)
    lines = []
    for title, row in zip(panel(chosen), records(chosen), strict=True):
        if several_machines:
            title += f", {row['machine']}"
        line = _medians(timed[key(row)]).assign(
            panel=title,
            machine=row["machine"],
            line=row["line"],
            group=row["group"],
            label=row["label"],
            is_anchor=row["is_anchor"],
            slot_cache_bytes=row["slot_cache_bytes"],
            named=row["line"] in named,
            budget=row["budget"],
        )
        lines.append(line)
    frame = pd.concat(lines)[COLUMNS].astype({"slot_cache_bytes": "Int64"})
    return frame.sort_values(["panel", "source", "line", "batch"], ignore_index=True)


def _medians(arm: Arm) -> pd.DataFrame:
    """One row a source and batch: medians over the timings of an arm."""
    measured = pd.DataFrame(latency_rows(arm.timings)).reindex(columns=_MEASURED)
    measured["callers"] = measured["callers"].fillna(1)  # of records of earlier versions
    measured["p99_us"] = measured["p99_us"].where(measured["n"] >= ENOUGH_CALLS)
    measured = measured.groupby(["source", "callers", "batch"], as_index=False).agg(
        p50_us=("p50_us", "median"),
        p90_us=("p90_us", "median"),
        p99_us=("p99_us", "median"),
        rows_per_second=("rows_per_second", "median"),
        n=("n", "sum"),
        unsure=("unstable", "any"),
    )
    measured["hollow"] = False
    texts = []
    for row in rows(measured):
        texts.append(SOURCES.get((row.source, row.callers), ""))
    measured = measured.assign(source=texts)
    return measured[measured["source"] != ""]


def machine(arm: Arm) -> str:
    """What a timing must name: the device and the threads in effect."""
    record = arm.timings[0]
    device = arm.config.get("device", "cpu")
    processor = "gpu" if str(device).startswith("cuda") else "cpu"
    threads = record.found.get("threads", arm.config.get("threads"))
    unit = "thread" if threads == 1 else "threads"
    return f"{device} ({record.env.get(processor)}), {threads} {unit}"


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row of panels a feature set, one for each source."""
    frame = frame[~frame["is_anchor"]]
    batches = sorted(frame["batch"].unique())
    sources = [text for text in SOURCES.values() if text in set(frame["source"])]
    draw_row = partial(_row, sources=sources, batches=batches, looks=study.looks)
    sharing: dict[str, Any] = {"sharey": "row", "sharex": True}
    figure, _ = panel_rows(frame, len(sources), draw_row, width=4.0, height=3.2, **sharing)
    machines = sorted(frame["machine"].unique())
    figure.suptitle("Lookup latency on " + "; ".join(machines), fontsize=10)
    entries = chosen_lines.entries(frame, study.looks)
    if frame["unsure"].any():
        entries.append(style.mark("unstable measurement", half=True))
    style.legend(figure, entries)
    return figure


def _row(
    axes_row: Sequence[Axes],
    part: pd.DataFrame,
    sources: Sequence[str],
    batches: Sequence[int],
    looks: style.Looks,
) -> None:
    for axes, source in zip(axes_row, sources, strict=True):
        of_source = part[part["source"] == source]
        # In an advice, a form at several sizes has a line for each.
        of_source = of_source.assign(size=of_source["budget"].fillna(0))
        for (name, _), line in groups(of_source, ["line", "size"]):
            if line["named"].all():
                _line(axes, line, looks[name])
            else:
                style.pale(axes, line, "batch", "p50_us")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(batches, [str(batch) for batch in batches])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(labelbottom=True)  # of the upper panels too
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: micros_text(value)))
        axes.set_title(f"{style.heading(part['panel'].iloc[0])}\n{source}", fontsize=9)
        axes.set_xlabel("rows in the batch")
    axes_row[0].set_ylabel("µs a call (p50 to p99)")


def _line(axes: Axes, line: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(
        line["batch"], line["p50_us"], line["p99_us"], color=look.color, linewidth=1, alpha=0.5
    )
    style.points(axes, line, "batch", "p50_us", look)


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: one row an arm, with its calls of one batch from every source."""
    one_batch = frame[frame["batch"] == BATCH]
    lines = [
        f"| {BATCH} rows | raw values: p50 | p99 | rows/s | two callers: p50 | rows/s of both "
        "| from codes: p50 | cache of slots |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for (title, label, _), arm in groups(
        one_batch.assign(size=one_batch["budget"].fillna(0)), ["panel", "label", "size"]
    ):
        by_source = {row.source: row for row in rows(arm)}
        alone = by_source.get(SOURCES[VALUES, 1])
        together = by_source.get(SOURCES[VALUES, TOGETHER])
        codes = by_source.get(SOURCES[CODES, 1])
        cells = [
            f"{title}: {_name(label, arm['budget'].iloc[0])}",
            _micros(alone, "p50_us"),
            _micros(alone, "p99_us"),
            _rate(alone),
            _micros(together, "p50_us"),
            _rate(together),
            _micros(codes, "p50_us"),
            bytes_text(arm["slot_cache_bytes"].iloc[0]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _name(label: str, budget: Any) -> str:
    if missing(budget):
        return label
    return f"{label}, {bytes_text(budget)}"


def _micros(row: Any, column: str) -> str:
    """Microseconds, after a ~ where the timing was unstable."""
    if row is None:
        return NOTHING
    text = micros_text(getattr(row, column))
    return f"~{text}" if row.unsure else text


def _rate(row: Any) -> str:
    if row is None or missing(row.rows_per_second):
        return NOTHING
    return f"{row.rows_per_second:,.0f}"


SECTION = Section(
    name="latency",
    title="Latency",
    tidy=tidy,
    empty=(
        "no record has a measured latency (a study with several workers measures it in runs of "
        "their own, at its end)"
    ),
    caption=(
        "Lookup latency against rows in the batch, both logarithmic: median with a whisker to the "
        f"99th percentile (of {ENOUGH_CALLS} calls or more), at the median budget and for tables "
        "without a budget. From raw values is what a request costs: each call hashes the values or "
        "looks them up. Two callers are two threads of one process that call at once. From codes, "
        "the slots were located before and are read from a cache, whose bytes are in the table and "
        "in no total. Where lines would be too many, each strategy appears with its variant that "
        "is best on validation, and only the best few are named. Of an advice all arms are drawn; "
        "anchors are in the table. Device and threads (of each caller) are in the title. "
        "Half-filled, or ~: the clock called the measurement unstable."
    ),
    draw=draw,
    table=table,
)
