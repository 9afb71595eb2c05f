"""The runs of one question: those on record, how long one takes, and the start of new ones."""

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from statistics import fmean

from ue_bench import record as records_room
from ue_bench.advise.clock import Clock
from ue_bench.config import RunConfig
from ue_bench.progress import note
from ue_bench.record import Record
from ue_bench.report.evidence.run_scores import Scores, scores_of
from ue_bench.strategies.registry import added_strategies
from ue_bench.study.data_at_hand import DataAtHand
from ue_bench.study.plugin_versions import codes_of_names, left_alone, made_by_other_code
from ue_bench.study.processes import Job, Workers

SAFETY = 1.15  # a run is expected to take this much longer than those like it
OVERHEAD = 2.0  # seconds of a run beside its training, until one of this command has ended
CLOCKED = 2.0  # seconds that measuring latency takes

Key = tuple[Hashable, ...]


def shape(config: RunConfig) -> Key:
    """Return what the configurations of one question differ in, the strategy first.

    Seeds and what is measured are left out.
    """
    return (
        config.strategy,
        config.regions,
        config.region_rule,
        config.budget,
        config.dim,
        str(config.lookups),
        config.bits,
    )


def key(config: RunConfig) -> Key:
    """Return what tells the runs of one question apart.

    `run_id` tells them apart too, and takes a thousand times as long.
    """
    return *shape(config), config.init_seed, config.measure


class Runs:
    """The records of one folder, and new ones as long as there is time.

    Its `report` is called with the name of each run that starts or ends.

    name: the name of the folder in `results`.
    plugins: files with strategies that the runs may name.

    Raises BenchError for records that were made on other data than that at hand.
    """

    def __init__(
        self,
        name: str,
        results: Path,
        data_dir: Path | None,
        plugins: tuple[Path, ...],
        clock: Clock,
    ) -> None:
        self.name = name
        self.results = results
        self.data_dir = data_dir
        self.plugins = plugins
        self.clock = clock
        self.report: Callable[[str], None] = _keep_quiet
        self.records: dict[Key, Record] = {}
        self.trained: dict[Key, float] = {}  # seconds
        self.tried: set[Key] = set()  # by this command
        self.started: dict[Key, float] = {}  # seconds of the clock
        self.overheads: list[float] = []  # seconds
        records, self.skipped = records_room.load_runs(results, name)
        codes = codes_of_names(added_strategies())
        for line in left_alone(records, codes, results / name):
            note(line)
        DataAtHand(data_dir).require(records, results / name)
        for record in records:
            if not made_by_other_code(record.config, codes):
                self._keep(record.config, record)

    def _keep(self, config: RunConfig, record: Record) -> None:
        self.records[key(config)] = record
        if record.status == "ok" and "train_seconds" in record.cost:
            self.trained[key(config)] = record.cost["train_seconds"]

    def run_of(self, config: RunConfig, seed: int) -> Record | None:
        """Return the record of a configuration on a seed, whatever its own seed is."""
        return self.records.get((*shape(config), seed, config.measure))

    def ok(self, config: RunConfig, seed: int) -> Record | None:
        """Return the record of a configuration on a seed if it ended well."""
        record = self.run_of(config, seed)
        if record is None or record.status != "ok":
            return None
        return record

    def scores(self, config: RunConfig, seeds: Iterable[int]) -> Scores:
        """Return the validation MSE of a configuration by seed, of the runs that ended well."""
        runs = []
        for seed in seeds:
            run = self.ok(config, seed)
            if run is not None:
                runs.append(run)
        return scores_of(runs, "val", name_of=lambda run: run.config.init_seed)

    def failures(self) -> list[Record]:
        """Return the records of the runs that did not end well."""
        return [record for record in self.records.values() if record.status != "ok"]

    def settled(self, config: RunConfig) -> bool:
        """Return whether a run has ended well, cannot work, or was tried by this command."""
        if key(config) in self.tried:
            return True
        record = self.run_of(config, config.init_seed)
        return record is not None and record.status != "failed"

    def missing(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """Return the runs that are not settled."""
        return [config for config in configs if not self.settled(config)]

    @property
    def overhead(self) -> float:
        """Seconds of a run beside its training: to start, and to load and encode the data."""
        if not self.overheads:
            return OVERHEAD
        return fmean(self.overheads)

    def expected(self, config: RunConfig) -> float:
        """Return the seconds that a run is expected to take.

        They are judged by the runs of this configuration, else by those of its strategy, else by
        all. Without any, they are 0.
        """
        if config.measure == "latency":
            return SAFETY * (self.overhead + CLOCKED)
        for start in (shape(config), shape(config)[:1], ()):
            alike = []
            for run, seconds in self.trained.items():
                if run[: len(start)] == start:
                    alike.append(seconds)
            if alike:
                return SAFETY * (self.overhead + fmean(alike))
        return 0.0

    def make(
        self, configs: Iterable[RunConfig], phase: str, workers: Workers, until: float
    ) -> bool:
        """Run what is missing, in order, and return whether all of it was run.

        A run starts only if it is expected to end before `until` seconds of the clock. A run that
        failed in an earlier command is tried again, unless its budget does not work.
        """
        complete = True
        for config in self.missing(configs):
            if not workers.free:
                self._end_one(workers, phase)
            if self.clock.spent + self.expected(config) > until:
                complete = False
                break
            workers.time_limit = max(1.0, self.clock.left)
            self.report(title(config, phase))
            self.started[key(config)] = self.clock.here
            workers.start(
                Job(
                    config=config,
                    study=self.name,
                    phase=phase,
                    results=self.results,
                    data_dir=self.data_dir,
                    plugins=self.plugins,
                )
            )
        while workers.free < workers.count:
            self._end_one(workers, phase)
        return complete

    def _end_one(self, workers: Workers, phase: str) -> None:
        """Wait for a run to end and keep its record."""
        job, record = workers.next()
        run = key(job.config)
        self._keep(job.config, record)
        self.tried.add(run)
        if "train_seconds" in record.cost:
            seconds = self.clock.here - self.started[run]
            self.overheads.append(max(0.0, seconds - record.cost["train_seconds"]))
        self.clock.keep()
        self.report(title(job.config, phase))


def _keep_quiet(text: str) -> None:
    """Report nothing, as long as nobody watches."""


def title(config: RunConfig, phase: str) -> str:
    """Return the name of a run for whoever watches the progress."""
    lookups = "own lookups"
    if isinstance(config.lookups, int):
        lookups = str(config.lookups)
    return f"{phase}: {config.strategy} {lookups}×{config.dim}, seed {config.init_seed}"
