"""A study as one of many workers runs it: the same parts in the same order as on one machine, each shared with the others."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.progress import progress
from ue_bench.record import Record
from ue_bench.study import Search, Study
from ue_bench.study.processes import Job, Workers
from ue_bench.study.runner import Runner
from ue_bench.study.search import blind, trial_facts
from ue_bench.study.shared.part import Part
from ue_bench.study.shared.storage import Storage
from ue_bench.study.shared.tasks import Proposals, Runs
from ue_bench.version import __version__

_NAME = re.compile(
    r"ue-bench (?P<study>[\w-]+) seed (?P<seed>\d+) as (?P<asked>[0-9a-f]{8}): (?P<part>.+)",
    re.ASCII,
)


class Named(NamedTuple):
    """What the name of an Optuna study of ours says. asked: digest of the declaration and of the version that ran it."""

    study: str
    seed: int
    asked: str
    part: str

    def __str__(self) -> str:
        return f"ue-bench {self.study} seed {self.seed} as {self.asked}: {self.part}"

    @classmethod
    def read(cls, name: str) -> "Named | None":
        """None: it is a study of somebody else."""
        found = _NAME.fullmatch(name)
        return found and cls(found["study"], int(found["seed"]), found["asked"], found["part"])


class SharedRunner(Runner):
    """One of any number of workers on a study. All records go into the storage; nothing is written here.

    Latency is left out: it needs a machine with nothing else to do. own: runs that this worker did.
    """

    def __init__(
        self,
        name: str,
        study: Study,
        storage: Storage,
        seed: int = 0,
        dataset: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
        quick: bool = False,
        plugins: Sequence[Path] = (),
        time_limit: float | None = None,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="ue-bench-")  # runs leave their records somewhere
        super().__init__(
            name,
            study,
            Path(self._folder.name),
            seed,
            1,
            dataset,
            data_dir,
            quick,
            plugins,
            time_limit,
        )
        self.shared, self.own = storage, 0
        self.asked = hashlib.sha256(repr((__version__, self.parts, dataset)).encode()).hexdigest()[
            :8
        ]

    def run(self) -> list[Record]:
        """Take part until the study is done; return the records of all that was wanted, whoever ran it."""
        with self._folder, Workers(1, self.time_limit) as workers:
            self._run_each(workers)
        return self._records()

    def _part(self, name: str, objectives: int, workers: Workers) -> Part:
        def run(job: Job) -> Record:
            workers.start(job)
            record = workers.next()[1]
            if record.cause == "killed":
                # the machine is at fault as likely as the run: once more
                workers.start(job)
                record = workers.next()[1]
            self.own += 1
            return record

        part = Part(
            self.shared, str(Named(self.name, self.seed, self.asked, name)), objectives, run
        )
        for first in filter(None, map(Named.read, self.shared.names())):
            if (first.study, first.seed) == (
                self.name,
                self.seed,
            ):  # the first one decides, where several started at once
                if first.asked == self.asked:
                    break
                raise BenchError(
                    f"{self.shared.name} has study {self.name}, seed {self.seed}, as another declaration, --dataset or version "
                    f"of ue-bench asks for it ({first.asked}, here {self.asked}); give all workers the same, or another database"
                )
        return part

    def _each(self, name: str, jobs: list[Job], workers: Workers) -> Iterator[tuple[Job, Record]]:
        part, task, told = self._part(name, 1, workers), Runs(jobs), set[str]()
        for chains in part.work(task):
            for job, record in task.answers(part, chains):
                if record.run_id not in told:
                    told.add(record.run_id)
                    yield job, record

    def _propose(
        self,
        search: Search,
        base: RunConfig,
        known: dict[str, Record],
        where: str,
        workers: Workers,
    ) -> None:
        first = max(
            (r.found["trial"]["number"] + 1 for r in known.values() if "trial" in r.found),
            default=0,
        )

        def job(config: RunConfig, number: int) -> Job:
            return replace(self._job(config, "search"), trial=trial_facts(search, first + number))

        task = Proposals(search, base, known.values(), self.done, self.seed, job)
        part = self._part(f"search, {where}, from {base.run_id}", len(search.objectives), workers)
        given, lost = dict(known), dict[str, Record]()
        with progress(
            f"{self.name}: {base.strategy}, {search.sampler} search, {where}",
            search.trials,
            "trials",
        ) as update:
            for chains in part.work(task):
                for chain in chains:
                    if not (chain.ran or chain.failed):
                        continue
                    record = part.record(chain)
                    if record.run_id not in known and record.run_id not in lost:
                        self._keep(record)
                        (known if record.status == "ok" else lost)[record.run_id] = blind(record)
                update(len(known))
        gained = [part.record(chain).run_id for chain in chains if chain.ran]
        ordered = {
            run_id: known[run_id] for run_id in (*sorted(given), *gained)
        }  # as all workers see it
        known.clear()
        known.update(ordered)
        self._require_working(search, lost.values())
