"""Which splits can tell strategies apart? The errors on each split, and how many pairs they part.

A split cannot rank strategies where no pair of them is told apart. It cannot rank them either
where most judged rows have users never seen in training and no arm beats the best of the
predictors without an embedding: it then ranks what is noise to all of them.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.pairs import differences_of, holm_corrected
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.summary import (
    ANCHORS,
    MOSTLY_UNSEEN,
    SCOPE,
    by_key,
    key,
    panel,
    row_scores,
    score,
)
from ue_bench.report.figures import anchor_lines, anchor_points, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.style import ANCHOR_NAMES
from ue_bench.report.format import NOTHING, interval_text, listed, missing, mse_text, size_text

CAPTION = (
    f"MSE of every arm on each split, with a 95 % interval ({RULE}); each panel has its own "
    "scale. Dotted: the predictors without an embedding, where they are near; the table has all "
    "of them. Warm: users or items with rows in the training part; cold: those without. "
    "Hollow: not better than the bias model."
)
SLICES = ("warm_user", "cold_user", "warm_item", "cold_item")
# Those without an embedding: matrix factorisation has embeddings of its own.
WITHOUT_EMBEDDING = ("mean", "item_mean", "bias", "linear", "boosting")
_IN_SENTENCES = {
    "mean": "the global mean",
    "item_mean": "the item mean",
    "bias": "the bias model",
    "linear": "the linear model of one-hot features",
    "boosting": "gradient boosting",
}
PRIMARY = "random"  # the split that is shown first
COLUMNS = [
    "panel",
    "features",
    "split",
    "part",
    "label",
    "group",
    "is_anchor",
    "budget",
    "size",
    "n",
    "mse",
    "low",
    "high",
    "hollow",
    *(f"{name}_{what}" for name in SLICES for what in ("n", "mse")),
    *(f"anchor_{name}" for name in ANCHORS),
    "rows",
    "cold_share",
    "interval_by",
    "pairs",
    "tests",
    "told_apart",
    "judged",
    "best_anchor",
    "beat_it",
    "ranks",
]

Row = dict[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each arm. What describes a split is the same in all of its rows.

    Data sets with one split only are left out.
    """
    scored = score(study.summary)
    scored = scored[scored.groupby("dataset")["split"].transform("nunique") > 1]
    if scored.empty:
        return pd.DataFrame(columns=COLUMNS)
    scored = scored.assign(panel=panel(scored), hollow=scored["beats_bias"].eq(False))
    arms = by_key(study.arms)
    lines = []
    for _, part in groups(scored, SCOPE):
        cells = []
        strategies = []
        scores = []
        for row in records(part):
            slices = _slices(arms[key(row)])
            cell = {**row, "size": _size(row), **slices}
            cells.append(cell)
            if not row["is_anchor"]:
                strategies.append(cell)
                scores.append(row_scores(arms, row))
        facts = _facts(strategies or cells, scores)
        lines += [cell | facts for cell in cells]
    frame = pd.DataFrame(lines).reindex(columns=COLUMNS)
    other_split = frame["split"] != PRIMARY
    keyed = frame.assign(other_split=other_split)
    ordered = keyed.sort_values(["features", "other_split"], kind="stable", ignore_index=True)
    return ordered[COLUMNS]


def _size(row: Row) -> str:
    if missing(row["budget"]):
        return NOTHING
    return size_text(row["budget"], row["exact_table_bytes"])


def _slices(arm: Arm) -> dict[str, float | None]:
    """Return the rows and the MSE of each slice, as means over the runs of the arm."""
    means: dict[str, float | None] = {}
    for name in SLICES:
        counts = []
        errors = []
        for run in arm.runs:
            of_slice = run.quality.get("slices", {}).get(name, {})
            counts.append(of_slice.get("n"))
            errors.append(of_slice.get("mse"))
        means[f"{name}_n"] = _mean(counts)
        means[f"{name}_mse"] = _mean(errors)
    return means


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) / len(known)


