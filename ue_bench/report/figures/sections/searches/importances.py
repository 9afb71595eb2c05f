"""Which features' lookups decide: functional ANOVA of each search that shared out a fixed number of lookups."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence import trials
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.figures import style

NAME = "importances"
EMPTY = "no search shared out a fixed number of lookups"
CAPTION = (
    "How much of the variance of validation MSE each feature's number of lookups explains alone (fANOVA on the trials of one "
    "search, a fixed total of lookups shared out at one table size), in %; beside each bar the mean number of lookups that the "
    f"best {trials.BEST} trials gave. An importance says that a feature matters, not in which direction; the total ties the "
    "features together, and fANOVA reckons as if they were free. These are trials on one seed: they point, they do not prove."
)
COLUMNS = ["panel", "policy", "cell", "budget", "size", "feature", "importance", "wanted", "n"]


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """One row a search and feature."""
    from ue_bench.report.evidence.importance import (
        importances,  # loads optuna and scikit-learn, which nothing else in a report needs
    )

    frame = trials.tidy(trials.shared_out(search))
    found = []
    for _, own in groups(frame, "search") if len(frame) else ():
        wide = own.pivot(index="run_id", columns="feature", values="lookups")
        if len(wide) <= 2 * len(wide.columns):
            continue  # one lookup more, given to each feature in turn: nothing to take apart
        values = own.drop_duplicates("run_id").set_index("run_id")["mse"].loc[wide.index]
        shares = importances(
            [{k: int(v) for k, v in row.items()} for row in records(wide)], list(values)
        )
        summary = trials.wanted(own)
        found.append(summary.assign(importance=summary["feature"].map(shares)))
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    order = ["panel", "total", "cell", "budget"]
    return pd.concat(found).sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one feature set: a row of panels for each way of spending the lookups, a column for each table size."""
    cells, sizes = list(dict.fromkeys(frame["cell"])), sorted(frame["budget"].unique())
    features = list(dict.fromkeys(frame["feature"]))
    figure, grid = style.canvas(
        len(cells), len(sizes), 3.2, 0.9 + 0.24 * len(features), sharey=True, sharex=True
    )
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    for line, cell in zip(grid, cells, strict=True):
        for axes, budget in zip(line, sizes, strict=True):
            own = frame[(frame["cell"] == cell) & (frame["budget"] == budget)]
            axes.barh(own["feature"], 100 * own["importance"], color="#56B4E9", height=0.7)
            for row in rows(own):
                axes.annotate(
                    f"{row.wanted:.1f}",
                    (100 * row.importance, row.feature),
                    (3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
            axes.set_title(f"{cell},\n{own['size'].iloc[0]}" if len(own) else "", fontsize=8)
            axes.tick_params(labelsize=8)
    grid[0, 0].invert_yaxis()
    grid[0, 0].set_xlim(0, 118 * frame["importance"].max())
    for axes in grid[-1]:
        axes.set_xlabel("% of the variance", fontsize=8)
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """A row a search: each feature's importance in %, with the mean lookups of the best few in brackets."""
    lines: list[str] = []
    for title, part in groups(frame, "panel"):
        features = list(dict.fromkeys(part["feature"]))
        lines += [
            *([""] if lines else []),
            f"{title}: importance in % (mean lookups of the best {trials.BEST})",
            "",
            f"| lookups | table | trials | {' | '.join(features)} |",
            f"|---|--:|--:|{'--:|' * len(features)}",
        ]
        for (cell, _), own in part.groupby(["cell", "budget"], sort=False):
            told = {
                row.feature: f"{100 * row.importance:.0f} ({row.wanted:.1f})" for row in rows(own)
            }
            lines.append(
                f"| {cell} | {own['size'].iloc[0]} | {own['n'].iloc[0]} | {' | '.join(told[name] for name in features)} |"
            )
    return lines
