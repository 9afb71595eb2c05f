"""The runs of one question: those on record, how long one takes, and the start of new ones."""

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from ue_bench import record as records_room
from ue_bench.advise.clock import Clock
from ue_bench.advise.fractions import fraction_text
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


class Shape(NamedTuple):
    """What the configurations of one question differ in. Seeds and what is measured are left out.

    rows_fraction: the part of the rows that is used, to which the budget is sized.
    """

    strategy: str
    regions: str | None
    region_rule: str | None
    budget: int | None
    dim: int | None
    lookups: str
    bits: str
    rows_fraction: float

    @property
    def form(self) -> "Shape":
        """The shape without budget and part of the rows."""
        return self._replace(budget=None, rows_fraction=1.0)


class Key(NamedTuple):
    """What tells the runs of one question apart.

    `run_id` tells them apart too, and takes a thousand times as long.
    """

    shape: Shape
    seed: int
    measure: str


def shape(config: RunConfig) -> Shape:
    """Return what tells a configuration from the others of its question."""
    return Shape(
        strategy=config.strategy,
        regions=config.regions,
        region_rule=config.region_rule,
        budget=config.budget,
        dim=config.dim,
        lookups=str(config.lookups),
        bits=config.bits,
        rows_fraction=config.rows_fraction,
    )


def key(config: RunConfig) -> Key:
    """Return what tells a run from the others of its question."""
    return Key(shape(config), config.init_seed, config.measure)


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
        self.overheads: dict[float, list[float]] = {}  # seconds, by the part of the rows
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
        return self.records.get(Key(shape(config), seed, config.measure))

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

    def seeds_of_form(self, config: RunConfig) -> set[int]:
        """Return the seeds on which a form ended well on a part of the rows, at any budget."""
        asked = shape(config)
        seeds = set()
        for run, record in self.records.items():
            is_there = run.shape.rows_fraction == asked.rows_fraction
            same = is_there and run.measure == config.measure and run.shape.form == asked.form
            if same and record.status == "ok":
                seeds.add(run.seed)
        return seeds

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

    def overhead(self, rows_fraction: float) -> float:
        """Return the seconds of a run beside its training: to start, and to load its rows.

        Where no run has used this part of the rows, those on the largest other part count, whose
        seconds above `OVERHEAD` are taken to grow with the rows.
        """
        if rows_fraction in self.overheads:
            return fmean(self.overheads[rows_fraction])
        if not self.overheads:
            return OVERHEAD
        nearest = max(self.overheads)
        known = fmean(self.overheads[nearest])
        return known + max(0.0, known - OVERHEAD) * (rows_fraction / nearest - 1)

    def expected(self, config: RunConfig) -> float:
        """Return the seconds that a run is expected to take.

        They are judged by the runs of this configuration, else by those of its form on the largest
        other part of the rows, else by those of its strategy, else by all. Training is taken to
        grow with the rows. Without any run, they are 0.
        """
        overhead = self.overhead(config.rows_fraction)
        if config.measure == "latency":
            return SAFETY * (overhead + CLOCKED)
        trained = self._trained_like(shape(config))
        if not trained:
            return 0.0
        return SAFETY * (overhead + fmean(trained))

    def _trained_like(self, asked: Shape) -> list[float]:
        """Return the seconds of training of the runs that are most like a shape."""
        shapes = {run.shape for run in self.trained}
        same_form = {other for other in shapes if other.form == asked.form}
        elsewhere = {other for other in same_form if other.rows_fraction != asked.rows_fraction}
        largest = max((other.rows_fraction for other in elsewhere), default=0.0)
        kinds = (
            {asked} & shapes,
            {other for other in elsewhere if other.rows_fraction == largest},
            {other for other in shapes if other.strategy == asked.strategy},
            shapes,
        )
        alike = next(filter(None, kinds), set())
        seconds = []
        for run, trained in self.trained.items():
            if run.shape in alike:
                seconds.append(trained * asked.rows_fraction / run.shape.rows_fraction)
        return seconds

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
            overheads = self.overheads.setdefault(job.config.rows_fraction, [])
            overheads.append(max(0.0, seconds - record.cost["train_seconds"]))
        self.clock.keep()
        self.report(title(job.config, phase))


def _keep_quiet(text: str) -> None:
    """Report nothing, as long as nobody watches."""


def title(config: RunConfig, phase: str) -> str:
    """Return the name of a run for whoever watches the progress."""
    lookups = "own lookups"
    if isinstance(config.lookups, int):
        lookups = str(config.lookups)
    text = f"{phase}: {config.strategy} {lookups}×{config.dim}, seed {config.init_seed}"
    if config.rows_fraction != 1:
        text += f", {fraction_text(config.rows_fraction)} of the rows"
    return text
