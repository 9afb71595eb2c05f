"""Which splits can tell strategies apart? Each split's errors on users and items seen in training and not, beside the anchors.

A split cannot rank strategies where no pair of them is told apart, or where most judged rows have users never seen in training
and no arm beats the best of the predictors without an embedding: it then ranks what is noise to all of them.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.statistics import LEVEL, holm, paired
from ue_bench.report.evidence.summary import (
    ANCHORS,
    MOSTLY_UNSEEN,
    SCOPE,
    by_seed,
    key,
    panel,
    score,
)
from ue_bench.report.figures import anchor_lines as anchor
from ue_bench.report.figures import style
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.style import ANCHOR_NAMES
from ue_bench.report.format import NOTHING, bytes_text, interval_text, missing, mse_text, ratio_text

NAME = "splits"
EMPTY = "all arms were run on one split"
CAPTION = (
    "MSE of every arm on each split, with a 95 % t-interval over seeds; each panel has its own scale. Dotted: the predictors "
    "without an embedding, where they are near; the table has all. Warm: users or items with rows in the training part; cold: "
    "those without. Only the random split is drawn anew with each seed: on the others an interval has no part for the choice of "
    "rows."
)
SLICES = ("warm_user", "cold_user", "warm_item", "cold_item")
TRIVIAL = ("mean", "item_mean", "bias")  # matrix factorisation has embeddings of its own
PRIMARY = "random"  # stands first
COLUMNS = [
    "panel",
    "features",
    "split",
    "part",
    "label",
    "group",
    "budget",
    "size",
    "n",
    "mse",
    "low",
    "high",
    *(f"{name}_{what}" for name in SLICES for what in ("n", "mse")),
    *(f"anchor_{name}" for name in ANCHORS),
    "rows",
    "cold_share",
    "pairs",
    "told_apart",
    "best_anchor",
    "beat_it",
    "ranks",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """One row an arm; what describes a split is the same in all its rows. Empty where there is one split only."""
    scored = score(study.summary)
    if scored["split"].nunique() < 2:
        return pd.DataFrame(columns=COLUMNS)
    by_key = {arm.key: arm for arm in study.arms}
    found: list[dict[str, Any]] = []
    scopes = groups(scored.assign(panel=panel(scored)), SCOPE)
    for _, part in sorted(
        scopes,
        key=lambda scope: (scope[1]["features"].iloc[0], scope[1]["split"].iloc[0] != PRIMARY),
    ):
        own = [(row, by_key[key(row)]) for row in records(part)]
        cells = [{**row, **_slices(arm)} for row, arm in own]
        facts = _facts(cells, [by_seed(arm, row["part"]) for row, arm in own])
        for cell in cells:
            size = f"{bytes_text(cell['budget'])} ({ratio_text(cell['budget'], cell['exact_table_bytes'])})"
            found.append({**cell, **facts, "size": NOTHING if missing(cell["budget"]) else size})
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def _slices(arm: Arm) -> dict[str, float | None]:
    """Rows and MSE of each slice, means over the arm's runs."""
    row: dict[str, float | None] = {}
    for name in SLICES:
        given = [run.quality.get("slices", {}).get(name, {}) for run in arm.runs]
        for what in ("n", "mse"):
            values = [own[what] for own in given if own.get(what) is not None]
            row[f"{name}_{what}"] = sum(values) / len(values) if values else None
    return row


