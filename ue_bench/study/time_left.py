"""How long a study still takes, judged by the runs that it has made."""

import math
import time
from collections.abc import Callable, Mapping
from statistics import median

Arm = str | None  # None: of a part whose arms are not known before


class TimeLeft:
    """The seconds of the runs of this command, and of those that are left.

    A run takes as long as the median run of its arm; without one, of its part of the study; without
    one, of all. A median changes little with a run that ends early or on a busy machine.

    now: a clock that only goes forward.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left: dict[str, tuple[dict[Arm, float], int]] = {}  # by part
        self._started: dict[str, tuple[float, str, Arm]] = {}  # by run id
        self._seconds: dict[tuple[str, ...], list[float]] = {}

    def expect(self, part: str, runs: Mapping[Arm, float], at_once: int = 1) -> None:
        """Say how many runs a part has left of each arm, those under way among them.

        at_once: how many of them run at a time.
        """
        self._left[part] = (dict(runs), at_once)

    def start(self, run_id: str, part: str, arm: Arm) -> None:
        """Note that a run starts."""
        self._started[run_id] = (self._now(), part, arm)

    def end(self, run_id: str) -> None:
        """Note that a run ended, and is no longer left."""
        started, part, arm = self._started.pop(run_id)
        for key in _keys(part, arm):
            self._seconds.setdefault(key, []).append(self._now() - started)
        runs, _ = self._left[part]
        runs[arm] = max(0.0, runs.get(arm, 0.0) - 1)

    def seconds(self) -> float | None:
        """Return the seconds that are left; None before the first run has ended."""
        if not self._seconds:
            return None
        total = 0.0
        for part, (runs, at_once) in self._left.items():
            seconds = sum(count * self._of_run(part, arm) for arm, count in runs.items())
            for started, of_part, arm in self._started.values():
                if of_part == part:
                    seconds -= min(self._now() - started, self._of_run(part, arm))
            side_by_side = max(1, min(at_once, math.ceil(sum(runs.values()))))
            total += max(0.0, seconds) / side_by_side
        return total

    def _of_run(self, part: str, arm: Arm) -> float:
        known = (self._seconds[key] for key in _keys(part, arm) if key in self._seconds)
        return median(next(known))


def _keys(part: str, arm: Arm) -> tuple[tuple[str, ...], ...]:
    """Return what the runs of an arm are counted under, the narrowest first."""
    of_arm = () if arm is None else ((part, arm),)
    return (*of_arm, (part,), ())
