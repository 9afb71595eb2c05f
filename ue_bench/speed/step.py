"""One training step while the table grows: the sparse path must not feel the rows that no batch touches."""

from collections.abc import Iterator

from ue_bench.speed.clock import in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.steps import step

TITLE = "One training step (model with hidden layer, batch 256, 7 lookups of 16 numbers, one thread) as the table grows"
USUAL = {"batch": 256, "features": 7, "lookups": 1, "dim": 16}
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SPARSE, DENSE = "sparse path", "dense path (fused Adam)"


def measure(quick: bool) -> Iterator[Line]:
    """A line a size of the table. All sparse steps are timed in turns with one another: growth is a ratio inside one run."""
    sizes = SIZES[:4] if quick else SIZES
    calls = {f"{rows}": step(sparse=True, rows=rows, **USUAL) for rows in sizes}
    clocked = in_turns(calls, 4.0 if quick else 20.0)
    for rows in sizes:
        dense = in_turns(
            {SPARSE: calls[f"{rows}"], DENSE: step(sparse=False, rows=rows, **USUAL)}, 1.0 if quick else 4.0, least=5
        )
        grown = clocked.ratio(f"{rows}", f"{sizes[0]}")
        claims = [Claim(grown, f"x the step at {sizes[0]:,} rows", "<= 2" if rows == sizes[-1] else "")]
        claims.append(Claim(dense.ratio(DENSE, SPARSE), "x as fast as the dense path"))
        yield Line(f"{rows:,} rows", clocked.seconds(f"{rows}"), "s", {DENSE: dense.seconds(DENSE)}, tuple(claims))
