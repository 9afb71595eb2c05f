"""What share of a result's variance is each seed's? A mixed model of runs with crossed seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.arms import NOT_QUOTED, Seeds, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.summary import panel, part_mse
from ue_bench.report.evidence.variance_parts import (
    EXPLAINED,
    ONE_SPLIT,
    PARTS,
    SPLIT,
    TOGETHER,
    Part,
    Variances,
    crossed_runs,
    variances,
)
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, missing, range_text, size_text

CAPTION = (
    "Left: standard deviation of the MSE by seed, from a mixed model (REML) of runs whose seeds "
    "are crossed, with the bias model's MSE on the same split as covariate. Right: each part's "
    "share of their sum. The split has two parts: what the bias model's MSE says of it, and the "
    "rest. Interaction: what no seed does alone. Bars: 95 % generalised confidence intervals, "
    "which assume normal effects and count the splits, which all runs have in common, as drawn "
    "once. The table also has the shares on one split: a comparison paired by seed has the split "
    "in common."
)
COLUMNS = [
    "panel",
    "part",
    "arm",
    "group",
    "seed",
    "n",
    "crossed",
    "slope",
    "variance",
    "variance_low",
    "variance_high",
    "sd",
    "sd_low",
    "sd_high",
    "share",
    "share_low",
    "share_high",
    "share_one_split",
    "share_one_split_low",
    "share_one_split_high",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each configuration and part of its variance.

    The runs of a configuration are those of its largest orthogonal array. crossed: the values of
    each seed in it; 0: the seeds are not crossed, and there are no intervals.
    """
    lines = []
    for (comparison, _), runs in sorted(_by_configuration(study.records).items()):
        lines += _variances(comparison, runs)
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(lines)
    return frame.assign(panel=panel(frame)).reindex(columns=COLUMNS)


def _by_configuration(
    study_records: Iterable[Record],
) -> dict[tuple[Comparison, str], list[Record]]:
    runs = defaultdict(list)
    for record in study_records:
        if record.status == "ok" and record.phase not in NOT_QUOTED and record.quality:
            configuration = same_text(arm_config(record))
            runs[comparison_of(record), configuration].append(record)
    return runs


