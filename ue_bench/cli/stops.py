"""What ends a command from outside, Ctrl-C and SIGTERM, as exceptions."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SOON = 0.05  # seconds
PATIENCE = 10.0  # seconds for an import: a file of somebody's may never come to its end


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whatever runs is ended as by Ctrl-C."""


KINDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Raise KeyboardInterrupt for Ctrl-C and `Terminated` for SIGTERM; while something is imported, as soon as it is.

    For libraries in C++ that an exception meets while they load end the process by SIGABRT. What is given raises what was put off
    and has not come yet. Signals that are ignored, as in the background of a shell, stay so.
    """
    asked: dict[int, float] = {}  # when those came that were put off

    def stop(number: int, frame: FrameType | None) -> None:
        first = asked.setdefault(number, time.monotonic())
        if _imports(frame) and time.monotonic() - first < PATIENCE:
            signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
            signal.setitimer(signal.ITIMER_REAL, SOON)
            return
        asked.clear()
        if number == signal.SIGTERM:
            signal.signal(
                number, signal.SIG_IGN
            )  # once is enough, and what it started may take a moment
        raise KINDS[signal.Signals(number)]

    def settle() -> None:
        for number in asked:
            raise KINDS[signal.Signals(number)]

    changed = [number for number in KINDS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in changed} | {
        signal.SIGALRM: signal.getsignal(signal.SIGALRM)
    }
    try:
        yield settle
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
