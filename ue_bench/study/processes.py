"""One process for each run, from a forkserver that has loaded torch.

Peak memory, a hang or an out-of-memory are thus the run's own. A run's process sends its record
through a pipe and writes nothing; only its parent writes records.
"""

import errno
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, Self, cast

from ue_bench import plugins, safe_path
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError, BudgetError, first_line, killer
from ue_bench.record import Cause, Record, failure, parse_run, write
from ue_bench.strategies import require_same_code

_COMMAND_LINE = "ue_bench.cli"

STOPS = signal.SIGINT, signal.SIGTERM  # the parent answers these for all its children
FORKSERVER_LOST = 255  # the exit code of a process whose forkserver has ended
CRASHED = b"crashed"  # in the place of a record, from a process that ends on a bug
EXIT_SECONDS = 5.0  # the time that a process has to end once its record has arrived


@dataclass(frozen=True)
class Job:
    """One run, and what its process needs to know.

    config: resolved. results: the folder for the record; None: the record is not written.
    plugins: files with strategies that the run may name. trial: what the record of a search's run
    says about its trial. setting: that of the run's grid, which its record names.
    """

    config: RunConfig
    study: str
    phase: str
    results: Path | None
    data_dir: Path | None
    plugins: tuple[Path, ...] = ()
    trial: dict[str, Any] | None = None
    setting: str = ""


@dataclass(frozen=True)
class _Loaded:
    """The code that the parent runs, so that a run's process runs no other.

    package: the folder of ue_bench. plugins: the content of each plug-in that the parent has run.
    """

    package: Path
    plugins: dict[Path, bytes]


@dataclass(frozen=True)
class _Running:
    """A run under way. until: the end of its time limit on the monotonic clock."""

    job: Job
    process: BaseProcess
    reader: Connection
    until: float


class Pool(Protocol):
    """What makes runs, `count` at a time, each for at most `time_limit` seconds."""

    count: int
    time_limit: float | None  # of runs that start from now on

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def free(self) -> int:
        """How many more runs may start."""

    def start(self, job: Job) -> None:
        """Start a run."""

    def next(self) -> tuple[Job, Record]:
        """Wait for the next run to end, write its record and return both."""


Executor = Callable[[int, float | None], Pool]  # of the number of runs at a time and their limit


