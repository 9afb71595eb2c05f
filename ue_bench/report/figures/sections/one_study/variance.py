"""What share of a result's variance is each seed's? Runs in which one seed varies and the other three are held.

At each point where the others are held, the squared deviations from the point's mean are summed; over all points, they are
divided by the degrees of freedom. The 95 % interval of a variance is that of the chi-square distribution.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ue_bench.config import SEEDS
from ue_bench.record import Record
from ue_bench.report.evidence.arms import NOT_QUOTED, arm_config, seeds_of
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.statistics import LEVEL
from ue_bench.report.evidence.summary import panel, part_mse
from ue_bench.report.figures import style
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, bytes_text, missing, ratio_text

NAME = "variance"
EMPTY = "no configuration was run with one seed varied and the others held"
CAPTION = (
    "Left: standard deviation of the MSE when one seed varies and the other three are held (pooled over the points where they "
    "are held), and, last, when all four vary together; bars: 95 % chi-square interval, which takes the runs for normal. Right: "
    "each seed's share of the sum of the four variances; bars: 95 % percentile bootstrap over the runs. A share takes the "
    "effects for additive: where seeds interact, the four do not add up to the variance of all together. The table also has the "
    "shares on one split, without the split seed's: a comparison paired by seed has the split in common."
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


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a configuration and seed, and one for all together; shares stand where all four seeds were varied alone."""
    runs: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in study.records:
        if record.status == "ok" and record.phase not in NOT_QUOTED and record.quality:
            runs[comparison_of(record), json.dumps(arm_config(record), sort_keys=True)].append(
                record
            )
    found: list[dict[str, Any]] = []
    for (comparison, _), own in sorted(runs.items()):
        part = "val" if any(part_mse(run, "test") is None for run in own) else "test"
        values = {
            seeds_of(run): float(part_mse(run, part) or 0)
            for run in sorted(own, key=lambda run: run.run_id)
        }
        alone = {name: _points(values, place) for place, name in enumerate(SEEDS)}
        if not any(alone.values()):
            continue
        config, facts = own[0].config.to_dict(), own[0].found
        size = f", {bytes_text(config['budget'])} ({ratio_text(config['budget'], facts['exact_table_bytes'])})"
        head = {
            **comparison._asdict(),
            "part": "test" if part == "test" else "validation",
            "group": config["strategy"],
            "arm": plain_label(config, facts) + (size if config["budget"] else ""),
        }
        shares = _shares(alone, "share")
        of_three = _shares(
            {name: alone[name] for name in SEEDS if name != "split_seed"}, "share_one_split"
        )
        for name, points in alone.items():
            if points:
                own_shares = shares.get(name, {}) | of_three.get(name, {})
                found.append({**head, "seed": NAMES[name], **_variance(points), **own_shares})
        replicates = [value for seeds, value in values.items() if len(set(seeds)) == 1]
        if len(replicates) > 1:
            found.append({**head, "seed": TOGETHER, **_variance([replicates])})
    frame = pd.DataFrame(found)
    return (
        frame.assign(panel=panel(frame)).reindex(columns=COLUMNS)
        if found
        else pd.DataFrame(columns=COLUMNS)
    )


def _points(values: dict[tuple[int, ...], float], place: int) -> list[list[float]]:
    """The MSEs at each point where the three seeds other than `place` are held: points of one run tell nothing."""
    points = defaultdict(list)
    for seeds in sorted(values):
        points[seeds[:place] + seeds[place + 1 :]].append(values[seeds])
    return [point for point in points.values() if len(point) > 1]


def _variance(points: Sequence[Sequence[float]]) -> dict[str, Any]:
    squares = sum(float(np.var(point)) * len(point) for point in points)
    df = sum(len(point) - 1 for point in points)
    low, high = (
        squares / float(stats.chi2.ppf(tail, df)) for tail in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    )
    row: dict[str, Any] = {"points": len(points), "n": sum(map(len, points)), "df": df}
    for end, value in (("", squares / df), ("_low", low), ("_high", high)):
        row |= {f"variance{end}": value, f"sd{end}": value**0.5}
    return row


