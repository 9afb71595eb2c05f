"""Rules of thumb for sharing out lookups, fitted to what searches found, with their errors on a size left out of the fit."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ue_bench.config.lookups import apportion
from ue_bench.record import Record
from ue_bench.report.evidence import trials
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.figures import style

NAME = "allocation_rule"
EMPTY = "no search shared out a fixed number of lookups at two table sizes or more"
POWERS = np.round(np.arange(-1, 3.001, 0.05), 2)  # of the cardinality; 0: the even allocation
RULES = ("cardinality", "share", "even")
CAPTION = (
    "Two rules, both of which give every feature one lookup and share out the others: in proportion to cardinality^a, one number "
    "fitted by least squares to all searches (a = 0: evenly), and by the mean share that each feature got in them, a number a "
    f"feature. Points: the mean allocation of the best {trials.BEST} trials of each search. The errors are on a table size that "
    "the fit did not see: the mean absolute difference in lookups a feature from the best few, and the regret in validation MSE "
    "of the trials nearest to the allocation beside the best trial. The regret is of single trials on one seed."
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
    *(f"{error}_{rule}" for error in ("error", "regret", "away") for rule in RULES),
    "n",
    "y",
]
_RULE_COLORS = {"cardinality": "#303030", "share": "#CC79A7"}


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """view `found`: one row a search and feature, with each rule fitted to all sizes (`by_RULE`, and in whole lookups).
    view `held`: one row a table size, the rules fitted to the other sizes and their errors on this one, means over `n` searches:
    `error` in lookups a feature, `regret` in MSE of the nearest trials, which are `away` lookups in all."""
    frame = trials.tidy(trials.shared_out(search))
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    features = frame.groupby("panel")["feature"].transform("nunique")
    frame = frame[
        frame["total"] > features + 1
    ]  # one lookup to share out is a choice, not an allocation
    found = []
    for title, own in groups(frame, "panel"):
        target = trials.wanted(own)
        if target["budget"].nunique() < 2:
            continue
        held = [_held(own, target, budget) for budget in sorted(target["budget"].unique())]
        powers = [one["power"] for one in held]
        fitted = power(target), shares(target)
        target = target.assign(
            view="found", power=fitted[0], power_low=min(powers), power_high=max(powers)
        )
        order = target.drop_duplicates("feature").sort_values(
            "cardinality", ascending=False, kind="stable"
        )["feature"]
        target["y"] = target["feature"].map({name: place for place, name in enumerate(order)})
        target["search"] = pd.factorize(target["search"])[0]  # a number is enough from here on
        for _, part in groups(target, "search"):
            for rule, given in _weights(part, *fitted).items():
                total = int(part["total"].iloc[0])
                target.loc[part.index, f"by_{rule}"] = quotas(given, total)
                target.loc[part.index, f"whole_{rule}"] = list(allocation(given, total).values())
        found += [target, pd.DataFrame(held).assign(panel=title, view="held")]
    return (
        pd.concat(found).reindex(columns=COLUMNS).reset_index(drop=True)
        if found
        else pd.DataFrame(columns=COLUMNS)
    )


def allocation(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """A rule in whole lookups, `total` together, at least one a feature."""
    return {name: 1 + extra for name, extra in apportion(total - len(weights), weights).items()}


def quotas(weights: Mapping[str, float], total: int) -> list[float]:
    """A rule before it is rounded."""
    return [
        1 + (total - len(weights)) * weight / sum(weights.values()) for weight in weights.values()
    ]


def by_cardinality(cardinalities: Mapping[str, int], power: float) -> dict[str, float]:
    return {name: float(card) ** power for name, card in cardinalities.items()}


def power(target: pd.DataFrame) -> float:
    """The one of `POWERS` whose shares of the lookups beyond one are nearest to what the searches gave, in squares."""
    beyond = target["total"] - target.groupby("search")["feature"].transform("size")
    share = ((target["wanted"] - 1) / beyond).to_numpy()
    search = pd.factorize(target["search"])[0]

    def loss(tried: float) -> float:
        weight = target["cardinality"].to_numpy(float) ** tried
        return float(np.square(share - weight / np.bincount(search, weight)[search]).sum())

    return float(min(POWERS, key=loss))


def shares(target: pd.DataFrame) -> dict[str, float]:
    """The mean share of the lookups beyond one that each feature got."""
    beyond = (target["wanted"] - 1) / (
        target["total"] - target.groupby("search")["feature"].transform("size")
    )
    return {
        str(name): float(share)
        for name, share in beyond.groupby(target["feature"], sort=False).mean().items()
    }


def _weights(
    own: pd.DataFrame, fitted: float, learned: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """What each rule shares out in proportion to, for the features of `own`: fitted are a power and shares."""
    cards = dict(zip(own["feature"], own["cardinality"], strict=True))
    return {
        "cardinality": by_cardinality(cards, fitted),
        "share": {name: learned[name] for name in cards},
        "even": dict.fromkeys(cards, 1.0),
    }


def _held(frame: pd.DataFrame, target: pd.DataFrame, budget: int) -> dict:
    """The errors at one table size of the rules fitted to the others."""
    others = target[target["budget"] != budget]
    fitted = power(others), shares(others)
    errors = []
    for search, own in groups(target[target["budget"] == budget], "search"):
        tried = frame[frame["search"] == search]
        lookups = tried.pivot(index="run_id", columns="feature", values="lookups")
        mse = tried.drop_duplicates("run_id").set_index("run_id")["mse"].loc[lookups.index]
        row = {}
        for rule, weights in _weights(own, *fitted).items():
            given = pd.Series(allocation(weights, int(own["total"].iloc[0])))
            away = (lookups - given).abs().sum(axis=1)
            row[f"error_{rule}"] = float((own["wanted"] - own["feature"].map(given)).abs().mean())
            row |= {
                f"regret_{rule}": float(mse[away == away.min()].mean() - mse.min()),
                f"away_{rule}": float(away.min()),
            }
        errors.append(row)
    size = target.loc[target["budget"] == budget, "size"].iloc[0]
    return {"budget": budget, "size": size, "power": fitted[0], "n": len(errors)} | pd.DataFrame(
        errors
    ).mean().to_dict()


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one feature set: a panel for each way of spending the lookups, features by cardinality."""
    found = frame[frame["view"] == "found"].sort_values("y", kind="stable")
    cells, sizes = sorted(set(found["cell"])), sorted(found["budget"].unique())
    features = list(dict.fromkeys(found["feature"]))
    figure, grid = style.canvas(1, len(cells), 3.5, 1.6 + 0.28 * len(features), sharey=True)
    figure.suptitle(found["panel"].iloc[0], fontsize=10, fontweight="bold")
    looks = style.looks([(str(budget), str(budget)) for budget in sizes])
    for axes, cell in zip(grid[0], cells, strict=True):
        own = found[found["cell"] == cell]
        axes.axvline(own["even"].iloc[0], color=style.GREY, linewidth=1.2, linestyle=":")
        for budget, part in groups(own, "budget"):
            style.points(
                axes, part.assign(hollow=False), "wanted", "y", looks[str(budget)], joined=False
            )
        for rule, color in _RULE_COLORS.items():
            axes.plot(
                own[f"by_{rule}"],
                own["y"],
                "|",
                color=color,
                markersize=17,
                markeredgewidth=2.2,
                zorder=5,
            )
        axes.set_title(cell, fontsize=9)
        axes.set_xlabel(f"lookups, mean of the best {trials.BEST}")
    grid[0, 0].set_yticks(range(len(features)), features)
    grid[0, 0].invert_yaxis()
    named = dict(zip(found["budget"], found["size"], strict=True))
    entries = [
        style.handle(looks[str(budget)], f"table of {named[budget]}", joined=False)
        for budget in sizes
    ]
    rules = {rule: style.Look(color, "|", "none", 12) for rule, color in _RULE_COLORS.items()}
    entries += [style.handle(look, f"by {rule}", joined=False) for rule, look in rules.items()]
    style.legend(figure, [*entries, style.handle(style.Look(style.GREY, "", ":", 0), "even")])
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """The rules in words for each feature set, then their errors on the sizes left out."""
    lines = [sentence(own) for _, own in groups(frame, "panel")]
    heads = " | ".join(
        f"{error}: {rule}"
        for error in ("error, lookups a feature", "regret, MSE")
        for rule in RULES
    )
    lines += [
        "",
        f"| features | size left out | a from the others | searches | {heads} |",
        f"|---|--:|--:|--:|{'--:|' * 6}",
    ]
    for row in records(frame[frame["view"] == "held"]):
        error = " | ".join(f"{row[f'error_{rule}']:.2f}" for rule in RULES)
        regret = " | ".join(
            f"{row[f'regret_{rule}']:.4f} ({row[f'away_{rule}']:.0f} away)" for rule in RULES
        )
        lines.append(
            f"| {row['panel']} | {row['size']} | {row['power']:.2f} | {row['n']:.0f} | {error} | {regret} |"
        )
    return lines


