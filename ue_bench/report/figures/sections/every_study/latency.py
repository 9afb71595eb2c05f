"""Lookup latency against batch size, from integer codes (the model alone) and from raw values (hashing or vocabulary too)."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import key, panel
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style
from ue_bench.report.format import micros_text

NAME = "latency"
EMPTY = "no record has a measured latency (a study with several workers measures it in runs of their own, at its end)"
CAPTION = (
    "Lookup latency against rows in the batch, both logarithmic: median with a whisker to the 90th percentile, at the median "
    "budget and for tables without a budget; where lines would be too many, each strategy stands with its variant that is best "
    "on validation, and only the best few are named. Device and threads are in the title. Hollow: the clock called the "
    "measurement unstable."
)
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
MOST = 6  # lines a panel: latencies lie close together
MOST_NAMED = 10  # strategies that are named when there are many
SOURCES = {"codes": "from codes (embed only)", "values": "from raw values (locate + embed)"}


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """One row a line, source and batch: medians over the arm's timings, in microseconds."""
    timed = {arm.key: arm for arm in arms if arm.timings}
    keys = [key(row) for row in records(summary)]
    known = summary[[own in timed for own in keys]]
    if known.empty:
        return pd.DataFrame(columns=COLUMNS)
    known = known.assign(machine=[machine(timed[own]) for own in keys if own in timed])
    machines = known["machine"].nunique()
    frame = pd.concat(
        choose.lines(choose.middle_budget(part), MOST) for _, part in groups(known, "machine")
    )
    rows, named = [], choose.named(frame, MOST_NAMED)
    for title, row in zip(panel(frame), records(frame), strict=True):
        arm = timed[key(row)]
        title += f", {row['machine']}" if machines > 1 else ""
        own = pd.DataFrame([entry for record in arm.timings for entry in record.cost["latency"]])
        parts = own.groupby(["source", "batch"], as_index=False).agg(
            p50_us=("p50_us", "median"),
            p90_us=("p90_us", "median"),
            p99_us=("p99_us", "median"),
            n=("n", "sum"),
            hollow=("unstable", "any"),
        )
        names = {
            "panel": title,
            "machine": row["machine"],
            "line": row["line"],
            "group": row["group"],
            "label": row["label"],
            "named": row["line"] in named,
        }
        rows.append(parts.assign(**names, budget=row["budget"]))
    return pd.concat(rows)[COLUMNS].sort_values(
        ["panel", "source", "line", "batch"], ignore_index=True
    )


def machine(arm: Arm) -> str:
    """What a timing must name: the device and the threads in effect."""
    record = arm.timings[0]
    device, threads = (
        arm.config.get("device", "cpu"),
        record.found.get("threads", arm.config.get("threads")),
    )
    chip = record.env.get("gpu") if str(device).startswith("cuda") else record.env.get("cpu")
    return f"{device} ({chip}), {threads} thread{'' if threads == 1 else 's'}"


def draw(frame: pd.DataFrame, looks: style.Looks) -> Figure:
    """A row of two panels a feature set: from codes, from raw values."""
    titles = list(dict.fromkeys(frame["panel"]))
    figure, grid = style.canvas(len(titles), 2, 4.8, 3.2, sharey="row", sharex=True)
    for axes_row, title in zip(grid, titles, strict=True):
        for axes, (source, source_text) in zip(axes_row, SOURCES.items(), strict=True):
            part = frame[(frame["panel"] == title) & (frame["source"] == source)]
            for name, line in groups(part, "line"):
                if not line["named"].all():
                    style.pale(axes, line, "batch", "p50_us")
                    continue
                axes.vlines(
                    line["batch"],
                    line["p50_us"],
                    line["p90_us"],
                    color=looks[name].color,
                    linewidth=1,
                )
                style.points(axes, line, "batch", "p50_us", looks[name])
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(sorted(frame["batch"].unique()), sorted(frame["batch"].unique()))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: micros_text(value)))
            axes.set_title(f"{style.heading(title)}\n{source_text}", fontsize=9)
            axes.set_xlabel("rows in the batch")
        axes_row[0].set_ylabel("µs a batch (p50 to p90)")
    figure.suptitle(
        "Lookup latency on " + "; ".join(sorted(frame["machine"].unique())), fontsize=10
    )
    entries = [
        style.handle(looks[name], name)
        for name in sorted(frame.loc[frame["named"], "line"].unique())
    ]
    entries += [] if frame["named"].all() else [style.others()]
    style.legend(
        figure, entries + ([style.mark("unstable measurement")] if frame["hollow"].any() else [])
    )
    return figure
