"""Ctrl-C and SIGTERM as exceptions that never interrupt an import."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

# A library in Rust reads NumPy's version by this file as it first touches an array, as part of
# loading NumPy. An exception in it is a panic.
NUMPY_VERSION = str(Path("numpy", "lib", "_version.py"))
SOON = 0.05  # seconds until a postponed signal is tried again
PATIENCE = 10.0  # seconds to wait for an import: a user's file may never end


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. It ends a command as Ctrl-C does."""


KINDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Raise KeyboardInterrupt for Ctrl-C and `Terminated` for SIGTERM, but not during an import.

    An exception inside the initialisation of a C++ library would end the process by SIGABRT, so a
    signal that arrives during an import is postponed until the import is finished. The context
    manager yields a function that raises a signal that is still postponed. A signal that the
    process ignores, as in the background of a shell, stays ignored.
    """
    arrivals: dict[int, float] = {}  # signals that are postponed, with the time of the first one

    def stop(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        first = arrivals.setdefault(number, now)
        if _is_importing(frame) and now - first < PATIENCE:
            try_again(number)
            return
        arrivals.clear()
        if number == signal.SIGTERM:
            # the first one is enough: the cleanup that it starts may take a moment
            signal.signal(number, signal.SIG_IGN)
        raise KINDS[signal.Signals(number)]

    def try_again(number: int) -> None:
        signal.signal(signal.SIGALRM, lambda _, frame: stop(number, frame))
        signal.setitimer(signal.ITIMER_REAL, SOON)

    def swallowed(what: "sys.UnraisableHookArgs") -> None:
        for number, kind in KINDS.items():
            if what.exc_type is kind:  # no exception leaves a finalizer
                arrivals[number] = time.monotonic()
                try_again(number)
                return
        hook(what)

    def raise_postponed() -> None:
        for number in arrivals:
            raise KINDS[signal.Signals(number)]

    previous: dict[signal.Signals, Any] = {signal.SIGALRM: signal.getsignal(signal.SIGALRM)}
    for number in KINDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, stop)
    hook = sys.unraisablehook
    sys.unraisablehook = swallowed
    try:
        yield raise_postponed
    finally:
        sys.unraisablehook = hook
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether an import is in progress in this frame or in one that called it."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") or file.endswith(NUMPY_VERSION):
            return True
        frame = frame.f_back
    return False