def _shares(
    seeds: Mapping[str, Sequence[Sequence[float]]], column: str
) -> dict[str, dict[str, float]]:
    """Each seed's share of their sum, with the percentile interval of the bootstrap over deviations from the points' means.

    Nothing where one of the seeds was not varied, or where none of them changes anything.
    """
    deviations = [
        np.concatenate(
            [
                (np.array(point) - np.mean(point)) * (len(point) / (len(point) - 1)) ** 0.5
                for point in points
            ]
            or [[]]
        )
        for points in seeds.values()
    ]
    if not all(map(len, deviations)) or not any(own.any() for own in deviations):
        return {}

    def shares(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
        variances = np.stack([np.square(sample).mean(axis=axis) for sample in samples])
        return variances / variances.sum(0)

    ends = stats.bootstrap(
        deviations,
        shares,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=LEVEL,
        vectorized=True,
        rng=0,
    ).confidence_interval
    columns = zip(shares(*deviations), ends.low, ends.high, strict=True)
    names = (column, f"{column}_low", f"{column}_high")
    return {
        seed: dict(zip(names, map(float, values), strict=True))
        for seed, values in zip(seeds, columns, strict=True)
    }


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: what the shares are in a sentence a configuration, then all numbers."""
    lines = [f"- {line}" for _, own in groups(frame, ["panel", "arm"]) if (line := _sentence(own))]
    lines += [
        "",
        "| data | arm | seed varied | runs (points) | SD of the MSE | variance | share | share on one split |",
        "|---|---|---|--:|---|--:|---|---|",
    ]
    for row in rows(frame):
        deviation = f"{row.sd:.4f} [{row.sd_low:.4f}, {row.sd_high:.4f}]"
        cells = [
            row.panel,
            row.arm,
            row.seed,
            f"{row.n} ({row.points})",
            deviation,
            f"{row.variance:.2e}",
        ]
        lines.append(
            f"| {' | '.join([*cells, _percent(row, 'share'), _percent(row, 'share_one_split')])} |"
        )
    return lines


def _percent(row: Any, column: str) -> str:
    value, low, high = (getattr(row, column + end) for end in ("", "_low", "_high"))
    return NOTHING if missing(value) else f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _sentence(own: pd.DataFrame) -> str | None:
    alone = own[own["share"].notna()]
    if alone.empty:
        return None
    text = f"{own['panel'].iloc[0]}, {own['arm'].iloc[0]}: of the variance by seeds, {_ordered(alone, 'share')}; "
    text += f"on one split, {_ordered(alone, 'share_one_split')}."
    for row in rows(own[own["seed"] == TOGETHER]):
        total = alone["variance"].sum()
        inside = row.variance_low <= total <= row.variance_high
        text += f" The four variances add up to {total:.2e}; with all seeds varied together the variance is {row.variance:.2e} "
        text += f"[{row.variance_low:.2e}, {row.variance_high:.2e}]: "
        text += "no sign that they interact." if inside else "they do not simply add up."
    return text


def _ordered(alone: pd.DataFrame, column: str) -> str:
    known = alone[alone[column].notna()].sort_values(column, ascending=False)
    return ", ".join(f"{row.seed} {_percent(row, column)}" for row in rows(known))


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row a panel: standard deviations, then shares; a point an arm."""
    titles = list(dict.fromkeys(frame["panel"]))
    arms = list(dict.fromkeys(frame["arm"]))
    looks = style.looks([(row.arm, row.group) for row in rows(frame)])
    figure, grid = style.canvas(len(titles), 2, 4.2, 2.7)
    seeds = [*NAMES.values(), TOGETHER]
    for (left, right), title in zip(grid, titles, strict=True):
        own = frame[frame["panel"] == title]
        for axes, what, order in ((left, "sd", seeds), (right, "share", seeds[:-1])):
            shown = own[own[what].notna()]
            for row in rows(shown):
                present = list(dict.fromkeys(own["arm"]))
                y = order.index(row.seed) + 0.18 * (present.index(row.arm) - (len(present) - 1) / 2)
                value, low, high = (
                    getattr(row, name) for name in (what, f"{what}_low", f"{what}_high")
                )
                look = looks[row.arm]
                axes.plot([low, high], [y, y], color=look.color, linewidth=1.3)
                axes.plot([value], [y], color=look.color, marker=look.marker, markersize=look.size)
            axes.set_yticks(range(len(order)), order)
            axes.set_ylim(len(order) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.grid(axis="y", visible=False)
        left.set_title(style.heading(title), fontsize=9)
        left.set_ylabel("seed that varies")
        left.set_xlabel(f"standard deviation of the {own['part'].iloc[0]} MSE")
        right.set_xlabel("share of the four variances")
        right.xaxis.set_major_formatter("{x:.0%}")
    style.legend(figure, [style.handle(looks[arm], arm, joined=False) for arm in arms])
    return figure


SECTION = Section(
    name=NAME,
    title="Variance by seed",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
