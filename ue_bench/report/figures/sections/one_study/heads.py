"""Is the ranking of strategies the same under another head? Rank correlation of the arms' mean MSE, head against head."""

import json
from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.comparison import USUAL_HEAD
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.statistics import LEVEL, holm, paired
from ue_bench.report.evidence.summary import by_seed, key, panel, score
from ue_bench.report.figures import style
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, interval_text, missing

NAME = "heads"
EMPTY = "no arms were run under more than one head"
CAPTION = (
    "Every point is an arm: its mean MSE under one head against that under another, bars 95 % t-intervals over seeds. τ is "
    "Kendall's rank correlation of the means (1: the same order), with a 95 % percentile interval of the bootstrap over seeds, "
    "drawn anew for all arms and both heads together. Reversed: pairs of arms that both heads tell apart (paired t-test over "
    "seeds, Holm-corrected within a head, 5 %), in opposite order. All heads have one recipe, tuned for none of them."
)
COLUMNS = [
    "panel",
    "part",
    "label",
    "group",
    "budget",
    "head_x",
    "mse_x",
    "low_x",
    "high_x",
    "head_y",
    "mse_y",
    "low_y",
    "high_y",
    "arms",
    "seeds",
    "tau",
    "tau_low",
    "tau_high",
    "rho",
    "told_apart",
    "reversed",
]
FEWEST = 3  # arms: two have no ranking worth a correlation
RESAMPLES = 999
_HEAD = ("head", "hidden")  # what a head is, in a configuration

