"""The time of one question: all of its commands together have as much as the user gave."""

import time
from collections.abc import Callable
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.whole_file import write_whole


class Clock:
    """The seconds spent on a question.

    They are kept in a file, so that an interrupted command leaves less time to the next one.

    path: the file.
    limit: the seconds of all commands together.
    now: a clock that only goes forward.

    Raises BenchError where the file holds no number.
    """

    def __init__(self, path: Path, limit: float, now: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.limit = limit
        self.now = now
        self.before = 0.0
        if path.exists():
            self.before = self._read()
        self.started = now()

    def _read(self) -> float:
        try:
            return float(self.path.read_text())
        except ValueError as error:
            raise BenchError(
                f"{self.path}: it must hold the seconds spent so far, "
                "and holds something else; remove it"
            ) from error

    @property
    def here(self) -> float:
        """Seconds since this command began."""
        return self.now() - self.started

    @property
    def spent(self) -> float:
        """Seconds of this command and of those before it."""
        return self.before + self.here

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return self.limit - self.spent

    def keep(self) -> None:
        """Write the seconds spent into the file."""
        write_whole(self.path, f"{self.spent:.2f}\n")
