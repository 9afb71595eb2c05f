"""Which single feature earns the second lookup."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record.same_text import same_text
from ue_bench.report.evidence import trial_lookups
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover, of_difference
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, delta_text, listed, p_cell

COLUMNS = [
    "panel",
    "budget",
    "size",
    "feature",
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
_LOOK = style.Look(color="#0072B2", marker="o", dash="none", size=5)


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a panel, table size and feature.

    n: common seeds. p_holm: after Holm's correction over a panel.
    """
    effects = list(_on_fresh_seeds(study.every_arm))
    if not effects:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(effects).reindex(columns=[*COLUMNS, "p", "sd", "floor"])
    frame = holm_corrected(frame, "panel")[COLUMNS]
    frame["size"] = frame["budget"].map(bytes_text)
    places = {name: place for place, name in enumerate(frame["feature"].unique())}
    frame["y"] = frame["feature"].map(places).astype(float)
    return frame.sort_values(["panel", "budget", "y"], kind="stable", ignore_index=True)


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
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "n": test.n,
            "p": test.p,
            "interval_by": test.interval_by,
            "sd": test.sd,
            "floor": test.floor,
        }


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
    style.legend(figure, [style.handle(_LOOK, "on fresh seeds", joined=False)])
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    axes.axvline(0, color=style.GREY, linewidth=1)
    axes.hlines(part["y"], part["low"], part["high"], color=_LOOK.color, linewidth=1.3)
    axes.plot(part["difference"], part["y"], "o", color=_LOOK.color, markersize=_LOOK.size)
    hover(axes, of_difference(part.assign(label="on fresh seeds")), "difference", "y")
    axes.set_title(bytes_text(part["budget"].iloc[0]), fontsize=9)
    axes.set_xlabel("change of MSE", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=5)


def table(frame: pd.DataFrame) -> list[str]:
    """A sentence for each table size, then all numbers."""
    lines = []
    for _, part in groups(frame, ["panel", "budget"]):
        lines.append(_sentence(part.sort_values("difference", kind="stable")))
    lines += [
        "",
        "| features | table | feature | on fresh seeds | Holm's p |",
        "|---|--:|---|---|--:|",
    ]
    for row in rows(frame.drop_duplicates(["panel", "budget", "feature"])):
        change = delta_text(row.difference, row.low, row.high)
        cells = [row.panel, row.size, row.feature, change, p_cell(row.p_holm)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return which features earn the second lookup, and at how many sizes."""
    sizes = frame.groupby(["panel", "budget"]).ngroups
    earned = frame[frame["told_apart"].astype(bool) & (frame["difference"] < 0)]
    earned = earned.drop_duplicates(["panel", "budget", "feature"])  # of several strategies
    if earned.empty:
        return f"No feature is shown to earn a second lookup at any of {sizes} table sizes."
    clauses = []
    for name, count in earned["feature"].value_counts().items():
        clauses.append(f"{name} at {count} of {sizes} table sizes")
    return f"The second lookup is earned by {listed(clauses)}, and by no other feature."


def _sentence(by_difference: pd.DataFrame) -> str:
    """What the second lookup is worth at one table size, from its rows."""
    best = by_difference.iloc[0]
    change = delta_text(best["difference"], best["low"], best["high"])
    gains = by_difference["told_apart"].astype(bool) & (by_difference["difference"] < 0)
    certain = list(by_difference.loc[gains, "feature"])
    conclusion = "for no feature is the gain certain"
    if certain:
        verb = "earns" if len(certain) == 1 else "earn"
        conclusion = f"{', '.join(certain)} {verb} it"
    return (
        f"- {best['panel']}, {best['size']}: the second lookup does most for {best['feature']}: "
        f"{change} of MSE over {best['n']} seeds ({best['interval_by']}); after Holm's "
        f"correction over {best['tests']} tests, of all features and sizes, {conclusion}."
    )


SECTION = Section(
    name="second_lookup",
    title="The second lookup",
    tidy=tidy,
    empty="no study gave the second lookup to one feature at a time",
    caption=(
        "The change of MSE when one feature gets a second lookup of the same width in a table of "
        "the same bytes; below 0 is better, bars are 95 % intervals. Discs: this feature has "
        "two lookups and all others one, against one lookup everywhere, test MSE, by fresh seeds "
        f"({RULE})."
    ),
    draw=draw,
    table=table,
    gist=gist,
    each=True,
)
