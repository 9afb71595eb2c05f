"""Which features' lookups decide: functional ANOVA of each search that varied the lookups."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence import trial_lookups
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.figures import style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData

COLUMNS = ["panel", "policy", "cell", "budget", "size", "feature", "importance", "wanted", "n"]


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a search and feature."""
    # This import loads optuna and scikit-learn, which nothing else in a report needs.
    from ue_bench.report.evidence.importance import importances

    frame = trial_lookups.tidy(trial_lookups.allocated(study.trials))
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    if frame["search"].nunique() > trial_lookups.MOST:
        frame = frame[frame["cell"].map(style.is_subject)]
    searches = []
    for _, part in groups(frame, "search"):
        lookups = part.pivot(index="run_id", columns="feature", values="lookups").astype(int)
        if len(lookups) <= 2 * len(lookups.columns):
            continue  # one lookup more, given to each feature in turn, leaves nothing to explain
        mse = part.drop_duplicates("run_id").set_index("run_id")["mse"].loc[lookups.index]
        shares = importances(records(lookups), list(mse))
        search = trial_lookups.wanted(part)
        searches.append(search.assign(importance=search["feature"].map(shares)))
    if not searches:
        return pd.DataFrame(columns=COLUMNS)
    order = ["panel", "cell", "budget"]
    return pd.concat(searches).sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row of panels for each way of spending the lookups, a column for each table size."""
    budgets = sorted(frame["budget"].unique())
    figure, grid = panel_rows(
        frame,
        len(budgets),
        partial(_row, budgets=budgets),
        width=3.2,
        height=0.9 + 0.24 * frame["feature"].nunique(),
        by="cell",
        sharey=True,
        sharex=True,
    )
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    grid[0, 0].invert_yaxis()
    grid[0, 0].set_xlim(0, 160 * frame["importance"].max())  # room for the texts
    for axes in grid[-1]:
        axes.set_xlabel("% of the variance", fontsize=8)
    return figure


def _row(axes_row: Sequence[Axes], part: pd.DataFrame, budgets: Sequence[int]) -> None:
    for axes, budget in zip(axes_row, budgets, strict=True):
        search = part[part["budget"] == budget]
        axes.barh(search["feature"], 100 * search["importance"], color="#56B4E9", height=0.7)
        for row in rows(search):
            end = (100 * row.importance, row.feature)
            text = f"{100 * row.importance:.0f} %, {row.wanted:.1f} lookups"
            axes.annotate(text, end, (3, 0), textcoords="offset points", va="center", fontsize=7)
        axes.tick_params(labelsize=8)
        if len(search):
            axes.set_title(f"{search['cell'].iloc[0]},\n{search['size'].iloc[0]}", fontsize=8)


def table(frame: pd.DataFrame) -> list[str]:
    """A row a search: the importance of each feature in %, and the mean lookups of the best few."""
    lines: list[str] = []
    for title, part in groups(frame, "panel"):
        features = list(part["feature"].unique())
        if lines:
            lines.append("")
        lines += [
            f"{title}: importance in % (mean lookups of the best {trial_lookups.BEST})",
            "",
            f"| lookups | table | trials | {' | '.join(features)} |",
            f"|---|--:|--:|{'--:|' * len(features)}",
        ]
        for (cell, _), search in part.groupby(["cell", "budget"], sort=False):
            by_feature = {row.feature: row for row in rows(search)}
            cells = [cell, search["size"].iloc[0], str(search["n"].iloc[0])]
            for name in features:
                row = by_feature[name]
                cells.append(f"{100 * row.importance:.0f} ({row.wanted:.1f})")
            lines.append(f"| {' | '.join(cells)} |")
    return lines


SECTION = Section(
    name="importances",
    title="Importance of each feature's lookups",
    tidy=tidy,
    empty="no search varied the lookups for one objective",
    caption=(
        "How much of the variance of validation MSE each feature's number of lookups explains "
        "alone (fANOVA on the trials of one search, at one table size), in %; beside each bar this "
        f"share, and the mean number of lookups that the best {trial_lookups.BEST} trials gave. "
        "An importance says that a feature matters, not in which direction. Where a fixed total "
        "was shared out, it ties the features together, and fANOVA computes as if they were free. "
        "These are trials of a search: they point, they do not prove. Of more than "
        f"{trial_lookups.MOST} searches those of one strategy are shown, which all figures are "
        "about."
    ),
    draw=draw,
    table=table,
    each=True,
)