def sentence(frame: pd.DataFrame) -> str:
    """The rule with the least regret on sizes left out, what it says, and its errors beside the others'."""
    found, held = frame[frame["view"] == "found"], frame[frame["view"] == "held"]
    error, regret = (
        {rule: held[f"{kind}_{rule}"].mean() for rule in RULES} for kind in ("error", "regret")
    )
    best = min(RULES, key=lambda rule: regret[rule])
    first = found.iloc[0]
    how = {
        "cardinality": f"share out the others in proportion to cardinality^{first['power']:.2f} "
        f"({first['power_low']:.2f} to {first['power_high']:.2f} when one size is left out)",
        "share": "share out the others as the searches did: "
        + ", ".join(
            f"{name} {100 * share:.0f} %"
            for name, share in sorted(shares(found).items(), key=lambda one: -one[1])
        ),
        "even": "share out the others evenly",
    }
    examples = []
    for total, own in groups(found, "total"):
        whole = "even" if best == "even" else f"whole_{best}"
        own = own.drop_duplicates("feature").sort_values(whole, ascending=False, kind="stable")
        told = ", ".join(f"{row['feature']} {row[whole]:.0f}" for row in records(own))
        examples.append(f"{int(total)} lookups are {told}")
    beside = ", ".join(
        f"{'evenly' if rule == 'even' else f'by {rule}'} {regret[rule]:.4f} and {error[rule]:.2f}"
        for rule in RULES
    )
    return (
        f"- {first['panel']}: give every feature one lookup and {how[best]}; {'; '.join(examples)}. Of the rules it has the "
        f"least regret on a size left out of the fit; mean regret in MSE and error in lookups a feature: {beside}."
    )
