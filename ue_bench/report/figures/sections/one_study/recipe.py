"""Does the ranking of strategies depend on the recipe? Each changed recipe against the default."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.config.run_config import SETTINGS
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.rank_agreement import (
    AGREEMENT,
    FEWEST,
    agreement,
    orders,
    tau_text,
)
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import by_seed, key, score
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import listed

CAPTION = (
    "Each point is a recipe that differs from the default in what its line names. τ is Kendall's "
    "rank correlation of the arms' mean MSE under that recipe with their mean MSE under the "
    "default (1: the same order), with the 95 % percentile interval of τ of means drawn for all "
    f"arms together, with their noise ({RULE}). A "
    "conclusion is a pair of arms that the default recipe tells apart (Holm-corrected over all "
    "pairs of arms, 5 %, where the test had the power). It is reversed where the other recipe "
    "tells the two apart in opposite order."
)
MOST_NAMED = 12  # conclusions in a sentence
COLUMNS = [
    "panel",
    "setting",
    *AGREEMENT,
    "conclusions",
    "kept",
    "survivors",
    "not_kept",
    "survive_all",
    "fail_somewhere",
]
# The bytes of an arm follow from its dim, and its dim may be what a setting changes.
_BESIDE_TWIN = {"budget", "dim", "width", "code"}
_OF_TWIN = [
    name
    for name, declared in SETTINGS.items()
    if declared.group == "strategy" and name not in _BESIDE_TWIN
]

Pair = tuple[str, str]  # labels of two arms: the better one under the default recipe first


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each panel and changed recipe.

    conclusions: pairs of arms that the default recipe tells apart. kept: those whose means have the
    same order under the other recipe. survivors, not_kept: these pairs as text. survive_all,
    fail_somewhere: the same over all recipes of the panel, and equal in all of its rows.
    """
    row_of = {key(row): row for row in records(score(study.all_summary))}
    scores: dict[str, dict[str, dict[str, tuple[str, Scores]]]] = {}
    for arm in study.every_arm:
        row = row_of.get(arm.key)
        # An anchor has no recipe, and would agree with itself.
        if row is None or arm.comparison.phase == "confirm" or arm.is_anchor:
            continue
        panel = arm.comparison._replace(setting="").title
        of_setting = scores.setdefault(panel, {}).setdefault(arm.comparison.setting, {})
        of_setting[_twin(arm)] = (arm.label, by_seed(arm, row["part"]))
    lines: list[dict[str, Any]] = []
    for panel, by_setting in scores.items():
        if "" in by_setting and len(by_setting) > 1:
            lines += _lines(panel, by_setting)
    return pd.DataFrame(lines, columns=COLUMNS)


def _twin(arm: Arm) -> str:
    """Return a text that is equal for the arms that differ in their recipe alone."""
    return repr([arm.config.get(name) for name in _OF_TWIN])


def _lines(
    panel: str, by_setting: dict[str, dict[str, tuple[str, Scores]]]
) -> list[dict[str, Any]]:
    default = by_setting[""]
    lines = []
    pairs_of = []
    for setting, arms in by_setting.items():
        twins = [twin for twin in default if twin in arms]
        if setting == "" or len(twins) < FEWEST:
            continue
        labels = [default[twin][0] for twin in twins]
        usual = [default[twin][1] for twin in twins]
        other = [arms[twin][1] for twin in twins]
        kept, not_kept = _conclusions(labels, usual, other)
        pairs_of.append((kept, not_kept))
        lines.append(
            {
                "panel": panel,
                "setting": setting,
                **agreement(usual, other),
                "conclusions": len(kept) + len(not_kept),
                "kept": len(kept),
                "survivors": _pairs_text(kept),
                "not_kept": _pairs_text(not_kept),
            }
        )
    failing = {pair for _, not_kept in pairs_of for pair in not_kept}
    every = dict.fromkeys(pair for kept, not_kept in pairs_of for pair in (*kept, *not_kept))
    surviving = [pair for pair in every if pair not in failing]
    for line in lines:
        line["survive_all"] = _pairs_text(surviving)
        line["fail_somewhere"] = _pairs_text([pair for pair in every if pair in failing])
    return lines


