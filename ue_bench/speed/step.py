"""One training step while the table grows: the sparse path must not feel the rows that no batch touches."""

from collections.abc import Iterator
from typing import Any

from ue_bench.speed.line import Claim, Line
from ue_bench.speed.steps import step
from ue_bench.speed.turns import in_turns

TITLE = "One training step (model with hidden layer, batch 256, 7 lookups of 16 numbers, one thread) as the table grows"
USUAL = {"batch": 256, "features": 7, "lookups": 1, "dim": 16}
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
DENSE = "dense path (fused Adam)"
# Each turn runs on as training does: its first steps fetch what another turn's pushed out.
STEADY: dict[str, Any] = {"sample": 0.01, "warm": 4}


def measure(quick: bool) -> Iterator[Line]:
    """A line a size of the table. Sparse steps of all sizes take turns with one another, then each with the dense step."""
    sizes = SIZES[:4] if quick else SIZES
    calls = {f"{rows}": step(sparse=True, rows=rows, **USUAL) for rows in sizes}
    clocked = in_turns(calls, 4.0 if quick else 20.0, **STEADY)
    for rows in sizes:
        own = {"sparse": calls[f"{rows}"], DENSE: step(rows=rows, **USUAL)}
        both = in_turns(own, 1.0 if quick else 3.0, least=3, **STEADY)
        grown = clocked.ratio(f"{rows}", f"{sizes[0]}")
        claims = [
            Claim(grown, f"x the step at {sizes[0]:,} rows", "<= 2" if rows == sizes[-1] else "")
        ]
        claims.append(Claim(both.ratio(DENSE, "sparse"), "x as fast as the dense path"))
        yield Line(
            f"{rows:,} rows",
            clocked.seconds(f"{rows}"),
            "s",
            {DENSE: both.seconds(DENSE)},
            tuple(claims),
        )
