"""Is the ranking of strategies the same under another head? Rank correlations of the mean MSE."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.comparison import USUAL_HEAD, Comparison
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.rank_agreement import AGREEMENT, FEWEST, agreement, tau_text
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import by_seed, key, score
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, interval_text, listed

CAPTION = (
    "Every point is an arm: its mean MSE under one head against that under another, with 95 % "
    f"intervals ({RULE}). τ is Kendall's rank correlation of the means (1: the same order), with "
    "the 95 % percentile interval of τ of means drawn for all arms and both heads together, with "
    "that noise. Reversed: pairs of arms that both heads tell apart (Holm-corrected over all pairs "
    "of arms of a head and budget, 5 %, where the test had the power), in opposite order. All "
    "heads have one recipe, which was tuned for none of them."
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
    *AGREEMENT,
]
_HEAD_FIELDS = ("head", "hidden")
_PAIR = ["panel", "head_x", "head_y"]

Row = Mapping[Any, Any]
Group = tuple[Comparison, int]  # arms that are ranked together: a comparison of any head, a budget
ArmsOfHead = dict[str, Arm]  # by the rest of the configuration


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each arm and pair of heads.

    What describes the pair of heads is the same in all of its rows.
    """
    row_of = {key(row): row for row in records(score(study.summary))}
    # An anchor has no head, and would agree with itself.
    arms = [arm for arm in study.arms if arm.key in row_of and not arm.is_anchor]
    lines = []
    for (comparison, budget), arms_of in sorted(_groups(arms).items()):
        title = f"{comparison._replace(phase='').title}, {bytes_text(budget)}"
        for head_x, head_y in combinations(sorted(arms_of, key=_usual_first), 2):
            twins = _twins(arms_of[head_x], arms_of[head_y])
            if len(twins) < FEWEST:
                continue
            scores_x = []
            scores_y = []
            for arm_x, arm_y in twins:
                part = row_of[arm_x.key]["part"]
                scores_x.append(by_seed(arm_x, part))
                scores_y.append(by_seed(arm_y, part))
            pair = {
                "panel": title,
                "head_x": head_x,
                "head_y": head_y,
                **agreement(scores_x, scores_y),
            }
            for arm_x, arm_y in twins:
                point = _point(arm_x, row_of[arm_x.key], row_of[arm_y.key])
                lines.append(pair | point)
    return pd.DataFrame(lines, columns=COLUMNS)


def _groups(arms: Sequence[Arm]) -> dict[Group, dict[str, ArmsOfHead]]:
    """Return the arms of each head in each group. Exact tables are in the group of every budget."""
    budgets = defaultdict(set)
    for arm in arms:
        if arm.config["budget"]:
            budgets[_of_any_head(arm)].add(arm.config["budget"])
    arms_in: dict[Group, dict[str, ArmsOfHead]] = defaultdict(lambda: defaultdict(dict))
    for arm in arms:
        comparison = _of_any_head(arm)
        rest = dict(arm.config)
        for field in _HEAD_FIELDS:
            rest.pop(field, None)
        rest_text = same_text(rest)
        own = arm.config["budget"]
        for budget in [own] if own else budgets[comparison]:
            arms_in[comparison, budget][arm.comparison.head][rest_text] = arm
    return arms_in


def _twins(arms_x: ArmsOfHead, arms_y: ArmsOfHead) -> list[tuple[Arm, Arm]]:
    """Return the arms that both heads have, which differ in nothing but the head."""
    return [(arm, arms_y[rest]) for rest, arm in arms_x.items() if rest in arms_y]


def _of_any_head(arm: Arm) -> Comparison:
    """Return the comparison of an arm as if it had the usual head, which no title names."""
    return arm.comparison._replace(head=USUAL_HEAD)


def _usual_first(head: str) -> tuple[bool, str]:
    return head != USUAL_HEAD, head


def _point(arm: Arm, row_x: Row, row_y: Row) -> dict[str, Any]:
    point = {
        "part": row_x["part"],
        "label": arm.label,
        "group": arm.group,
        "budget": arm.config["budget"],
    }
    for name in ("mse", "low", "high"):
        point[f"{name}_x"] = row_x[name]
        point[f"{name}_y"] = row_y[name]
    return point


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each panel, the correlations, and all arms under each head."""
    lines = [f"- {_sentence(title, part)}" for title, part in groups(frame, "panel")]
    lines += [
        "",
        "| data | heads | arms | seeds | Kendall τ | Spearman ρ "
        "| pairs told apart under both | reversed |",
        "|---|---|--:|--:|---|--:|--:|--:|",
    ]
    for row in rows(frame.drop_duplicates(_PAIR)):
        cells = [
            row.panel,
            f"{row.head_x}, {row.head_y}",
            str(row.arms),
            str(row.seeds),
            tau_text(row),
            f"{row.rho:.2f}",
            str(row.told_apart),
            str(row.reversed),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    most = int(frame["tests"].max())
    text = family_text(most, "at most, all pairs of arms of one head at one budget")
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    text += f" Each head and budget is a family of its own. Intervals are 95 %: {methods}."
    lines += ["", text]
    for title, part in groups(frame, "panel"):
        lines += ["", *_ranking(title, part)]
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return whether a head reverses another."""
    pairs = frame.drop_duplicates(_PAIR)
    told = int(pairs["told_apart"].sum())
    reverse = int(pairs["reversed"].sum())
    heads = list(dict.fromkeys([*pairs["head_x"], *pairs["head_y"]]))
    order = "all are in the same order" if not reverse else f"{reverse} are in opposite order"
    return f"Of {told} times that two of the heads {listed(heads)} tell two arms apart, {order}."


