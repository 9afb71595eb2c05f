"""Runs a study on this machine: what is wanted, less the records that are in the results folder.

Records are the truth: an interrupted study goes on where it stopped.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from statistics import fmean

from ue_bench import record as records_room
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.progress import note, progress
from ue_bench.record import Record
from ue_bench.record.lock import alone
from ue_bench.study import Search
from ue_bench.study.compared_record import compared
from ue_bench.study.data_at_hand import DataAtHand
from ue_bench.study.engine import Engine, Request, Steps, Task, answer
from ue_bench.study.plan import ALONE, ListStage, Plan, SearchStage, Stage, title
from ue_bench.study.plugin_versions import codes_of, left_alone
from ue_bench.study.processes import Executor, Job, Workers
from ue_bench.study.sampler import Sampler
from ue_bench.study.search import SearchRun
from ue_bench.study.search_records import Answered, blind
from ue_bench.study.time_left import TimeLeft


@dataclass
class Ledger:
    """What is wanted, what is known, and what happened.

    All records are `blind`, so that the memory of a command hardly grows with the runs that it has
    made. The whole ones are where they were written.

    wanted: all configurations so far, by run id, in order. answers: the records of runs that need
    not run again. failures: the failed records of earlier commands. made: runs of this command.
    ready: wanted runs that were known before. infeasible: records of runs whose strategy cannot
    work with its budget, which is an answer.
    """

    wanted: dict[str, RunConfig] = field(default_factory=dict)
    answers: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, Record] = field(default_factory=dict)
    made: int = 0
    ready: int = 0
    failed: list[Record] = field(default_factory=list)
    infeasible: list[Record] = field(default_factory=list)

    def load(self, record: Record) -> None:
        """Take a record of an earlier command; a run that failed will run again."""
        record = blind(record)
        if record.status == "failed":
            self.failures[record.run_id] = record
        else:
            self.answers[record.run_id] = record

    def keep(self, record: Record) -> None:
        """Take the record of a run that this command made."""
        self.made += 1
        record = blind(record)
        if record.status == "failed":
            self.failed.append(record)
            return
        self.answers[record.run_id] = record
        if record.status == "infeasible":
            self.infeasible.append(record)

    def records(self) -> list[Record]:
        """Return what is known of all that is wanted, in order."""
        return [self.answers[run_id] for run_id in self.wanted if run_id in self.answers]


class LocalExecutor:
    """Runs what a plan asks for and a results folder does not have.

    workers: how many runs at a time. plugins: files with strategies that the runs may name.
    time_limit: seconds that a run may take. only_latency: nothing is made but the latencies of
    what the folder has; a search that is not done is left out. executor: what makes the runs; None:
    processes of this machine. Raises BenchError if the folder cannot be written, and for a study
    without latencies whose latencies alone are asked for.
    """

    def __init__(
        self,
        plan: Plan,
        results: Path,
        *,
        workers: int = 1,
        plugins: Sequence[Path] = (),
        time_limit: float | None = None,
        only_latency: bool = False,
        executor: Executor | None = None,
    ) -> None:
        if only_latency and not plan.study.latency:
            raise BenchError(
                f"{plan.name}: it measures no latency; leave --only-latency out, or declare "
                "Study(..., latency=True)"
            )
        self.plan = plan
        self.results = results
        self.folder = results / plan.name
        self.workers = workers
        self.plugins = tuple(plugins)
        self.time_limit = time_limit
        self.only_latency = only_latency
        self.executor = executor
        self.ledger = Ledger()
        self.time_left = TimeLeft()
        self.skipped: list[str] = []  # a line for each file that is no valid record
        records_room.require_writable(self.folder)

    def run(self) -> list[Record]:
        """Run what is missing; return the records of all that is wanted, in order, each `blind`.

        Raises BenchError if another command works in the study's folder, if its records were made
        on other data than that at hand, or if a record cannot be written.
        """
        with alone(self.folder):
            for line in self.plan.remarks():
                note(line)
            self._load()
            engine = Engine(self._steps(), self.ledger.answers)
            executor = self.executor or Workers
            with (
                executor(self.workers, self.time_limit) as pool,
                Shown(self.plan.name, engine, self.time_left) as shown,
            ):
                for request in answer(engine, pool, self._keep, shown.show):
                    pool.start(self._job(request))
            self.ledger.ready += engine.ready
        return self.ledger.records()

    def _steps(self) -> Steps:
        """Ask for the runs of all parts, and note what they want, in their order.

        A grid may ask for a run of another part, whose record has the phase of the first one, so
        that a grid runs alone. Searches share only what their winners are held against, in one
        phase, and one fills the gaps of the others.
        """
        self._expect_all()
        parts = self.plan.by_part(self.ledger.answers)
        for searched, group in groupby(parts, lambda part: isinstance(part[0], Search)):
            tasks = (Task(self._part(stages)) for _, stages in group)
            for together in [tasks] if searched else ([task] for task in tasks):
                for wanted in (yield together):
                    self.ledger.wanted |= wanted
        if self.plan.study.latency:
            timed = self.plan.latency_stage(self.ledger.wanted, self.ledger.answers)
            (wanted,) = yield [Task(self._part([timed]))]
            self.ledger.wanted |= wanted

    def _part(self, stages: Iterable[Stage]) -> Steps:
        """Ask for what has to be run of a part, stage by stage, and return what it wants."""
        wanted: dict[str, RunConfig] = {}
        is_searched = True
        for stage in stages:
            for line in stage.notes:
                note(line)
            if isinstance(stage, SearchStage):
                if self.only_latency:
                    is_searched = self._is_answered(stage)
                    if not is_searched:
                        note(self._left_out(stage))
                        continue
                elif stage.complete:
                    self.ledger.ready += len(stage.configs)
                else:
                    yield [self._searched(stage)]
            elif not is_searched:
                continue
            elif not self.only_latency or stage.phase == "latency":
                yield [self._listed(stage)]
            wanted |= stage.configs
            self.time_left.expect(stage.where, {})
        return wanted

    def _listed(self, stage: ListStage) -> Task:
        """Return what asks for the runs of a list that have no record."""
        missing = [
            config for run_id, config in stage.configs.items() if run_id not in self.ledger.answers
        ]
        self.ledger.ready += len(stage.configs) - len(missing)
        requests = [
            Request(config, stage.phase, stage.where, setting=stage.setting) for config in missing
        ]
        is_alone = stage.phase == "latency"  # a clock does not share its machine
        arms = Counter(map(_arm, requests))
        self.time_left.expect(stage.where, arms, 1 if is_alone else self.workers)
        steps = _one_by_one(requests) if is_alone else _together(requests)
        return Task(steps, stage.label if missing else "", len(missing))

    def _searched(self, stage: SearchStage) -> Task:
        """Return what asks for the runs of a search."""
        search = stage.search
        n_runs: list[int] = []  # of each trial that ended

        def noted(trial: Answered) -> None:
            n_runs.append(len(trial.records))
            n_left = (search.trials - len(stage.known)) * fmean(n_runs)
            n_left += search.most_arms * search.seeds
            self.time_left.expect(stage.where, {None: n_left}, self.workers)

        sampler = Sampler(search, stage.base, self.plan.seed)
        run = SearchRun(stage, sampler, self.ledger.failures, noted)

        def steps() -> Steps:
            yield from run.steps()
            self.ledger.ready += run.n_elsewhere

        return Task(steps(), stage.label, search.trials, "trials", lambda: len(stage.known))

    def _expect_all(self) -> None:
        """Expect the runs of all parts, those on record among them, until each part is opened."""
        parts = self.plan.parts
        if not self.only_latency:
            for number, part in enumerate(parts, start=1):
                where = self.plan.where(number)
                self.time_left.expect(where, {None: part.most_runs}, self.workers)
        if self.plan.study.latency:
            self.time_left.expect(ALONE, {None: sum(part.most_arms for part in parts)})

    def _job(self, request: Request) -> Job:
        """Return the job of a run that starts now."""
        self.time_left.start(request.config.run_id, request.part, _arm(request))
        return Job(
            config=request.config,
            study=self.plan.name,
            phase=request.phase,
            results=self.results,
            data_dir=self.plan.data_dir,
            plugins=self.plugins,
            trial=request.facts,
            setting=request.setting,
        )

    def _keep(self, job: Job, record: Record) -> Record:
        """Note the record of a run that ended, and return what is seen of it."""
        self.time_left.end(record.run_id)
        # An equal configuration, which is in memory already.
        record = blind(replace(record, config=job.config))
        self.ledger.keep(record)
        return record

    def whole_records(self) -> Iterator[Record]:
        """Yield the whole records of all that is wanted, once the study has run.

        They are read from the results folder one by one, in the order of `runs_one_by_one`.
        """
        wanted = self.ledger.wanted
        for record in records_room.runs_one_by_one(self.results, self.plan.name):
            if record.run_id in wanted and record.run_id in self.ledger.answers:
                yield record

    def compared_records(self) -> list[Record]:
        """Return what the findings of a study rest on, in the order of what is wanted.

        Of trials it is what is in memory already. Of the others, what `compared` keeps is read.
        """
        wanted = self.ledger.wanted
        read: dict[str, Record] = {}
        for record in self.whole_records():
            if record.phase == "search":
                read[record.run_id] = self.ledger.answers[record.run_id]
            else:
                read[record.run_id] = compared(record, wanted[record.run_id])
        return [read[run_id] for run_id in wanted if run_id in read]

    def not_asked_for(self) -> int:
        """Return how many records of arms that the study does not ask for its folder has.

        The study may have asked for them earlier, and so may another file of its name. Trials of
        searches are not counted, because what a search proposes is found out as it goes.
        """
        wanted = {config.with_seed(0).run_id for config in self.ledger.wanted.values()}
        count = 0
        for record in self.ledger.answers.values():
            if record.phase != "search" and record.config.with_seed(0).run_id not in wanted:
                count += 1
        return count

    def runs_of(self, arm: RunConfig, records: Iterable[Record]) -> list[Record]:
        """Return those of the study's records that are ok runs of a grid's arm, at any seeds."""
        adapted = self.plan.adapt(arm, 0)
        runs = []
        for record in records:
            if record.status == "ok" and record.config.with_seed(0) == adapted:
                runs.append(record)
        return runs

    def _load(self) -> None:
        """Read the records that are there. Raises BenchError where they are of other data."""
        records, self.skipped = records_room.load_runs(self.results, self.plan.name, blind)
        for line in left_alone(records, codes_of(self.plan.parts), self.folder):
            note(line)
        at_hand = DataAtHand(self.plan.data_dir)
        at_hand.require(records, self.folder, self.plan.named_datasets)
        for record in records:
            self.ledger.load(record)

    def _left_out(self, stage: SearchStage) -> str:
        """Return the line about a search that is not done, and is not made here."""
        return (
            f"{self.plan.name}: {stage.label} has {len(stage.known)} of {stage.search.trials} "
            f"trials, which --only-latency does not make; it and its confirmations are left out"
        )

    def _is_answered(self, stage: SearchStage) -> bool:
        """Return whether the records that are there answer all trials of a search.

        Some of them may be of another part of the study, which asked for the same runs.
        """
        if stage.complete:
            return True
        run = SearchRun(
            stage, Sampler(stage.search, stage.base, self.plan.seed), self.ledger.failures
        )
        engine = Engine(run.steps(), self.ledger.answers)
        return engine.next() is None and engine.root.over


class Shown:
    """The progress of a study: that of its earliest list or search under way.

    study: the name that is shown with it.
    """

    def __init__(self, study: str, engine: Engine, time_left: TimeLeft) -> None:
        self._study = study
        self._engine = engine
        self._left = time_left.seconds
        self._context = ExitStack()
        self._task: Task | None = None
        self._update: Callable[..., None] = lambda done, what="": None

    def __enter__(self) -> "Shown":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def show(self, ended: Job | None) -> None:
        """Show how far the study is. ended: the run that ended last."""
        what = "" if ended is None else title(ended.config)
        if self._task is not None:
            self._update(self._task.finished(), what)
        task = self._engine.shown()
        if task is self._task:
            return
        self._context.close()
        self._task = task
        if task is not None:
            label = f"{self._study}: {task.label}"
            shown = progress(label, task.total, task.unit, self._left)
            self._update = self._context.enter_context(shown)
            self._update(task.finished(), what)


def _arm(request: Request) -> str | None:
    """Return what tells the arm of a request from others; None: it is of a search."""
    return None if request.phase == "search" else request.config.with_seed(0).run_id


def _together(requests: Iterable[Request]) -> Steps:
    yield requests


def _one_by_one(requests: Iterable[Request]) -> Steps:
    for request in requests:
        yield [request]
