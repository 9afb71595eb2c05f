"""How bad can one hash seed be? A service has one; each point is a run with another.

The other three seeds are held, so that runs differ in nothing but where values collide.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.arms import NOT_QUOTED, Seeds, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.frames import records, rows
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.statistics import LEVEL
from ue_bench.report.evidence.summary import panel, part_mse
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import size_text

FEWEST = 30  # hash seeds; the worst of fewer says little of a tail
CAPTION = (
    "MSE of runs that differ in the hash seed alone, less their median; the bar is the worst one. "
    "The other seeds are held at one value, and so is the split: what is shown is the luck of a "
    "service, which has one hash seed."
)
COLUMNS = [
    "panel",
    "part",
    "arm",
    "group",
    "n",
    "median",
    "sd",
    "best",
    "worst",
    "beyond",
    "hash_seeds",
    "scores",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each configuration with enough runs that differ in the hash seed alone.

    median, sd, best, worst: of their MSE. beyond: at most this share of all hash seeds is worse
    than the worst one, with a confidence of 95 %. hash_seeds, scores: of the runs, in one order.
    """
    by_point: dict[tuple[Comparison, str, Seeds], list[Record]] = defaultdict(list)
    for run in study.records:
        if run.status == "ok" and run.phase not in NOT_QUOTED and run.quality:
            _, *held = seeds_of(run)
            configuration = same_text(arm_config(run))
            by_point[comparison_of(run), configuration, tuple(held)].append(run)
    lines = []
    for (comparison, _, _), runs in sorted(by_point.items()):
        if len(runs) >= FEWEST:
            lines.append(_line(comparison, runs))
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(lines)
    frame = frame.assign(panel=panel(frame)).reindex(columns=COLUMNS)
    return frame.sort_values(["panel", "median"], kind="stable", ignore_index=True)


def _line(comparison: Comparison, runs: list[Record]) -> dict[str, Any]:
    part = "test"
    if any(part_mse(run, "test") is None for run in runs):
        part = "val"
    runs = sorted(runs, key=lambda run: run.config.hash_seed)
    scores = np.array([part_mse(run, part) for run in runs])
    sample = runs[0]
    arm = plain_label(sample.config.to_dict(), sample.found)
    if sample.config.budget:
        arm += f", {size_text(sample.config.budget, sample.found['exact_table_bytes'])}"
    return {
        **comparison._asdict(),
        "part": "test" if part == "test" else "validation",
        "group": sample.config.strategy,
        "arm": arm,
        "n": len(runs),
        "median": float(np.median(scores)),
        "sd": float(np.std(scores, ddof=1)),
        "best": float(scores.min()),
        "worst": float(scores.max()),
        # The worst of n is below the 1 - beyond quantile with probability (1 - beyond)**n.
        "beyond": 1 - (1 - LEVEL) ** (1 / len(runs)),
        "hash_seeds": " ".join(str(run.config.hash_seed) for run in runs),
        "scores": " ".join(f"{score:.6g}" for score in scores),
    }


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each configuration, then a table."""
    lines = []
    for row in rows(frame):
        lines.append(
            f"- {row.panel}, {row.arm}: the worst of {row.n} hash seeds is {row.worst:.4f}, "
            f"{row.worst - row.median:.4f} above their median; with 95 % confidence at most "
            f"{100 * row.beyond:.1f} % of all hash seeds are worse."
        )
    lines += [
        "",
        "| data | arm | hash seeds | best | median | worst | SD | worst less median, in SD |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows(frame):
        cells = [row.panel, row.arm, str(row.n)]
        cells += [f"{number:.4f}" for number in (row.best, row.median, row.worst, row.sd)]
        cells.append(f"{(row.worst - row.median) / row.sd:.1f}" if row.sd else "0")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a panel for each comparison: a line of points for each arm, and its worst one."""
    looks = style.looks(zip(frame["arm"], frame["group"], strict=True))

    def draw_one(axes: Axes, part: pd.DataFrame) -> None:
        lines = records(part)
        for place, row in enumerate(lines):
            apart = np.array([float(score) for score in row["scores"].split()]) - row["median"]
            look = looks[row["arm"]]
            heights = np.full(len(apart), float(place))
            axes.plot(apart, heights, "|", color=look.color, markersize=9)
            axes.plot([row["worst"] - row["median"]], [place], marker=look.marker, color=look.color)
        worst = part.assign(
            label=part["arm"],
            mse=part["worst"],
            x=part["worst"] - part["median"],
            y=range(len(part)),
        )
        hover(axes, worst, "x", "y")
        axes.set_yticks(range(len(lines)), [row["arm"] for row in lines])
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
        axes.set_xlabel(f"{part['part'].iloc[0]} MSE less the median of the hash seeds")
        axes.grid(axis="y", visible=False)

    figure, _ = panels(frame, 1, draw_one, width=6.5, height=2.6)
    return figure


SECTION = Section(
    name="hash_tails",
    title="The worst hash seed",
    tidy=tidy,
    empty=f"no configuration was run with {FEWEST} hash seeds while the other seeds are held",
    caption=CAPTION,
    draw=draw,
    table=table,
)
