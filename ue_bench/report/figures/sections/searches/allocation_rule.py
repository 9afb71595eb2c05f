"""Rules of thumb for sharing out lookups, with their errors on a table size left out of the fit."""

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence import trial_lookups
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.figures import style
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.sections.searches.lookup_rules import (
    RULES,
    Fit,
    allocation,
    fit,
    quotas,
    shares,
)

COLUMNS = [
    "panel",
    "view",
    "search",
    "cell",
    "total",
    "budget",
    "size",
    "feature",
    "cardinality",
    "wanted",
    "even",
    "by_cardinality",
    "by_share",
    "whole_cardinality",
    "whole_share",
    "power",
    "power_low",
    "power_high",
    "error_cardinality",
    "error_share",
    "error_even",
    "regret_cardinality",
    "regret_share",
    "regret_even",
    "away_cardinality",
    "away_share",
    "away_even",
    "n",
    "y",
]
_RULE_COLORS = {"cardinality": "#303030", "share": "#CC79A7"}
_MARKS: dict[str, Any] = {"markersize": 17, "markeredgewidth": 2.2, "zorder": 5}


def tidy(study: StudyData) -> pd.DataFrame:
    """Two views, `found` and `held`.

    found: one row a search and feature, with each rule fitted to all sizes (`by_RULE`, and in
        whole lookups `whole_RULE`).
    held: one row a table size, with the errors there of the rules fitted to the other sizes, as
        means over `n` searches: `error` in lookups a feature, and `regret` in MSE of the nearest
        trials, which differ by `away` lookups in all.
    """
    frame = trial_lookups.tidy(trial_lookups.shared_out(study.trials))
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    features = frame.groupby("panel")["feature"].transform("nunique")
    # With one lookup to share out there is a choice, not an allocation.
    frame = frame[frame["total"] > features + 1]
    views = []
    for title, of_panel in groups(frame, "panel"):
        target = trial_lookups.wanted(of_panel)
        if target["budget"].nunique() < 2:
            continue
        budgets = sorted(target["budget"].unique())
        errors = [_held(of_panel, target, budget) for budget in budgets]
        held = pd.DataFrame(errors)
        views.append(_found(target, held["power"]))
        views.append(held.assign(panel=title, view="held"))
    if not views:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(views).reindex(columns=COLUMNS).reset_index(drop=True)


def _found(target: pd.DataFrame, powers: pd.Series) -> pd.DataFrame:
    """View `found` of one panel. powers: those fitted without one size."""
    fitted = fit(target)
    found = target.assign(
        view="found",
        power=fitted.power,
        power_low=min(powers),
        power_high=max(powers),
        search=pd.factorize(target["search"])[0],
    )
    by_feature = found.drop_duplicates("feature")
    by_feature = by_feature.sort_values("cardinality", ascending=False, kind="stable")
    places = {name: place for place, name in enumerate(by_feature["feature"])}
    found["y"] = found["feature"].map(places)
    for _, part in groups(found, "search"):
        total = int(part["total"].iloc[0])
        for rule, weights in fitted.weights(part).items():
            whole = allocation(weights, total)
            found.loc[part.index, f"by_{rule}"] = quotas(weights, total)
            found.loc[part.index, f"whole_{rule}"] = list(whole.values())
    return found


def _held(frame: pd.DataFrame, target: pd.DataFrame, budget: int) -> dict[str, Any]:
    """The errors at one table size of the rules fitted to the others."""
    left_out = target["budget"] == budget
    fitted = fit(target[~left_out])
    errors = []
    for search, part in groups(target[left_out], "search"):
        errors.append(_errors(fitted, part, frame[frame["search"] == search]))
    row: dict[str, Any] = {
        "budget": budget,
        "size": target.loc[left_out, "size"].iloc[0],
        "power": fitted.power,
        "n": len(errors),
    }
    for name, mean in pd.DataFrame(errors).mean().items():
        row[str(name)] = mean
    return row


