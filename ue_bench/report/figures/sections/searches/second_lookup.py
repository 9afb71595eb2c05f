"""Which single feature earns the second lookup: on fresh seeds, and in the trials of searches."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.record.same_text import same_text
from ue_bench.report.evidence import trial_lookups
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import LEVEL, compare_two
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.evidence.trials import Trial
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover, of_difference
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, bytes_text, delta_text, listed, p_cell

FRESH = "on fresh seeds"
TRIALS = "in the trials"
COLUMNS = [
    "panel",
    "budget",
    "size",
    "feature",
    "source",
    "difference",
    "low",
    "high",
    "interval_by",
    "tests",
    "p_holm",
    "told_apart",
    "n",
    "y",
]
_LOOKS = {
    FRESH: style.Look(color="#0072B2", marker="o", dash="none", size=5),
    TRIALS: style.Look(color="#D55E00", marker="s", dash="none", size=5),
}
_SET_APART = {FRESH: -0.15, TRIALS: 0.15}


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a panel, table size, feature and source.

    n: common seeds, or trials. p_holm: after Holm's correction over a panel.
    """
    effects = [*_on_fresh_seeds(study.every_arm), *_in_trials(study.trials)]
    if not effects:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(effects).reindex(columns=[*COLUMNS, "p", "sd", "floor"])
    frame = holm_corrected(frame, "panel")[COLUMNS]
    frame["size"] = frame["budget"].map(bytes_text)
    places = {name: place for place, name in enumerate(frame["feature"].unique())}
    frame["y"] = frame["feature"].map(places).astype(float)
    if frame["source"].nunique() > 1:
        frame["y"] += frame["source"].map(_SET_APART)
    order = ["panel", "budget", "source", "y"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _on_fresh_seeds(arms: Iterable[Arm]) -> Iterator[dict[str, Any]]:
    """The differences between one lookup everywhere and two for one feature."""
    comparable: dict[str, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.runs:
            held = same_text([arm.comparison, trial_lookups.held(arm.config)])
            comparable[held].append(arm)
    for group in comparable.values():
        yield from _differences(group)


def _with_two_lookups(lookups: Mapping[str, int]) -> str | None:
    """The feature with two lookups, where all others have one."""
    counts = sorted(lookups.values(), reverse=True)
    if counts[:1] != [2] or any(count != 1 for count in counts[1:]):
        return None
    return next(name for name, count in lookups.items() if count == 2)


def _differences(arms: Iterable[Arm]) -> Iterator[dict[str, Any]]:
    """The differences in one group of comparable arms."""
    one_each: Arm | None = None
    by_feature: dict[str, Arm] = {}
    for arm in arms:
        lookups = arm.sample.found.get("lookups", {})
        feature = _with_two_lookups(lookups)
        if feature is not None:
            by_feature[feature] = arm
        elif one_each is None and set(lookups.values()) == {1}:
            one_each = arm
    if one_each is None or len(by_feature) < 2:
        return
    part = "test" if by_seed(one_each, "test") else "val"
    scope = one_each.comparison._replace(phase="")
    for name in one_each.sample.found["lookups"]:
        if name not in by_feature:
            continue
        test = compare_two(by_seed(one_each, part), by_seed(by_feature[name], part))
        yield {
            "panel": scope.title,
            "budget": one_each.config["budget"],
            "feature": name,
            "source": FRESH,
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "n": test.n,
            "p": test.p,
            "interval_by": test.interval_by,
            "sd": test.sd,
            "floor": test.floor,
        }


def _in_trials(trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """The effects of a doubling of each feature's lookups, by table size."""
    frame = trial_lookups.tidy(trial_lookups.shared_out(trials))
    if frame.empty:
        return
    for (title, budget), part in groups(frame, ["panel", "budget"]):
        lookups = part.pivot(index="run_id", columns="feature", values="lookups")
        features = list(part["feature"].unique())
        lookups = lookups[features]
        by_trial = part.drop_duplicates("run_id").set_index("run_id").loc[lookups.index]
        doublings = lookups.apply(np.log2)
        effects = _effects(doublings, by_trial["mse"], by_trial["search"])
        if effects is None:
            continue
        for name, mean, half in zip(features, *effects, strict=True):
            yield {
                "panel": title,
                "budget": budget,
                "feature": name,
                "source": TRIALS,
                "difference": mean,
                "low": mean - half,
                "high": mean + half,
                "n": len(lookups),
            }


def _effects(
    doublings: pd.DataFrame, mse: pd.Series, search: pd.Series
) -> tuple[np.ndarray, np.ndarray] | None:
    """The effect of each column on the MSE, less the mean over the columns, and half its interval.

    Least squares with a level for each search. None where the trials do not determine it.
    """
    x = doublings - doublings.groupby(search).transform("mean")
    y = mse - mse.groupby(search).transform("mean")
    columns = len(x.columns)
    degrees_of_freedom = len(x) - columns - search.nunique()
    if degrees_of_freedom < columns or np.linalg.matrix_rank(x) < columns:
        return None
    effect, *_ = np.linalg.lstsq(x.to_numpy(), y.to_numpy(), rcond=None)
    variance = float(np.square(y - x @ effect).sum()) / degrees_of_freedom
    # A fixed total does not determine the mean over the features, so it is taken out.
    less_mean = np.eye(columns) - 1 / columns
    covariance = variance * less_mean @ np.linalg.inv(x.T @ x) @ less_mean
    t = stats.t.ppf((1 + LEVEL) / 2, degrees_of_freedom)
    return less_mean @ effect, t * np.sqrt(np.diag(covariance))


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """The figure of one feature set: a panel for each table size."""
    features = frame.sort_values("y")["feature"].unique()
    figure, drawn = panels(
        frame,
        frame["budget"].nunique(),
        _panel,
        width=3.4,
        height=1.3 + 0.3 * len(features),
        by="budget",
        sharey=True,
        sharex=True,
    )
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    first = drawn[0].axes
    first.set_yticks(range(len(features)), features)
    first.invert_yaxis()
    sources = set(frame["source"])
    entries = []
    if FRESH in sources:
        entries.append(style.handle(_LOOKS[FRESH], FRESH, joined=False))
    if TRIALS in sources:
        entries.append(style.handle(_LOOKS[TRIALS], f"{TRIALS}, less the mean", joined=False))
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    axes.axvline(0, color=style.GREY, linewidth=1)
    for row in rows(part):
        look = _LOOKS[row.source]
        axes.hlines(row.y, row.low, row.high, color=look.color, linewidth=1.3)
        axes.plot(
            [row.difference],
            [row.y],
            look.marker,
            color=look.color,
            markersize=look.size,
        )
    hover(axes, of_difference(part.assign(label=part["source"])), "difference", "y")
    axes.set_title(bytes_text(part["budget"].iloc[0]), fontsize=9)
    axes.set_xlabel("change of MSE", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=5)


def table(frame: pd.DataFrame) -> list[str]:
    """A sentence for each table size that was tried on fresh seeds, then all numbers."""
    lines = []
    for _, part in groups(frame[frame["source"] == FRESH], ["panel", "budget"]):
        lines.append(_sentence(part.sort_values("difference", kind="stable")))
    lines += [
        "",
        "| features | table | feature | on fresh seeds | Holm's p | in the trials |",
        "|---|--:|---|---|--:|---|",
    ]
    for (title, budget), part in groups(frame, ["panel", "budget"]):
        for name, of_feature in part.groupby("feature", sort=False):
            by_source = of_feature.drop_duplicates("source").set_index("source")
            change = {source: _change(row) for source, row in by_source.iterrows()}
            fresh = change.get(FRESH, NOTHING)
            in_trials = change.get(TRIALS, NOTHING)
            p = p_cell(by_source["p_holm"].get(FRESH))
            size = bytes_text(budget)
            lines.append(f"| {title} | {size} | {name} | {fresh} | {p} | {in_trials} |")
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return which features earn the second lookup, and at how many sizes."""
    fresh = frame[frame["source"] == FRESH]
    sizes = fresh.groupby(["panel", "budget"]).ngroups
    if not sizes:
        return "No feature was given a second lookup on fresh seeds."
    earned = fresh[fresh["told_apart"].astype(bool) & (fresh["difference"] < 0)]
    earned = earned.drop_duplicates(["panel", "budget", "feature"])  # of several strategies
    if earned.empty:
        return f"No feature is shown to earn a second lookup at any of {sizes} table sizes."
    clauses = []
    for name, count in earned["feature"].value_counts().items():
        clauses.append(f"{name} at {count} of {sizes} table sizes")
    return f"The second lookup is earned by {listed(clauses)}, and by no other feature."


def _sentence(by_difference: pd.DataFrame) -> str:
    """What the second lookup is worth at one table size, from the rows of view `FRESH` there."""
    best = by_difference.iloc[0]
    certain = []
    for row in rows(by_difference):
        if row.told_apart and row.difference < 0:
            certain.append(row.feature)
    conclusion = "for no feature is the gain certain"
    if certain:
        verb = "earns" if len(certain) == 1 else "earn"
        conclusion = f"{', '.join(certain)} {verb} it"
    return (
        f"- {best['panel']}, {best['size']}: the second lookup does most for {best['feature']}: "
        f"{_change(best)} of MSE over {best['n']} seeds ({best['interval_by']}); after Holm's "
        f"correction over {best['tests']} tests, of all features and sizes, {conclusion}."
    )


def _change(row: pd.Series) -> str:
    return delta_text(row["difference"], row["low"], row["high"])


SECTION = Section(
    name="second_lookup",
    title="The second lookup",
    tidy=tidy,
    empty=(
        "no study gave the second lookup to one feature at a time, and none shared out a fixed "
        "number"
    ),
    caption=(
        "The change of MSE when one feature gets a second lookup of the same width in a table of "
        "the same bytes; below 0 is better, bars are 95 % intervals. Blue discs: this feature has "
        "two lookups and all others one, against one lookup everywhere, test MSE, by fresh seeds "
        f"({RULE}). Orange squares: what doubling a feature's lookups is worth in the trials of "
        "the searches of that table size that shared out a fixed total, less the mean over the "
        "features: least squares on the logarithms of all features' lookups, with a level for each "
        "search, validation MSE, t-interval of the coefficient. A fixed total shows only which "
        "feature is worth more than another."
    ),
    draw=draw,
    table=table,
    gist=gist,
    each=True,
)
