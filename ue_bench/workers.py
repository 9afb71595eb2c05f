"""One process a run, from a forkserver with torch loaded: peak memory, a hang or an out-of-memory is the run's own."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record, path_of, read, write


@dataclass(frozen=True)
class Job:
    """One run that a study asks for, and why."""

    config: RunConfig  # resolved
    study: str
    phase: str
    results: Path
    data_dir: Path | None
    plugins: tuple[Path, ...] = ()  # files with strategies that the run may name
    trial: dict[str, Any] | None = None  # what the record of a search's trial says of it

    @property
    def path(self) -> Path:
        return path_of(self.results, self.study, self.config.run_id)


class Workers:
    """At most `count` runs at a time. Leaving the ``with`` ends those that still run."""

    def __init__(self, count: int) -> None:
        os.environ["POLARS_MAX_THREADS"] = "1"  # read by the forkserver's children: one thread each
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["ue_bench.run"])
        self.count = count
        self._running: dict[Any, tuple[BaseProcess, Job]] = {}  # by the process's sentinel

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for process, _job in self._running.values():
            process.kill()
        for process, job in self._running.values():
            process.join()
            _sweep(job)

    @property
    def free(self) -> int:
        return self.count - len(self._running)

    def start(self, job: Job) -> None:
        _ensure_forkserver()
        process = self._context.Process(target=_run, args=(job,))
        process.start()
        self._running[process.sentinel] = process, job

    def next(self) -> tuple[Job, Record]:
        """Wait for the next run to end, and read its record. Raises RuntimeError when it ended on a bug: that ends the study."""
        sentinel = next(iter(wait(list(self._running))))
        process, job = self._running.pop(sentinel)
        process.join()
        code = process.exitcode or 0
        if code > 0:
            raise RuntimeError(f"run {job.config.run_id} of study {job.study} crashed; its traceback stands above")
        if code < 0:
            _sweep(job)
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            write(_failed(job, f"the process was ended by {name}{hint}"), job.results)
        return job, read(job.path)

    def run_all(self, jobs: list[Job]) -> Iterator[tuple[Job, Record]]:
        """Run `jobs` in their order, as many at a time as there are workers, and yield each as it ends."""
        waiting = iter(jobs)
        left = len(jobs)
        while left:
            while self.free and (job := next(waiting, None)):
                self.start(job)
            yield self.next()
            left -= 1


def _ensure_forkserver() -> None:
    """Start the forkserver deaf to Ctrl-C, which is the parent's to answer: it would print a traceback while it loads torch."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by what is started here
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def _sweep(job: Job) -> None:
    """Remove the temporary file of a run that was ended while it wrote its record."""
    for temporary in job.path.parent.glob(f".{job.path.stem}-*.tmp"):
        temporary.unlink(missing_ok=True)


def _failed(job: Job, error: str) -> Record:
    return Record(job.config.run_id, job.study, job.phase, "failed", error, job.config.to_dict())


def _run(job: Job) -> None:
    """The body of a run's process. What was raised on purpose, and running out of memory, make a failed record."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends its children
    from ue_bench.run import run_once
    from ue_bench.strategies import load_plugin

    try:
        for plugin in job.plugins:
            load_plugin(plugin)
        record = run_once(job.config, data_dir=job.data_dir, study=job.study, phase=job.phase)
        if job.trial:
            record = replace(record, found=record.found | {"trial": job.trial})
    except (BenchError, MemoryError) as error:
        record = _failed(job, f"{type(error).__name__}: {error}")
    write(record, job.results)
