"""What becomes of errors and bytes over a stream."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import SCOPE, by_key, key
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, mse_text

KINDS = ("warm", "new", "returned")
BYTES = ("table_bytes", "auxiliary_bytes", "vocabulary_bytes")
SMOOTH = 3  # blocks that a point is the mean of
MOST_NAMED = 10
COLUMNS = [
    *chosen_lines.LINE,
    "block",
    "block_mse",
    "bytes",
    *(f"{kind}_mse" for kind in KINDS),
    *(f"{kind}_share" for kind in KINDS),
]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each block of each arm at the median budget or without one.

    block_mse: the mean over the arm's runs, and over `SMOOTH` blocks up to this one. bytes: all
    that is served after the block. The scores by kind of row are those of the second half, which is
    the test part.
    """
    arms = by_key(study.arms)
    chosen = chosen_lines.at_middle_budget(arms, study.summary, _is_stream, MOST_NAMED)
    lines: list[dict[str, Any]] = []
    for _, part in groups(chosen, SCOPE):
        for row in records(part):
            runs = arms[key(row)].runs
            own = {name: row[name] for name in chosen_lines.LINE} | _by_kind(runs)
            lines += [own | of_block for of_block in _blocks(runs)]
    return pd.DataFrame(lines, columns=COLUMNS)


def _is_stream(arm: Arm) -> bool:
    return bool(arm.runs) and all(run.quality.get("stream") for run in arm.runs)


def _blocks(runs: Sequence[Record]) -> list[dict[str, Any]]:
    of_runs = [run.quality["stream"]["blocks"] for run in runs]
    errors = np.mean([[block["mse"] for block in blocks] for blocks in of_runs], axis=0)
    held = np.mean(
        [[sum(block[name] for name in BYTES) for block in blocks] for blocks in of_runs], axis=0
    )
    smooth = pd.Series(errors).rolling(SMOOTH, min_periods=1).mean()
    found = []
    for place, block in enumerate(of_runs[0]):
        point = {"block": block["block"], "block_mse": smooth[place], "bytes": held[place]}
        found.append(point)
    return found


def _by_kind(runs: Sequence[Record]) -> dict[str, Any]:
    """Return the MSE of each kind of row in the test part, pooled over the runs, and its share."""
    found: dict[str, Any] = {}
    n_rows = 0
    for kind in KINDS:
        n = 0
        squares = 0.0
        for run in runs:
            blocks = run.quality["stream"]["blocks"]
            for block in blocks[len(blocks) // 2 :]:
                n += block[kind]["n"]
                squares += block[kind]["n"] * (block[kind]["mse"] or 0.0)
        n_rows += n
        found[f"{kind}_mse"] = squares / n if n else None
        found[f"{kind}_share"] = n
    for kind in KINDS:
        found[f"{kind}_share"] /= max(n_rows, 1)
    return found


def table(frame: pd.DataFrame) -> list[str]:
    """Return one row an arm: its errors by kind of row, and its bytes at the end."""
    lines = []
    for title, part in groups(frame, "panel"):
        first = part.iloc[0]
        heads = [f"{kind} ({100 * first[f'{kind}_share']:.0f} %)" for kind in KINDS]
        lines += ["", f"| {title} | size | MSE | {' | '.join(heads)} | bytes at the end |"]
        lines.append("|---|--:|--:|" + "--:|" * (len(KINDS) + 1))
        for (label, size), of_arm in part.groupby(["label", "size"], sort=False):
            last = of_arm.iloc[-1]
            cells = [str(label), str(size), mse_text(last["mse"])]
            cells += [mse_text(last[f"{kind}_mse"]) for kind in KINDS]
            lines.append(f"| {' | '.join(cells)} | {bytes_text(last['bytes'])} |")
    return lines[1:]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a row of two panels for each comparison: errors and bytes over the blocks."""

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        errors, held = axes_row
        _draw_lines(errors, part, "block_mse", study.looks)
        _draw_lines(held, part, "bytes", study.looks)
        errors.set_ylabel(f"MSE, mean of {SMOOTH} blocks")
        held.set_ylabel("bytes that are served")
        style.log_axis(held, bytes_text, name="y")
        for axes in axes_row:
            axes.set_xlabel("block of the stream")
            axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)

    figure, _ = panel_rows(frame, 2, draw_row, width=4.6, height=3.1)
    style.legend(figure, chosen_lines.entries(frame, study.looks))
    return figure


def _draw_lines(axes: Axes, part: pd.DataFrame, column: str, looks: style.Looks) -> None:
    for name, line in groups(part, "line"):
        if line["named"].all():
            look = looks[name]
            step = max(1, len(line) // 6)
            hover(axes, line[::step], "block", column)
            axes.plot(
                line["block"],
                line[column],
                color=look.color,
                linestyle=look.dash,
                linewidth=1.3,
                marker=look.marker,
                markersize=look.size,
                markevery=step,
            )
        else:
            style.pale(axes, line, "block", column)


SECTION = Section(
    name="over_time",
    title="Over a stream",
    tidy=tidy,
    empty="no arm ran on a stream",
    caption=(
        "Each block of rows is predicted before it is trained on. Left: the MSE of the blocks. "
        "Right: the bytes of table, auxiliary data and vocabulary after each block. The table has "
        "the rows of the second half of the stream by their values: warm, new (never there "
        "before), or returned. Each strategy at the median budget (or without one), in the variant "
        "that is best on validation, the first half."
    ),
    draw=draw,
    table=table,
)
