"""Runs a study: what is missing is what is wanted less the records that are there.

Records are the truth: an interrupted study goes on where it stopped, and Optuna's storage can be rebuilt from them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ue_bench import record as records_room
from ue_bench.config import SEEDS, RunConfig
from ue_bench.errors import BenchError, one_line
from ue_bench.progress import note, progress
from ue_bench.record import QUICK, Record
from ue_bench.record.lock import alone
from ue_bench.study import Grid, Search, Study
from ue_bench.study.processes import Job, Workers
from ue_bench.study.search import Sampler, belongs, best_few, blind, trial_facts
from ue_bench.training.assembly import has_budget
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import cardinalities, exact_table_bytes, split_fault

FRESH = 100  # the seeds that confirm a search start this far above its own


@dataclass
class Done:
    """What a study did: runs made now, runs found ready, failures, budgets that cannot work."""

    made: int = 0
    ready: int = 0
    failed: list[Record] = field(default_factory=list)
    infeasible: list[Record] = field(
        default_factory=list
    )  # the strategy cannot work with the budget: an answer


class Runner:
    """Runs one study into one results folder.

    dataset: fields of a configuration that put a data set in the place of the study's own. time_limit: seconds a run may take.
    """

    def __init__(
        self,
        name: str,
        study: Study,
        results: Path,
        seed: int = 0,
        workers: int = 1,
        dataset: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
        quick: bool = False,
        plugins: Sequence[Path] = (),
        time_limit: float | None = None,
    ) -> None:
        self.name, self.results, self.seed, self.dataset = (
            name + QUICK * quick,
            results,
            seed,
            dict(dataset or {}),
        )
        self.data_dir, self.plugins, self.workers, self.time_limit = (
            data_dir,
            tuple(plugins),
            workers,
            time_limit,
        )
        if dataset and study.of_features:
            base, wide = (replace(RunConfig(**dataset), features=name) for name in ("base", "wide"))
            study = study.on(
                cardinalities(resolve(base), data_dir), cardinalities(resolve(wide), data_dir)
            )
        self.study, self.parts = study, study.asked(quick)
        self._exact: dict[
            str, int
        ] = {}  # bytes of exact tables, and what is wrong with splits: the data are read once for each
        self._faults: dict[str, str | None] = {}
        self.storage = results / self.name / "optuna.sqlite3"
        self.journal = self.storage.with_name(
            f"{self.storage.name}-journal"
        )  # SQLite's, of what was ended half-written
        if study.scenarios and dataset:
            raise BenchError(
                f"{name}: its answers are known on its own data sets alone; leave --dataset {dataset['dataset']} out"
            )
        records_room.require_writable(results / self.name)
        self.done: dict[str, Record] = {}
        self.skipped: list[str] = []  # files that are no valid record: they are made again
        self.report = Done()
        self.wanted: dict[str, RunConfig] = {}

    def run(self) -> list[Record]:
        """Run what is missing; return the records of all that was wanted, in order.

        Raises BenchError when another command works in the study's folder, and where a record or Optuna's file cannot be written.
        """
        with alone(self.results / self.name):
            records, self.skipped = records_room.load_runs(self.results, self.name)
            for found in records:
                if found.status != "failed":
                    self.done[found.run_id] = found
            return self._run_parts()

    def _run_parts(self) -> list[Record]:
        with Workers(self.workers, self.time_limit) as workers:
            self._run_each(workers)
        if self.study.latency:  # alone, when nothing else runs
            with Workers(1, self.time_limit) as one:
                self._run("one at a time", "latency", self._latency(), one)
        return self._records()

    def _run_each(self, workers: Workers) -> None:
        """All that is asked for but latency, in its order."""
        for number, part in enumerate(self.parts, start=1):
            where = f"part {number} of {len(self.parts)}"
            if isinstance(part, Grid):
                self._run(where, "grid", self._grid(part), workers)
            else:
                self._search(part, where, workers)

    def _records(self) -> list[Record]:
        return [self.done[run_id] for run_id in self.wanted if run_id in self.done]

    def runs_of(self, arm: RunConfig) -> list[Record]:
        """The ok records of an arm of a grid, at any seeds, once the study has run."""
        asked = self._adapt(arm, 0)
        ids = [run_id for run_id, config in self.wanted.items() if config.with_seed(0) == asked]
        return [
            self.done[run_id]
            for run_id in ids
            if run_id in self.done and self.done[run_id].status == "ok"
        ]

    def _adapt(
        self, config: RunConfig, seed: int, compression: int | Fraction | None = None
    ) -> RunConfig:
        config = replace(config, **self.dataset, measure="quality")
        if compression:
            config = replace(config, budget=self._exact_bytes(config) // compression)
        return resolve(config.with_seed(seed))

    def _exact_bytes(self, config: RunConfig) -> int:
        """Bytes of the exact table of the configuration's features, which the strategy and its budget do not change."""
        same = ("strategy", "regions", "region_rule", "budget", "options", "hash_seeds", "split")
        key = (
            replace(config, **{name: getattr(RunConfig(), name) for name in same})
            .with_seed(0)
            .run_id
        )
        if key not in self._exact:
            self._exact[key] = exact_table_bytes(config, self.data_dir)
        return self._exact[key]

    def _possible(self, arms: Iterable[RunConfig]) -> list[RunConfig]:
        """The arms whose split the data set that was asked for has; the others are told. Raises BenchError where none is left."""
        arms = list(arms)
        if not self.dataset:
            return arms
        fresh = {arm.split: arm for arm in arms if arm.split not in self._faults}
        self._faults |= {
            split: split_fault(self._adapt(arm, self.seed), self.data_dir)
            for split, arm in fresh.items()
        }
        possible = [arm for arm in arms if not self._faults[arm.split]]
        if not possible:
            raise BenchError(f"{self.name}: {self._faults[arms[0].split]}")
        for split in fresh:
            if self._faults[split]:
                note(one_line(f"{self.name}: left out, the {split} split: {self._faults[split]}"))
        return possible

    def _grid(self, grid: Grid) -> Iterator[RunConfig]:
        first, arms = self.seed + grid.first, self._possible(grid.arms)
        for seed in range(
            first, first + grid.seeds
        ):  # seed by seed: an interrupted study has something of every arm
            for arm in arms:
                for compression in (grid.compressions if has_budget(arm) else ()) or (None,):
                    config = self._adapt(arm, first, compression)
                    changes: dict[str, Any] = dict.fromkeys(grid.vary or SEEDS, seed)
                    yield replace(config, **changes)

    def _run(self, where: str, phase: str, configs: Iterable[RunConfig], workers: Workers) -> None:
        configs = list({config.run_id: config for config in configs}.values())
        self.wanted |= {config.run_id: config for config in configs}
        jobs = [self._job(config, phase) for config in configs if config.run_id not in self.done]
        self.report.ready += len(configs) - len(jobs)
        if not jobs:
            return
        with progress(f"{self.name}: {phase}, {where}", len(jobs), "runs") as update:
            update(0, _title(jobs[0].config))
            for done, (job, record) in enumerate(
                self._each(f"{phase}, {where}", jobs, workers), start=1
            ):
                self._keep(record)
                update(done, _title(job.config))

    def _each(self, name: str, jobs: list[Job], workers: Workers) -> Iterator[tuple[Job, Record]]:
        """The jobs with their records, as they are done. name: of the list, the only one of this name in the study."""
        return workers.run_all(jobs)

    def _job(self, config: RunConfig, phase: str) -> Job:
        return Job(config, self.name, phase, self.results, self.data_dir, self.plugins)

    def _keep(self, record: Record) -> None:
        self.report.made += 1
        if record.status != "failed":
            self.done[record.run_id] = record
        if record.status != "ok":
            (
                self.report.infeasible if record.status == "infeasible" else self.report.failed
            ).append(record)

    def _latency(self) -> Iterator[RunConfig]:
        """Each configuration once: latency does not depend on training or seeds, and a search's trials are not quoted."""
        for run_id, config in list(self.wanted.items()):
            if (
                run_id in self.done
                and self.done[run_id].phase != "search"
                and self.done[run_id].status == "ok"
            ):
                yield replace(config.with_seed(self.seed), measure="latency")

    def _search(self, search: Search, where: str, workers: Workers) -> None:
        self._possible([search.base])
        for compression in search.sizes:
            base = self._adapt(search.base, self.seed + search.seed, compression)
            known = {
                run_id: blind(r) for run_id, r in self.done.items() if belongs(r, base, search)
            }
            self.report.ready += len(known)
            if (
                len(known) < search.trials or self.journal.exists()
            ):  # the file of a complete search is mended too
                self._propose(search, base, known, where, workers)
            if known:
                break
        self.wanted |= {run_id: r.config for run_id, r in known.items()}
        best = [record.config for record in best_few(known.values(), search)] or [base]
        sizes = [self._exact_bytes(base) // compression for compression in search.confirm]
        confirmed = []
        for seed in range(self.seed + FRESH, self.seed + FRESH + search.seeds):
            for config in (
                *best,
                *search.against,
            ):  # at equal budgets, which follow from the base alone
                own = [config.budget or base.budget]
                for budget in (sizes or own) if has_budget(config) else [None]:
                    confirmed.append(self._adapt(replace(config, budget=budget), seed))
        self._run(where, "confirm", confirmed, workers)

    def _propose(
        self,
        search: Search,
        base: RunConfig,
        known: dict[str, Record],
        where: str,
        workers: Workers,
    ) -> None:
        """Ask, run, tell until `search.trials` different configurations have an ok record, or as many cannot work.

        It asks from the start, and what is known answers at once: a search that was ended goes on as if it had not been.
        """
        given = [
            r
            for r in (known.get(run_id) for run_id in (*self.wanted, *known))
            if r and "trial" not in r.found
        ]
        sampler = Sampler(search, base, self.storage, self.seed, given)
        running: dict[str, Any] = {}
        asked: set[str] = set()  # the trials of this search, in whatever command they were run
        numbers = {
            record.found["trial"]["number"] for record in known.values() if "trial" in record.found
        }
        lost: dict[str, Record] = {}
        with progress(
            f"{self.name}: {base.strategy}, {search.sampler} search, {where}",
            search.trials,
            "trials",
        ) as update:
            update(len(known), _title(base))

            def start(config: RunConfig, trial: Any) -> None:
                number = len(asked)
                if (
                    number in numbers
                ):  # several workers made them in another order: all that is known is told before the next
                    sampler.learn(known.values())
                    number = max(numbers) + 1
                asked.add(config.run_id)
                numbers.add(number)
                running[config.run_id] = trial
                workers.start(
                    replace(self._job(config, "search"), trial=trial_facts(search, number))
                )

            def settle() -> None:
                job, record = workers.next()
                if record.cause == "killed" and not job.again:
                    # without this run the search would go another way
                    workers.start(replace(job, again=True))
                    return
                self._keep(record)
                record = blind(record)
                sampler.tell(running.pop(job.config.run_id), record)
                (known if record.status == "ok" else lost)[record.run_id] = record
                update(len(known), _title(job.config))

            while len(known) < search.trials > len(lost):
                while (
                    workers.free
                    and len(known) + len(running) < search.trials
                    and not sampler.exhausted
                ):
                    trial, config = sampler.ask()
                    if config.run_id in self.done:  # the answer is known
                        record = blind(self.done[config.run_id])
                        sampler.tell(trial, record)
                        if record.phase == "search":
                            asked.add(config.run_id)
                        if record.status != "ok":
                            lost[config.run_id] = record
                        elif belongs(
                            record, base, search
                        ):  # not so where another sampler asked for it first
                            known[config.run_id] = record
                        if len(lost) >= search.trials:
                            break
                    elif config.run_id in running or config.run_id in lost:
                        sampler.tell(trial, None)
                    else:
                        start(config, trial)
                if not running:
                    if sampler.exhausted:
                        break  # the space is smaller than the number of trials
                    continue
                settle()
            while running:  # the last ones of a search that cannot work
                settle()
            sampler.learn(known.values())
        self._require_working(search, lost.values())

    def _require_working(self, search: Search, lost: Iterable[Record]) -> None:
        """Raise BenchError where a search ended because its trials fail."""
        broken = [record for record in lost if record.status != "infeasible"]
        if len(broken) >= search.trials:
            raise BenchError(
                f"search of {self.name}: {len(broken)} trials failed; the last one: {broken[-1].error}"
            )


def _title(config: RunConfig) -> str:
    return f"{config.strategy}, {config.features}, seed {config.init_seed}"
