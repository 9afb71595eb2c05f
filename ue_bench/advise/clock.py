"""The time of one question: all its commands together have as much as was asked for."""

import time
from collections.abc import Callable
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.record import write_whole


class Clock:
    """Seconds spent on a question. They are kept in a file, so that an interrupted command leaves the next one less.

    limit: seconds in all. now: a clock that only goes forward. Raises BenchError where the file holds no number.
    """

    def __init__(self, path: Path, limit: float, now: Callable[[], float] = time.monotonic) -> None:
        self.path, self.limit, self.now = path, limit, now
        try:
            self.before = float(path.read_text()) if path.exists() else 0.0
        except ValueError as error:
            raise BenchError(
                f"{path}: it must hold the seconds spent so far, and holds something else; remove it"
            ) from error
        self.started = now()

    @property
    def here(self) -> float:
        """Seconds since this command began."""
        return self.now() - self.started

    @property
    def spent(self) -> float:
        return self.before + self.here

    @property
    def left(self) -> float:
        return self.limit - self.spent

    def keep(self) -> None:
        write_whole(self.path, f"{self.spent:.2f}\n")
