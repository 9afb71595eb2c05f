"""A rule of thumb for sharing out lookups, fitted to what searches found, with its error on a table size left out of the fit."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ue_bench.apportion import apportion
from ue_bench.record import Record
from ue_bench.report import style, trials
from ue_bench.report.frames import groups, records, rows

NAME = "allocation_rule"
EMPTY = "no search shared out a fixed number of lookups at two table sizes or more"
POWERS = np.round(np.arange(-1, 2.001, 0.05), 2)  # of the cardinality; 0: the even allocation
CAPTION = (
    "The rule: every feature gets one lookup, the others are shared out in proportion to cardinality^a (a = 0: evenly). Points: "
    f"the mean allocation of the best {trials.BEST} trials of each search; solid line: the rule with a fitted to all sizes by "
    "least squares; dotted: the even allocation. The error is on a table size that the fit did not see: the mean absolute "
    "difference in lookups a feature from the best few, and the regret in validation MSE of the trials nearest to the allocation "
    "beside the best trial, each beside the even allocation's. The regret is of single trials on one seed."
)
COLUMNS = [
    "panel", "view", "cell", "total", "budget", "size", "feature", "cardinality", "wanted", "even", "rule", "whole",
    "power", "power_low", "power_high", "error_rule", "error_even", "regret_rule", "regret_even", "away_rule", "away_even", "n",
]  # fmt: skip


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """view `found`: one row a search and feature, with the rule fitted to all sizes (`rule`, and `whole` lookups).
    view `held`: one row a table size, the power fitted to the other sizes and its errors on this one, means over `n` searches."""
    frame = trials.tidy(trials.shared_out(search))
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    features = frame.groupby("panel")["feature"].transform("nunique")
    frame = frame[frame["total"] > features + 1]  # one lookup to share out is a choice, not an allocation
    found = []
    for title, own in groups(frame, "panel"):
        target = trials.wanted(own)
        if target["budget"].nunique() < 2:
            continue
        held = [_held(own, target, budget) for budget in sorted(target["budget"].unique())]
        power = fit(target)
        powers = [one["power"] for one in held]
        target = target.assign(view="found", power=power, power_low=min(powers), power_high=max(powers), rule=0.0, whole=0)
        for _, part in groups(target, "search"):
            cards = dict(zip(part["feature"], part["cardinality"], strict=True))
            total = int(part["total"].iloc[0])
            target.loc[part.index, "rule"] = quotas(cards, total, power)
            target.loc[part.index, "whole"] = list(allocation(cards, total, power).values())
        found += [target, pd.DataFrame(held).assign(panel=title, view="held")]
    return pd.concat(found).reindex(columns=COLUMNS).reset_index(drop=True) if found else pd.DataFrame(columns=COLUMNS)


def weights(cardinalities: Mapping[str, int], power: float) -> dict[str, float]:
    """What the lookups beyond one a feature are shared out in proportion to."""
    return {name: float(card) ** power for name, card in cardinalities.items()}


def allocation(cardinalities: Mapping[str, int], total: int, power: float) -> dict[str, int]:
    """The rule: whole lookups, `total` together, at least one a feature."""
    shared = apportion(total - len(cardinalities), weights(cardinalities, power))
    return {name: 1 + extra for name, extra in shared.items()}


def quotas(cardinalities: Mapping[str, int], total: int, power: float) -> list[float]:
    """The rule before it is rounded."""
    given = weights(cardinalities, power)
    return [1 + (total - len(given)) * weight / sum(given.values()) for weight in given.values()]


def fit(target: pd.DataFrame) -> float:
    """The power of `POWERS` whose quotas are nearest to what the searches found, in squared lookups over extra lookups."""

    def loss(power: float) -> float:
        total = 0.0
        for _, own in groups(target, "search"):
            count = int(own["total"].iloc[0])
            ruled = quotas(dict(zip(own["feature"], own["cardinality"], strict=True)), count, power)
            total += float(np.square((own["wanted"] - ruled) / (count - len(own))).sum())
        return total

    return float(min(POWERS, key=loss))


def _held(frame: pd.DataFrame, target: pd.DataFrame, budget: int) -> dict:
    """The errors at one table size of the rule fitted to the others."""
    power = fit(target[target["budget"] != budget])
    errors = []
    for search, own in groups(target[target["budget"] == budget], "search"):
        cards = dict(zip(own["feature"], own["cardinality"], strict=True))
        ruled = allocation(cards, int(own["total"].iloc[0]), power)
        tried = frame[frame["search"] == search]
        lookups = tried.pivot(index="run_id", columns="feature", values="lookups")
        mse = tried.drop_duplicates("run_id").set_index("run_id")["mse"].loc[lookups.index]
        row = {}
        for name, given in (("rule", own["feature"].map(ruled)), ("even", own["even"])):
            row[f"error_{name}"] = float((own["wanted"] - given).abs().mean())
            away = (lookups - pd.Series(given.to_numpy(), own["feature"])).abs().sum(axis=1)
            nearest = away <= away.min() + 1e-9
            row |= {f"regret_{name}": float(mse[nearest].mean() - mse.min()), f"away_{name}": float(away.min())}
        errors.append(row)
    size = target.loc[target["budget"] == budget, "size"].iloc[0]
    return {"budget": budget, "size": size, "power": power, "n": len(errors)} | pd.DataFrame(errors).mean().to_dict()


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one feature set: a panel for each way of spending the lookups."""
    found = frame[frame["view"] == "found"]
    cells, sizes = list(dict.fromkeys(found["cell"])), sorted(found["budget"].unique())
    figure, grid = style.canvas(1, len(cells), 3.5, 3.3, sharey=True)
    figure.suptitle(found["panel"].iloc[0], fontsize=10, fontweight="bold")
    looks = style.looks([(str(budget), str(budget)) for budget in sizes])
    for axes, cell in zip(grid[0], cells, strict=True):
        own = found[found["cell"] == cell].sort_values("cardinality", kind="stable")
        axes.plot(own["cardinality"], own["rule"], color="#303030", linewidth=1.4)
        axes.plot(own["cardinality"], own["even"], color=style.GREY, linewidth=1.2, linestyle=":")
        for budget, part in groups(own, "budget"):
            style.points(axes, part.assign(hollow=False), "cardinality", "wanted", looks[str(budget)], joined=False)
        axes.set_xscale("log")
        axes.set_title(cell, fontsize=9)
        axes.set_xlabel("distinct values of the feature")
    grid[0, 0].set_ylabel(f"lookups, mean of the best {trials.BEST}")
    named = dict(zip(found["budget"], found["size"], strict=True))
    entries = [style.handle(looks[str(budget)], f"table of {named[budget]}", joined=False) for budget in sizes]
    rule = style.Look("#303030", "", "-", 0)
    even = style.Look(style.GREY, "", ":", 0)
    style.legend(figure, [*entries, style.handle(rule, "the rule"), style.handle(even, "the even allocation")])
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """The rule in a sentence for each feature set, then its errors on the sizes left out."""
    lines = [sentence(own) for _, own in groups(frame, "panel")]
    lines += [
        "", "| features | size left out | a from the others | searches | error, lookups a feature: rule | even "
        "| regret, MSE: rule | even |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for row in records(frame[frame["view"] == "held"]):
        regret = " | ".join(f"{row[f'regret_{name}']:.4f} ({row[f'away_{name}']:.0f} away)" for name in ("rule", "even"))
        lines.append(
            f"| {row['panel']} | {row['size']} | {row['power']:.2f} | {row['n']:.0f} | {row['error_rule']:.2f} "
            f"| {row['error_even']:.2f} | {regret} |"
        )
    return lines


def sentence(frame: pd.DataFrame) -> str:
    """What the rule says for one feature set, and whether it is any better than the even allocation."""
    found, held = frame[frame["view"] == "found"], frame[frame["view"] == "held"]
    first = found.iloc[0]
    examples = []
    for total, own in groups(found, "total"):
        own = own.drop_duplicates("feature").sort_values("whole", ascending=False, kind="stable")
        examples.append(f"{int(total)} lookups are {', '.join(f'{row.feature} {int(row.whole)}' for row in rows(own))}")
    error, even = held["error_rule"].mean(), held["error_even"].mean()
    better = "nearer than" if error < even else "no nearer than"
    return (
        f"- {first['panel']}: give every feature one lookup and share out the others in proportion to "
        f"cardinality^{first['power']:.2f} ({first['power_low']:.2f} to {first['power_high']:.2f} when one size is left out): "
        f"{'; '.join(examples)}. On a size that it was not fitted to it misses the best few by {error:.2f} lookups a feature, "
        f"{better} the even allocation's {even:.2f}."
    )
