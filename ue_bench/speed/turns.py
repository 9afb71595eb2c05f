"""Calls timed in turns: what disturbs the machine disturbs all of them alike, so that a ratio holds where a time does not."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

SAMPLE_SECONDS = 1e-3  # a shorter call is repeated, and finds the caches as it left them


class Clocked(NamedTuple):
    """Seconds a call of each name: one number a round, all names in every round."""

    samples: dict[str, list[float]]

    def seconds(self, name: str) -> float:
        """The median of a name."""
        return statistics.median(self.samples[name])

    def ratio(self, name: str, other: str) -> float:
        """The median over the rounds of what `name` took over what `other` took in the same round."""
        return statistics.median(
            a / b for a, b in zip(self.samples[name], self.samples[other], strict=True)
        )

    def beside(self, name: str) -> dict[str, float]:
        """The medians of all the others."""
        return {other: self.seconds(other) for other in self.samples if other != name}


def in_turns(
    calls: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int = 15,
    sample: float = SAMPLE_SECONDS,
    warm: int = 0,
) -> Clocked:
    """Time `calls` in turns for about `seconds` in all, and for at least `least` rounds, after a warm-up of a tenth of that.

    Each round has an order of its own, so that no call always follows the same one, in whose caches it would find its data. A
    call that takes less than `sample` seconds is repeated until it does, after `warm` calls that nobody times.
    """
    repeats = {
        name: _repeats(call, seconds / 10 / len(calls), sample) for name, call in calls.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names, order = list(calls), random.Random(0)
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
    return Clocked(samples)


def agree(same: bool) -> None:
    """Rivals must find the same. Raises RuntimeError where they do not: then no ratio of theirs means anything."""
    if not same:
        raise RuntimeError("rivals that are timed beside each other do not find the same")


def _repeats(call: Callable[[], Any], seconds: float, sample: float) -> int:
    """Calls in a sample, found while warming up for `seconds`."""
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
