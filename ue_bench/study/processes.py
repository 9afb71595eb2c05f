"""One process a run, from a forkserver with torch loaded: peak memory, a hang or an out-of-memory is the run's own.

A run's process sends its record through a pipe and writes nothing; its parent alone writes records.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError, BudgetError
from ue_bench.record import Cause, Record, failure, parse_run, path_of, write

STOPS = signal.SIGINT, signal.SIGTERM  # what the parent answers for all its children
FORKSERVER_LOST = 255  # the exit code that multiprocessing gives where the forkserver is no longer there to tell it
EXIT_SECONDS = 5.0  # for a process to end by itself once its record is here


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
    again: bool = (
        False  # its process was ended by a signal before, perhaps through no fault of the run's
    )

    @property
    def path(self) -> Path:
        return path_of(self.results, self.study, self.config.run_id)


@dataclass(frozen=True)
class _Running:
    """A run under way. reader: where its record comes from. until: when it has had its time, on the monotonic clock."""

    job: Job
    process: BaseProcess
    reader: Connection
    until: float


class Workers:
    """At most `count` runs at a time, each for at most `time_limit` seconds. Leaving the ``with`` ends those that still run."""

    def __init__(self, count: int, time_limit: float | None = None) -> None:
        os.environ["POLARS_MAX_THREADS"] = "1"  # read by the forkserver's children: one thread each
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["ue_bench.study.preload"])
        self.count, self.time_limit = count, time_limit
        self._running: list[_Running] = []

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for run in self._running:
            run.process.kill()
        while self._running:
            _close(self._running.pop())

    @property
    def free(self) -> int:
        return self.count - len(self._running)

    def start(self, job: Job) -> None:
        try:
            self._start(job)
        except (EOFError, ConnectionError):  # the forkserver was killed in this very moment
            time.sleep(0.1)  # until the system says so too
            self._start(job)

    def _start(self, job: Job) -> None:
        _ensure_forkserver()
        reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_run, args=(job, writer))
        process.start()  # returns once the process is there: what the forkserver loads first is on nobody's clock
        writer.close()  # the process has its own: when that ends, so does the pipe
        until = time.monotonic() + (self.time_limit or float("inf"))
        self._running.append(_Running(job, process, reader, until))

    def next(self) -> tuple[Job, Record]:
        """Wait for the next run to end, and write its record.

        Raises RuntimeError when it ended on a bug, which ends the study, and BenchError when its record cannot be written.
        """
        run = self._wait()
        try:
            text = run.reader.recv_bytes() if run.reader.poll() else b""
        except EOFError:  # it ended before it had sent a whole record
            text = b""
        late = not text and time.monotonic() >= run.until
        if late:
            run.process.kill()
        self._running.remove(run)
        code = _close(run)
        if text:
            record = parse_run(text, run.job.path)
        elif late:
            record = _failed(
                run.job,
                "late",
                f"the run took longer than the time limit of {self.time_limit:g} seconds and was "
                "ended; raise --time-limit, or ask for fewer epochs or a smaller table",
            )
        elif code < 0 or code == FORKSERVER_LOST:
            name = signal.Signals(-code).name if code < 0 else "the end of its forkserver"
            hint = " (out of memory?)" if code in (-signal.SIGKILL, FORKSERVER_LOST) else ""
            record = _failed(run.job, "killed", f"the process was ended by {name}{hint}")
        else:
            raise RuntimeError(
                f"run {run.job.config.run_id} of study {run.job.study} crashed; its traceback is above"
            )
        write(record, run.job.results)
        return run.job, record

    def _wait(self) -> _Running:
        """The next run that has something to say, has ended, or has had its time."""
        by_handle: dict[Any, _Running] = {
            handle: run for run in self._running for handle in (run.reader, run.process.sentinel)
        }
        first = min(self._running, key=lambda run: run.until)
        left = None if first.until == float("inf") else max(0.0, first.until - time.monotonic())
        return next((by_handle[handle] for handle in wait(list(by_handle), left)), first)

    def run_all(self, jobs: list[Job]) -> Iterator[tuple[Job, Record]]:
        """Run `jobs` in their order, as many at a time as there are workers, and yield each as it ends."""
        waiting = iter(jobs)
        left = len(jobs)
        while left:
            while self.free and (job := next(waiting, None)):
                self.start(job)
            yield self.next()
            left -= 1


def _close(run: _Running) -> int:
    """Wait until the process of a run that is over has ended, and return its exit code."""
    run.process.join(EXIT_SECONDS)
    if run.process.exitcode is None:  # a thread of a plug-in keeps it
        run.process.kill()
        run.process.join()
    code = run.process.exitcode
    assert code is not None  # nosec B101 # for the type checker: it was joined
    run.process.close()
    run.reader.close()
    return code


def _ensure_forkserver() -> None:
    """Start the forkserver deaf to Ctrl-C and SIGTERM, which are the parent's to answer. One that comes meanwhile waits."""
    resource_tracker.ensure_running()  # first, for its start lets through what is held back here
    held = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    before = {
        stop: signal.signal(stop, signal.SIG_IGN) for stop in STOPS
    }  # inherited by what is started here
    try:
        forkserver.ensure_running()
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _failed(job: Job, cause: Cause, error: str) -> Record:
    return failure(job.config, study=job.study, phase=job.phase, cause=cause, error=error)


def _run(job: Job, writer: Connection) -> None:
    """The body of a run's process. What was raised on purpose, and running out of memory, make a failed record."""
    for stop in STOPS:
        signal.signal(stop, signal.SIG_IGN)  # the parent's: it ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from ue_bench.strategies import load_plugin
    from ue_bench.training.run_once import run_once

    try:
        for plugin in job.plugins:
            load_plugin(plugin)
        record = run_once(job.config, data_dir=job.data_dir, study=job.study, phase=job.phase)
        if job.trial:
            record = replace(record, found=record.found | {"trial": job.trial})
    except BudgetError as error:
        record = _failed(job, "budget", str(error))
    except BenchError as error:
        record = _failed(job, "input", str(error))
    except MemoryError as error:
        record = _failed(job, "memory", f"out of memory: {error}")
    writer.send_bytes(record.to_json().encode())


def _end_with_parent() -> None:
    """End this process when its parent has ended, however: nobody would take the record."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # nosec B101 # for the type checker: this is the process of a run
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
