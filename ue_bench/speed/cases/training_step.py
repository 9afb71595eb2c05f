"""One training step while the table grows: the sparse path must not feel the rows that no batch
touches."""

from collections.abc import Iterator
from typing import Any

from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import step_call

TITLE = (
    "One training step (model with hidden layer, batch 256, 7 lookups of 16 numbers, one "
    "thread) as the table grows"
)
USUAL = {"batch": 256, "features": 7, "lookups": 1, "dim": 16}
SIZES: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
DENSE = "dense path (fused Adam)"
# Each turn takes several steps, as training does: the first ones fetch what the turns of other
# calls pushed out of the caches.
STEADY: dict[str, Any] = {"sample": 0.01, "warm": 4}


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for each size of the table.

    The sparse steps of all sizes take turns with one another, and then each with the dense step.
    """
    sizes = SIZES
    seconds = 20.0
    seconds_of_two = 3.0
    if quick:
        sizes = SIZES[:4]
        seconds = 4.0
        seconds_of_two = 1.0
    smallest = f"{sizes[0]}"
    sparse_steps = {f"{rows}": step_call(sparse=True, rows=rows, **USUAL) for rows in sizes}
    times = time_in_turns(sparse_steps, seconds, **STEADY)
    for rows in sizes:
        size = f"{rows}"
        both = {"sparse": sparse_steps[size], DENSE: step_call(rows=rows, **USUAL)}
        both_times = time_in_turns(both, seconds_of_two, least=3, **STEADY)
        must = ""
        if rows == sizes[-1]:
            must = "<= 2"
        growth = times.ratio(size, smallest)
        times_as_fast = both_times.ratio(DENSE, "sparse")
        yield Line(
            what=f"{rows:,} rows",
            value=times.seconds(size),
            unit="s",
            beside={DENSE: both_times.seconds(DENSE)},
            claims=(
                Claim(growth, f"x the step at {sizes[0]:,} rows", must),
                Claim(times_as_fast, "x as fast as the dense path"),
            ),
        )