class Workers:
    """At most `count` runs at a time, each for at most `time_limit` seconds.

    Leaving the ``with`` block kills the runs that are still under way.
    """

    def __init__(self, count: int, time_limit: float | None = None) -> None:
        # The forkserver's children read it: one thread each.
        os.environ["POLARS_MAX_THREADS"] = "1"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_preloaded())
        self.count = count
        self.time_limit = time_limit  # of runs that start from now on
        self._running: list[_Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for run in self._running:
            run.process.kill()
        while self._running:
            _close(self._running.pop())

    @property
    def free(self) -> int:
        """How many more runs may start."""
        return self.count - len(self._running)

    def start(self, job: Job) -> None:
        """Start a run in a process of its own.

        Raises BenchError where the system does not let us: for its limits, or for the path of the
        temporary folder.
        """
        try:
            self._start(job)
        except (EOFError, ConnectionError):  # the forkserver was killed at this very moment
            time.sleep(0.1)  # until the system reports its end
            try:
                self._start(job)
            except (EOFError, ConnectionError) as error:
                raise BenchError(
                    "cannot start the process of a run: the forkserver that makes it ends at once; "
                    "free memory, or raise the limits (ulimit -v, -n and -u)"
                ) from error

    def next(self) -> tuple[Job, Record]:
        """Wait for the next run to end, write its record and return both.

        Raises RuntimeError if the run ended on a bug, and BenchError if its record cannot be
        written.
        """
        run = self._wait()
        text = _receive(run.reader)
        late = not text and time.monotonic() >= run.until
        if late:
            run.process.kill()
        self._running.remove(run)
        exit_code = _close(run)
        if text == CRASHED:
            raise RuntimeError(_crash_text(run.job))
        if text:
            record = parse_run(text, f"run {run.job.config.run_id} of study {run.job.study}")
        elif late:
            record = _failed(
                run.job,
                "late",
                f"the run took longer than the time limit of {self.time_limit:g} seconds and was "
                "ended; raise --time-limit, or ask for fewer epochs or a smaller table",
            )
        elif exit_code < 0 or exit_code == FORKSERVER_LOST:
            error = f"the process was ended by {_killer(exit_code)}"
            record = _failed(run.job, "killed", error)
        elif run.job.config.code is not None:  # a stranger's strategy
            record = _failed(
                run.job,
                "input",
                f"the process ended with exit code {exit_code} without a result; does the strategy "
                "end it (os._exit)?",
            )
        else:
            raise RuntimeError(_crash_text(run.job))
        if run.job.results is not None:
            write(record, run.job.results)
        return run.job, record

    def run_all(self, jobs: list[Job]) -> Iterator[tuple[Job, Record]]:
        """Run the jobs in order, as many at a time as there are workers; yield each as it ends."""
        waiting = list(reversed(jobs))
        for _ in jobs:
            while self.free and waiting:
                self.start(waiting.pop())
            yield self.next()

    def _start(self, job: Job) -> None:
        require_same_code(job.config)
        loaded = _Loaded(safe_path.PACKAGE, plugins.sources(job.plugins))
        with safe_path.for_children(), _start_errors():
            _ensure_forkserver()
            reader, writer = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_run, args=(job, loaded, writer))
            # It returns once the process exists: what the forkserver loads first counts for no run.
            process.start()
        # The process has a writer of its own, so that the pipe ends with the process.
        writer.close()
        until = float("inf")
        if self.time_limit:
            until = time.monotonic() + self.time_limit
        self._running.append(_Running(job, process, reader, until))

    def _wait(self) -> _Running:
        """Return the next run that has sent something, has ended, or has used up its time."""
        by_handle: dict[Any, _Running] = {}
        for run in self._running:
            by_handle[run.reader] = run
            by_handle[run.process.sentinel] = run
        first_late = min(self._running, key=lambda run: run.until)
        seconds = None
        if first_late.until != float("inf"):
            seconds = max(0.0, first_late.until - time.monotonic())
        ready = wait(list(by_handle), seconds)
        if not ready:
            return first_late
        return by_handle[ready[0]]


def _preloaded() -> list[str]:
    """Return the modules that the forkserver loads once, and no run's process again.

    Each process imports what the main program of its parent does. Of the script `ue-bench` that is
    the command line, which takes longer than a short run.
    """
    modules = ["ue_bench.training.preload"]
    if _COMMAND_LINE in sys.modules:
        modules.append(_COMMAND_LINE)
    return modules


def _crash_text(job: Job) -> str:
    return f"run {job.config.run_id} of study {job.study} crashed; its traceback is above"


def _receive(reader: Connection) -> bytes:
    """Return the text of a record, or `CRASHED`; empty where a process did not send all of it."""
    try:
        if reader.poll():
            return reader.recv_bytes()
    except EOFError:  # the process ended before it had sent all
        pass
    return b""


def _close(run: _Running) -> int:
    """Wait for the end of the process of a run that is over; return its exit code."""
    run.process.join(EXIT_SECONDS)
    if run.process.exitcode is None:  # a thread of a plug-in keeps it alive
        run.process.kill()
        run.process.join()
    exit_code = cast(int, run.process.exitcode)  # it was joined
    run.process.close()
    run.reader.close()
    return exit_code


def _killer(exit_code: int) -> str:
    """Return what killed a process, by its exit code."""
    if exit_code == FORKSERVER_LOST:
        return "the end of its forkserver (out of memory?)"
    return killer(exit_code)


