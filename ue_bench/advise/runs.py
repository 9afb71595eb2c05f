"""The runs of one question: what is there already, how long one takes, and starting those that still fit the time."""

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from ue_bench import record as records_room
from ue_bench.advise.clock import Clock
from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.study.processes import Job, Workers

SAFETY = 1.15  # a run is expected to take so much longer than those like it
OVERHEAD = 2.0  # seconds of a run beside its training, until one of this command was seen
CLOCKED = 1.5  # seconds that measuring latency takes


Key = tuple[Hashable, ...]


def shape(config: RunConfig) -> Key:
    """In what the configurations of one question differ, but for their seeds and what is measured; the strategy first."""
    return (
        config.strategy,
        config.regions,
        config.region_rule,
        config.budget,
        config.dim,
        str(config.lookups),
    )


def key(config: RunConfig) -> Key:
    """What tells the runs of one question apart: `run_id` does too, and takes a thousand times as long."""
    return *shape(config), config.init_seed, config.measure


class Runs:
    """Records of one folder, and more of them as long as there is time. tell: what is running, for whoever watches."""

    def __init__(
        self,
        name: str,
        results: Path,
        data_dir: Path | None,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self.name, self.results, self.data_dir, self.clock, self.tell = (
            name,
            results,
            data_dir,
            clock,
            tell,
        )
        found, self.skipped = records_room.load_runs(results, name)
        self.records: dict[Key, Record] = {}
        self.trained: dict[Key, float] = {}  # seconds
        for record in found:
            self._keep(record.config, record)
        self.tried: set[Key] = set()  # by this command
        self.overheads: list[float] = []  # seconds

    def _keep(self, config: RunConfig, record: Record) -> None:
        self.records[key(config)] = record
        if record.status == "ok" and "train_seconds" in record.cost:
            self.trained[key(config)] = record.cost["train_seconds"]

    def run_of(self, config: RunConfig, seed: int) -> Record | None:
        """The record of a configuration at a seed, whatever the seed it has itself."""
        return self.records.get((*shape(config), seed, config.measure))

    def ok(self, config: RunConfig, seed: int) -> Record | None:
        """The same where it went well."""
        record = self.run_of(config, seed)
        return record if record is not None and record.status == "ok" else None

    def scores(self, config: RunConfig, seeds: Iterable[int]) -> dict[Hashable, float]:
        """Validation MSE of a configuration by seed, where there is a good record."""
        return {
            seed: float(run.quality["val_mse"])
            for seed in seeds
            if (run := self.ok(config, seed)) is not None
        }

    def expected(self, config: RunConfig) -> float:
        """Seconds that a run of a configuration is expected to take; 0 while there is nothing to judge by."""
        if config.measure == "latency":
            return SAFETY * (self.overhead + CLOCKED)
        for alike in (shape(config), shape(config)[:1], ()):
            if same := [
                seconds for own, seconds in self.trained.items() if own[: len(alike)] == alike
            ]:
                return SAFETY * (self.overhead + fmean(same))
        return 0.0

    @property
    def overhead(self) -> float:
        """Seconds of a run beside its training: to start its process, and to load and encode the data."""
        return fmean(self.overheads) if self.overheads else OVERHEAD

    def settled(self, config: RunConfig) -> bool:
        """Whether there is nothing more to run: it went well, it cannot work with its budget, or this command tried it."""
        if key(config) in self.tried:
            return True
        record = self.run_of(config, config.init_seed)
        return record is not None and record.status != "failed"

    def make(
        self, configs: Iterable[RunConfig], phase: str, workers: Workers, until: float
    ) -> bool:
        """Run what is missing, in order, as far as it ends before `until` seconds of the clock. Whether that was all of it.

        What failed otherwise than by its budget, in an earlier command, is tried again.
        """
        missing = [config for config in configs if not self.settled(config)]
        started: dict[str, float] = {}
        complete = True

        def end_one() -> None:
            job, record = workers.next()
            self._keep(job.config, record)
            self.tried.add(key(job.config))
            if "train_seconds" in record.cost:
                self.overheads.append(
                    max(
                        0.0, self.clock.here - started[record.run_id] - record.cost["train_seconds"]
                    )
                )
            self.clock.keep()
            self.tell(title(job.config, phase))

        for config in missing:
            if not workers.free:
                end_one()
            if self.clock.spent + self.expected(config) > until:
                complete = False
                break
            workers.time_limit = max(1.0, self.clock.left)
            self.tell(title(config, phase))
            started[config.run_id] = self.clock.here
            workers.start(Job(config, self.name, phase, self.results, self.data_dir))
        while workers.free < workers.count:
            end_one()
        return complete

    def failures(self) -> list[Record]:
        """Return the records of the runs that did not end well."""
        return [record for record in self.records.values() if record.status != "ok"]


def title(config: RunConfig, phase: str) -> str:
    shape: Any = config.lookups if isinstance(config.lookups, int) else "own lookups"
    return f"{phase}: {config.strategy} {shape}×{config.dim}, seed {config.init_seed}"
