"""The answer: what the records say, so that the same records give the same answer.

It is chosen on validation over fresh seeds and quoted on test. Intervals, tests and the front are
those of the report.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from ue_bench.advise.candidates import EXACT, Candidates
from ue_bench.advise.lines import python
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import FEWEST, FRESH, MOST_SEEDS, SEEDS
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import EXACT_DIMS, LARGEST, Sized, Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, collect, seeds_of
from ue_bench.report.evidence.frames import records as rows_of
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.pairs import compare_all
from ue_bench.report.evidence.statistics import ALPHA, Paired, Scores, paired
from ue_bench.report.evidence.summary import (
    ANCHORS,
    BATCH,
    by_key,
    by_seed,
    key,
    score,
    summarise,
)
from ue_bench.report.evidence.verdict import front
from ue_bench.strategies import entry_of


@dataclass(frozen=True)
class Contestant:
    """A configuration that ran on fresh seeds.

    row: its row of the summary.
    val, test: validation and test MSE by seeds. Where a split has no test rows, test is validation.
    latency: of the median lookup of a batch from codes, None where it was not measured.
    """

    arm: Arm
    row: dict[Any, Any]
    val: Scores
    test: Scores
    latency: dict[str, Any] | None

    @property
    def label(self) -> str:
        return self.row["label"]

    @property
    def total_bytes(self) -> int:
        return self.row["total_bytes"]

    @property
    def n(self) -> int:
        """The number of fresh seeds."""
        return self.row["n"]

    @property
    def micros(self) -> float:
        """The median latency; infinite where it was not measured."""
        if self.latency is None:
            return math.inf
        return self.latency["p50_us"]

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold.

        Bytes are those of the first run, whose layer the printed lines build.
        """
        cost = self.arm.sample.cost
        found = self.arm.sample.found
        rows = None
        if entry_of(self.arm.config["strategy"]).plain_rows:
            rows = cost["table_bytes"] // (4 * found["dim"])
        facts = {
            "label": self.label,
            "strategy": self.row["strategy"],
            "regions": self.row["regions"],
            "region_rule": self.row["region_rule"],
            "dim": found["dim"],
            "rows": rows,
            "lookups": found["lookups"],
            "budget": self.row["budget"],
            "table_bytes": cost["table_bytes"],
            "auxiliary_bytes": cost["auxiliary_bytes"],
            "vocabulary_bytes": cost["vocabulary_bytes"],
            "total_bytes": cost["total_bytes"],
            "head_bytes": cost["head_bytes"],
            "n": self.n,
            "part": self.row["part"],
            "mse": self.row["mse"],
            "low": self.row["low"],
            "high": self.row["high"],
            "val_mse": self.row["val_mse_mean"],
            "latency": self.latency,
            "run_ids": self.row["run_ids"].split(),
            "config": self.arm.config,
        }
        return plain(facts)


def answer(question: Question, sizes: Sizes, candidates: Candidates, runs: Runs) -> dict[str, Any]:
    """Return the answer with its evidence, as JSON can hold it.

    Raises BenchError where no run on fresh seeds ended well.
    """
    arms = collect(runs.records.values())
    confirmed = contestants([arm for arm in arms.kept if arm.comparison.phase == "confirm"])
    fitting = [contestant for contestant in confirmed if contestant.total_bytes <= question.memory]
    if not fitting:
        seconds = FEWEST * (SEEDS + 1) * runs.expected(question.base)
        raise BenchError(
            f"minutes: {question.minutes:g} was given, too few for a run on a fresh seed; "
            f"give about {math.ceil(seconds / 60)}, and what was run is used"
        )
    ranked = rank(fitting)
    quick = ranked
    latency_met = None
    limit = question.latency
    if limit is not None:
        quick = [contestant for contestant in ranked if contestant.micros <= limit]
        latency_met = bool(quick)
    if quick:
        best = quick[0]
    else:
        best = min(ranked, key=lambda contestant: contestant.micros)
    rivals = [contestant for contestant in ranked if contestant is not best]
    anchors = against_anchors(best)
    learned = None
    for anchor in anchors:
        if anchor["name"] == "mean":
            learned = anchor["beaten"]
    return {
        "dataset": question.base.dataset,
        "entities": sizes.facts["entities"],
        "entities_chosen": sizes.facts["entities_chosen"],
        "warnings": sizes.warnings,
        "features": question.base.features,
        "split": question.base.split,
        "memory": question.memory,
        "latency_limit_us": limit,
        "minutes": question.minutes,
        "study": question.name,
        "measure": "Brier score" if question.base.task == "binary" else "MSE",
        "n_values": sizes.n_values,
        "exact": exact(sizes, question, confirmed),
        "latency_met": latency_met,
        "best": best.as_json(),
        "rivals": against_rivals(best, rivals, quick),
        "front": on_front(quick or ranked, best),
        "anchors": anchors,
        "learned": learned,
        "left_out": left_out(question, sizes, candidates, runs),
        "refused": list(arms.refused),
        "skipped": runs.skipped,
        "python": python(question, best.arm.runs[0].config, sizes.seen),
    }