def _facts(cells: Sequence[Row], scores: Sequence[Scores]) -> dict[str, Any]:
    """Return what a split can tell.

    cells, scores: of the strategies, which are as many as `judged`. pairs, tests, told_apart: pairs
    of them of one size, how many of these can be tested, and how many are told apart. best_anchor,
    beat_it: the best predictor without an embedding, and how many beat it.
    """
    pairs = []
    for (cell, own), (other_cell, other) in combinations(zip(cells, scores, strict=True), 2):
        if _comparable(cell["budget"], other_cell["budget"]):
            pairs.append((own, other))
    tests = holm_corrected(differences_of(pairs))
    told_apart = int(tests["told_apart"].sum())
    first = cells[0]
    warm = first["warm_user_n"] or 0
    cold = first["cold_user_n"] or 0
    judged = warm + cold
    cold_share = None
    mostly_unseen = False
    if judged:
        cold_share = cold / judged
        mostly_unseen = cold_share > MOSTLY_UNSEEN
    anchor = _best_anchor(first)
    beat_it = len(cells)
    if anchor is not None:
        limit = first[f"anchor_{anchor}"]
        beat_it = sum(cell["mse"] < limit for cell in cells)
    return {
        "rows": judged,
        "cold_share": cold_share,
        "pairs": len(pairs),
        "tests": int(tests["tests"].max()) if len(pairs) else 0,
        "told_apart": told_apart,
        "judged": len(cells),
        "best_anchor": anchor,
        "beat_it": beat_it,
        "ranks": told_apart > 0 and not (mostly_unseen and beat_it == 0),
    }


def _comparable(budget: Any, other: Any) -> bool:
    """Return whether two arms have one size; a table without a budget is compared with all."""
    return missing(budget) or missing(other) or budget == other


def _best_anchor(row: Row) -> str | None:
    known = [name for name in WITHOUT_EMBEDDING if not missing(row[f"anchor_{name}"])]
    return min(known, key=lambda name: row[f"anchor_{name}"], default=None)


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each split, then a table of its arms with the anchors first."""
    panels = list(frame.groupby("panel", sort=False))
    lines = [f"- {_sentence(part)}" for _, part in panels]
    for _, part in panels:
        lines += ["", *_arms(part)]
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return which splits can rank strategies."""
    firsts = frame.drop_duplicates("panel")
    names = {}
    for ranks, part in groups(firsts, "ranks"):
        names[bool(ranks)] = [name.replace("_", " ") for name in part["split"].unique()]
    clauses = []
    if True in names:
        clauses.append(f"strategies can be told apart on {_named(names[True])}")
    if False in names:
        who = "they" if clauses else "strategies"
        clauses.append(f"{who} cannot be ranked on {_named(names[False])}")
    text = ", and ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _named(splits: list[str]) -> str:
    return f"the {listed(splits)} split{'s' if len(splits) > 1 else ''}"


