"""What ran on fresh seeds: scores, bytes and latency of each configuration, in order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ue_bench.advise.rounds import SEEDS
from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import records as rows_of
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.summary import (
    BATCH,
    CODES,
    VALUES,
    by_key,
    by_seed,
    key,
    score,
    summarise,
)
from ue_bench.report.json_values import json_values
from ue_bench.strategies import entry_of

NOTCH = 1.57


@dataclass(frozen=True)
class Whole:
    """What a configuration that ran on a part of the rows is on all of them.

    cost: its bytes, as a record has them. timings: the records of its latency.
    """

    config: RunConfig
    cost: dict[str, Any]
    timings: tuple[Record, ...]


WholeOf = Callable[[Arm], Whole | None]


@dataclass(frozen=True, eq=False)
class Contestant:
    """A configuration that ran on fresh seeds. Each is equal to itself alone.

    row: its row of the summary, with the bytes on all rows.
    served: the configuration of its layer on all rows, on the first of its seeds.
    cost: the bytes of that layer, as a record has them.
    val, test: validation and test MSE by seeds. Where a split has no test rows, test is validation.
    latency: of the median lookup of a batch from raw values, None where it was not measured.
    latency_from_codes: of the same batch from codes.
    """

    arm: Arm
    row: dict[Any, Any]
    served: RunConfig
    cost: dict[str, Any]
    val: Scores
    test: Scores
    latency: dict[str, Any] | None
    latency_from_codes: dict[str, Any] | None

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
        """The median latency from raw values; infinite where it was not measured."""
        if self.latency is None:
            return math.inf
        return self.latency["p50_us"]

    @property
    def micros_noise(self) -> float:
        """Microseconds by which the median latency may be off: the notch of a box plot.

        It is 1.57 IQR / sqrt(n) (McGill, Tukey and Larsen, 1978). Medians whose notches do not
        overlap differ at about 5 %. It is 0 where the quartiles are not known.
        """
        if self.latency is None or self.latency["iqr_us"] is None:
            return 0.0
        return NOTCH * self.latency["iqr_us"] / math.sqrt(self.latency["n"])

    @property
    def needs_vocabulary(self) -> bool:
        return self.cost["vocabulary_bytes"] > 0

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold.

        Bytes are those of the layer that the printed lines build: that of the first run, or of its
        form on all rows.
        """
        cost = self.cost
        found = self.arm.sample.found
        rows = None
        is_float = self.arm.config["bits"] == "float32"
        if is_float and entry_of(self.arm.config["strategy"]).plain_rows:
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
            "total_floor_bytes": self._total_floor_bytes(),
            "slot_cache_bytes": self.row["slot_cache_bytes"],
            "head_bytes": cost["head_bytes"],
            "n": self.n,
            "part": self.row["part"],
            "mse": self.row["mse"],
            "low": self.row["low"],
            "high": self.row["high"],
            "val_mse": self.row["val_mse_mean"],
            "latency": self.latency,
            "latency_from_codes": self.latency_from_codes,
            "run_ids": self.row["run_ids"].split(),
            "config": self._config(),
        }
        return json_values(facts)

    def _total_floor_bytes(self) -> int | None:
        """Return the bytes with a vocabulary that stores no keys; None where it is not known."""
        floor = self.cost.get("vocabulary_floor_bytes")
        if floor is None:
            return None
        return int(self.cost["table_bytes"] + self.cost["auxiliary_bytes"] + floor)

    def _config(self) -> dict[str, Any]:
        """Return the configuration of the layer, without its seeds."""
        served = {name: getattr(self.served, name) for name in ("budget", "rows_fraction")}
        return {**self.arm.config, **served}


def contestants(arms: Sequence[Arm], whole_of: WholeOf | None = None) -> list[Contestant]:
    """Return what ran on fresh seeds, in the order of the summary.

    whole_of: returns what an arm is on all rows, None where it cannot work there and is left out;
    without it, the arms themselves ran on all rows.
    """
    arm_of = by_key(arms)
    found = []
    for row in rows_of(score(summarise(arms))):
        arm = arm_of[key(row)]
        whole = _itself(arm) if whole_of is None else whole_of(arm)
        if whole is None:
            continue
        if whole_of is not None:
            row |= _bytes_of(whole)
        contestant = Contestant(
            arm=arm,
            row=row,
            served=whole.config,
            cost=whole.cost,
            val=by_seed(arm, "validation"),
            test=by_seed(arm, row["part"]),
            latency=_latency(whole.timings, VALUES),
            latency_from_codes=_latency(whole.timings, CODES),
        )
        found.append(contestant)
    return found


def _itself(arm: Arm) -> Whole:
    """Return what an arm that ran on all rows is there."""
    return Whole(config=arm.runs[0].config, cost=arm.sample.cost, timings=arm.timings)


def _bytes_of(whole: Whole) -> dict[str, Any]:
    """Return the bytes of a row of the summary."""
    cache = None
    for record in whole.timings:
        cache = record.cost.get("slot_cache_bytes")
    return {
        "budget": whole.config.budget,
        "total_bytes": whole.cost["total_bytes"],
        "slot_cache_bytes": cache,
    }


def _latency(timings: Sequence[Record], source: str) -> dict[str, Any] | None:
    """Return the latency of a batch from one source, with the machine that it was measured on."""
    for record in timings:
        for timing in record.cost["latency"]:
            asked = timing["source"], timing["batch"], timing.get("callers", 1)
            if asked == (source, BATCH, 1):
                return {
                    "source": source,
                    "p50_us": timing["p50_us"],
                    "p90_us": timing["p90_us"],
                    "p99_us": timing["p99_us"],
                    "iqr_us": timing.get("iqr_us"),
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
    means = val_means(group)
    order = sorted(range(len(group)), key=lambda number: (means[number], group[number].label))
    return [group[number] for number in order]


def val_means(group: Sequence[Contestant]) -> list[float]:
    """Return the mean validation MSE of each over the seeds that all of them have."""
    if not group:
        return []
    common = set.intersection(*(set(contestant.val) for contestant in group))
    return [fmean(contestant.val[seed] for seed in common) for contestant in group]
