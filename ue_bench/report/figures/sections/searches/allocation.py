"""Which features earn lookups: the trials of a search by lookups of each feature, and the best few on fresh seeds."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import panel, score
from ue_bench.report.evidence.trials import facts
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover

NAME = "allocation"
EMPTY = "no search that varied the lookups of a feature freely"
BEST = 5  # trials that are highlighted
CAPTION = (
    "Above: every trial of the search, by the number of lookups it gave to each feature (set apart sideways); the"
    f" best {BEST} on validation are dark diamonds, the dash is the median of the trials. These numbers chose; "
    "they are not results. Below: the configurations that were run on fresh seeds, on test, with 95 % intervals; "
    "dotted lines: the same number of lookups for every feature. Hollow: not better than the bias model."
)
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


def tidy(search: Sequence[Record], summary: pd.DataFrame) -> pd.DataFrame:
    """A panel is a feature set and a strategy. view `trial`: one row a trial and feature (validation MSE).
    view `confirm`: one row an arm on fresh seeds (`summary`; test MSE), `even` where all features have as many lookups."""
    rows = [
        comparison_of(record)._asdict()
        | {
            "group": record.config.strategy,
            "feature": feature,
            "lookups": n,
            "mse": record.quality["val_mse"],
        }
        for record in search
        if record.quality.get("val_mse") is not None and _free(record)
        for feature, n in record.found.get("lookups", {}).items()
    ]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    trials = pd.DataFrame(rows)
    trials["scope"] = panel(trials.assign(phase=""))
    trials["panel"], trials["view"] = trials["scope"] + ": " + trials["group"], "trial"
    trials["part"] = "validation"
    varied = (
        trials.groupby(["panel", "feature"])["lookups"]
        .transform("nunique")
        .groupby(trials["panel"])
        .transform("max")
        > 1
    )
    trials = trials[varied].copy()  # a search of other things says nothing about lookups
    if trials.empty:
        return pd.DataFrame(columns=COLUMNS)
    trials["best"] = trials.groupby(["panel", "feature"])["mse"].rank(method="first") <= BEST
    column = trials.groupby(["panel", "feature", "lookups"])["mse"]
    trials["x"] = trials["lookups"] + 0.28 * np.sin(
        column.rank(method="first") * 2.4
    )  # spread by rank, the same every time
    trials["median"] = column.transform("median")
    arms = score(summary)
    arms["scope"], arms["view"], arms["hollow"] = (
        panel(arms.assign(phase="")),
        "confirm",
        arms["beats_bias"].eq(False),
    )
    arms["even"] = ~arms["lookups"].str.contains("=", regex=False)
    arms["label"] = arms["label"].str.replace(",", ", ") + " (n=" + arms["n"].astype(str) + ")"
    arms = arms.sort_values(["scope", "mse"], ascending=[True, False], kind="stable")
    arms["y"] = arms.groupby("scope").cumcount()
    arms = trials[["scope", "panel"]].drop_duplicates().merge(arms, on="scope")
    return pd.concat([trials, arms]).reindex(columns=COLUMNS).reset_index(drop=True)


def _free(record: Record) -> bool:
    """A fixed number that is shared out, and a search for several aims at once, have figures of their own."""
    told = facts(record)
    return told.get("total") is None and len(told.get("objectives", ())) < 2


def draw(frame: pd.DataFrame, looks: style.Looks) -> Figure:
    """The figure of one panel: small multiples of the features above, the arms on fresh seeds below."""
    trials, arms = frame[frame["view"] == "trial"], frame[frame["view"] == "confirm"]
    features = list(dict.fromkeys(trials["feature"]))
    columns = min(6 if len(features) <= 6 else 5, len(features))
    heights = [
        2.2 * -(-len(features) // columns) + 0.3,
        *([0.9 + 0.4 * len(arms)] if len(arms) else []),
    ]
    figure = Figure(figsize=(9.6, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    parts[0].suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    grid = parts[0].subplots(-(-len(features) // columns), columns, squeeze=False, sharey=True)
    for axes, feature in zip(grid.flat, features, strict=False):
        _strip(axes, trials[trials["feature"] == feature])
        axes.set_title(feature, fontsize=9)
    for axes in grid.flat[len(features) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("validation MSE")
    if len(arms):
        _confirmed(parts[1].subplots(), arms, looks)
    return figure


def _strip(axes: Axes, own: pd.DataFrame) -> None:
    best = own["best"].astype(bool)
    axes.plot(own.loc[~best, "x"], own.loc[~best, "mse"], "o", color="#9CC3DE", markersize=3.5)
    axes.plot(own.loc[best, "x"], own.loc[best, "mse"], "D", color="#7A2E00", markersize=5.5)
    hover(axes, own, "x", "mse")
    medians = own.drop_duplicates("lookups")
    axes.plot(
        medians["lookups"],
        medians["median"],
        "_",
        color="#303030",
        markersize=15,
        markeredgewidth=1.6,
    )
    axes.set_xticks(sorted(own["lookups"].astype(int).unique()))
    axes.margins(x=0.12)
    axes.set_xlabel("lookups")


def _confirmed(axes: Axes, arms: pd.DataFrame, looks: style.Looks) -> None:
    for row in rows(arms):
        look = looks[row.group]
        axes.hlines(row.y, row.low, row.high, color=look.color, linewidth=1.4)
        if row.even:
            axes.axvline(row.mse, color=look.color, linewidth=1, linestyle=":")
    for name, own in groups(arms, "group"):
        style.points(axes, own, "mse", "y", looks[name], joined=False)
    axes.set_yticks(arms["y"].astype(int), [fill(label, 52) for label in arms["label"]], fontsize=7)
    axes.margins(y=0.12)
    axes.set_title("run on fresh seeds", fontsize=9)
    axes.set_xlabel("test MSE (mean, 95 % interval)")
