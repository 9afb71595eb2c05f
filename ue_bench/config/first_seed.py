"""The first of several seeds, which leaves room for those that are counted from it."""

from ue_bench.errors import BenchError

# Seeds are below 2**32. Those of a study are its first one and some hundreds more, and the samplers
# of a search take seeds up to some millions above it.
FIRST_SEEDS_BELOW = 2**32 - 10_000_000


def require_first_seed(seed: int) -> None:
    """Raise BenchError unless all seeds that are counted from `seed` exist."""
    if not 0 <= seed < FIRST_SEEDS_BELOW:
        raise BenchError(
            f"seed: {seed} was given as the first of several; it must be at least 0 and below "
            f"{FIRST_SEEDS_BELOW}, because seeds are below 2**32 and others are counted from it"
        )
