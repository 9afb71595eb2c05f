"""Seeds that are crossed: which runs show what each of the four seeds does, apart from the others.

They are an orthogonal array of strength 2 (Rao, 1947): with q values of each seed there are q**2
runs, and each value of a seed meets each value of every other seed in exactly one of them. All
combinations would be q**4 runs.
"""

from ue_bench.errors import BenchError

FEWEST = 5  # values of each seed: four columns of the array, and runs to tell effects from noise
# Row (a, b) of the array has seed m * a + n * b modulo q. No two of these pairs are multiples of
# each other modulo a prime of 5 or more, so that any two seeds of a row determine it. m + n is 1,
# so that the rows with a = b have four equal seeds, as the runs of other studies do.
_PAIRS = ((1, 0), (0, 1), (-1, 2), (-2, 3))


def crossed(values: int) -> tuple[tuple[int, ...], ...]:
    """Return the four seeds of each run, from 0 to `values` - 1: `values` squared runs.

    Raises BenchError unless `values` is a prime number of at least 5.
    """
    require_crossable(values)
    runs = []
    for a in range(values):
        for b in range(values):
            runs.append(tuple((m * a + n * b) % values for m, n in _PAIRS))
    return tuple(runs)


def require_crossable(values: int) -> None:
    """Raise BenchError unless so many values of each seed can be crossed."""
    divisors = [divisor for divisor in range(2, values) if values % divisor == 0]
    if values < FEWEST or divisors:
        raise BenchError(
            f"{values} values of each seed cannot be crossed; give a prime number of at least "
            f"{FEWEST}, such as 5, 7 or 11"
        )
