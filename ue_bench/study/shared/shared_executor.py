"""Runs a study as one of many workers: the same plan as on one machine, each part shared."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.progress import note, progress
from ue_bench.record import Record
from ue_bench.study.data_at_hand import DataAtHand
from ue_bench.study.ledger import Ledger
from ue_bench.study.plan import ListStage, Plan, Request, SearchStage, title
from ue_bench.study.plugin_versions import codes_of, common_digest
from ue_bench.study.processes import Job, Workers
from ue_bench.study.sampler import Sampler
from ue_bench.study.search_records import costs_of
from ue_bench.study.search_run import SearchRun
from ue_bench.study.shared.chains import Chain
from ue_bench.study.shared.part import Part
from ue_bench.study.shared.part_name import PartName
from ue_bench.study.shared.storage import Storage
from ue_bench.study.shared.tasks import Proposals, Runs
from ue_bench.version import __version__


class SharedExecutor:
    """Takes part in a study with any number of other workers. All records go into the storage.

    Latency is left out, because it needs a machine with nothing else to do.

    n_own: how many runs this worker made. plugins: files with strategies that the runs may name.
    time_limit: seconds that a run may take.
    """

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        *,
        plugins: Sequence[Path] = (),
        time_limit: float | None = None,
    ) -> None:
        self.plan = plan
        self.storage = storage
        self.plugins = tuple(plugins)
        self.time_limit = time_limit
        self.ledger = Ledger(costs_of(plan.parts))
        self._at_hand = DataAtHand(plan.data_dir)
        self.n_own = 0
        declaration = repr((__version__, plan.parts, plan.dataset))
        self.digest = hashlib.sha256(declaration.encode()).hexdigest()[:8]
        self.codes = codes_of(plan.parts)

    def run(self) -> list[Record]:
        """Take part until the study is done; return the records of all that is wanted, in order.

        Raises BenchError if the storage has the study from another declaration, or if it holds the
        records of other data.
        """
        for line in self.plan.remarks():
            note(line)
        with Workers(1, self.time_limit) as workers:
            for stage in self.plan.stages(self.ledger.answers, latency=False):
                for line in stage.notes:
                    note(line)
                if isinstance(stage, ListStage):
                    self._run_list(stage, workers)
                else:
                    self._run_search(stage, workers)
                self.ledger.wanted |= stage.configs
        return self.ledger.records()

    def _run_list(self, stage: ListStage, workers: Workers) -> None:
        jobs = []
        for config in self.ledger.missing(stage):
            jobs.append(self._job(Request(config, stage.phase, setting=stage.setting)))
        if not jobs:
            return
        part = self._part(stage.label, 1, workers)
        task = Runs(jobs)
        kept: set[str] = set()
        with progress(f"{self.plan.name}: {stage.label}", len(jobs), "runs") as update:
            update(0, title(jobs[0].config))
            for chains in part.work(task):
                for job, record in task.answers(part, chains):
                    if record.run_id not in kept:
                        self._at_hand.require([record], self.storage.name)
                        kept.add(record.run_id)
                        self.ledger.keep(record)
                        update(len(kept), title(job.config))

    def _run_search(self, stage: SearchStage, workers: Workers) -> None:
        self.ledger.ready += len(stage.configs)
        if stage.complete:
            return
        search = stage.search
        # The storage keeps what came of the trials; what is proposed follows from it in memory.
        sampler = Sampler(search, stage.base, None, self.plan.seed)
        run = SearchRun(stage, sampler, dict(self.ledger.answers))
        name = f"search, {stage.where}, from {stage.base.run_id}"
        part = self._part(name, len(search.objectives), workers)
        task = Proposals(part, run, self._job)
        kept: set[str] = set()
        with progress(f"{self.plan.name}: {stage.label}", search.trials, "trials") as update:
            for chains in part.work(task):
                self._keep(part, chains, kept)
                update(run.finished)
        run.close(self.plan.name)
        for run_id in kept:
            if run_id not in run.asked:
                raise BenchError(
                    f"{part.name}: run {run_id} is none that this worker expects; give all workers "
                    "the same data and the same versions of ue-bench and Optuna"
                )

    def _keep(self, part: Part, chains: list[Chain], kept: set[str]) -> None:
        """Keep the records of these chains that are not in `kept` yet."""
        for chain in chains:
            if not (chain.ran or chain.failed):
                continue
            record = part.record(chain)
            if record.run_id not in kept:
                kept.add(record.run_id)
                self._at_hand.require([record], self.storage.name)
                self.ledger.keep(record)

    def _part(self, name: str, n_objectives: int, workers: Workers) -> Part:
        """Join the part of the study that has this name."""

        def run(job: Job) -> Record:
            workers.start(job)
            record = workers.next()[1]
            if record.cause == "killed":  # as likely the fault of the machine as of the run
                workers.start(job)
                record = workers.next()[1]
            self.n_own += 1
            return record

        part_name = PartName(
            study=self.plan.name,
            seed=self.plan.seed,
            digest=self.digest,
            part=name,
            code=common_digest(self.codes),
        )
        part = Part(self.storage, str(part_name), n_objectives, run)
        self._require_same_declaration()
        return part

    def _require_same_declaration(self) -> None:
        """Raise BenchError if the first part in the storage is from another declaration.

        The first part decides, where several workers started at the same time.
        """
        for name in self.storage.names():
            part = PartName.read(name)
            if part is None or (part.study, part.seed) != (self.plan.name, self.plan.seed):
                continue
            if part.digest == self.digest:
                self._require_same_code(part)
                return
            raise BenchError(
                f"{self.storage.name} has study {part.study}, seed {part.seed}, as another "
                f"declaration, --dataset or version of ue-bench asks for it ({part.digest}, here "
                f"{self.digest}); give all workers the same, or another database"
            )

    def _require_same_code(self, part: PartName) -> None:
        """Raise BenchError if a part in the storage is of other code of added strategies."""
        code = common_digest(self.codes)
        if part.code == code:
            return
        origins = sorted({known.origin for known in self.codes.values()})
        raise BenchError(
            f"{self.storage.name} has study {part.study}, seed {part.seed}, with another version "
            f"of {', '.join(origins) or 'a plug-in'} (digest {part.code or 'none'}, here "
            f"{code or 'none'}); give all workers the same, or another database"
        )

    def _job(self, request: Request) -> Job:
        return Job(
            config=request.config,
            study=self.plan.name,
            phase=request.phase,
            results=None,
            data_dir=self.plan.data_dir,
            plugins=self.plugins,
            trial=request.facts,
            setting=request.setting,
        )
