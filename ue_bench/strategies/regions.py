"""Regions: which slice of the pool a feature may touch. Feature multiplexing is this choice and nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ue_bench.errors import BudgetError, unknown
from ue_bench.strategies.base import Spec

RULES: dict[str, Callable[[int], float]] = {"proportional": float, "sqrt": math.sqrt, "equal": lambda cardinality: 1.0}


@dataclass(frozen=True)
class Region:
    """The slice [start, start + size) of a pool's slots."""

    start: int
    size: int


def multiplexed(slots: int, n_features: int) -> list[Region]:
    """Every feature may touch the whole pool."""
    return [Region(0, slots)] * n_features


def separate(slots: int, cardinalities: Sequence[int], rule: str) -> list[Region]:
    """Disjoint slices that fill the pool, sized by `rule` of the cardinality, each at least 1.

    Largest remainders get what rounding leaves over. Needs at least one slot a feature.
    """
    if rule not in RULES:
        raise unknown("region rule", rule, RULES)
    weights = [RULES[rule](cardinality) for cardinality in cardinalities]
    spare = slots - len(weights)
    shares = [spare * weight / sum(weights) for weight in weights]
    sizes = [1 + math.floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (math.floor(shares[i]) - shares[i], i))
    for index in by_remainder[: slots - sum(sizes)]:
        sizes[index] += 1
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [Region(start, size) for start, size in zip(starts, sizes, strict=True)]


def regions(spec: Spec, slot_numbers: int) -> list[Region]:
    """One region a feature, in a pool of as many slots of `slot_numbers` float32 numbers as the budget pays for.

    Raises BudgetError, with the smallest budget that works, where the pool is too small.
    """
    budget, slot_bytes = spec.require_budget(), 4 * slot_numbers
    slots, needed = budget // slot_bytes, len(spec.features) if spec.regions == "separate" else 1
    if slots < needed:
        rows = (
            f"{needed} row{'s' if needed > 1 else ''} of {slot_numbers} numbers needed{' (one a feature)' if needed > 1 else ''}"
        )
        raise BudgetError(spec.name, budget, f"pays for {slots} of the {rows}", needed * slot_bytes)
    if spec.regions == "separate":
        return separate(slots, [f.cardinality for f in spec.features], spec.region_rule or "proportional")
    return multiplexed(slots, len(spec.features))
