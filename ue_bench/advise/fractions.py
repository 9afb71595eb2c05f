"""The parts of the rows on which a race may begin where all rows take too long."""

STEP = 4  # a part is so many times as large as the one before it
LEAST_ROWS = 30_000  # of the smallest part


def fractions_of(n_rows: int) -> tuple[float, ...]:
    """Return the parts of so many rows, the smallest first and 1 last.

    A part below 1 has `LEAST_ROWS` rows or more. A small data set has no other part than 1.
    """
    fractions = [1.0]
    while n_rows * fractions[0] / STEP >= LEAST_ROWS:
        fractions.insert(0, fractions[0] / STEP)
    return tuple(fractions)


def fraction_text(fraction: float) -> str:
    """Return 1/16 for the part 0.0625, and `all` for 1."""
    return "all" if fraction == 1 else f"1/{round(1 / fraction)}"
