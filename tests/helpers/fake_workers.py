"""Workers whose runs take no time. A run's record follows from its configuration."""

from collections.abc import Callable
from typing import Any

from fake_records import smallest
from optuna.samplers import RandomSampler

from ue_bench.config import RunConfig
from ue_bench.record import Record, failure, write
from ue_bench.study.processes import Job

BASE = RunConfig(budget=28_032, measure="quality")
UNFIT = 0.15  # the share of runs that cannot work


class Stuck(RandomSampler):
    """A sampler that always proposes the same."""

    def sample_independent(self, *asked: Any) -> Any:
        return RandomSampler(seed=0).sample_independent(*asked)


class QueuedWorkers:
    """What replaces `Workers` and makes one run after the other, in the order of their start."""

    def __init__(self, count: int, time_limit: float | None = None) -> None:
        self.count, self.time_limit = count, time_limit
        self.jobs: list[Job] = []

    def __enter__(self) -> "QueuedWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def free(self) -> int:
        return self.count - len(self.jobs)

    def start(self, job: Job) -> None:
        self.jobs.append(job)


def quick_workers(result: Callable[[Job], Record]) -> type:
    """Return a class that replaces `Workers`: its runs take no time, and `result` makes and they write their records."""

    class Quick(QueuedWorkers):
        def next(self) -> tuple[Job, Record]:
            job = self.jobs.pop(0)
            made = result(job)
            write(made, job.results)
            return job, made

    return Quick


def result(job: Job) -> Record:
    """Return the record of a run, whose score follows from its id."""
    config = job.config
    score = int(config.run_id[:8], 16) / 16**8
    if score < UNFIT:
        error = "it cannot work with its budget"
        return failure(config, study=job.study, phase=job.phase, cause="budget", error=error)
    found = {"trial": job.trial} if job.trial else {}
    return smallest(config, job.study, job.phase, score, **found)
