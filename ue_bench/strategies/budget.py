"""How much of each part a budget pays for: whole numbers, raised one at a time until nothing more fits."""

from collections.abc import Callable, Sequence

from ue_bench.errors import BudgetError
from ue_bench.strategies.base import LEAST_USED, Spec

Cost = Callable[[Sequence[int]], int]  # bytes of everything, given one count a part


def well_used(used: int, budget: int) -> bool:
    """Whether bytes are within the budget and use enough of it."""
    return LEAST_USED * budget <= used <= budget


def fill(
    budget: int,
    limits: Sequence[int],
    shares: Sequence[float],
    sizes: Sequence[int],
    cost: Cost,
    least: int = 1,
) -> list[int] | None:
    """Counts, one a part, that stand to each other as `shares` as far as whole numbers can, and that the budget pays for.

    Every part starts at `least` (or its limit, where that is lower). Next is always the part with the smallest (count + 1) /
    share among those that are below their limit and still fit (d'Hondt's rule), the larger one of equals: so equal shares give
    counts that differ by one until only small parts fit, which then take what is left over. None: not even the start fits.
    """
    counts = [min(least, limit) for limit in limits]
    if cost(counts) > budget:
        return None
    while True:
        below = [part for part, limit in enumerate(limits) if counts[part] < limit]
        for part in sorted(below, key=lambda i: ((counts[i] + 1) / shares[i], -sizes[i])):
            counts[part] += 1
            if cost(counts) <= budget:
                break
            counts[part] -= 1
        else:
            return counts


def refusal(spec: Spec, least: int, most: int, used_at: Callable[[int], int]) -> BudgetError:
    """The error for the budget of `spec`: it names one that works, looked for in steps of 1 %.

    least, most: bytes of the smallest and the largest form there is. used_at: bytes used of a budget of at least `least`.
    """
    budget = spec.require_budget()
    if budget > most:
        why = f"is given and only {most:,} of them can be used (at least 90 % must be)"
        return BudgetError(spec.name, budget, why, most)
    works = max(least, budget + 1)
    while not well_used(used := used_at(works), works) and works < most:
        works += max(1, works // 100)
    if used > budget and well_used(used_at(used), used):
        works = used
    return BudgetError(
        spec.name, budget, "is too small" if budget < least else "fits no form of its table", works
    )
