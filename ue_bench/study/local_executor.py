"""Runs a study on this machine: what is wanted, less the records that are in the results folder.

Records are the truth: an interrupted study goes on where it stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from ue_bench import record as records_room
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.progress import note
from ue_bench.record import Record
from ue_bench.record.lock import alone
from ue_bench.study import Search
from ue_bench.study.compared_record import compared
from ue_bench.study.data_at_hand import DataAtHand
from ue_bench.study.ledger import Ledger
from ue_bench.study.list_run import ListRun
from ue_bench.study.plan import ListStage, Plan, Request, SearchStage, Stage, title
from ue_bench.study.plugin_versions import codes_of, left_alone
from ue_bench.study.processes import Executor, Job, Workers
from ue_bench.study.sampler import Sampler
from ue_bench.study.search_records import blind
from ue_bench.study.search_run import SearchRun
from ue_bench.study.shown import Shown
from ue_bench.study.side_by_side import Questions, SideBySide


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
            for asked, count in self._asked():
                executor = self.executor or Workers
                with (
                    executor(count, self.time_limit) as workers,
                    Shown(self.plan.name) as shown,
                ):
                    while True:
                        while workers.free and (request := asked.next()):
                            workers.start(self._job(request))
                        if not asked.under_way:
                            break
                        shown.show(asked.first)
                        job, record = workers.next()
                        # An equal configuration, which is in memory already.
                        record = blind(replace(record, config=job.config))
                        counted = asked.answer(record)
                        if counted:
                            self.ledger.keep(record)
                            shown.update(counted, title(job.config))
        return self.ledger.records()

    def _asked(self) -> Iterator[tuple[SideBySide, int]]:
        """Yield what is answered side by side, and how many runs it may have at a time."""
        parts = self.plan.by_part(self.ledger.answers)
        # A grid may ask for a run of another part, whose record has the phase of the first one.
        # Searches share only what their winners are held against, in one phase.
        for searched, group in groupby(parts, lambda part: isinstance(part[0], Search)):
            stages = (stages for _, stages in group)
            if searched:
                yield from self._side_by_side(stages, self.workers)
            else:
                for of_grid in stages:
                    yield from self._side_by_side(iter([of_grid]), self.workers)
        if self.plan.study.latency:
            timed = self.plan.latency_stage(self.ledger.wanted, self.ledger.answers)
            # Nothing may run beside it: a clock does not share its machine.
            yield from self._side_by_side(iter([iter([timed])]), 1)

    def _side_by_side(
        self, parts: Iterator[Iterator[Stage]], count: int
    ) -> Iterator[tuple[SideBySide, int]]:
        """Yield these parts with their count; then note what they want, in their order."""
        wanted: list[dict[str, RunConfig]] = []  # of each part that was opened

        def opened() -> Iterator[Iterator[Questions]]:
            for stages in parts:
                wanted.append({})
                yield self._questions(stages, wanted[-1])

        yield SideBySide(opened(), self.ledger), count
        for configs in wanted:
            self.ledger.wanted |= configs

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

    def _questions(
        self, stages: Iterable[Stage], wanted: dict[str, RunConfig]
    ) -> Iterator[Questions]:
        """Yield what has to be run of a part, stage by stage, and add what it wants to `wanted`."""
        is_searched = True
        for stage in stages:
            for line in stage.notes:
                note(line)
            if isinstance(stage, SearchStage) and self.only_latency:
                is_searched = self._is_answered(stage)
                if not is_searched:
                    note(self._left_out(stage))
                else:
                    wanted |= stage.configs
                continue
            if isinstance(stage, ListStage) and stage.phase == "confirm" and not is_searched:
                continue
            if isinstance(stage, ListStage):
                missing = self.ledger.missing(stage)
                if missing and not (self.only_latency and stage.phase != "latency"):
                    yield ListRun(stage, missing)
            else:
                self.ledger.ready += len(stage.configs)
                if not stage.complete:
                    search_run = self._search_run(stage)
                    yield search_run
                    search_run.close(self.plan.name)
            wanted |= stage.configs

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
        search_run = self._search_run(stage)
        return search_run.next() is None and search_run.over

    def _search_run(self, stage: SearchStage) -> SearchRun:
        sampler = Sampler(stage.search, stage.base, self.plan.seed)
        return SearchRun(stage, sampler, self.ledger.answers, self.ledger.failures)

    def _job(self, request: Request) -> Job:
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