def _variances(comparison: Comparison, runs: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the rows of one configuration; none where its seeds do not vary apart."""
    part = "test"
    if any(part_mse(run, "test") is None for run in runs):
        part = "val"
    scores: dict[Seeds, float] = {}
    of_bias: dict[Seeds, float] = {}
    for run in sorted(runs, key=lambda run: run.run_id):
        scores[seeds_of(run)] = float(part_mse(run, part) or 0)
        bias = run.quality.get("anchors", {}).get("bias", {}).get(f"{part}_mse")
        if bias is not None:
            of_bias[seeds_of(run)] = bias
    if all(len(set(seeds)) == 1 for seeds in scores):  # replicates, whose seeds change together
        return []
    complete = len(of_bias) == len(scores)
    chosen, values = crossed_runs(scores, of_bias if complete else None)
    found = variances(chosen, values)
    if found is None:
        return []
    head = _head(comparison, runs[0], part) | {
        "n": len(chosen.scores),
        "crossed": values,
        "slope": found.slope,
    }
    return [head | _row(name, found) for name in PARTS]


def _head(comparison: Comparison, run: Record, part: str) -> dict[str, Any]:
    """Return what the rows of one configuration have in common."""
    arm = plain_label(run.config.to_dict(), run.found)
    budget = run.config.budget
    if budget:
        arm += f", {size_text(budget, run.found['exact_table_bytes'])}"
    return {
        **comparison._asdict(),
        "part": "test" if part == "test" else "validation",
        "group": run.config.strategy,
        "arm": arm,
    }


def _row(name: str, found: Variances) -> dict[str, Any]:
    """Return the columns of one part of a variance."""
    variance = found.parts[name]
    deviation = Part(variance.value**0.5, variance.low**0.5, variance.high**0.5)
    row = {"seed": name}
    row |= _columns("variance", variance)
    row |= _columns("sd", deviation)
    row |= _columns("share", found.shares[name])
    if name in ONE_SPLIT:
        row |= _columns("share_one_split", found.on_one_split[name])
    return row


def _columns(name: str, part: Part) -> dict[str, Any]:
    return {name: part.value, f"{name}_low": part.low, f"{name}_high": part.high}


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence with the shares of each configuration, then a table of all numbers."""
    lines = []
    for _, own in groups(frame, ["panel", "arm"]):
        lines.append(f"- {_sentence(own)}")
    lines += [
        "",
        "| data | arm | part | runs | SD of the MSE | variance | share | share on one split |",
        "|---|---|---|--:|---|--:|---|---|",
    ]
    for row in rows(frame):
        deviation = f"{row.sd:.4f}"
        if not missing(row.sd_low):
            deviation += f" [{row.sd_low:.4f}, {row.sd_high:.4f}]"
        cells = [
            row.panel,
            row.arm,
            row.seed,
            str(row.n),
            deviation,
            f"{row.variance:.2e}",
            _percent(row.share, row.share_low, row.share_high),
            _percent(row.share_one_split, row.share_one_split_low, row.share_one_split_high),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return which seed makes most of the variance."""
    known = frame[frame["seed"] != TOGETHER].dropna(subset=["share"])
    whole_split = known["seed"].replace({EXPLAINED: "split", SPLIT: "split"})
    of_seeds = known.assign(seed=whole_split).groupby(["panel", "arm", "seed"])["share"].sum()
    largest = of_seeds.groupby("seed").mean().idxmax()
    is_largest = of_seeds.index.get_level_values("seed") == largest
    text = range_text(sorted(100 * of_seeds[is_largest]), "{:.0f} %".format)
    most = 100 * of_seeds[~is_largest].max()
    return (
        f"Of the variance by seeds, the {largest} makes {text}; beside it, no seed makes more than "
        f"{most:.0f} % by itself."
    )


def _percent(share: float, low: float, high: float) -> str:
    if missing(share):
        return NOTHING
    if missing(low):
        return f"{100 * share:.0f} %"
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _sentence(own: pd.DataFrame) -> str:
    """Return the shares of one configuration, and what the bias model says of the splits."""
    first = own.iloc[0]
    text = (
        f"{first['panel']}, {first['arm']}: of the variance by seeds, "
        f"{_largest_first(own, 'share')}; on one split, {_largest_first(own, 'share_one_split')}."
    )
    of_split = own[own["seed"].isin([EXPLAINED, SPLIT])]["variance"].sum()
    explained = own.loc[own["seed"] == EXPLAINED, "variance"].sum()
    if not missing(first["slope"]) and of_split > 0:
        text += (
            f" The bias model's MSE explains {100 * explained / of_split:.0f} % of the splits' "
            "variance, "
            f"with a slope of {first['slope']:.2f}."
        )
    if not first["crossed"]:
        text += " The seeds are not crossed, so that there are no intervals."
    return text


def _largest_first(own: pd.DataFrame, column: str) -> str:
    """Return the parts with their shares in `column`, the largest share first."""
    columns = ["seed", column, f"{column}_low", f"{column}_high"]
    known = own[columns].dropna(subset=[column]).sort_values(column, ascending=False)
    return ", ".join(f"{seed} {_percent(*share)}" for seed, *share in rows(known))


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row for each panel: standard deviations on the left, shares on the right."""
    pairs = zip(frame["arm"], frame["group"], strict=True)
    looks = style.looks(pairs)

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        left, right = axes_row
        _draw_intervals(left, part, "sd", looks)
        _draw_intervals(right, part, "share", looks)
        left.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
        left.set_ylabel("part of the variance")
        left.set_xlabel(f"standard deviation of the {part['part'].iloc[0]} MSE")
        right.set_xlabel("share of the parts")
        right.xaxis.set_major_formatter("{x:.0%}")

    figure, _ = panel_rows(frame, 2, draw_row, width=4.2, height=3.0, sharex="col")
    entries = []
    for arm in frame["arm"].unique():
        entries.append(style.handle(looks[arm], arm, joined=False))
    style.legend(figure, entries)
    return figure


def _draw_intervals(axes: Axes, part: pd.DataFrame, column: str, looks: style.Looks) -> None:
    """Draw the intervals of `column`: the parts from top to bottom, at each the arms."""
    arms = list(part["arm"].unique())
    part = part[part[column].notna()]
    heights = []
    for row in records(part):
        place = PARTS.index(row["seed"])
        aside = arms.index(row["arm"]) - (len(arms) - 1) / 2
        y = place + 0.18 * aside
        heights.append(y)
        look = looks[row["arm"]]
        interval = [row[f"{column}_low"], row[f"{column}_high"]]
        axes.plot(interval, [y, y], color=look.color, linewidth=1.3)
        axes.plot(
            [row[column]],
            [y],
            color=look.color,
            marker=look.marker,
            markersize=look.size,
        )
    texts = part["arm"] + "\n" + part["seed"] + part[column].map(": {:.4g}".format)
    hover(axes, part.assign(label=texts, y=heights), column, "y")
    axes.set_yticks(range(len(PARTS)), PARTS)
    axes.set_ylim(len(PARTS) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)


SECTION = Section(
    name="variance",
    title="Variance by seed",
    tidy=tidy,
    empty="no configuration was run with seeds that vary apart from each other",
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
