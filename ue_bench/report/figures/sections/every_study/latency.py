"""Lookup latency against batch size, from integer codes (the model alone) and from raw values."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import key, panel
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import micros_text

COLUMNS = [
    "panel",
    "machine",
    "line",
    "group",
    "label",
    "budget",
    "source",
    "batch",
    "p50_us",
    "p90_us",
    "p99_us",
    "n",
    "hollow",
    "named",
]
MOST = 6  # lines in a panel: latencies lie close together
MOST_NAMED = 10  # strategies that are named when there are many
SOURCES = {"codes": "from codes (embed only)", "values": "from raw values (locate + embed)"}


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a line, source and batch: medians over the arm's timings, in microseconds."""
    timed = {arm.key: arm for arm in study.arms if arm.timings}
    is_timed = [key(row) in timed for row in records(study.summary)]
    summary = study.summary[is_timed]
    if summary.empty:
        return pd.DataFrame(columns=COLUMNS)
    machines = [machine(timed[key(row)]) for row in records(summary)]
    summary = summary.assign(machine=machines)
    of_machines = []
    for _, part in groups(summary, "machine"):
        of_machines.append(chosen_lines.lines(chosen_lines.middle_budget(part), MOST))
    chosen = pd.concat(of_machines)
    named = chosen_lines.named(chosen, MOST_NAMED)
    lines = []
    for title, row in zip(panel(chosen), records(chosen), strict=True):
        if len(of_machines) > 1:
            title += f", {row['machine']}"
        line = _medians(timed[key(row)]).assign(
            panel=title,
            machine=row["machine"],
            line=row["line"],
            group=row["group"],
            label=row["label"],
            named=row["line"] in named,
            budget=row["budget"],
        )
        lines.append(line)
    frame = pd.concat(lines)[COLUMNS]
    return frame.sort_values(["panel", "source", "line", "batch"], ignore_index=True)


def _medians(arm: Arm) -> pd.DataFrame:
    """One row a source and batch: medians over the timings of an arm."""
    latencies: list[dict[str, Any]] = []
    for record in arm.timings:
        latencies += record.cost["latency"]
    measured = pd.DataFrame(latencies).groupby(["source", "batch"], as_index=False)
    return measured.agg(
        p50_us=("p50_us", "median"),
        p90_us=("p90_us", "median"),
        p99_us=("p99_us", "median"),
        n=("n", "sum"),
        hollow=("unstable", "any"),
    )


def machine(arm: Arm) -> str:
    """What a timing must name: the device and the threads in effect."""
    record = arm.timings[0]
    device = arm.config.get("device", "cpu")
    processor = "gpu" if str(device).startswith("cuda") else "cpu"
    threads = record.found.get("threads", arm.config.get("threads"))
    unit = "thread" if threads == 1 else "threads"
    return f"{device} ({record.env.get(processor)}), {threads} {unit}"


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row of two panels a feature set: from codes, from raw values."""
    batches = sorted(frame["batch"].unique())
    draw_row = partial(_row, batches=batches, looks=study.looks)
    sharing: dict[str, Any] = {"sharey": "row", "sharex": True}
    figure, _ = panel_rows(frame, len(SOURCES), draw_row, width=4.8, height=3.2, **sharing)
    machines = sorted(frame["machine"].unique())
    figure.suptitle("Lookup latency on " + "; ".join(machines), fontsize=10)
    entries = chosen_lines.entries(frame, study.looks)
    if frame["hollow"].any():
        entries.append(style.mark("unstable measurement"))
    style.legend(figure, entries)
    return figure


def _row(
    axes_row: Sequence[Axes], part: pd.DataFrame, batches: Sequence[int], looks: style.Looks
) -> None:
    for axes, (source, source_text) in zip(axes_row, SOURCES.items(), strict=True):
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
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: micros_text(value)))
        axes.set_title(f"{style.heading(part['panel'].iloc[0])}\n{source_text}", fontsize=9)
        axes.set_xlabel("rows in the batch")
    axes_row[0].set_ylabel("µs a batch (p50 to p90)")


def _line(axes: Axes, line: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(line["batch"], line["p50_us"], line["p90_us"], color=look.color, linewidth=1)
    style.points(axes, line, "batch", "p50_us", look)


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
        "90th percentile, at the median budget and for tables without a budget; where lines would "
        "be too many, each strategy appears with its variant that is best on validation, and only "
        "the best few are named. Of an advice all arms "
        "are drawn. Device and threads are in the title. Hollow: the clock called the "
        "measurement unstable."
    ),
    draw=draw,
)