def _facts(cells: Sequence[Mapping[str, Any]], scores: Sequence[dict]) -> dict[str, Any]:
    """What a split can tell: pairs of arms of one size told apart, and how many beat the best trivial predictor."""
    pairs = [
        (a, b)
        for a, b in combinations(range(len(cells)), 2)
        if missing(cells[a]["budget"])
        or missing(cells[b]["budget"])
        or cells[a]["budget"] == cells[b]["budget"]
    ]
    adjusted = holm([paired(scores[a], scores[b]).p for a, b in pairs])
    first = cells[0]
    judged = sum(first[f"{heat}_user_n"] or 0 for heat in ("warm", "cold"))
    cold = (first["cold_user_n"] or 0) / judged if judged else None
    anchors = {
        name: first[f"anchor_{name}"] for name in TRIVIAL if not missing(first[f"anchor_{name}"])
    }
    best = min(anchors, key=lambda name: anchors[name], default=None)
    beat = sum(cell["mse"] < anchors[best] for cell in cells) if best else len(cells)
    told = sum(p < 1 - LEVEL for p in adjusted)
    hopeless = cold is not None and cold > MOSTLY_UNSEEN and beat == 0
    return {
        "rows": judged,
        "cold_share": cold,
        "pairs": len(pairs),
        "told_apart": told,
        "best_anchor": best,
        "beat_it": beat,
        "ranks": told > 0 and not hopeless,
    }


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: a sentence a split, then a table with the anchors at its head."""
    panels = list(frame.groupby("panel", sort=False))
    lines = [f"- {_sentence(part)}" for _, part in panels]
    for title, part in panels:
        first = part.iloc[0]
        heads = [f"{name.replace('_', ' ')}s ({_count(first[f'{name}_n'])})" for name in SLICES]
        lines += [
            "",
            f"| {title} | size | {first['part']} MSE | {' | '.join(heads)} |",
            "|---|--:|---|" + "--:|" * len(SLICES),
        ]
        for name in ANCHORS:
            if not missing(first[f"anchor_{name}"]):
                lines.append(
                    f"| *{ANCHOR_NAMES[name]}* | | *{mse_text(first[f'anchor_{name}'])}* |"
                    + " |" * len(SLICES)
                )
        for row in records(part.sort_values(["budget", "mse"], kind="stable")):
            slices = " | ".join(mse_text(row[f"{name}_mse"]) for name in SLICES)
            lines.append(
                f"| {row['label']} | {row['size']} | {interval_text(row['mse'], row['low'], row['high'])} | {slices} |"
            )
    return lines


def _count(n: Any) -> str:
    return NOTHING if missing(n) else f"{n:,.0f} rows"


def _sentence(part: pd.DataFrame) -> str:
    """Plain words about one split, from its facts."""
    first = part.iloc[0]
    beat = (
        f"no arm beats the {ANCHOR_NAMES[first['best_anchor']]} ({mse_text(first['anchor_' + first['best_anchor']])})"
        if first["best_anchor"] and not first["beat_it"]
        else f"{first['beat_it']} of {len(part)} arms beat the best predictor without an embedding"
    )
    cold = (
        ""
        if missing(first["cold_share"])
        else f"{100 * first['cold_share']:.0f} % of its judged rows have users never seen in training"
    )
    told = f"{first['told_apart']} of {first['pairs']} pairs of arms are told apart (paired over seeds, Holm-corrected, 5 %)"
    told = (
        told
        if first["told_apart"]
        else "no pair of arms is told apart (paired over seeds, Holm-corrected, 5 %)"
    )
    verdict = "can tell strategies apart" if first["ranks"] else "cannot rank strategies"
    aside = (
        " What is told apart there is how the arms fail."
        if first["told_apart"] and not first["ranks"]
        else ""
    )
    facts = ", ".join(text for text in (cold, beat) if text)
    return f"{first['panel']} {verdict}: {facts}, and {told}.{aside}"


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row a feature set, a column a split: sizes from left to right, at each the arms side by side."""
    features = list(dict.fromkeys(frame["features"]))
    titles = {
        name: list(dict.fromkeys(frame.loc[frame["features"] == name, "panel"]))
        for name in features
    }
    across = max(map(len, titles.values()))
    figure, grid = style.canvas(len(features), across, 3.2, 3.1)
    for axes_row, name in zip(grid, features, strict=True):
        for axes, title in zip(axes_row, titles[name], strict=False):
            _panel(axes, frame[frame["panel"] == title], title, study.looks)
            near = study.anchors["inside"] & study.anchors["anchor"].isin(TRIVIAL)
            anchor.draw(axes, study.anchors[(study.anchors["panel"] == title) & near])
        for axes in axes_row[len(titles[name]) :]:
            axes.set_visible(False)
    style.legend(
        figure,
        [
            style.handle(study.looks[label], label, joined=False)
            for label in dict.fromkeys(frame["label"])
        ],
    )
    return figure


def _panel(axes: Axes, part: pd.DataFrame, title: str, looks: style.Looks) -> None:
    sizes = list(dict.fromkeys(part.sort_values("budget", kind="stable")["size"]))
    labels = list(dict.fromkeys(part["label"]))
    for row in rows(part):
        look = looks[row.label]
        x = sizes.index(row.size) + 0.6 * (labels.index(row.label) / max(1, len(labels) - 1) - 0.5)
        axes.plot([x, x], [row.low, row.high], color=look.color, linewidth=1.2)
        axes.plot([x], [row.mse], color=look.color, marker=look.marker, markersize=look.size)
    axes.set_xticks(
        range(len(sizes)),
        [size.replace(" (", "\n(") if size != NOTHING else "no\nbudget" for size in sizes],
    )
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("budget")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE")
    axes.set_title(style.heading(title).replace(", ", ",\n", 1), fontsize=9)


SECTION = Section(
    name=NAME,
    title="Splits",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
