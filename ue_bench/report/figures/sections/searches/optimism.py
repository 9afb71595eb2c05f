"""The optimism of a search: the validation MSE of its best few, less theirs on fresh seeds.

The best of many noisy scores is too good by chance, and the runs on fresh seeds show by how much.
These runs have other validation rows than the search had. Therefore the difference is also given
relative to the bias model on the same rows, which takes out how easy the rows are.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.labels import group_name
from ue_bench.report.evidence.statistics import interval
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, delta_text, mse_text

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
_SCORES = COLUMNS[7:]


class _Search(NamedTuple):
    """What all trials of a search at one size have in common, in the order of the table."""

    comparison: Comparison
    seeds: tuple[int, ...]
    strategy: str
    budget: int  # 0 without one
    dim: str
    width: str


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a search and size: its `trials`, its `best` few and the `n` fresh seeds of these."""
    fresh = {}
    for arm in study.every_arm:
        if arm.comparison.phase == "confirm":
            fresh[arm.comparison, str(arm.config)] = arm
    trials_of: dict[_Search, list[Record]] = defaultdict(list)
    for trial in study.search:
        trials_of[_search_of(trial)].append(trial)
    trials_of_strategy: Counter[tuple[Comparison, tuple[int, ...], str]] = Counter()
    for search, trials in trials_of.items():
        trials_of_strategy[search[:3]] += len(trials)
    lines = []
    for search, trials in sorted(trials_of.items(), key=lambda item: item[0]):
        if trials_of_strategy[search[:3]] == 1:
            continue  # nothing was chosen, as in the race of an advice
        best = _confirmed(trials, fresh)
        if not best:
            continue
        seeds = _common_seeds([arm for _, arm in best])
        if not seeds:
            continue
        line = {
            "features": search.comparison.features,
            "split": search.comparison.split,
            "strategy": search.strategy,
            "budget": search.budget or None,
            "trials": len(trials),
            "best": len(best),
            "n": len(seeds),
        }
        lines.append(line | _scores(best, seeds))
    frame = pd.DataFrame(lines, columns=COLUMNS)
    return frame.astype({"budget": "Int64"} | dict.fromkeys(_SCORES, float))


def _search_of(trial: Record) -> _Search:
    config = trial.config
    return _Search(
        comparison=comparison_of(trial),
        seeds=seeds_of(trial),
        strategy=group_name(config.to_dict(), regions=True),
        budget=config.budget or 0,
        dim=str(config.dim),
        width=str(config.width),
    )


def _confirmed(
    trials: Sequence[Record], fresh: Mapping[tuple[Comparison, str], Arm]
) -> list[tuple[Record, Arm]]:
    """The best trials in order, up to the first that was not run again, with their arms.

    After it there are only arms of other searches, which this search tried by chance.
    """
    best = []
    for trial in sorted(trials, key=lambda trial: (trial.quality["val_mse"], trial.run_id)):
        comparison = comparison_of(trial)._replace(phase="confirm")
        arm = fresh.get((comparison, str(arm_config(trial))))
        if arm is None:
            break
        best.append((trial, arm))
    return best


def _common_seeds(arms: Sequence[Arm]) -> set[tuple[int, ...]]:
    seeds = {seeds_of(run) for run in arms[0].runs}
    for arm in arms[1:]:
        seeds &= {seeds_of(run) for run in arm.runs}
    return seeds


def _scores(best: Sequence[tuple[Record, Arm]], seeds: set[tuple[int, ...]]) -> dict[str, float]:
    """The scores of the search and of the fresh seeds, and their difference with its interval."""
    searched, confirmed = _means(best, seeds, _val_mse)
    optimism = interval([searched - score for score in confirmed])
    above_bias, confirmed_above_bias = _means(best, seeds, _above_bias)
    optimism_above_bias = interval([above_bias - score for score in confirmed_above_bias])
    values = [searched, sum(confirmed) / len(confirmed), *optimism, *optimism_above_bias]
    return dict(zip(_SCORES, values, strict=True))


def _means(
    best: Sequence[tuple[Record, Arm]],
    seeds: set[tuple[int, ...]],
    score: Callable[[Record], float],
) -> tuple[float, list[float]]:
    """The mean score of the best few in the search, and on each fresh seed."""
    searched = sum(score(trial) for trial, _ in best) / len(best)
    runs_of_arms = []
    for _, arm in best:
        runs_of_arms.append({seeds_of(run): run for run in arm.runs})
    confirmed = []
    for seed in sorted(seeds):
        scores = [score(runs[seed]) for runs in runs_of_arms]
        confirmed.append(sum(scores) / len(best))
    return searched, confirmed


def _val_mse(record: Record) -> float:
    return record.quality["val_mse"]


def _above_bias(record: Record) -> float:
    return _val_mse(record) - record.quality["anchors"]["bias"]["val_mse"]


def table(frame: pd.DataFrame) -> list[str]:
    """The mean over all searches, then a row for each of them.

    The mean has no interval, because the searches share their rows.
    """
    lines = [
        f"Mean over searches: {frame['optimism'].mean():+.4f}, above the bias model "
        f"{frame['above_bias'].mean():+.4f}. The search's score was the better one in "
        f"{(frame['optimism'] < 0).sum()} of {len(frame)}, above the bias model in "
        f"{(frame['above_bias'] < 0).sum()}.",
        "",
        "| search | budget | trials | best | seen by the search | on fresh seeds (n) | optimism "
        "| above the bias model |",
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for row in rows(frame):
        cells = [
            f"{row.features}, {row.split.replace('_', ' ')} split: {row.strategy}",
            bytes_text(row.budget),
            str(row.trials),
            str(row.best),
            mse_text(row.searched),
            f"{mse_text(row.confirmed)} ({row.n})",
            delta_text(row.optimism, row.low, row.high),
            delta_text(row.above_bias, row.above_bias_low, row.above_bias_high),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


SECTION = Section(
    name="optimism",
    title="Optimism of the searches",
    tidy=tidy,
    empty=(
        "no configuration that a search of several trials found was run again on fresh seeds at "
        "the search's size"
    ),
    caption=(
        "Validation MSE of the best few of each search, as the search saw it and on fresh seeds. "
        "Optimism: search score minus confirmed score, with a 95 % t-interval over the fresh "
        "seeds; below 0 the search's score was too good. Above the bias model: the same with the "
        "bias model's MSE on the same rows taken from both, as fresh seeds have other validation "
        "rows. A search over several sizes has a row a size."
    ),
    table=table,
)
