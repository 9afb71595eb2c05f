"""Workers for `ue-bench advise` whose runs take the time of a clock of their own alone."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from fake_records import latency, smallest
from fake_workers import QueuedWorkers

from ue_bench import data
from ue_bench.advise.ask import advise
from ue_bench.advise.pace import Pace
from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.record import Record, failure, write
from ue_bench.study.processes import Job

checksum_of = cache(data.checksum_of)
ANCHORS = {"mean": 1.2, "item_mean": 1.0, "bias": 0.9, "mf": 0.85}
NOISE = 0.001  # standard deviation of a run's MSE, beside what its split adds


class Killed(BaseException):
    """The command ended here."""


@dataclass
class World:
    """What runs return.

    mse: by configuration.
    micros, from_codes: microseconds of a lookup from raw values and from codes.
    spread: microseconds between the quartiles of either.
    seconds: of a run on all rows, and of one on a part in proportion. judged: what a run is judged
    to take before the first one; None: the truth.
    clocked: seconds of a run that measures latency; None: as many as of any.
    most: runs until the command is killed.
    fails: whether a run runs out of memory.
    anchors: their MSE, by configuration.
    """

    mse: Callable[[RunConfig], float]
    micros: Callable[[RunConfig], float] = lambda config: 20.0
    from_codes: Callable[[RunConfig], float] = lambda config: 5.0
    spread: Callable[[RunConfig], float] = lambda config: 0.1
    seconds: float = 5.0
    judged: float | None = None
    clocked: float | None = None
    most: int = 10**9
    fails: Callable[[RunConfig], bool] = lambda config: False
    anchors: Callable[[RunConfig], dict[str, float]] = lambda config: ANCHORS
    now: float = 0.0
    runs: Counter = field(default_factory=Counter)
    phases: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def ask(self, asked: Question, results: Path, workers: int = 1) -> dict[str, Any]:
        """The answer in this world. `rounds.Workers` must be its `workers`."""
        return advise(
            asked,
            results,
            workers,
            now=self.clock,
            tell=self.told.append,
            measure=self.pace,
        )

    def pace(self, asked: Question, *_: object) -> Pace:
        assert not self.runs, "the time is judged before anything is trained"
        seconds = self.seconds if self.judged is None else self.judged
        seconds *= asked.base.rows_fraction
        return Pace(usual=seconds, shortest=seconds)

    def seconds_of(self, config: RunConfig) -> float:
        if config.measure == "latency" and self.clocked is not None:
            return self.clocked
        return self.seconds * config.rows_fraction

    def clock(self) -> float:
        return self.now

    def workers(self, count: int, time_limit: float | None = None) -> "FakeWorkers":
        return FakeWorkers(self, count)

    def record(self, job: Job) -> Record:
        config = job.config
        table = config.budget or 4_000
        needs = config.strategy not in (
            "unified",
            "per_feature",
            "hashed_net",
            "robe",
            "compositional",
            "multi_hash_sum",
        )
        vocabulary = 5_000 * needs
        cost = {
            "table_bytes": table,
            "auxiliary_bytes": 0,
            "vocabulary_bytes": vocabulary,
            "total_bytes": table + vocabulary,
            "head_bytes": 100,
            "train_seconds": max(0.0, self.seconds_of(config) - 1),
        }
        found = {
            "dim": config.dim,
            "lookups": counts(config),
            "n_rows": rows_of(config),
            "threads": 1,
            "checksum": "abc" if config.table else checksum_of(config.dataset, job.data_dir),
        }
        if job.phase == "latency":
            timed = latency(1.0, random.Random(0))
            for row in timed:
                if row["batch"] == 256:
                    by_source = {"values": self.micros, "codes": self.from_codes}
                    row["p50_us"] = by_source[row["source"]](config)
                    row["iqr_us"] = self.spread(config)
            cost = {**cost, "latency": timed}
            del cost["train_seconds"]
            return replace(
                smallest(config, job.study, job.phase, 0.0, **found), quality={}, cost=cost
            )
        split = random.Random(config.split_seed).gauss(0, 0.01)
        score = self.mse(config) + split + random.Random(drawn_by(config)).gauss(0, NOISE)
        made = smallest(config, job.study, job.phase, score, **found)
        anchors = {
            name: {"val_mse": value + split, "test_mse": value + split}
            for name, value in self.anchors(config).items()
        }
        return replace(made, quality={**made.quality, "anchors": anchors}, cost=cost)


class FakeWorkers(QueuedWorkers):
    """The clock goes on by the seconds of a run, divided by the runs at a time."""

    def __init__(self, world: World, count: int) -> None:
        super().__init__(count)
        self.world = world

    def start(self, job: Job) -> None:
        if sum(self.world.runs.values()) >= self.world.most:
            raise Killed
        self.world.runs[job.config.run_id] += 1
        self.world.phases.append(job.phase)
        super().start(job)

    def next(self) -> tuple[Job, Record]:
        job = self.jobs.pop(0)
        takes = self.world.seconds_of(job.config) / self.count
        if self.world.fails(job.config):
            self.world.now += takes
            record = failure(
                job.config,
                study=job.study,
                phase=job.phase,
                cause="memory",
                error="out of memory: a table is too large",
            )
        elif self.time_limit is not None and takes > self.time_limit:
            self.world.now += self.time_limit
            record = failure(
                job.config,
                study=job.study,
                phase=job.phase,
                cause="late",
                error="it took too long and was ended",
            )
        else:
            self.world.now += takes
            record = self.world.record(job)
        write(record, job.results)
        return job, record


def drawn_by(config: RunConfig) -> str:
    """Return what the noise of a run is drawn by. A new field of `RunConfig` draws no other."""
    form = (config.strategy, config.regions, config.region_rule, config.dim, config.lookups)
    return repr((config.init_seed, config.budget, *form))


def rows_of(config: RunConfig) -> dict[str, int]:
    """As many rows of each part as the split of `planted-additive` has on a part of its rows."""
    if config.rows_fraction == 1:
        return {"train": 80, "val": 10, "test": 10}
    tenth = round(1000 * config.rows_fraction)
    return {"train": 8 * tenth, "val": tenth, "test": tenth}


def counts(config: RunConfig) -> dict[str, int]:
    names = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
    given = (
        config.lookups if isinstance(config.lookups, dict) else dict.fromkeys(names, config.lookups)
    )
    return {name: given.get(name, 1) for name in names}