Scores = dict[Hashable, float]  # MSE by seeds


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm and pair of heads; what describes the pair of heads is the same in all its rows."""
    scored = score(study.summary)
    known: dict[tuple[Any, ...], Any] = {
        key(row): row for row in scored.assign(panel=panel(scored)).to_dict("records")
    }
    budgets: dict[Any, set[int]] = defaultdict(set)
    cells: dict[Any, dict[str, dict[str, Arm]]] = defaultdict(lambda: defaultdict(dict))
    for arm in study.arms:
        if arm.config["budget"]:
            budgets[arm.comparison._replace(head="")].add(arm.config["budget"])
    for arm in study.arms:
        scope = arm.comparison._replace(head="")
        rest = json.dumps(
            {name: value for name, value in arm.config.items() if name not in _HEAD}, sort_keys=True
        )
        own = arm.config["budget"]
        for budget in (
            [own] if own else sorted(budgets[scope])
        ):  # an exact table stands at every size
            if arm.key in known:
                cells[scope, budget][arm.comparison.head][rest] = arm
    found: list[dict[str, Any]] = []
    for (scope, budget), heads in sorted(cells.items()):
        title = f"{panel(pd.DataFrame([scope._replace(head=USUAL_HEAD, phase='')._asdict()]))[0]}, {bytes_text(budget)}"
        for one, other in combinations(
            sorted(heads, key=lambda head: (head != USUAL_HEAD, head)), 2
        ):
            common = [rest for rest in heads[one] if rest in heads[other]]
            if len(common) < FEWEST:
                continue
            sides = [[heads[head][rest] for rest in common] for head in (one, other)]
            scores = [[by_seed(arm, known[arm.key]["part"]) for arm in side] for side in sides]
            pair = {
                "head_x": one,
                "head_y": other,
                "arms": len(common),
                **_correlation(scores),
                **_order(scores),
            }
            for arm, twin in zip(*sides, strict=True):
                row = {"panel": title, **pair}
                row |= {
                    "part": known[arm.key]["part"],
                    "label": arm.label,
                    "group": arm.group,
                    "budget": arm.config["budget"],
                }
                for end, its in (("x", arm), ("y", twin)):
                    row |= {
                        f"{name}_{end}": known[its.key][name] for name in ("mse", "low", "high")
                    }
                found.append(row)
    return pd.DataFrame(found, columns=COLUMNS)


def _correlation(scores: Sequence[Sequence[Scores]]) -> dict[str, Any]:
    """Kendall's tau and Spearman's rho of the means over common seeds; with one seed tau has no interval."""
    seeds = sorted(set.intersection(*(set(arm) for side in scores for arm in side)), key=str)
    x, y = (
        np.array([[arm[seed] for seed in seeds] for arm in side]) for side in scores
    )  # [arms, seeds]

    @cache  # few seeds are drawn in few ways
    def tau_of(places: tuple[int, ...]) -> float:
        return float(stats.kendalltau(x[:, places].mean(1), y[:, places].mean(1)).statistic)

    def tau(places: np.ndarray) -> float:
        return tau_of(tuple(sorted(places.tolist())))

    every = np.arange(len(seeds))
    row = {"seeds": len(seeds), "tau": np.nan, "rho": np.nan, "tau_low": np.nan, "tau_high": np.nan}
    if len(seeds):
        row |= {"tau": tau(every), "rho": float(stats.spearmanr(x.mean(1), y.mean(1)).statistic)}
    if len(seeds) > 1:
        ends = stats.bootstrap(
            (every,),
            tau,
            n_resamples=RESAMPLES,
            method="percentile",
            confidence_level=LEVEL,
            vectorized=False,
            rng=0,
        ).confidence_interval
        row |= {"tau_low": float(ends.low), "tau_high": float(ends.high)}
    return row


def _order(scores: Sequence[Sequence[Scores]]) -> dict[str, int]:
    """How many pairs of arms both heads tell apart, and how many of these are in opposite order."""
    pairs = list(combinations(range(len(scores[0])), 2))
    signs = []
    for side in scores:
        tests = [paired(side[a], side[b]) for a, b in pairs]
        adjusted = holm([test.p for test in tests])
        signs.append(
            [
                np.sign(test.difference) if p < 1 - LEVEL else 0
                for test, p in zip(tests, adjusted, strict=True)
            ]
        )
    products = [a * b for a, b in zip(*signs, strict=True)]
    return {
        "told_apart": sum(product != 0 for product in products),
        "reversed": sum(product < 0 for product in products),
    }


def _pairs(frame: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """((panel, head, head), rows), in the order of the frame."""
    return list(frame.groupby(["panel", "head_x", "head_y"], sort=False))


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: a sentence a panel, the correlations, and every arm's MSE under each head."""
    lines = [f"- {_sentence(title, part)}" for title, part in groups(frame, "panel")]
    lines += [
        "",
        "| data | heads | arms | seeds | Kendall τ | Spearman ρ | pairs told apart under both | reversed |",
        "|---|---|--:|--:|---|--:|--:|--:|",
    ]
    for (title, one, other), part in _pairs(frame):
        row = part.iloc[0]
        cells = [
            title,
            f"{one}, {other}",
            row["arms"],
            row["seeds"],
            _tau(row),
            f"{row['rho']:.2f}",
            row["told_apart"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} | {row['reversed']} |")
    for title, part in groups(frame, "panel"):
        lines += ["", *_arms(title, part)]
    return lines


def _tau(row: Any) -> str:
    brackets = "" if missing(row["tau_low"]) else f" [{row['tau_low']:.2f}, {row['tau_high']:.2f}]"
    return f"{row['tau']:.2f}{brackets}"


def _sentence(title: str, part: pd.DataFrame) -> str:
    pairs = [own.iloc[0] for _, own in _pairs(part)]
    told = ", ".join(f"{row['head_x']} and {row['head_y']} {_tau(row)}" for row in pairs)
    n, reverse = sum(row["told_apart"] for row in pairs), sum(row["reversed"] for row in pairs)
    text = f"{title}: rank correlation τ of {told}. "
    if not n:
        return text + "No pair of arms is told apart under two heads."
    if not reverse:
        return (
            text
            + f"No head reverses another: all {n} pairs of arms told apart under two heads have one order in both."
        )
    return (
        text + f"Of {n} pairs of arms told apart under two heads, {reverse} are in opposite order."
    )


def _arms(title: str, part: pd.DataFrame) -> list[str]:
    """One row an arm, a column a head: its MSE and its rank among the arms under this head."""
    ends = [
        part.rename(columns={f"{name}_{end}": name for name in ("head", "mse", "low", "high")})[
            ["label", "budget", "head", "mse", "low", "high"]
        ]
        for end in ("x", "y")
    ]
    long = pd.concat(ends).drop_duplicates(["label", "budget", "head"])
    long["rank"] = long.groupby("head")["mse"].rank(method="min").astype(int)
    heads = list(dict.fromkeys(long["head"]))
    lines = [
        f"| {title} | {' | '.join(f'{head}: rank | MSE' for head in heads)} |",
        "|---|" + "--:|---|" * len(heads),
    ]
    by_rank = long.sort_values(
        ["head", "rank"],
        key=lambda column: column if column.name == "rank" else column.map(heads.index),
    )
    for (label, _), own in by_rank.groupby(["label", "budget"], sort=False, dropna=False):
        cells = {
            row.head: f"{row.rank} | {interval_text(row.mse, row.low, row.high)}"
            for row in rows(own)
        }
        lines.append(f"| {label} | {' | '.join(cells.get(head, ' | ') for head in heads)} |")
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row a panel, a column a pair of heads."""
    titles = list(dict.fromkeys(frame["panel"]))
    pairs = list(dict.fromkeys(zip(frame["head_x"], frame["head_y"], strict=True)))
    figure, grid = style.canvas(len(titles), len(pairs), 3.1, 2.9)
    cells = dict(_pairs(frame))
    for axes_row, title in zip(grid, titles, strict=True):
        for axes, pair in zip(axes_row, pairs, strict=True):
            if (title, *pair) in cells:
                _scatter(axes, cells[(title, *pair)], study.looks)
            else:
                axes.set_visible(False)
        axes_row[0].set_title(
            f"{style.heading(title)}\n{axes_row[0].get_title(loc='left')}", fontsize=9
        )
    labels = dict.fromkeys(frame["label"])
    style.legend(
        figure, [style.handle(study.looks[label], label, joined=False) for label in labels]
    )
    return figure


def _scatter(axes: Axes, part: pd.DataFrame, looks: style.Looks) -> None:
    first = part.iloc[0]
    for row in rows(part):
        look = looks[row.label]
        axes.plot(
            [row.low_x, row.high_x],
            [row.mse_y, row.mse_y],
            color=look.color,
            linewidth=0.7,
            alpha=0.6,
        )
        axes.plot(
            [row.mse_x, row.mse_x],
            [row.low_y, row.high_y],
            color=look.color,
            linewidth=0.7,
            alpha=0.6,
        )
        axes.plot(
            [row.mse_x], [row.mse_y], color=look.color, marker=look.marker, markersize=look.size
        )
    axes.set_xlabel(f"{first['part']} MSE, {first['head_x']} head")
    axes.set_ylabel(f"{first['part']} MSE, {first['head_y']} head")
    axes.set_title(f"τ = {_tau(first)}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=5)


SECTION = Section(
    name=NAME,
    title="Heads",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
