"""What share of a result's variance is each seed's? One seed varies, the other three are held.

At each point where the others are held, the squared deviations from the mean of the point are
summed. Their sum over all points is divided by the degrees of freedom. The 95 % interval of a
variance is that of the chi-square distribution.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.config import SEEDS
from ue_bench.record import Record
from ue_bench.report.evidence.arms import NOT_QUOTED, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.statistics import LEVEL
from ue_bench.report.evidence.summary import panel, part_mse
from ue_bench.report.figures import style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, missing, size_text

CAPTION = (
    "Left: standard deviation of the MSE when one seed varies and the other three are held "
    "(pooled over the points where they are held), and, last, when all four vary together; bars: "
    "95 % chi-square interval, which assumes that the runs are normal. Right: each seed's share of "
    "the sum of the four variances; bars: 95 % percentile bootstrap over the runs. A share assumes "
    "that the effects are additive: where seeds interact, the four do not add up to the variance "
    "of all together. The table also has the shares on one split, without the split seed's: a "
    "comparison paired by seed has the split in common."
)
TOGETHER = "all together"
NAMES = dict(zip(SEEDS, ("hash", "init", "batch order", "split"), strict=True))
COLUMNS = [
    "panel",
    "part",
    "arm",
    "group",
    "seed",
    "points",
    "n",
    "df",
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
RESAMPLES = 2000

Points = list[list[float]]  # for each point where three seeds are held, the MSEs of its runs


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each configuration and seed, and one for all seeds together.

    The columns of shares are filled where each of the four seeds was varied alone.
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
            configuration = json.dumps(arm_config(record), sort_keys=True)
            runs[comparison_of(record), configuration].append(record)
    return runs


def _variances(comparison: Comparison, runs: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the rows of one configuration; none where no seed was varied alone."""
    part = "test"
    if any(part_mse(run, "test") is None for run in runs):
        part = "val"
    mse_by_seeds = {}
    for run in sorted(runs, key=lambda run: run.run_id):
        mse_by_seeds[seeds_of(run)] = float(part_mse(run, part) or 0)
    points_of = {seed: _points(mse_by_seeds, place) for place, seed in enumerate(SEEDS)}
    if not any(points_of.values()):
        return []
    shares = _shares(points_of, "share")
    without_split = {seed: points for seed, points in points_of.items() if seed != "split_seed"}
    shares_one_split = _shares(without_split, "share_one_split")
    head = _head(comparison, runs[0], part)
    lines = []
    for seed, points in points_of.items():
        if points:
            line = head | {"seed": NAMES[seed]} | _variance(points)
            lines.append(line | shares.get(seed, {}) | shares_one_split.get(seed, {}))
    replicates = [mse for seeds, mse in mse_by_seeds.items() if len(set(seeds)) == 1]
    if len(replicates) > 1:
        lines.append(head | {"seed": TOGETHER} | _variance([replicates]))
    return lines


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


def _points(mse_by_seeds: Mapping[tuple[int, ...], float], place: int) -> Points:
    """Return the MSEs at each point where the three seeds other than `place` are held.

    A point of one run says nothing about the variance and is left out.
    """
    points = defaultdict(list)
    for seeds in sorted(mse_by_seeds):
        held = seeds[:place] + seeds[place + 1 :]
        points[held].append(mse_by_seeds[seeds])
    return [point for point in points.values() if len(point) > 1]


def _variance(points: Points) -> dict[str, Any]:
    """Return the pooled variance and standard deviation with their intervals."""
    squares = sum(float(np.var(point)) * len(point) for point in points)
    n = sum(len(point) for point in points)
    df = n - len(points)
    variance = squares / df
    low = squares / float(stats.chi2.ppf((1 + LEVEL) / 2, df))
    high = squares / float(stats.chi2.ppf((1 - LEVEL) / 2, df))
    return {
        "points": len(points),
        "n": n,
        "df": df,
        "variance": variance,
        "variance_low": low,
        "variance_high": high,
        "sd": variance**0.5,
        "sd_low": low**0.5,
        "sd_high": high**0.5,
    }


def _shares(points_of: Mapping[str, Points], column: str) -> dict[str, dict[str, float]]:
    """Return each seed's share of the sum of the variances, in `column`, and its interval.

    The interval is the percentile interval of the bootstrap over deviations from the means of
    the points. Without a seed's variation, or where no seed changes anything, there are no shares.
    """
    deviations = [_deviations(points) for points in points_of.values()]
    if not all(map(len, deviations)):
        return {}
    if not any(map(np.any, deviations)):
        return {}
    bootstrap = stats.bootstrap(
        deviations,
        _shares_of_sum,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=LEVEL,
        vectorized=True,
        rng=0,
    )
    interval = bootstrap.confidence_interval
    shares = {}
    for seed, share, low, high in zip(
        points_of, _shares_of_sum(*deviations), interval.low, interval.high, strict=True
    ):
        shares[seed] = {
            column: float(share),
            f"{column}_low": float(low),
            f"{column}_high": float(high),
        }
    return shares


