"""Work with the code of others in a process of its own, which that code may end at any time."""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import click

from ue_bench.cli.group import told
from ue_bench.cli.stops import KINDS
from ue_bench.errors import BenchError, killer
from ue_bench.plugins import send_prints_to_stderr

LOOK_SECONDS = 1.0  # after which a process learns at the latest that its parent has ended
Say = Callable[[str], None]
Told = TypeVar("Told")


def apart(subject: object, work: Callable[[Say], Told]) -> Told:
    """Do work in a fork of this process, and return what it returns, which JSON can hold.

    subject: what has the code, for errors. work: prints its lines with the function that it is
    given; what else is printed there goes to standard error. Polars must not have computed anything
    yet: in a fork it waits forever for the threads that it had before.
    Raises BenchError for bad input, for what the code of others raises, and where the process ends
    before its work has.
    """
    reader, writer = os.pipe()
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or the fork would print it too
    try:
        child = os.fork()
    except OSError as error:
        raise BenchError(
            f"{subject}: cannot start a process for its code: {error}; free memory, or raise the "
            "limits (ulimit -v and -u)"
        ) from error
    if child == 0:
        os.close(reader)
        _work(work, writer, parent)
    os.close(writer)
    try:
        kind, value = _answer(reader)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reader)
        _, status = os.waitpid(child, 0)
    if kind == "done":
        answer: Told = value
        return answer
    if kind == "wrong":
        raise BenchError(value)
    if kind == "bug":
        raise RuntimeError(f"the check of {subject} crashed; its traceback is above")
    raise BenchError(
        f"{subject}: the file ended the process ({_how(status)}); take out what does so, such as "
        "os._exit"
    )


def _answer(reader: int) -> tuple[str, Any]:
    """Print what a process says, and return its last word: how it ended, and with what."""
    with open(reader, encoding="ascii", closefd=False) as lines:
        for line in lines:
            kind, value = json.loads(line)
            if kind != "say":
                return kind, value
            click.echo(value)
    return "", ""


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else killer(code)


def _work(work: Callable[[Say], object], writer: int, parent: int) -> NoReturn:
    """Be the fork: work, and end without a return to the code that was forked."""

    def tell(kind: str, value: object) -> None:
        print(json.dumps([kind, value]), file=lines, flush=True)

    try:
        lines = open(writer, "w", encoding="ascii")  # noqa: SIM115 # open until the process ends
        for stop in KINDS:
            signal.signal(stop, signal.SIG_IGN)  # the parent ends this process
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        send_prints_to_stderr()
        tell("done", work(lambda text: tell("say", text)))
    except BaseException as error:
        text = told(error)
        if text is None:
            traceback.print_exc()
            tell("bug", "")
        else:
            tell("wrong", text)
    finally:
        with suppress(Exception):  # a plug-in may have closed or replaced it
            sys.stderr.flush()
        os._exit(0)


def _end_with(parent: int) -> None:
    """End this process once its parent has ended, since nobody would take its word."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
