"""The optimism of a search: the validation MSE it saw for its best few, less what the same configurations reach on fresh seeds.

The best of many noisy scores is too good by chance; how much, the runs on fresh seeds tell. They have other validation rows than
the search had, so the difference is also given relative to the bias model on the same rows, which takes out how easy these are.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, arm_config, seeds_of
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.labels import group_name
from ue_bench.report.evidence.statistics import interval
from ue_bench.report.format import bytes_text, missing, mse_text

NAME = "optimism"
EMPTY = "no configuration that a search of several trials found was run again on fresh seeds at the search's size"
CAPTION = (
    "Validation MSE of the best few of each search, as the search saw it and on fresh seeds. Optimism: search score minus "
    "confirmed score, with a 95 % t-interval over the fresh seeds; below 0 the search's score was too good. Above the bias "
    "model: the same with the bias model's MSE on the same rows taken from both, as fresh seeds have other validation rows. "
    "A search over several sizes has a row a size."
)
COLUMNS = [
    "features",
    "split",
    "strategy",
    "budget",
    "trials",
    "best",
    "n",
    "searched",
    "confirmed",
    "optimism",
    "low",
    "high",
    "above_bias",
    "above_bias_low",
    "above_bias_high",
]


def tidy(arms: Sequence[Arm], search: Sequence[Record]) -> pd.DataFrame:
    """One row a search and size: `trials` there, its `best` few, `n` fresh seeds that all of these have."""
    fresh = {
        (arm.comparison, str(arm.config)): arm for arm in arms if arm.comparison.phase == "confirm"
    }
    searches: dict[Any, list[Record]] = defaultdict(list)
    tried: Counter[Any] = Counter()
    for trial in search:
        config = trial.config.to_dict()
        form = (
            group_name(config, regions=True),
            config.get("budget") or 0,
            str(config["dim"]),
            str(config["width"]),
        )
        searches[comparison_of(trial), seeds_of(trial), form].append(trial)
        tried[comparison_of(trial), seeds_of(trial), form[0]] += 1
    found = []
    for (comparison, own, (strategy, budget, *_)), trials in sorted(
        searches.items(), key=lambda item: item[0]
    ):
        if tried[comparison, own, strategy] == 1:
            continue  # nothing was chosen, as in the race of an advice
        few: list[tuple[Record, Arm]] = []
        for trial in sorted(trials, key=lambda one: (one.quality["val_mse"], one.run_id)):
            arm = fresh.get((comparison._replace(phase="confirm"), str(arm_config(trial))))
            if arm is None:
                break  # from here on only rivals that the search happened to try
            few.append((trial, arm))
        seeds = (
            set.intersection(*({seeds_of(run) for run in arm.runs} for _, arm in few))
            if few
            else set()
        )
        if seeds:
            where = [comparison.features, comparison.split, strategy, budget or None]
            found.append([*where, len(trials), len(few), len(seeds), *_scores(few, seeds)])
    frame = pd.DataFrame(found, columns=COLUMNS)
    return frame.astype({"budget": "Int64"} | dict.fromkeys(COLUMNS[7:], float))


def _scores(few: Sequence[tuple[Record, Arm]], seeds: set[tuple[int, ...]]) -> list[float]:
    """searched, confirmed, then the difference with its interval, plain and above the bias model."""
    runs = [{seeds_of(run): run for run in arm.runs} for _, arm in few]
    scores = []
    for of in (_val, lambda record: _val(record) - record.quality["anchors"]["bias"]["val_mse"]):
        searched = sum(of(trial) for trial, _ in few) / len(few)
        confirmed = [sum(of(own[seed]) for own in runs) / len(few) for seed in sorted(seeds)]
        scores.append(
            (
                searched,
                sum(confirmed) / len(confirmed),
                *interval([searched - value for value in confirmed]),
            )
        )
    return [*scores[0], *scores[1][2:]]


def _val(record: Record) -> float:
    return record.quality["val_mse"]


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: the mean over all searches (without interval: they share their rows), then a row for each of them."""
    lines = [
        f"Mean over searches: {frame['optimism'].mean():+.4f}, above the bias model {frame['above_bias'].mean():+.4f}. The "
        f"search's score was the better one in {(frame['optimism'] < 0).sum()} of {len(frame)}, above the bias model in "
        f"{(frame['above_bias'] < 0).sum()}.",
        "",
        "| search | budget | trials | best | seen by the search | on fresh seeds (n) | optimism | above the bias model |",
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for row in rows(frame):
        lines.append(
            f"| {row.features}, {row.split.replace('_', ' ')} split: {row.strategy} | {bytes_text(row.budget)} | {row.trials} "
            f"| {row.best} | {mse_text(row.searched)} | {mse_text(row.confirmed)} ({row.n}) "
            f"| {_signed(row.optimism, row.low, row.high)} | {_signed(row.above_bias, row.above_bias_low, row.above_bias_high)} |"
        )
    return lines


def _signed(mean: float, low: float, high: float) -> str:
    """-0.0031 [-0.0052, -0.0010]; the brackets are left out where one seed gives no interval."""
    return f"{mean:+.4f}" if missing(low) else f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