def _conclusions(
    labels: Sequence[str], usual: Sequence[Scores], other: Sequence[Scores]
) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs that the default recipe tells apart: those in the same order, the others."""
    means = [float(np.mean(list(scores.values()))) for scores in other]
    kept = []
    not_kept = []
    places = combinations(range(len(labels)), 2)
    for (first, second), order in zip(places, orders(usual)[0], strict=True):
        if order == 0:
            continue
        better, worse = (first, second) if order > 0 else (second, first)
        pair = (labels[better], labels[worse])
        if means[better] < means[worse]:
            kept.append(pair)
        else:
            not_kept.append(pair)
    return kept, not_kept


def _pairs_text(pairs: Sequence[Pair]) -> str:
    return "; ".join(f"{better} over {worse}" for better, worse in pairs)


def table(frame: pd.DataFrame) -> list[str]:
    """Return two sentences for each panel, then a row for each changed recipe."""
    lines = []
    for title, part in groups(frame, "panel"):
        lines += [f"- {sentence}" for sentence in _sentences(title, part)]
    lines += [
        "",
        "| data | recipe | arms | seeds | Kendall τ | Spearman ρ | pairs told apart under both "
        "| reversed | conclusions kept |",
        "|---|---|--:|--:|---|--:|--:|--:|--:|",
    ]
    for row in rows(frame):
        cells = [
            row.panel,
            row.setting,
            str(row.arms),
            str(row.seeds),
            tau_text(row),
            f"{row.rho:.2f}",
            str(row.told_apart),
            str(row.reversed),
            f"{row.kept} of {row.conclusions}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    tests = int(frame["tests"].max())
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    text = family_text(tests, "at most, all pairs of arms under one recipe, each recipe by itself")
    return [*lines, "", f"{text} Intervals are 95 %: {methods}."]


def gist(frame: pd.DataFrame) -> str:
    """Return how many conclusions no recipe changes."""
    kept = 0
    every = 0
    for _, part in groups(frame, "panel"):
        surviving = len(_split(part["survive_all"].iloc[0]))
        kept += surviving
        every += surviving + len(_split(part["fail_somewhere"].iloc[0]))
    changes = frame["setting"].nunique()
    text = f"{kept} of {every} conclusions keep their order under all of {changes} changed recipes"
    return f"{text} that have both arms{_untried(frame)}."


def _untried(part: pd.DataFrame) -> str:
    """Say under which recipes some conclusions could not be tried."""
    tried = part.groupby("panel")["conclusions"].transform("max")
    fewer = part[part["conclusions"] < tried]
    if fewer.empty:
        return ""
    return f" (not all have them under {listed(list(fewer['setting'].unique()))})"


def _sentences(title: str, part: pd.DataFrame) -> list[str]:
    first = next(rows(part))
    surviving = _split(first.survive_all)
    failing = _split(first.fail_somewhere)
    changes = f"{len(part)} changed recipe{'s' if len(part) > 1 else ''}"
    survive = f"{title}: {len(surviving)} of {len(surviving) + len(failing)} conclusions keep "
    survive += f"their order under all of {changes} that have both arms{_untried(part)}"
    survive += f"{_named(surviving)}."
    if not failing:
        return [survive, f"{title}: no conclusion changes its order under any of them."]
    worst = min(rows(part), key=lambda row: row.tau)
    fail = f"{title}: {len(failing)} do not{_named(failing)}; the ranking changes most with "
    fail += f"{worst.setting} (τ {tau_text(worst)}), and {part['reversed'].sum()} pairs are "
    fail += "told apart in opposite order."
    return [survive, fail]


def _split(text: str) -> list[str]:
    return text.split("; ") if text else []


def _named(pairs: Sequence[str]) -> str:
    if not pairs:
        return ""
    named = f": {'; '.join(pairs[:MOST_NAMED])}"
    if len(pairs) > MOST_NAMED:
        named += f"; and {len(pairs) - MOST_NAMED} others"
    return named


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one panel for each comparison: τ and its interval by changed recipe."""
    tallest = frame.groupby("panel")["setting"].size().max()
    figure, _ = panels(frame, 2, _draw_one, width=4.6, height=1.2 + 0.24 * tallest, sharex=True)
    return figure


def _draw_one(axes: Axes, part: pd.DataFrame) -> None:
    for height, row in enumerate(rows(part)):
        axes.plot([row.tau_low, row.tau_high], [height, height], color="0.35", linewidth=1.2)
        axes.plot([row.tau], [height], color="0.1", marker="o", markersize=5)
    hover(axes, part.assign(y=range(len(part))), "tau", "y")
    axes.set_yticks(range(len(part)), part["setting"], fontsize=8)
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.set_xlabel("Kendall τ with the ranking of the default recipe (1: the same order)")
    axes.set_xlim(right=1.02)
    axes.tick_params(labelbottom=True)  # also above a place without a panel
    axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)


SECTION = Section(
    name="recipe",
    title="Other recipes",
    tidy=tidy,
    empty="no arms were run under more than one recipe",
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
