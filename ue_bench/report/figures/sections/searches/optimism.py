"""The optimism of a search: the MSE of its winner in the search, less that on fresh seeds.

The best of many noisy scores is too good by chance, and the runs on fresh seeds show by how much.
These runs have other validation rows than the search had. Therefore the difference is also given
relative to the bias model on the same rows, which takes out how easy the rows are. The search never
saw a test score, so that the test MSE of the same runs shows what is left without the choice.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.interval_method import CORRECTED
from ue_bench.report.evidence.run_scores import Scores, scores_of
from ue_bench.report.evidence.statistics import compare_two, estimate
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.evidence.trial_lookups import Forms
from ue_bench.report.evidence.trials import Trial, facts
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, delta_text, mse_text

COLUMNS = [
    "features",
    "split",
    "strategy",
    "budget",
    "trials",
    "trial_seeds",
    "n",
    "searched",
    "confirmed",
    "optimism",
    "optimism_low",
    "optimism_high",
    "above_bias",
    "above_bias_low",
    "above_bias_high",
    "test",
    "test_low",
    "test_high",
    "gain",
    "gain_low",
    "gain_high",
    "interval_by",
]
_SCORES = COLUMNS[7:-1]


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a search and size: its winner in the search and on the `n` fresh seeds.

    trials: those that ended well. test: the optimism of the test MSE. gain: what the winner is
    better than the default, the first trial, on fresh seeds; NaN where the default won.
    """
    fresh = {}
    for arm in study.every_arm:
        if arm.comparison.phase == "confirm":
            fresh[arm.comparison, str(arm.config)] = arm
    searches: dict[tuple[str, int], list[Trial]] = defaultdict(list)
    for trial in study.trials:
        searches[trial.search, trial.sample.config.budget or 0].append(trial)
    forms = Forms(study.trials)
    lines = []
    for trials in searches.values():
        winner = min(trials, key=lambda trial: (trial.val_mse, trial.run_id))
        confirmed = _arm_of(winner, fresh)
        if confirmed is None or len(trials) == 1:  # of one trial, nothing was chosen
            continue
        sample = winner.sample
        line: dict[str, Any] = {
            "features": comparison_of(sample).features,
            "split": comparison_of(sample).split,
            "strategy": forms.name(sample.config.by_name()),
            "budget": sample.config.budget,
            "trials": len(trials),
            "trial_seeds": len(winner.records),
            "n": len(confirmed.runs),
            "searched": winner.val_mse,
            "confirmed": _mean(_val_mse, confirmed.runs),
        }
        line |= _optimism("optimism", _val_mse, winner, confirmed)
        line |= _optimism("above_bias", _above_bias, winner, confirmed)
        line |= _optimism("test", _test_mse, winner, confirmed)
        default = _default(trials)
        if default is not None and default is not winner:
            line |= _gain(_arm_of(default, fresh), confirmed)
        lines.append(line)
    frame = pd.DataFrame(lines).reindex(columns=COLUMNS)
    order = ["features", "split", "budget", "strategy", "trials", "searched"]
    frame = frame.astype({"budget": "Int64"} | dict.fromkeys(_SCORES, float))
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _arm_of(trial: Trial, fresh: Mapping[tuple[Comparison, str], Arm]) -> Arm | None:
    """The arm that is the configuration of a trial on fresh seeds."""
    comparison = comparison_of(trial.sample)._replace(phase="confirm")
    return fresh.get((comparison, str(arm_config(trial.sample))))


def _default(trials: Iterable[Trial]) -> Trial | None:
    """The trial that is the default configuration."""
    for trial in trials:
        if facts(trial.sample).get("default") == trial.run_id:
            return trial
    return None


def _optimism(
    name: str, score: Callable[[Record], float | None], winner: Trial, arm: Arm
) -> dict[str, Any]:
    """The mean score in the search less the scores on fresh seeds, with an interval over these."""
    searched = _mean(score, winner.records)
    differences: dict[Hashable, float] = {}
    for run in arm.runs:
        value = score(run)
        if searched is not None and value is not None:
            differences[seeds_of(run)] = searched - value
    rows_of_part = scores_of(arm.runs, "test" if name == "test" else "val").rows
    found = estimate(Scores(differences, rows_of_part))
    return {
        name: found.mean,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        "interval_by": found.interval_by,
    }


