"""How cost grows: one quantity at a time is raised, and the slope of log cost over log quantity says how cost follows it.

A slope of 1 is proportional growth, 0 is none.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ue_bench.speed.line import Claim, Line
from ue_bench.speed.steps import lookup, step
from ue_bench.speed.turns import in_turns

TITLE = "How cost grows: the largest beside the smallest, and the slope of log seconds over log quantity (one thread)"
USUAL = {"batch": 256, "features": 8, "lookups": 1, "dim": 16, "rows": 10_000, "values": 20_000}
GRID: dict[str, Sequence[int]] = {
    "batch": (64, 256, 1024, 4096),
    "features": (2, 4, 8, 16, 32),
    "lookups": (1, 2, 4, 8),
    "dim": (4, 8, 16, 32, 64),
    "rows": (1_000, 10_000, 100_000, 1_000_000),
}
KINDS: dict[str, Callable[..., Any]] = {
    "lookup": lookup,
    "step, dense path": step,
    "step, sparse path": partial(step, sparse=True),
}


def measure(quick: bool) -> Iterator[Line]:
    """A line a quantity and operation: a lookup, and a training step of either path."""
    for what, sizes in GRID.items():
        for name, make in KINDS.items():
            calls = {f"{size}": make(**{**USUAL, what: size}) for size in sizes}
            clocked = in_turns(calls, 1.0 if quick else 5.0, warm=2)
            seconds = [clocked.seconds(f"{size}") for size in sizes]
            slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
            last = float(np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2]))
            claims = (Claim(slope, "slope over all"), Claim(last, "slope of the last two"))
            beside = {f"{what} {sizes[0]:,}": seconds[0]}
            yield Line(
                f"{name}: {what} {sizes[0]:,} to {sizes[-1]:,}", seconds[-1], "s", beside, claims
            )
