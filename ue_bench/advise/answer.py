"""What the records say: a function of them and of the question, so that the same records give the same answer.

Chosen on validation over fresh seeds, quoted on test. Intervals, tests and the front are the report's.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from ue_bench.advise.candidates import EXACT, Candidates
from ue_bench.advise.lines import python
from ue_bench.advise.question import Question
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import EXACT_DIMS, LARGEST, Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.arms import Arm, collect, seeds_of
from ue_bench.report.frames import records as rows_of
from ue_bench.report.labels import plain_label
from ue_bench.report.sections.power import TARGET, seeds_needed
from ue_bench.report.statistics import LEVEL, differences, holm, paired
from ue_bench.report.summary import ANCHORS, BATCH, by_seed, key, latency_rows, score, summarise
from ue_bench.report.verdict import front

Scores = Mapping[Hashable, float]  # by seeds
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
        """As JSON can hold it."""
        row, cost, found = self.row, self.arm.sample.cost, self.arm.sample.found
        table = {name: row[f"{name}_bytes"] for name in ("table", "auxiliary", "vocabulary", "total", "head")}
        rows = cost["table_bytes"] // (4 * found["dim"]) if self.arm.config["strategy"] in ONE_TABLE else None
        told = {"label": row["label"], "strategy": row["strategy"], "regions": row["regions"], "region_rule": row["region_rule"]}
        told |= {"dim": found["dim"], "rows": rows, "lookups": found["lookups"], "budget": row["budget"]}
        told |= {f"{name}_bytes": value for name, value in table.items()} | {"n": row["n"], "part": row["part"]}
        told |= {"mse": row["mse"], "low": row["low"], "high": row["high"], "val_mse": row["val_mse_mean"]}
        told |= {"latency": self.latency, "run_ids": row["run_ids"].split(), "config": self.arm.config}
        return plain(told)


def answer(question: Question, sizes: Sizes, found: Candidates, runs: Runs) -> dict[str, Any]:
    """All that is told, as JSON can hold it. Raises BenchError where no run on fresh seeds went well."""
    arms = collect(runs.records.values())
    everyone = contestants([arm for arm in arms.kept if arm.comparison.phase == "confirm"])
    within = [one for one in everyone if one.row["total_bytes"] <= question.memory]
    if not within:
        raise BenchError(
            f"minutes: {question.minutes:g} was given, too few for a run on a fresh seed; give more, and what was run is used"
        )
    most = max(one.row["n"] for one in within)
    common = set.intersection(*(set(one.val) for one in within if one.row["n"] >= most - 1))
    ranked = sorted((one for one in within if common <= set(one.val)), key=lambda one: (_mean(one.val, common), one.row["label"]))
    limit = question.latency
    quick = [one for one in ranked if limit is None or one.micros <= limit]
    best = quick[0] if quick else min(ranked, key=lambda one: one.micros)
    rivals = [one for one in (quick or ranked) if one is not best]
    return {
        "dataset": question.base.dataset, "features": question.base.features, "split": question.base.split,
        "memory": question.memory, "latency_limit_us": limit, "minutes": question.minutes, "study": question.name,
        "n_values": sizes.n_values, "seeds": len(common), "exact": exact(sizes, question, everyone),
        "latency_met": None if limit is None else bool(quick), "best": best.told(), "rivals": against(best, rivals),
        "front": [one.told() for one in on_front(ranked, common)], "anchors": anchors(best),
        "left_out": left_out(question, sizes, found, runs, [one for one in ranked if one not in quick] if quick else []),
        "refused": [*arms.refused], "skipped": runs.skipped,
        "python": python(question, _config(best.arm)),
    }  # fmt: skip


def contestants(arms: Sequence[Arm]) -> list[Contestant]:
    by_key = {arm.key: arm for arm in arms}
    found = []
    for row in rows_of(score(summarise(arms))):
        arm = by_key[key(row)]
        timed = [one for one in latency_rows(arm.timings) if (one["source"], one["batch"]) == ("codes", BATCH)]
        facts = arm.timings[0] if timed else None
        latency = None
        if facts is not None:
            shown = {name: timed[0][name] for name in ("p50_us", "p90_us", "n", "batch", "unstable")}
            latency = shown | {"device": facts.config["device"], "threads": facts.found["threads"]}
        found.append(Contestant(arm, row, by_seed(arm, "validation"), by_seed(arm, row["part"]), latency))
    return found


def against(best: Contestant, rivals: Sequence[Contestant]) -> list[dict[str, Any]]:
    """Of each rival, in their order: its MSE less that of the best, paired over seeds, Holm-corrected over all of them."""
    tests = [paired(best.test, one.test) for one in rivals]
    told = []
    for one, test, p in zip(rivals, tests, holm([test.p for test in tests]), strict=True):
        apart, needed = p < 1 - LEVEL, None
        target = max(abs(test.difference), TARGET)
        if not apart and test.n > 1:
            sd = float(np.std(differences(best.test, one.test), ddof=1))
            needed = seeds_needed(sd, target, (1 - LEVEL) / len(rivals))
        about = {"p_holm": p, "told_apart": bool(apart), "needed": needed, "needed_for": target if needed else None}
        told.append(plain(one.told() | {"against_best": test._asdict() | about}))
    return told


def on_front(ranked: Sequence[Contestant], common: set[Hashable]) -> list[Contestant]:
    """Those of which none has as few bytes in all and a lower validation MSE; the smallest first."""
    frame = pd.DataFrame([one.row for one in ranked]).assign(mse=[_mean(one.val, common) for one in ranked])
    chosen = [one for one, on in zip(ranked, front(frame), strict=True) if on]
    return sorted(chosen, key=lambda one: one.row["total_bytes"])


def anchors(best: Contestant) -> list[dict[str, Any]]:
    """Of each trivial predictor: its MSE on the same rows, and what the best has less, paired over seeds."""
    short = "test" if best.row["part"] == "test" else "val"
    told = []
    for name in ANCHORS:
        own = {seeds_of(run): run.quality["anchors"].get(name, {}).get(f"{short}_mse") for run in best.arm.runs}
        scores: Scores = {seeds: value for seeds, value in own.items() if value is not None}
        if scores:
            test = paired(best.test, scores)
            told.append(plain({"name": name, "mse": fmean(scores.values()), **test._asdict(), "beaten": _beaten(test)}))
    return told


def _beaten(test: Any) -> bool:
    return bool(test.difference > 0 and test.p < 1 - LEVEL)


def exact(sizes: Sizes, question: Question, everyone: Sequence[Contestant]) -> dict[str, Any]:
    """The arithmetic of the exact table, and its runs on fresh seeds where there are any."""
    dims = [{"dim": dim, "table_bytes": sizes.exact_bytes(dim), "total_bytes": sizes.exact_bytes(dim) + sizes.vocabulary_bytes,
             "fits": sizes.exact_bytes(dim) + sizes.vocabulary_bytes <= question.memory} for dim in EXACT_DIMS]  # fmt: skip
    own = [one for one in everyone if one.arm.config["strategy"] == EXACT.strategy and one.arm.config["dim"] == EXACT.dim]
    return {"vocabulary_bytes": sizes.vocabulary_bytes, "dims": dims, "measured": own[0].told() if own else None}


def left_out(question: Question, sizes: Sizes, found: Candidates, runs: Runs, slow: Sequence[Contestant]) -> dict[str, Any]:
    """What is not among the confirmed, and why."""
    seed, fresh = question.seed, {json_id(r.config) for r in runs.records.values() if r.phase == "confirm"}
    seeds = range(seed, seed + 100)
    raced = [(one.config, runs.scores(one.config, seeds)) for one in found.fits]
    gone = [(config, own) for config, own in raced if own and json_id(config.to_dict()) not in fresh]
    gone.sort(key=lambda pair: (-len(pair[1]), fmean(pair[1].values())))
    failed = {record.error or "" for record in runs.failures().values()}
    most = LARGEST * sizes.exact_bytes(EXACT.dim)
    return {
        "memory": [{"label": _label(one.config), "works": one.works} for one in found.small],
        "race": [{"label": _label(config), "val_mse": fmean(own.values()), "n": len(own)} for config, own in gone],
        "time": [_label(config) for config, own in raced if not own and runs.records.get(config.with_seed(seed).run_id) is None],
        "latency": [{"label": one.row["label"], "p50_us": one.latency["p50_us"] if one.latency else None} for one in slow],
        "failed": sorted(failed), "largest_hashed_bytes": most if most < question.memory else None,
    }  # fmt: skip


def json_id(config: Mapping[str, Any]) -> str:
    """Equal for runs that differ in their seeds alone."""
    return RunConfig.from_dict(config).with_seed(0).run_id


def _config(arm: Arm) -> RunConfig:
    """The first confirmed run of an arm: the one that the printed lines build."""
    return RunConfig.from_dict(arm.runs[0].config)


def _label(config: RunConfig) -> str:
    return plain_label(config.to_dict(), {})


def _mean(scores: Scores, seeds: set[Hashable]) -> float:
    return fmean(scores[seed] for seed in seeds)


def plain(value: Any) -> Any:
    """What JSON has: numpy's and pandas' numbers as Python's, NaN and NA as null."""
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(own) for own in value]
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
