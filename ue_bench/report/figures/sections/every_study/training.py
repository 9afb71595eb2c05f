"""Training curves of a representative run of each strategy: how fast, and does it overfit?"""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import panel
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import style

NAME = "training"
MOST_NAMED = 10  # strategies; of more the best on validation are named
EMPTY = "no run has a history of its epochs"
CAPTION = (
    "Training and validation MSE by epoch: for each strategy its first seed at the median budget (or without one), in the "
    "variant that is best on validation; of many strategies the best few are named. The vertical axis leaves out the first "
    "steps of the descent."
)
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


def tidy(arms: Sequence[Arm], summary: pd.DataFrame) -> pd.DataFrame:
    """One row a run, part (train, validation) and evaluation; `bottom` and `top` bound the axis of a panel's part."""
    runs = {run.run_id: run for arm in arms for run in arm.runs if run.quality.get("history")}
    known = summary[summary["run_ids"].str.split().str[0].isin(list(runs))]
    if known.empty:
        return pd.DataFrame(columns=COLUMNS)
    chosen = champions(choose.middle_budget(known))
    rows, named = [], choose.named(chosen, MOST_NAMED, by="group")
    for title, row in zip(panel(chosen), records(chosen), strict=True):
        run = runs[row["run_ids"].split()[0]]
        names = [title, row["group"], row["group"], row["label"], row["budget"], run.run_id]
        for point in run.quality["history"]:
            key, measure = (
                ("log_loss", "log loss") if "val_log_loss" in point else ("mse", "MSE")
            )  # what training descends
            for part, short in (("training", "train"), ("validation", "val")):
                error = point.get(f"{short}_{key}")
                if error is not None:
                    rows.append(
                        [*names, part, point["epoch"], error, measure, False, row["group"] in named]
                    )
    frame = pd.DataFrame(rows, columns=COLUMNS[:-2]).sort_values(
        ["panel", "part", "line", "epoch"], ignore_index=True
    )
    axis = frame.groupby(["panel", "part"])["error"]
    low, usual = axis.transform("min"), axis.transform(lambda error: error.quantile(0.9))
    return frame.assign(bottom=low - 0.05 * (usual - low), top=usual + 0.05 * (usual - low))


def draw(frame: pd.DataFrame, looks: style.Looks) -> Figure:
    """Training above, validation below; one column a feature set, one line a strategy."""
    titles = list(dict.fromkeys(frame["panel"]))
    figure, grid = style.canvas(2, len(titles), 4.8, 2.9, sharex="col")
    for column, title in enumerate(titles):
        for axes, part in zip(grid[:, column], ("training", "validation"), strict=True):
            own = frame[(frame["panel"] == title) & (frame["part"] == part)]
            for name, line in groups(own, "line"):
                if not line["named"].all():
                    style.pale(axes, line, "epoch", "error")
                    continue
                style.points(axes, line, "epoch", "error", looks[name])
            if len(own) and own["top"].iloc[0] > own["bottom"].iloc[0]:
                axes.set_ylim(own["bottom"].iloc[0], own["top"].iloc[0])
            axes.set_title(f"{style.heading(title)}\n{part}", fontsize=9)
            axes.set_ylabel(" ".join([part, *own["measure"].unique()]))
        grid[-1, column].set_xlabel("epoch")
    entries = [
        style.handle(looks[name], name)
        for name in sorted(frame.loc[frame["named"], "line"].unique())
    ]
    style.legend(figure, entries + ([] if frame["named"].all() else [style.others()]))
    return figure