def _sentence(title: str, part: pd.DataFrame) -> str:
    pairs = part.drop_duplicates(_PAIR)
    taus = ", ".join(f"{row.head_x} and {row.head_y} {tau_text(row)}" for row in rows(pairs))
    n = pairs["told_apart"].sum()
    n_reversed = pairs["reversed"].sum()
    if not n:
        verdict = "No two arms are told apart under two heads."
    elif not n_reversed:
        verdict = (
            "No head reverses another: two arms under two heads were compared, and in each of the "
            f"{n} cases in which both heads tell the arms apart, the order is the same."
        )
    else:
        verdict = (
            f"Two arms under two heads were compared: of the {n} cases in which both heads tell "
            f"the arms apart, {n_reversed} have opposite orders."
        )
    return f"{title}: rank correlation τ of {taus}. {verdict}"


def _ranking(title: str, part: pd.DataFrame) -> list[str]:
    """Return a table with a row for each arm: its rank and MSE under each head."""
    sides = []
    for side in ("x", "y"):
        columns = {f"{name}_{side}": name for name in ("head", "mse", "low", "high")}
        of_side = part[["label", "budget", *columns]]
        sides.append(of_side.rename(columns=columns))
    scores = pd.concat(sides).drop_duplicates(["label", "budget", "head"])
    scores["rank"] = scores.groupby("head")["mse"].rank(method="min").astype(int)
    heads = list(scores["head"].unique())
    scores["place"] = scores["head"].map(heads.index)
    titles = [f"{head}: rank | MSE" for head in heads]
    lines = [
        f"| {title} | {' | '.join(titles)} |",
        "|---|" + "--:|---|" * len(heads),
    ]
    by_rank = scores.sort_values(["place", "rank"])
    for (label, _), own in by_rank.groupby(["label", "budget"], sort=False, dropna=False):
        cells = dict.fromkeys(heads, " | ")
        for row in rows(own):
            cells[row.head] = f"{row.rank} | {interval_text(row.mse, row.low, row.high)}"
        lines.append(f"| {label} | {' | '.join(cells.values())} |")
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row of panels for each title, one column for each pair of heads."""
    pairs = frame[["head_x", "head_y"]].drop_duplicates()

    def draw_row(axes_row: Any, of_panel: pd.DataFrame) -> None:
        for axes, pair in zip(axes_row, rows(pairs), strict=True):
            both = (of_panel["head_x"] == pair.head_x) & (of_panel["head_y"] == pair.head_y)
            if both.any():
                _draw_scatter(axes, of_panel[both], study.looks)
            else:
                axes.set_visible(False)
        title = style.heading(of_panel["panel"].iloc[0])
        first_title = axes_row[0].get_title(loc="left")
        axes_row[0].set_title(f"{title}\n{first_title}", fontsize=9)

    figure, _ = panel_rows(frame, len(pairs), draw_row, width=3.1, height=2.9)
    entries = []
    for label in frame["label"].unique():
        look = study.looks[label]
        entries.append(style.handle(look, label, joined=False))
    style.legend(figure, entries)
    return figure


def _draw_scatter(axes: Axes, part: pd.DataFrame, looks: style.Looks) -> None:
    for row in rows(part):
        look = looks[row.label]
        interval: dict[str, Any] = {"color": look.color, "linewidth": 0.7, "alpha": 0.6}
        axes.plot([row.low_x, row.high_x], [row.mse_y, row.mse_y], **interval)
        axes.plot([row.mse_x, row.mse_x], [row.low_y, row.high_y], **interval)
        axes.plot(
            [row.mse_x],
            [row.mse_y],
            color=look.color,
            marker=look.marker,
            markersize=look.size,
        )
    hover(axes, part, "mse_x", "mse_y")
    first = next(rows(part))
    axes.set_xlabel(f"{first.part} MSE, {first.head_x} head")
    axes.set_ylabel(f"{first.part} MSE, {first.head_y} head")
    axes.set_title(f"τ = {tau_text(first)}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=5)


SECTION = Section(
    name="heads",
    title="Heads",
    tidy=tidy,
    empty="no arms were run under more than one head",
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
