"""What sharing out a fixed number of lookups is worth beside the even allocation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record.same_text import same_text
from ue_bench.report.evidence import trial_lookups
from ue_bench.report.evidence.arms import Arm, arm_config
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two, estimate, family_text
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.evidence.trials import Trial
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, bytes_text, delta_text, interval_text, mse_text, p_cell

COLUMNS = [
    "panel",
    "cell",
    "budget",
    "size",
    "lookups",
    "even",
    "first",
    "mse",
    "low",
    "high",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "interval_by",
    "tests",
    "p_holm",
    "y",
    "head_bytes",
    "policy",
]
_COLOR = "#0072B2"
_LOOKS = {  # by whether an allocation is the first on validation
    True: style.Look(color=_COLOR, marker="D", dash="none", size=5.5),
    False: style.Look(color=_COLOR, marker=".", dash="none", size=5),
}


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm that confirms a search.

    difference: from the even allocation, over the seeds that both have.
    first: whether the arm was the first one on validation.
    """
    best = _best_trials(trial_lookups.shared_out(study.trials))
    arms_of: dict[str, list[Arm]] = defaultdict(list)
    for arm in study.every_arm:
        if arm.runs and arm.sample.found.get("lookups"):
            arms_of[_key(arm.comparison, arm.config, arm.sample.found)].append(arm)
    lines = []
    for key in sorted(best.keys() & arms_of.keys()):
        even = next((arm for arm in arms_of[key] if _is_even(arm)), None)
        if even is not None:
            lines += [_line(arm, even, best[key]) for arm in arms_of[key]]
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    order = ["panel", "budget", "cell", "even", "mse"]
    frame = pd.DataFrame(lines).sort_values(order, kind="stable", ignore_index=True)
    frame["y"] = 0.0
    for _, of_panel in groups(frame, "panel"):
        searches = of_panel.groupby(["budget", "cell"], sort=False, dropna=False)
        for place, (_, search) in enumerate(searches):
            frame.loc[search.index, "y"] = place
    tested = frame["p"].where(frame["first"])
    return holm_corrected(frame.assign(p=tested), "panel").reindex(columns=COLUMNS)


def _best_trials(trials: Iterable[Trial]) -> dict[str, Trial]:
    """The best trial on validation of each search, by the key of the arms that confirm it."""
    best: dict[str, Trial] = {}
    for trial in trials:
        sample = trial.sample
        comparison = comparison_of(sample)._replace(phase="confirm")
        key = _key(comparison, arm_config(sample), sample.found)
        if key not in best or trial.val_mse < best[key].val_mse:
            best[key] = trial
    return best


def _key(comparison: tuple[str, ...], config: dict[str, Any], found: Mapping[str, Any]) -> str:
    """Equal for all allocations of one number of lookups."""
    total = sum(found["lookups"].values())
    return same_text([comparison, trial_lookups.held(config), total])


def _is_even(arm: Arm) -> bool:
    return len(set(arm.sample.found["lookups"].values())) == 1


def _line(arm: Arm, even: Arm, best: Trial) -> dict[str, Any]:
    part = "test" if by_seed(arm, "test") else "val"
    scores = by_seed(arm, part)
    mean, low, high, interval_by = estimate(scores)
    scope = arm.comparison._replace(phase="")
    found = arm.sample.found
    lookups = found["lookups"]
    line = {
        "panel": scope.title,
        "cell": trial_lookups.place(found),
        "budget": arm.config["budget"],
        "size": bytes_text(arm.config["budget"]),
        "lookups": ", ".join(f"{name} {count}" for name, count in lookups.items()),
        "even": arm is even,
        "first": arm is not even and lookups == best.sample.found["lookups"],
        "mse": mean,
        "low": low,
        "high": high,
        "n": len(arm.runs),
        "interval_by": interval_by,
        "head_bytes": arm.sample.cost.get("head_bytes"),
        "policy": trial_lookups.policy_of(arm.config["width"]),
    }
    test = compare_two(by_seed(even, part), scores)
    for name in ("p", "sd", "floor"):
        line[name] = getattr(test, name)
    if arm is not even:
        line["difference"] = test.difference
        line["difference_low"] = test.low
        line["difference_high"] = test.high
    return line


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """The figure of one feature set: a line for each search."""
    figure, _ = panels(frame, 1, _panel, width=8.2, height=1.2 + 0.4 * frame["y"].nunique())
    entries = []
    for is_first, text in ((True, "first on validation"), (False, "next on validation")):
        entries.append(style.handle(_LOOKS[is_first], text, joined=False))
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    axes.axvline(0, color=style.GREY, linewidth=1)
    best = part[~part["even"]].sort_values(["y", "first"], ascending=[True, False], kind="stable")
    best = best.assign(y=best["y"] - 0.12 + 0.24 * best.groupby("y").cumcount())
    for first, arms in groups(best, "first"):
        look = _LOOKS[bool(first)]
        low = arms["difference_low"]
        high = arms["difference_high"]
        axes.hlines(arms["y"], low, high, color=_COLOR, linewidth=1.2)
        axes.plot(
            arms["difference"], arms["y"], look.marker, color=look.color, markersize=look.size
        )
    hover(axes, best.assign(part="test"), "difference", "y")
    even = part[part["even"]].sort_values("y")
    names = even["size"] + ": " + even["cell"] + "\neven: MSE " + even["mse"].map(mse_text)
    axes.set_yticks(even["y"].astype(int), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_title(part["panel"].iloc[0], fontsize=10)
    axes.set_xlabel("test MSE less that of the even allocation (95 % interval); below 0 is better")


def table(frame: pd.DataFrame) -> list[str]:
    """Every arm; bold: the first on validation."""
    lines = [
        "| features | table | lookups | held | head | allocation | test MSE | less the even one "
        "| Holm's p |",
        "|---|--:|---|---|--:|---|---|---|--:|",
    ]
    order = ["panel", "y", "even", "first"]
    ascending = [True, True, False, False]
    for row in rows(frame.sort_values(order, ascending=ascending, kind="stable")):
        allocation = row.lookups
        difference = NOTHING
        p = NOTHING
        if row.even:
            allocation = "even"
        else:
            difference = delta_text(row.difference, row.difference_low, row.difference_high)
        if row.first:
            allocation = f"**{row.lookups}**"
            p = p_cell(row.p_holm)
        cells = [
            row.panel,
            row.size,
            row.cell,
            row.policy.split()[0],
            bytes_text(row.head_bytes),
            allocation,
            interval_text(row.mse, row.low, row.high),
            difference,
            p,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    tests = int(frame["tests"].max())
    what = "at most, of each feature set the first on validation of every search against the even"
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    return [*lines, "", f"{family_text(tests, what)} Intervals are 95 %: {methods}."]


SECTION = Section(
    name="shared_out",
    title="Lookups shared out",
    tidy=tidy,
    empty=(
        "no search shared out a fixed number of lookups and was confirmed beside the even "
        "allocation"
    ),
    caption=(
        "Each line is one search for the best allocation of a fixed number of lookups at one table "
        "size; its points are the allocations that were best on validation, less the even one (the "
        "same number for every feature), on fresh seeds. All of one line have the same "
        "bytes of table and the same head. Holm's p, in the table, is over the lines of the "
        "figure, for the first on validation."
    ),
    draw=draw,
    table=table,
    each=True,
)