def contestants(arms: Sequence[Arm]) -> list[Contestant]:
    """Return what ran on fresh seeds, in the order of the summary."""
    arm_of = by_key(arms)
    found = []
    for row in rows_of(score(summarise(arms))):
        arm = arm_of[key(row)]
        contestant = Contestant(
            arm=arm,
            row=row,
            val=by_seed(arm, "validation"),
            test=by_seed(arm, row["part"]),
            latency=_latency(arm.timings),
        )
        found.append(contestant)
    return found


def _latency(timings: Sequence[Record]) -> dict[str, Any] | None:
    """Return the latency of a batch from codes, with the machine that it was measured on."""
    for record in timings:
        for timing in record.cost["latency"]:
            if timing["source"] == "codes" and timing["batch"] == BATCH:
                return {
                    "p50_us": timing["p50_us"],
                    "p90_us": timing["p90_us"],
                    "n": timing["n"],
                    "batch": timing["batch"],
                    "unstable": timing["unstable"],
                    "device": record.config.device,
                    "threads": record.found["threads"],
                }
    return None


def rank(fitting: Sequence[Contestant]) -> list[Contestant]:
    """Order those with all seeds by mean validation MSE.

    First come those that stayed in contention and got more seeds than the others.
    """
    most = max(contestant.n for contestant in fitting)
    ahead = []
    behind = []
    for contestant in fitting:
        if contestant.n < min(SEEDS, max(1, most - 1)):
            continue
        if contestant.n >= most - 1:  # the last seed may have been interrupted
            ahead.append(contestant)
        else:
            behind.append(contestant)
    return [*_by_validation(ahead), *_by_validation(behind)]


def _by_validation(group: Sequence[Contestant]) -> list[Contestant]:
    means = _val_means(group)
    order = sorted(range(len(group)), key=lambda number: (means[number], group[number].label))
    return [group[number] for number in order]


def _val_means(group: Sequence[Contestant]) -> list[float]:
    """Return the mean validation MSE of each over the seeds that all of them have."""
    if not group:
        return []
    common = set.intersection(*(set(contestant.val) for contestant in group))
    return [fmean(contestant.val[seed] for seed in common) for contestant in group]


def against_rivals(
    best: Contestant, rivals: Sequence[Contestant], quick: Sequence[Contestant]
) -> list[dict[str, Any]]:
    """Compare each rival with the best: paired over seeds, Holm-corrected over all rivals.

    A difference is the MSE of the rival minus that of the best.

    quick: those that meet the limit of latency.
    """
    tests = compare_all(best.test, [rival.test for rival in rivals])
    compared = []
    for rival, test in zip(rivals, rows_of(tests), strict=True):
        facts = rival.as_json()
        facts["against_best"] = plain(test)
        facts["meets_latency"] = rival in quick
        compared.append(facts)
    return compared


