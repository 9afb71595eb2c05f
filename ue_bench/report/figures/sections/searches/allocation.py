"""Which features earn lookups: the trials of a search, and its best few on fresh seeds."""

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.evidence.trial_lookups import BEST, MOST, Forms, allocated
from ue_bench.report.evidence.trial_lookups import tidy as tidy_trials
from ue_bench.report.evidence.trials import Trial
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.section import Section, StudyData

_SEARCH = ["scope", "budget", "form"]  # what tells the searches of a study apart
COLUMNS = [
    "panel",
    "view",
    "part",
    "feature",
    "lookups",
    "x",
    "mse",
    "median",
    "low",
    "high",
    "n",
    "best",
    "label",
    "group",
    "y",
    "even",
    "hollow",
]
_BEST_COLOR = "#7A2E00"
_TRIAL_COLOR = "#9CC3DE"
_MEDIAN: dict[str, Any] = {"color": "#303030", "markersize": 15, "markeredgewidth": 1.6}


def tidy(study: StudyData) -> pd.DataFrame:
    """A panel is a search: a feature set, a table size and a form of a strategy.

    view `trial`: one row a trial and feature, with the validation MSE.
    view `confirm`: one row an arm of the form on fresh seeds, with the test MSE; `even` where all
        features have as many lookups.
    """
    free = allocated(study.trials)
    if not free:
        return pd.DataFrame(columns=COLUMNS)
    trials = _trials(free)
    arms = _arms(study.confirmed, Forms(free))
    searches = trials[["panel", *_SEARCH]].drop_duplicates()
    if len(searches) > MOST:
        searches = searches[searches["form"].map(style.is_subject)]
        trials = trials[trials["panel"].isin(searches["panel"])]
    views = pd.concat([trials, searches.merge(arms, on=_SEARCH)])
    return views.reindex(columns=COLUMNS).reset_index(drop=True)


def _trials(free: Sequence[Trial]) -> pd.DataFrame:
    """View `trial`."""
    trials = tidy_trials(free)
    trials["scope"] = trials["panel"]
    trials["panel"] = trials["scope"] + ", " + trials["size"] + ": " + trials["cell"]
    trials["view"] = "trial"
    trials["part"] = "validation"
    trials["form"] = trials["cell"]
    column = trials.groupby(["panel", "feature", "lookups"])["mse"]
    trials["median"] = column.transform("median")
    # Trials of one column are set apart by their rank, so that the figure is always the same.
    aside = 0.28 * np.sin(column.rank(method="first") * 2.4)
    trials["x"] = trials["lookups"] + aside
    return trials


def _arms(summary: pd.DataFrame, forms: Forms) -> pd.DataFrame:
    """View `confirm`, with what tells the searches apart."""
    arms = score(summary)
    arms["scope"] = panel(arms.assign(phase=""))
    arms["form"] = [forms.name(row) for row in records(arms)]
    arms["budget"] = arms["budget"].astype(object)
    arms["view"] = "confirm"
    arms["hollow"] = arms["beats_bias"].eq(False)
    arms["even"] = ~arms["lookups"].str.contains("=", regex=False)
    seeds = " (n=" + arms["n"].astype(str) + ")"
    arms["label"] = arms["label"].str.replace(",", ", ") + seeds
    arms = arms.sort_values([*_SEARCH, "mse"], ascending=False, kind="stable")
    arms["y"] = arms.groupby(_SEARCH, dropna=False).cumcount()
    return arms


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """The figure of one panel: small multiples of the features above, arms on fresh seeds below."""
    trials = frame[frame["view"] == "trial"]
    arms = frame[frame["view"] == "confirm"]
    features = list(trials["feature"].unique())
    columns = 5 if len(features) > 6 else len(features)
    strip_rows = math.ceil(len(features) / columns)
    heights = [2.2 * strip_rows + 0.3]
    if len(arms):
        heights.append(0.9 + 0.4 * len(arms))
    figure = Figure(figsize=(9.6, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    above = parts[0]
    above.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    grid = above.subplots(strip_rows, columns, squeeze=False, sharey=True)
    for axes, feature in zip(grid.flat, features, strict=False):
        _strip(axes, trials[trials["feature"] == feature])
        axes.set_title(feature, fontsize=9)
    for axes in grid.flat[len(features) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("validation MSE")
    if len(arms):
        below = parts[1]
        _confirmed(below.subplots(), arms, study.looks)
    return figure


def _strip(axes: Axes, trials: pd.DataFrame) -> None:
    is_best = trials["best"].astype(bool)
    best = trials[is_best]
    other = trials[~is_best]
    axes.plot(other["x"], other["mse"], "o", color=_TRIAL_COLOR, markersize=3.5)
    axes.plot(best["x"], best["mse"], "D", color=_BEST_COLOR, markersize=5.5)
    hover(axes, trials, "x", "mse")
    medians = trials.drop_duplicates("lookups")
    axes.plot(medians["lookups"], medians["median"], "_", **_MEDIAN)
    axes.set_xticks(sorted(trials["lookups"].astype(int).unique()))
    axes.margins(x=0.12)
    axes.set_xlabel("lookups")


def _confirmed(axes: Axes, arms: pd.DataFrame, looks: style.Looks) -> None:
    for row in rows(arms):
        color = looks[row.group].color
        axes.hlines(row.y, row.low, row.high, color=color, linewidth=1.4)
        if row.even:
            axes.axvline(row.mse, color=color, linewidth=1, linestyle=":")
    for name, of_group in groups(arms, "group"):
        style.points(axes, of_group, "mse", "y", looks[name], joined=False)
    labels = [fill(label, 52) for label in arms["label"]]
    axes.set_yticks(arms["y"].astype(int), labels, fontsize=7)
    axes.margins(y=0.12)
    axes.set_title("run on fresh seeds", fontsize=9)
    axes.set_xlabel("test MSE (mean, 95 % interval)")


SECTION = Section(
    name="allocation",
    title="Lookup allocation",
    tidy=tidy,
    empty="no search that varied the lookups of a feature freely",
    caption=(
        "Above: every trial of the search, by the number of lookups it gave to each feature (set "
        f"apart sideways); the best {BEST} on validation are dark diamonds, the dash is the median "
        "of the trials. These numbers chose; they are not results. Below: the configurations that "
        "were run on fresh seeds, on test, with 95 % intervals "
        f"({RULE}); "
        "dotted lines: the same number of "
        "lookups for every feature. Hollow: not better than the bias model. Of more than "
        f"{MOST} searches those of one strategy are drawn, which all figures are about."
    ),
    draw=draw,
    each=True,
)