def _gain(default: Arm | None, winner: Arm) -> dict[str, float]:
    """The MSE of the default less that of the winner, on the fresh seeds that both have."""
    if default is None:
        return {}
    gain = compare_two(by_seed(winner, "test"), by_seed(default, "test"))
    return {"gain": gain.difference, "gain_low": gain.low, "gain_high": gain.high}


def _mean(score: Callable[[Record], float | None], runs: Sequence[Record]) -> float | None:
    """The mean of a score, None where a run has none."""
    scores = [value for run in runs if (value := score(run)) is not None]
    if len(scores) < len(runs):
        return None
    return sum(scores) / len(scores)


def _val_mse(record: Record) -> float | None:
    return record.quality["val_mse"]


def _test_mse(record: Record) -> float | None:
    return record.quality.get("test_mse")


def _above_bias(record: Record) -> float | None:
    bias = record.quality["anchors"].get("bias", {}).get("val_mse")
    if bias is None:
        return None
    return record.quality["val_mse"] - bias


def table(frame: pd.DataFrame) -> list[str]:
    """The means over all searches, then a row for each of them.

    The means have no interval, because the searches share their rows.
    """
    too_good = (frame["optimism"] < 0).sum()
    lines = [
        f"Mean optimism over {len(frame)} searches: {frame['optimism'].mean():+.4f}, above the "
        f"bias model {frame['above_bias'].mean():+.4f}, of the test MSE of the same runs "
        f"{frame['test'].mean():+.4f}. The search's score was the better one in {too_good}. "
        f"{_gain_text(frame['gain'].dropna())}",
        "",
        "| search | budget | trials | seen by the search | on fresh seeds (n) | optimism "
        "| above the bias model | of the test MSE | gain over the default |",
        "|---|--:|--:|--:|--:|---|---|---|---|",
    ]
    for row in rows(frame):
        cells = [
            f"{row.features}, {row.split.replace('_', ' ')} split: {row.strategy}",
            bytes_text(row.budget),
            f"{row.trials} × {row.trial_seeds}",
            mse_text(row.searched),
            f"{mse_text(row.confirmed)} ({row.n})",
            delta_text(row.optimism, row.optimism_low, row.optimism_high),
            delta_text(row.above_bias, row.above_bias_low, row.above_bias_high),
            delta_text(row.test, row.test_low, row.test_high),
            delta_text(row.gain, row.gain_low, row.gain_high),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    return [*lines, "", f"Intervals are 95 %: {methods}."]


def gist(frame: pd.DataFrame) -> str:
    """Return how often a search promised too much, and whether it was worth it."""
    too_good = frame.loc[frame["optimism"] < 0, "optimism"]
    text = f"What a search sees is too good in {len(too_good)} of {len(frame)} searches"
    if len(too_good):
        text += f", by {-too_good.mean():.4f} on average there"
    gains = frame["gain"].dropna()
    if gains.empty:
        return f"{text}."
    better = int((gains > 0).sum())
    return f"{text}; on fresh seeds {better} of {len(gains)} winners are better than the default."


def _gain_text(gains: pd.Series) -> str:
    if gains.empty:
        return "No winner was run beside the default on fresh seeds."
    return (
        f"On fresh seeds the winners are better than the default by {gains.mean():+.4f} on "
        f"average, and better in {(gains > 0).sum()} of {len(gains)}."
    )


SECTION = Section(
    name="optimism",
    title="Optimism of the searches",
    tidy=tidy,
    empty=(
        "no configuration that a search of several trials found was run again on fresh seeds at "
        "the search's size"
    ),
    caption=(
        "The winner of each search: its validation MSE as the search saw it, a mean over the seeds "
        "of a trial, and on fresh seeds. Optimism: search score minus confirmed score, with a 95 % "
        f"interval over the fresh seeds ({CORRECTED} where each seed draws the split); below 0 the "
        "search's score was too good. Above the bias "
        "model: the same with the bias model's MSE on the same rows taken from both, as fresh "
        "seeds have other validation rows. Of the test MSE: the same for the test rows, which the "
        "search never saw. Gain over the default: the test MSE of the first trial less that of the "
        "winner, on fresh seeds. Trials: those that ended well × seeds of each. A search over "
        "several sizes has a row a size."
    ),
    table=table,
    gist=gist,
)
