"""Training curves of one run of each strategy: how fast it learns, and whether it overfits."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.config.stream_split import STREAM
from ue_bench.record import Record
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import panel
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.section import Section, StudyData

ACROSS = 2  # feature sets side by side; more would make letters too small for a screen
MOST_NAMED = 10  # strategies; of more the best on validation are named
PARTS = {"training": "train", "validation": "val"}  # with the prefix of their scores in a history
COLUMNS = [
    "panel",
    "line",
    "group",
    "label",
    "budget",
    "run_id",
    "part",
    "epoch",
    "error",
    "measure",
    "hollow",
    "named",
    "bottom",
    "top",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a run, part (training, validation) and evaluation.

    `bottom` and `top` bound the axis of a panel's part.
    """
    runs: dict[str, Record] = {}
    for arm in study.arms:
        if arm.comparison.split != STREAM:  # Over a stream shows each of its blocks
            runs |= {run.run_id: run for run in arm.runs if run.quality.get("history")}
    first_runs = study.summary["run_ids"].str.split().str[0]
    with_history = study.summary[first_runs.isin(list(runs))]
    if with_history.empty:
        return pd.DataFrame(columns=COLUMNS)
    chosen = chosen_lines.best_variants(chosen_lines.middle_budget(with_history))
    by = "label" if chosen_lines.is_advice(chosen) else "group"
    named = chosen_lines.named(chosen, MOST_NAMED, by=by)
    points = []
    for title, row in zip(panel(chosen), records(chosen), strict=True):
        run = runs[row["run_ids"].split()[0]]
        of_line = {
            "panel": title,
            "line": row[by],
            "group": row["group"],
            "label": row["label"],
            "budget": row["budget"],
            "run_id": run.run_id,
            "hollow": False,
            "named": row[by] in named,
        }
        points += [of_line | point for point in _history(run)]
    frame = pd.DataFrame(points, columns=COLUMNS)
    frame = frame.sort_values(["panel", "part", "line", "epoch"], ignore_index=True)
    errors = frame.groupby(["panel", "part"])["error"]
    low = errors.transform("min")
    usual = errors.transform(lambda error: error.quantile(0.9))
    return frame.assign(bottom=low - 0.05 * (usual - low), top=usual + 0.05 * (usual - low))


def _history(run: Record) -> Iterator[dict[str, Any]]:
    """The errors of a run, in the measure that its training minimises."""
    for evaluation in run.quality["history"]:
        score = "mse"
        measure = "MSE"
        if "val_log_loss" in evaluation:
            score = "log_loss"
            measure = "log loss"
        for part, prefix in PARTS.items():
            error = evaluation.get(f"{prefix}_{score}")
            if error is not None:
                epoch = evaluation["epoch"]
                yield {"part": part, "epoch": epoch, "error": error, "measure": measure}


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Training above, validation below; one column a feature set, one line a strategy.

    Where there are more feature sets than `ACROSS`, the others follow below.
    """
    by_panel = list(groups(frame, "panel"))
    across = min(ACROSS, len(by_panel))
    blocks = math.ceil(len(by_panel) / across)
    figure, grid = style.canvas(len(PARTS) * blocks, across, 4.8, 2.9)
    columns = grid.reshape(blocks, len(PARTS), across).swapaxes(1, 2).reshape(-1, len(PARTS))
    for unused in columns[len(by_panel) :].flat:
        unused.set_visible(False)
    for column, (title, of_panel) in zip(columns, by_panel, strict=False):
        for axes, part in zip(column, PARTS, strict=True):
            _panel(axes, of_panel[of_panel["part"] == part], study.looks)
            axes.set_title(f"{style.heading(title)}\n{part}", fontsize=9)
            measures = of_panel.loc[of_panel["part"] == part, "measure"].unique()
            axes.set_ylabel(" ".join([part, *measures]))
        column[0].sharex(column[-1])
        column[0].tick_params(labelbottom=False)
        column[-1].set_xlabel("epoch")
    style.legend(figure, chosen_lines.entries(frame, study.looks))
    return figure


def _panel(axes: Axes, lines: pd.DataFrame, looks: style.Looks) -> None:
    for (name, _), line in groups(lines, ["line", "run_id"]):
        if line["named"].all():
            style.points(axes, line, "epoch", "error", looks[name])
        else:
            style.pale(axes, line, "epoch", "error")
    if lines.empty:
        return
    bottom = lines["bottom"].iloc[0]
    top = lines["top"].iloc[0]
    if top > bottom:
        axes.set_ylim(bottom, top)


SECTION = Section(
    name="training",
    title="Training",
    tidy=tidy,
    empty="no run has a history of its epochs",
    caption=(
        "Training and validation MSE by epoch: for each strategy its first seed at the median "
        "budget (or without one), in the variant that is best on validation; of many strategies "
        "the best few are named. Of an advice all arms are drawn. The vertical axis leaves out "
        "the first steps of the descent."
    ),
    draw=draw,
    of_labels="log loss",
)
