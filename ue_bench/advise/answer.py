"""What the records say: a function of them and of the question, so that the same records give the same answer.

Chosen on validation over fresh seeds, quoted on test. Intervals, tests and the front are the report's.
"""

import math
from collections.abc import Sequence
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
from ue_bench.advise.sizes import EXACT_DIMS, LARGEST, Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.evidence.arms import Arm, collect, seeds_of
from ue_bench.report.evidence.frames import records as rows_of
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.pairs import compare_all
from ue_bench.report.evidence.statistics import ALPHA, Paired, Scores, paired
from ue_bench.report.evidence.summary import (
    ANCHORS,
    BATCH,
    by_seed,
    key,
    latency_rows,
    score,
    summarise,
)
from ue_bench.report.evidence.verdict import front

ONE_TABLE = ("unified", "per_feature", "collisionless")  # whose table is rows of D numbers


@dataclass(frozen=True)
class Contestant:
    """A configuration that ran on fresh seeds. val, test: by seeds; the validation rows again where a split has no test rows."""

    arm: Arm
    row: dict[Any, Any]  # of the summary
    val: Scores
    test: Scores
    latency: dict[str, Any] | None

    @property
    def micros(self) -> float:
        return self.latency["p50_us"] if self.latency else math.inf

    def told(self) -> dict[str, Any]:
        """As JSON can hold it. Bytes are those of the first run, whose layer the printed lines build."""
        row, cost, found = self.row, self.arm.sample.cost, self.arm.sample.found
        table = {
            name: cost[f"{name}_bytes"]
            for name in ("table", "auxiliary", "vocabulary", "total", "head")
        }
        rows = (
            cost["table_bytes"] // (4 * found["dim"])
            if self.arm.config["strategy"] in ONE_TABLE
            else None
        )
        told = {
            "label": row["label"],
            "strategy": row["strategy"],
            "regions": row["regions"],
            "region_rule": row["region_rule"],
        }
        told |= {
            "dim": found["dim"],
            "rows": rows,
            "lookups": found["lookups"],
            "budget": row["budget"],
        }
        told |= {f"{name}_bytes": value for name, value in table.items()} | {
            "n": row["n"],
            "part": row["part"],
        }
        told |= {
            "mse": row["mse"],
            "low": row["low"],
            "high": row["high"],
            "val_mse": row["val_mse_mean"],
        }
        told |= {
            "latency": self.latency,
            "run_ids": row["run_ids"].split(),
            "config": self.arm.config,
        }
        return plain(told)


def answer(question: Question, sizes: Sizes, found: Candidates, runs: Runs) -> dict[str, Any]:
    """All that is told, as JSON can hold it. Raises BenchError where no run on fresh seeds went well."""
    arms = collect(runs.records.values())
    everyone = contestants([arm for arm in arms.kept if arm.comparison.phase == "confirm"])
    within = [one for one in everyone if one.row["total_bytes"] <= question.memory]
    if not within:
        needed = math.ceil(FEWEST * (SEEDS + 1) * runs.expected(question.base) / 60)
        raise BenchError(
            f"minutes: {question.minutes:g} was given, too few for a run on a fresh seed; give about {needed}, "
            "and what was run is used"
        )
    ranked, limit = rank(within), question.latency
    quick = [one for one in ranked if limit is None or one.micros <= limit]
    best = quick[0] if quick else min(ranked, key=lambda one: one.micros)
    rivals, known = [one for one in ranked if one is not best], anchors(best)
    return {
        "dataset": question.base.dataset,
        "features": question.base.features,
        "split": question.base.split,
        "memory": question.memory,
        "latency_limit_us": limit,
        "minutes": question.minutes,
        "study": question.name,
        "measure": "Brier score" if question.base.task == "binary" else "MSE",
        "n_values": sizes.n_values,
        "exact": exact(sizes, question, everyone),
        "latency_met": None if limit is None else bool(quick),
        "best": best.told(),
        "rivals": against(best, rivals, quick),
        "front": [one.told() for one in on_front(quick or ranked, best)],
        "anchors": known,
        "learned": next((one["beaten"] for one in known if one["name"] == "mean"), None),
        "left_out": left_out(question, sizes, found, runs),
        "refused": [*arms.refused],
        "skipped": runs.skipped,
        "python": python(question, _config(best.arm), sizes.seen),
    }


def contestants(arms: Sequence[Arm]) -> list[Contestant]:
    by_key = {arm.key: arm for arm in arms}
    found = []
    for row in rows_of(score(summarise(arms))):
        arm = by_key[key(row)]
        timed = [
            one
            for one in latency_rows(arm.timings)
            if (one["source"], one["batch"]) == ("codes", BATCH)
        ]
        facts = arm.timings[0] if timed else None
        latency = None
        if facts is not None:
            shown = {
                name: timed[0][name] for name in ("p50_us", "p90_us", "n", "batch", "unstable")
            }
            latency = shown | {"device": facts.config.device, "threads": facts.found["threads"]}
        found.append(
            Contestant(arm, row, by_seed(arm, "validation"), by_seed(arm, row["part"]), latency)
        )
    return found