def on_front(ranked: Sequence[Contestant], best: Contestant) -> list[dict[str, Any]]:
    """Return those that none beats in both bytes and validation MSE, and the best.

    The smallest comes first.
    """
    frame = pd.DataFrame([contestant.row for contestant in ranked])
    frame = frame.assign(mse=_val_means(ranked))
    chosen = []
    for contestant, is_on_front in zip(ranked, front(frame), strict=True):
        if is_on_front or contestant is best:
            chosen.append(contestant)
    chosen.sort(key=lambda contestant: contestant.total_bytes)
    return [contestant.as_json() for contestant in chosen]


def against_anchors(best: Contestant) -> list[dict[str, Any]]:
    """Compare the best with each trivial predictor on the same rows, paired over seeds.

    A difference is the MSE of the predictor minus that of the best.
    """
    measure = "test_mse" if best.row["part"] == "test" else "val_mse"
    compared = []
    for name in ANCHORS:
        scores: dict[Hashable, float] = {}
        for run in best.arm.runs:
            mse = run.quality["anchors"].get(name, {}).get(measure)
            if mse is not None:
                scores[seeds_of(run)] = mse
        if scores:
            test = paired(best.test, scores)
            facts = {
                "name": name,
                "mse": fmean(scores.values()),
                **test._asdict(),
                "beaten": _beaten(test),
            }
            compared.append(plain(facts))
    return compared


def _beaten(test: Paired) -> bool | None:
    """Return whether the best is better; None where there is only one seed."""
    if test.n < 2:
        return None
    return bool(test.difference > 0 and test.p < ALPHA)


def exact(sizes: Sizes, question: Question, confirmed: Sequence[Contestant]) -> dict[str, Any]:
    """Return the bytes of the exact table, and its runs on fresh seeds where there are any."""
    dims = []
    for dim in EXACT_DIMS:
        table_bytes = sizes.exact_bytes(dim)
        total_bytes = table_bytes + sizes.vocabulary_bytes
        dims.append(
            {
                "dim": dim,
                "table_bytes": table_bytes,
                "total_bytes": total_bytes,
                "fits": total_bytes <= question.memory,
            }
        )
    measured = None
    for contestant in confirmed:
        config = contestant.arm.config
        if (config["strategy"], config["dim"]) == (EXACT.strategy, EXACT.dim):
            measured = contestant.as_json()
            break
    return {
        "vocabulary_bytes": sizes.vocabulary_bytes,
        "dims": dims,
        "measured": measured,
    }


def left_out(
    question: Question, sizes: Sizes, candidates: Candidates, runs: Runs
) -> dict[str, Any]:
    """Return what is not among the confirmed, and why.

    memory: what the memory is too small for.
    race: what fell out of the race, the last ones first.
    time: what was never run.
    failed: the errors of runs.
    largest_hashed_bytes: the size from which hashed tables were not tried, where it matters.
    """
    seed = question.seed
    fresh = range(seed + FRESH, seed + FRESH + MOST_SEEDS)
    behind: list[dict[str, Any]] = []
    never_run = []
    for candidate in candidates.fits:
        scores = runs.scores(candidate.config, range(seed, seed + FRESH))
        if scores and not runs.scores(candidate.config, fresh):
            behind.append(_loser(candidate, scores))
        if not scores and runs.run_of(candidate.config, seed) is None:
            never_run.append(_label(candidate.config))
    behind.sort(key=lambda loser: (-loser["n"], loser["val_mse"]))
    too_large = []
    for small in candidates.small:
        too_large.append({"label": _label(small.config), "works": small.works})
    largest = LARGEST * sizes.exact_bytes(EXACT.dim)
    return {
        "memory": too_large,
        "race": behind,
        "time": never_run,
        "failed": sorted({str(record.error) for record in runs.failures()}),
        "largest_hashed_bytes": largest if largest < question.memory else None,
    }


def _loser(candidate: Sized, scores: Scores) -> dict[str, Any]:
    return {
        "label": _label(candidate.config),
        "total_bytes": candidate.total_bytes,
        "val_mse": fmean(scores.values()),
        "n": len(scores),
    }


def _label(config: RunConfig) -> str:
    return plain_label(config.to_dict(), {})


def plain(value: Any) -> Any:
    """Return what JSON can hold: numbers of Python for those of numpy, null for NaN and NA."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is pd.NA:
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, np.generic):
        return value.item()
    return value
