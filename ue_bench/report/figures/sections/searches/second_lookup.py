"""Which single feature earns the second lookup: on fresh seeds, one feature at a time, and as the trials of searches tell."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.record import Record
from ue_bench.report.evidence import statistics, trials
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import by_seed, panel
from ue_bench.report.figures import style
from ue_bench.report.format import NOTHING, bytes_text, p_cell

NAME = "second_lookup"
EMPTY = (
    "no study gave the second lookup to one feature at a time, and none shared out a fixed number"
)
FRESH, TRIALS = "on fresh seeds", "in the trials"
CAPTION = (
    "The change of MSE when one feature gets a second lookup of the same width in a table of the same bytes; below 0 is better, "
    "bars are 95 % intervals. Filled: this feature has two lookups and all others one, against one lookup everywhere, test MSE, "
    "paired over fresh seeds. Hollow: what doubling a feature's lookups is worth in the trials of the searches of that table "
    "size that shared out a fixed total, less the mean over the features: least squares on the logarithms of all features' "
    "lookups, with a level for each search, validation MSE. A fixed total tells only which feature is worth more than another."
)
COLUMNS = [
    "panel",
    "budget",
    "size",
    "feature",
    "source",
    "difference",
    "low",
    "high",
    "p",
    "n",
    "y",
]


def tidy(arms: Iterable[Arm], search: Sequence[Record]) -> pd.DataFrame:
    """One row a panel, table size, feature and source. n: paired seeds, or trials; p is Holm's, over a panel."""
    found = [*_fresh(arms), *_from_trials(search)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(found).reindex(columns=COLUMNS)
    for _, figure in frame[frame["source"] == FRESH].groupby("panel"):
        frame.loc[figure.index, "p"] = statistics.holm(list(figure["p"]))
    frame["size"] = frame["budget"].map(bytes_text)
    names = {name: place for place, name in enumerate(dict.fromkeys(frame["feature"]))}
    frame["y"] = frame["feature"].map(names) + frame["source"].map({FRESH: -0.15, TRIALS: 0.15})
    return frame.sort_values(["panel", "budget", "source", "y"], kind="stable", ignore_index=True)


def _fresh(arms: Iterable[Arm]) -> Iterable[dict]:
    alike: dict[str, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.runs:
            alike[json.dumps([arm.comparison, trials.held(arm.config)], sort_keys=True)].append(arm)
    for own in alike.values():
        given = [arm.sample.found.get("lookups", {}) for arm in own]
        alone = [
            arm
            for arm, lookups in zip(own, given, strict=True)
            if lookups and set(lookups.values()) == {1}
        ]
        second = {
            next(name for name, n in lookups.items() if n == 2): arm
            for arm, lookups in zip(own, given, strict=True)
            if sorted(lookups.values())[:-1] == [1] * (len(lookups) - 1) and 2 in lookups.values()
        }
        if not alone or len(second) < 2:
            continue
        part = "test" if by_seed(alone[0], "test") else "val"
        names = [name for name in alone[0].sample.found["lookups"] if name in second]
        told = {
            name: statistics.paired(by_seed(alone[0], part), by_seed(second[name], part))
            for name in names
        }
        title = panel(pd.DataFrame([alone[0].comparison._replace(phase="")._asdict()]))[0]
        for name, one in told.items():
            place = {
                "panel": title,
                "budget": alone[0].config["budget"],
                "feature": name,
                "source": FRESH,
            }
            yield place | {
                key: getattr(one, key) for key in ("difference", "low", "high", "n", "p")
            }


def _from_trials(search: Sequence[Record]) -> Iterable[dict]:
    frame = trials.tidy(trials.shared_out(search))
    for (title, budget), own in groups(frame, ["panel", "budget"]) if len(frame) else ():
        lookups = own.pivot(index="run_id", columns="feature", values="lookups")[
            list(dict.fromkeys(own["feature"]))
        ]
        x = pd.DataFrame(np.log2(lookups.to_numpy()), lookups.index, lookups.columns)
        about = own.drop_duplicates("run_id").set_index("run_id").loc[x.index]
        ways = about["search"]
        x, y = (
            x - x.groupby(ways).transform("mean"),
            about["mse"] - about.groupby(ways)["mse"].transform("mean"),
        )
        free = len(x) - len(x.columns) - ways.nunique()
        if free < len(x.columns) or np.linalg.matrix_rank(x) < len(x.columns):
            continue
        effect, *_ = np.linalg.lstsq(x.to_numpy(), y.to_numpy(), rcond=None)
        variance = float(np.square(y - x @ effect).sum()) / free
        less = np.eye(len(effect)) - 1 / len(
            effect
        )  # the mean over the features: what a fixed total cannot tell
        effect, spread = less @ effect, variance * less @ np.linalg.inv(x.T @ x) @ less
        half = stats.t.ppf((1 + statistics.LEVEL) / 2, free) * np.sqrt(np.diag(spread))
        for name, mean, width in zip(x.columns, effect, half, strict=True):
            yield {
                "panel": title,
                "budget": budget,
                "feature": name,
                "source": TRIALS,
                "difference": mean,
                "low": mean - width,
                "high": mean + width,
                "n": len(x),
            }


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one feature set: a panel for each table size."""
    sizes, features = (
        sorted(frame["budget"].unique()),
        list(dict.fromkeys(frame.sort_values("y")["feature"])),
    )
    figure, grid = style.canvas(1, len(sizes), 3.4, 1.3 + 0.3 * len(features), sharey=True)
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    for axes, budget in zip(grid[0], sizes, strict=True):
        axes.axvline(0, color=style.GREY, linewidth=1)
        for row in rows(frame[frame["budget"] == budget]):
            color, marker, face = (
                ("#0072B2", "o", "#0072B2") if row.source == FRESH else ("#D55E00", "s", "white")
            )
            axes.hlines(row.y, row.low, row.high, color=color, linewidth=1.3)
            axes.plot(
                [row.difference], [row.y], marker, color=color, markerfacecolor=face, markersize=5
            )
        axes.set_title(bytes_text(budget), fontsize=9)
        axes.set_xlabel("change of MSE", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=5)
    grid[0, 0].set_yticks(range(len(features)), features)
    grid[0, 0].invert_yaxis()
    filled = style.Look("#0072B2", "o", "none", 5)
    style.legend(
        figure,
        [
            style.handle(filled, FRESH, joined=False),
            style.mark(TRIALS + ", less the mean", "s", "#D55E00"),
        ],
    )
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """A sentence for each table size that was tried on fresh seeds, then all numbers."""
    lines = []
    for (title, _), own in groups(frame[frame["source"] == FRESH], ["panel", "budget"]):
        best = own.sort_values("difference", kind="stable").iloc[0]
        sure = [
            row.feature
            for row in rows(own.sort_values("difference"))
            if row.p < 1 - statistics.LEVEL and row.difference < 0
        ]
        told = (
            f"{', '.join(sure)} {'earns' if len(sure) == 1 else 'earn'} it"
            if sure
            else "for no feature is the gain certain"
        )
        lines.append(
            f"- {title}, {best['size']}: the second lookup does most for {best['feature']}: {_change(best)} of MSE over "
            f"{best['n']} seeds; after Holm's correction {told}."
        )
    lines += [
        "",
        "| features | table | feature | on fresh seeds | Holm's p | in the trials |",
        "|---|--:|---|---|--:|---|",
    ]
    for (title, budget), own in groups(frame, ["panel", "budget"]):
        for name, part in own.groupby("feature", sort=False):
            by = {source: row.iloc[0] for source, row in part.groupby("source")}
            fresh, trial = by.get(FRESH), by.get(TRIALS)
            p = NOTHING if fresh is None else p_cell(fresh["p"])
            lines.append(
                f"| {title} | {bytes_text(budget)} | {name} | {_change(fresh)} | {p} | {_change(trial)} |"
            )
    return lines


def _change(row: pd.Series | None) -> str:
    if row is None:
        return NOTHING
    inside = "" if pd.isna(row["low"]) else f" [{row['low']:+.4f}, {row['high']:+.4f}]"
    return f"{row['difference']:+.4f}{inside}"