def _errors(fitted: Fit, part: pd.DataFrame, search: pd.DataFrame) -> dict[str, float]:
    """The errors of each rule in one search.

    part: a row a feature, as `trial_lookups.wanted` returns it. search: its trials.
    """
    lookups = search.pivot(index="run_id", columns="feature", values="lookups")
    mse = search.drop_duplicates("run_id").set_index("run_id")["mse"].loc[lookups.index]
    total = int(part["total"].iloc[0])
    errors = {}
    for rule, weights in fitted.weights(part).items():
        given = pd.Series(allocation(weights, total))
        error = part["wanted"] - part["feature"].map(given)
        away = (lookups - given).abs().sum(axis=1)
        nearest = mse[away == away.min()]
        errors[f"error_{rule}"] = float(error.abs().mean())
        errors[f"regret_{rule}"] = float(nearest.mean() - mse.min())
        errors[f"away_{rule}"] = float(away.min())
    return errors


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A panel for each way of spending the lookups, with the features by cardinality."""
    found = frame[frame["view"] == "found"].sort_values(["cell", "y"], kind="stable")
    features = found.sort_values("y", kind="stable")["feature"].unique()
    sizes = found.sort_values("budget").drop_duplicates("budget")
    names = sizes["budget"].astype(str)
    looks = style.looks(zip(names, names, strict=True), of_strategies=False)
    figure, drawn = panels(
        found,
        found["cell"].nunique(),
        partial(_panel, looks=looks),
        width=3.5,
        height=1.6 + 0.28 * len(features),
        by="cell",
        sharey=True,
    )
    figure.suptitle(found["panel"].iloc[0], fontsize=10, fontweight="bold")
    first = drawn[0].axes
    first.set_yticks(range(len(features)), features)
    first.invert_yaxis()
    entries = []
    for budget, size in zip(sizes["budget"], sizes["size"], strict=True):
        entries.append(style.handle(looks[str(budget)], f"table of {size}", joined=False))
    for rule, color in _RULE_COLORS.items():
        look = style.Look(color=color, marker="|", dash="none", size=12)
        entries.append(style.handle(look, f"by {rule}", joined=False))
    even = style.Look(color=style.GREY, marker="", dash=":", size=0)
    entries.append(style.handle(even, "even"))
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, looks: style.Looks) -> None:
    axes.axvline(part["even"].iloc[0], color=style.GREY, linewidth=1.2, linestyle=":")
    for budget, of_budget in groups(part.assign(hollow=False), "budget"):
        style.points(axes, of_budget, "wanted", "y", looks[str(budget)], joined=False)
    for rule, color in _RULE_COLORS.items():
        axes.plot(part[f"by_{rule}"], part["y"], "|", color=color, **_MARKS)
    axes.set_title(part["cell"].iloc[0], fontsize=9)
    axes.set_xlabel(f"lookups, mean of the best {trial_lookups.BEST}")


def table(frame: pd.DataFrame) -> list[str]:
    """The rules in words for each feature set, then their errors on the sizes left out."""
    titles = ["features", "size left out", "a from the others", "searches"]
    for error in ("error, lookups a feature", "regret, MSE"):
        titles += [f"{error}: {rule}" for rule in RULES]
    lines = [sentence(part) for _, part in groups(frame, "panel")]
    lines += ["", f"| {' | '.join(titles)} |", f"|---|--:|--:|--:|{'--:|' * 6}"]
    for row in records(frame[frame["view"] == "held"]):
        cells = [row["panel"], row["size"], f"{row['power']:.2f}", f"{row['n']:.0f}"]
        cells += [f"{row[f'error_{rule}']:.2f}" for rule in RULES]
        for rule in RULES:
            cells.append(f"{row[f'regret_{rule}']:.4f} ({row[f'away_{rule}']:.0f} away)")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def sentence(frame: pd.DataFrame) -> str:
    """The rule with the least regret on sizes left out, its allocations, and the errors of all."""
    found = frame[frame["view"] == "found"]
    held = frame[frame["view"] == "held"]
    regrets = {rule: held[f"regret_{rule}"].mean() for rule in RULES}
    best = min(RULES, key=lambda rule: regrets[rule])
    column = "even" if best == "even" else f"whole_{best}"
    examples = []
    for total, part in groups(found, "total"):
        by_feature = part.drop_duplicates("feature")
        by_feature = by_feature.sort_values(column, ascending=False, kind="stable")
        counts = [f"{row['feature']} {row[column]:.0f}" for row in records(by_feature)]
        examples.append(f"{int(total)} lookups are {', '.join(counts)}")
    errors = []
    for rule in RULES:
        name = "evenly" if rule == "even" else f"by {rule}"
        errors.append(f"{name} {regrets[rule]:.4f} and {held[f'error_{rule}'].mean():.2f}")
    return (
        f"- {found['panel'].iloc[0]}: give every feature one lookup and {_in_words(best, found)}; "
        f"{'; '.join(examples)}. Of the rules it has the least regret on a size left out of the "
        "fit; mean regret in MSE and error in lookups a feature: "
        f"{', '.join(errors)}."
    )


def _in_words(rule: str, found: pd.DataFrame) -> str:
    """What a rule does with the lookups beyond one."""
    if rule == "even":
        return "share out the others evenly"
    if rule == "share":
        by_share = sorted(shares(found).items(), key=lambda item: -item[1])
        parts = [f"{name} {100 * share:.0f} %" for name, share in by_share]
        return f"share out the others as the searches did: {', '.join(parts)}"
    first = found.iloc[0]
    return (
        f"share out the others in proportion to cardinality^{first['power']:.2f} "
        f"({first['power_low']:.2f} to {first['power_high']:.2f} when one size is left out)"
    )


SECTION = Section(
    name="allocation_rule",
    title="A rule for the lookups",
    tidy=tidy,
    empty="no search shared out a fixed number of lookups at two table sizes or more",
    caption=(
        "Two rules, both of which give every feature one lookup and share out the others: in "
        "proportion to cardinality^a, one number fitted by least squares to all searches (a = 0: "
        "evenly), and by the mean share that each feature got in them, a number a feature. "
        f"Points: the mean allocation of the best {trial_lookups.BEST} trials of each search. The "
        "errors are on a table size that the fit did not see: the mean absolute difference in "
        "lookups a feature from the best few, and the regret in validation MSE of the trials "
        "nearest to the allocation beside the best trial. The regret is of single trials."
    ),
    draw=draw,
    table=table,
    each=True,
)
