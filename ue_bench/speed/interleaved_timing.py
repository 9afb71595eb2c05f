"""Times calls in turns. What disturbs the machine disturbs all of them alike, so that a ratio of
two calls holds where a time does not."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

SAMPLE_SECONDS = 1e-3  # a shorter call is repeated, with the caches as it left them


class Times(NamedTuple):
    """Seconds a call, by name: one number a round, with all names in every round."""

    samples: dict[str, list[float]]

    def seconds(self, name: str) -> float:
        """Return the median of the seconds of one call."""
        return statistics.median(self.samples[name])

    def ratio(self, name: str, other: str) -> float:
        """Return the median over the rounds of the time of `name` over that of `other`."""
        rounds = zip(self.samples[name], self.samples[other], strict=True)
        return statistics.median(own / others for own, others in rounds)

    def others(self, name: str) -> dict[str, float]:
        """Return the medians of all calls but one."""
        return {other: self.seconds(other) for other in self.samples if other != name}


def time_in_turns(
    calls: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int = 15,
    sample: float = SAMPLE_SECONDS,
    warm: int = 0,
) -> Times:
    """Time `calls` in turns for about `seconds` in all, after a warm-up of a tenth of that.

    Each round has an order of its own, so that no call always follows the same one, whose data it
    would find in the caches.

    least: rounds to make at least.
    sample: seconds; a call that takes less is repeated until it takes as long.
    warm: untimed calls before each sample.
    """
    warm_up = seconds / 10 / len(calls)
    repeats = {name: _repeats(call, warm_up, sample) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    order = random.Random(0)
    collecting = gc.isenabled()
    gc.disable()
    try:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(samples[names[0]]) < least:
            order.shuffle(names)
            for name in names:
                for _ in range(warm):
                    calls[name]()
                samples[name].append(_time(calls[name], repeats[name]))
    finally:
        if collecting:
            gc.enable()
    return Times(samples)


def require_agreement(equal: bool) -> None:
    """Raise RuntimeError unless rivals return equal results: otherwise no ratio means anything."""
    if not equal:
        raise RuntimeError("rivals that are timed beside each other return different results")


def _repeats(call: Callable[[], Any], seconds: float, sample: float) -> int:
    """Warm up for `seconds`, and return how many calls a sample needs."""
    until = time.perf_counter() + seconds
    fastest = _time(call, 1)
    while time.perf_counter() < until:
        fastest = min(fastest, _time(call, 1))
    return max(1, round(sample / fastest))


def _time(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
