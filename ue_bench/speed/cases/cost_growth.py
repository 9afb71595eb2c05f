"""How cost grows: one quantity at a time is raised, and the slope of log cost over log quantity
says how cost follows it.

A slope of 1 is proportional growth, and 0 is none.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import lookup_call, step_call

TITLE = (
    "How cost grows: the largest beside the smallest, and the slope of log seconds over log "
    "quantity (one thread)"
)
USUAL = {"batch": 256, "features": 8, "lookups": 1, "dim": 16, "rows": 10_000, "values": 20_000}
GRID: dict[str, Sequence[int]] = {
    "batch": (64, 256, 1024, 4096),
    "features": (2, 4, 8, 16, 32),
    "lookups": (1, 2, 4, 8),
    "dim": (4, 8, 16, 32, 64),
    "rows": (1_000, 10_000, 100_000, 1_000_000),
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    "lookup": lookup_call,
    "step, dense path": step_call,
    "step, sparse path": partial(step_call, sparse=True),
}


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for each quantity and operation.

    The operations are a lookup and a training step of either path.
    """
    seconds_each = 5.0
    if quick:
        seconds_each = 1.0
    for quantity, sizes in GRID.items():
        for operation, make_call in OPERATIONS.items():
            calls = {f"{size}": make_call(**{**USUAL, quantity: size}) for size in sizes}
            times = time_in_turns(calls, seconds_each, warm=2)
            seconds = [times.seconds(f"{size}") for size in sizes]
            slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
            last_slope = np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2])
            yield Line(
                what=f"{operation}: {quantity} {sizes[0]:,} to {sizes[-1]:,}",
                value=seconds[-1],
                unit="s",
                beside={f"{quantity} {sizes[0]:,}": seconds[0]},
                claims=(
                    Claim(float(slope), "slope over all"),
                    Claim(float(last_slope), "slope of the last two"),
                ),
            )