def _ensure_forkserver() -> None:
    """Start a forkserver that ignores Ctrl-C and SIGTERM, which only the parent answers.

    A signal that arrives during the start is delivered to the parent afterwards.
    """
    # The tracker comes first, because its start unblocks the signals that are blocked here.
    resource_tracker.ensure_running()
    blocked_before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    handlers = {}
    for stop in STOPS:
        handlers[stop] = signal.signal(stop, signal.SIG_IGN)  # the forkserver inherits it
    try:
        forkserver.ensure_running()
    finally:
        for stop, handler in handlers.items():
            signal.signal(stop, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked_before)


@contextmanager
def _start_errors() -> Iterator[None]:
    """Raise BenchError for what the system says where it does not let a process start.

    A forkserver that ends is none of this.
    """
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            advice = "ask for fewer --workers, or raise the limit of open files (ulimit -n)"
        elif error.errno in (errno.ENOMEM, errno.EAGAIN):
            advice = "free memory, or raise the limits (ulimit -v and -u)"
        else:  # a socket's path has at most about 100 characters
            advice = (
                f"its socket is made in the temporary folder {tempfile.gettempdir()}: set TMPDIR "
                "to a folder with a short path, such as /tmp"
            )
        raise BenchError(f"cannot start the process of a run: {error}; {advice}") from error


def _failed(job: Job, cause: Cause, error: str, found: dict[str, object] | None = None) -> Record:
    found = dict(found or {})
    if job.trial:
        found["trial"] = job.trial
    return failure(
        job.config, study=job.study, phase=job.phase, cause=cause, error=error, found=found
    )


def _run(job: Job, loaded: _Loaded, writer: Connection) -> None:
    """Do a run in its process. loaded: the code that the parent runs."""
    for stop in STOPS:
        signal.signal(stop, signal.SIG_IGN)  # the parent ends its children
    plugins.send_prints_to_stderr()  # standard output is the command's own
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from ue_bench.training.run_once import run_once

    try:
        _load_code(job, loaded)
        record = run_once(job.config, data_dir=job.data_dir, study=job.study, phase=job.phase)
        if job.trial:
            record = replace(record, found=record.found | {"trial": job.trial})
        if job.setting:
            record = replace(record, found=record.found | {"setting": job.setting})
        text = record.to_json().encode()
    except BaseException as error:  # no signal of the parent arrives here, so it may be any
        failed = _failed_by(job, error)
        if failed is None:
            writer.send_bytes(CRASHED)
            raise
        text = failed.to_json().encode()
    writer.send_bytes(text)


def _load_code(job: Job, loaded: _Loaded) -> None:
    """Load the plug-ins of a run. Raises BenchError where its process has other code."""
    from ue_bench.strategies import load_plugin

    if loaded.package != safe_path.PACKAGE:
        raise BenchError(
            f"the command runs ue_bench of {loaded.package} and the process of the run that of "
            f"{safe_path.PACKAGE}; set PYTHONPATH to the folder that the first one is in"
        )
    for plugin in job.plugins:
        load_plugin(plugin, loaded.plugins.get(plugin))


def _failed_by(job: Job, error: BaseException) -> Record | None:
    """Return the failed record of an error that was raised on purpose, by the code of a plug-in, or
    for too little memory.

    None: it is a fault of this package, which ends the command, with its traceback.
    """
    match error:
        case BudgetError():
            return _failed(job, "budget", str(error), error.found)
        case BenchError():
            return _failed(job, "input", str(error))
        case MemoryError():
            words = filter(None, ("out of memory", first_line(error)))
            return _failed(job, "memory", ": ".join(words))
    raised = plugins.raised_in(error, job.plugins)
    return None if raised is None else _failed(job, "input", str(raised))


def _end_with_parent() -> None:
    """End this process once its parent has ended, since nobody would take the record."""
    parent = cast(BaseProcess, multiprocessing.parent_process())  # this is the process of a run
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