def rank(within: Sequence[Contestant]) -> list[Contestant]:
    """Those with all seeds, by mean validation MSE: first those that stayed in contention and got more seeds than the others."""
    most = max(one.row["n"] for one in within)
    full = [one for one in within if one.row["n"] >= min(SEEDS, max(1, most - 1))]
    ahead = [
        one for one in full if one.row["n"] >= most - 1
    ]  # the last seed may have been interrupted
    behind = [one for one in full if one not in ahead]
    return [
        one
        for group in (ahead, behind)
        for one, _ in sorted(_means(group), key=lambda pair: (pair[1], pair[0].row["label"]))
    ]


def _means(group: Sequence[Contestant]) -> list[tuple[Contestant, float]]:
    """Each with its mean validation MSE over the seeds that all of them have."""
    common = set.intersection(*(set(one.val) for one in group)) if group else set()
    return [(one, fmean(one.val[seed] for seed in common)) for one in group]


def against(
    best: Contestant, rivals: Sequence[Contestant], quick: Sequence[Contestant]
) -> list[dict[str, Any]]:
    """Of each rival, in their order: its MSE less that of the best, paired over seeds, Holm-corrected over all of them.

    quick: those that meet the limit of latency.
    """
    tests = compare_all(best.test, [one.test for one in rivals])
    told = []
    for one, test in zip(rivals, rows_of(tests), strict=True):
        told.append(plain(one.told() | {"against_best": test, "meets_latency": one in quick}))
    return told


def on_front(ranked: Sequence[Contestant], best: Contestant) -> list[Contestant]:
    """Those of which none has as few bytes in all and a lower validation MSE, and the best; the smallest first."""
    frame = pd.DataFrame([one.row for one in ranked]).assign(
        mse=[mean for _, mean in _means(ranked)]
    )
    chosen = [one for one, on in zip(ranked, front(frame), strict=True) if on or one is best]
    return sorted(chosen, key=lambda one: one.row["total_bytes"])


def anchors(best: Contestant) -> list[dict[str, Any]]:
    """Of each trivial predictor: its MSE on the same rows, and what the best has less, paired over seeds."""
    short = "test" if best.row["part"] == "test" else "val"
    told = []
    for name in ANCHORS:
        own = {
            seeds_of(run): run.quality["anchors"].get(name, {}).get(f"{short}_mse")
            for run in best.arm.runs
        }
        scores: Scores = {seeds: value for seeds, value in own.items() if value is not None}
        if scores:
            test = paired(best.test, scores)
            told.append(
                plain(
                    {
                        "name": name,
                        "mse": fmean(scores.values()),
                        **test._asdict(),
                        "beaten": _beaten(test),
                    }
                )
            )
    return told


def _beaten(test: Paired) -> bool | None:
    """None: one seed cannot tell."""
    return None if test.n < 2 else bool(test.difference > 0 and test.p < ALPHA)


def exact(sizes: Sizes, question: Question, everyone: Sequence[Contestant]) -> dict[str, Any]:
    """The arithmetic of the exact table, and its runs on fresh seeds where there are any."""
    dims = [
        {
            "dim": dim,
            "table_bytes": sizes.exact_bytes(dim),
            "total_bytes": sizes.exact_bytes(dim) + sizes.vocabulary_bytes,
            "fits": sizes.exact_bytes(dim) + sizes.vocabulary_bytes <= question.memory,
        }
        for dim in EXACT_DIMS
    ]
    own = [
        one
        for one in everyone
        if one.arm.config["strategy"] == EXACT.strategy and one.arm.config["dim"] == EXACT.dim
    ]
    return {
        "vocabulary_bytes": sizes.vocabulary_bytes,
        "dims": dims,
        "measured": own[0].told() if own else None,
    }


def left_out(question: Question, sizes: Sizes, found: Candidates, runs: Runs) -> dict[str, Any]:
    """What is not among the confirmed, and why."""
    seed = question.seed
    seeds, fresh = range(seed, seed + FRESH), range(seed + FRESH, seed + FRESH + MOST_SEEDS)
    raced = [(one, runs.scores(one.config, seeds)) for one in found.fits]
    gone = [(one, own) for one, own in raced if own and not runs.scores(one.config, fresh)]
    gone.sort(key=lambda pair: (-len(pair[1]), fmean(pair[1].values())))
    most = LARGEST * sizes.exact_bytes(EXACT.dim)
    return {
        "memory": [{"label": _label(one.config), "works": one.works} for one in found.small],
        "race": [
            {
                "label": _label(one.config),
                "total_bytes": one.total_bytes,
                "val_mse": fmean(own.values()),
                "n": len(own),
            }
            for one, own in gone
        ],
        "time": [
            _label(one.config)
            for one, own in raced
            if not own and runs.run_of(one.config, seed) is None
        ],
        "failed": sorted({str(record.error) for record in runs.failures()}),
        "largest_hashed_bytes": most if most < question.memory else None,
    }


def _config(arm: Arm) -> RunConfig:
    """The first confirmed run of an arm: the one that the printed lines build."""
    return arm.runs[0].config


def _label(config: RunConfig) -> str:
    return plain_label(config.to_dict(), {})


def plain(value: Any) -> Any:
    """What JSON has: numpy's and pandas' numbers as Python's, NaN and NA as null."""
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(own) for own in value]
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