def _arms(part: pd.DataFrame) -> list[str]:
    first = part.iloc[0]
    heads = []
    for name in SLICES:
        n = first[f"{name}_n"]
        count = NOTHING
        if not missing(n):
            count = f"{n:,.0f} rows"
        heads.append(f"{name.replace('_', ' ')}s ({count})")
    lines = [
        f"| {first['panel']} | size | {first['part']} MSE | {' | '.join(heads)} |",
        "|---|--:|---|" + "--:|" * len(SLICES),
    ]
    for name in ANCHORS:
        mse = first[f"anchor_{name}"]
        if not missing(mse):
            empty = " |" * len(SLICES)
            lines.append(f"| *{ANCHOR_NAMES[name]}* | | *{mse_text(mse)}* |{empty}")
    for row in records(part.sort_values(["budget", "mse"], kind="stable")):
        cells = [
            row["label"],
            row["size"],
            interval_text(row["mse"], row["low"], row["high"]),
        ]
        for name in SLICES:
            cells.append(mse_text(row[f"{name}_mse"]))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _sentence(part: pd.DataFrame) -> str:
    """Return the facts of one split in a sentence."""
    first = part.iloc[0]
    verdict = "can tell strategies apart" if first["ranks"] else "cannot rank strategies"
    facts = []
    if not missing(first["cold_share"]):
        percent = f"{100 * first['cold_share']:.0f} %"
        facts.append(f"{percent} of its judged rows have users never seen in training")
    anchor = first["best_anchor"]
    if anchor and not first["beat_it"]:
        mse = mse_text(first[f"anchor_{anchor}"])
        facts.append(f"no arm beats {_IN_SENTENCES[anchor]} ({mse})")
    else:
        beat_it = f"{first['beat_it']} of {first['judged']} arms"
        facts.append(f"{beat_it} beat the best predictor without an embedding")
    pairs = "no pair of arms is told apart"
    if first["told_apart"]:
        pairs = f"{first['told_apart']} of {first['pairs']} pairs of arms are told apart"
    how = f"Holm-corrected over {first['tests']} tests, 5 %, {first['interval_by']}"
    if not first["tests"]:
        how = first["interval_by"]
        verdict = "is not judged"
        pairs = f"{first['pairs']} pairs of arms cannot be tested"
    text = f"{first['panel']} {verdict}: {', '.join(facts)}, and {pairs} ({how})."
    if first["told_apart"] and not first["ranks"]:
        text += " What is told apart there is how the arms fail."
    return text


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row of panels for each feature set, one column for each split."""
    across = int(frame.groupby("features")["panel"].nunique().max())
    near = study.anchors["inside"] & study.anchors["anchor"].isin(WITHOUT_EMBEDDING)
    anchors = study.anchors[near]

    def draw_row(axes_row: Any, of_features: pd.DataFrame) -> None:
        splits = list(of_features.groupby("panel", sort=False))
        for axes, (title, part) in zip(axes_row, splits, strict=False):
            _draw_split(axes, part, study.looks)
            anchor_lines.draw(axes, anchors[anchors["panel"] == title])
        for axes in axes_row[len(splits) :]:
            axes.set_visible(False)

    figure, _ = panel_rows(frame, across, draw_row, width=3.2, height=3.1, by="features")
    entries = []
    for label in frame.loc[~frame["is_anchor"], "label"].unique():
        look = study.looks[label]
        entries.append(style.handle(look, label, joined=False))
    if frame["is_anchor"].any():
        entries.append(anchor_points.entry())
    if frame["hollow"].any():
        entries.append(style.mark(style.NOT_BETTER))
    style.legend(figure, entries)
    return figure


def _draw_split(axes: Axes, part: pd.DataFrame, looks: style.Looks) -> None:
    """Draw the sizes from left to right, and the arms of one size side by side."""
    sizes = list(part.sort_values("budget", kind="stable")["size"].unique())
    for place, size in enumerate(sizes):
        arms = part[part["size"] == size].sort_values("label", kind="stable")
        x = [place + 0.6 * style.aside(number, len(arms)) for number in range(len(arms))]
        for _, arm in groups(arms.assign(x=x), "label"):
            look = looks[arm["label"].iloc[0]]
            axes.vlines(arm["x"], arm["low"], arm["high"], color=look.color, linewidth=1.2)
            style.points(axes, arm, "x", "mse", look, joined=False)
    names = []
    for size in sizes:
        if size == NOTHING:
            names.append("no\nbudget")
        else:
            names.append(size.replace(" (", "\n("))
    axes.set_xticks(range(len(sizes)), names)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("budget")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE")
    title = style.heading(part["panel"].iloc[0])
    axes.set_title(title.replace(", ", ",\n", 1), fontsize=9)


SECTION = Section(
    name="splits",
    title="Splits",
    tidy=tidy,
    empty="all arms were run on one split",
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