def _deviations(points: Points) -> np.ndarray:
    """Return the deviations from the means of the points, scaled to the variance of a sample."""
    deviations = [np.empty(0)]
    for point in points:
        scale = (len(point) / (len(point) - 1)) ** 0.5
        deviations.append((np.array(point) - np.mean(point)) * scale)
    return np.concatenate(deviations)


def _shares_of_sum(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
    variances = np.stack([np.square(sample).mean(axis=axis) for sample in samples])
    return variances / variances.sum(0)


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence with the shares of each configuration, then a table of all numbers."""
    lines = []
    for _, own in groups(frame, ["panel", "arm"]):
        if own["share"].notna().any():
            lines.append(f"- {_sentence(own)}")
    lines += [
        "",
        "| data | arm | seed varied | runs (points) | SD of the MSE | variance | share "
        "| share on one split |",
        "|---|---|---|--:|---|--:|---|---|",
    ]
    for row in rows(frame):
        cells = [
            row.panel,
            row.arm,
            row.seed,
            f"{row.n} ({row.points})",
            f"{row.sd:.4f} [{row.sd_low:.4f}, {row.sd_high:.4f}]",
            f"{row.variance:.2e}",
            _percent(row.share, row.share_low, row.share_high),
            _percent(row.share_one_split, row.share_one_split_low, row.share_one_split_high),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _percent(share: float, low: float, high: float) -> str:
    if missing(share):
        return NOTHING
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _sentence(own: pd.DataFrame) -> str:
    """Return the shares of one configuration, and whether the seeds interact."""
    alone = own[own["share"].notna()]
    text = (
        f"{own['panel'].iloc[0]}, {own['arm'].iloc[0]}: of the variance by seeds, "
        f"{_largest_first(alone, 'share')}; on one split, "
        f"{_largest_first(alone, 'share_one_split')}."
    )
    total = alone["variance"].sum()
    for row in rows(own[own["seed"] == TOGETHER]):
        verdict = (
            "the sum lies outside this interval. All arms share one draw of splits, so that this "
            "alone is no sign that seeds interact."
        )
        if row.variance_low <= total <= row.variance_high:
            verdict = "no sign that they interact."
        text += (
            f" The four variances add up to {total:.2e}; with all seeds varied together the "
            f"variance is {row.variance:.2e} [{row.variance_low:.2e}, {row.variance_high:.2e}]: "
            f"{verdict}"
        )
    return text


def _largest_first(alone: pd.DataFrame, column: str) -> str:
    """Return the seeds with their shares in `column`, the largest share first."""
    columns = ["seed", column, f"{column}_low", f"{column}_high"]
    known = alone[columns].dropna(subset=[column]).sort_values(column, ascending=False)
    return ", ".join(f"{seed} {_percent(*share)}" for seed, *share in rows(known))


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row for each panel: standard deviations on the left, shares on the right."""
    pairs = zip(frame["arm"], frame["group"], strict=True)
    looks = style.looks(pairs)
    seeds = list(NAMES.values())

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        left, right = axes_row
        _draw_intervals(left, part, "sd", [*seeds, TOGETHER], looks)
        _draw_intervals(right, part, "share", seeds, looks)
        left.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
        left.set_ylabel("seed that varies")
        left.set_xlabel(f"standard deviation of the {part['part'].iloc[0]} MSE")
        right.set_xlabel("share of the four variances")
        right.xaxis.set_major_formatter("{x:.0%}")

    figure, _ = panel_rows(frame, 2, draw_row, width=4.2, height=2.7)
    entries = []
    for arm in frame["arm"].unique():
        entries.append(style.handle(looks[arm], arm, joined=False))
    style.legend(figure, entries)
    return figure


def _draw_intervals(
    axes: Axes, part: pd.DataFrame, column: str, seeds: Sequence[str], looks: style.Looks
) -> None:
    """Draw the intervals of `column`: the seeds from top to bottom, at each the arms."""
    arms = list(part["arm"].unique())
    known = part[part[column].notna()]
    for row in records(known):
        place = seeds.index(row["seed"])
        aside = arms.index(row["arm"]) - (len(arms) - 1) / 2
        y = place + 0.18 * aside
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
    axes.set_yticks(range(len(seeds)), seeds)
    axes.set_ylim(len(seeds) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)


SECTION = Section(
    name="variance",
    title="Variance by seed",
    tidy=tidy,
    empty="no configuration was run with one seed varied and the others held",
    caption=CAPTION,
    draw=draw,
    table=table,
)
