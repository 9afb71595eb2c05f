"""Regions: which slice of the pool a feature may touch. Feature multiplexing is this choice and nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ue_bench.errors import BudgetError, unknown
from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import LEAST_USED, Spec

RULES: dict[str, Callable[[int], float]] = {
    "proportional": float,
    "sqrt": math.sqrt,
    "equal": lambda cardinality: 1.0,
}


@dataclass(frozen=True)
class Region:
    """The slice [start, start + size) of a pool's slots."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size

    def rows(self, values: Any, seeds: Sequence[int]) -> Tensor:
        """Slots of this region that values hash to, one for each seed: int64 [n values, n seeds]."""
        return hash_rows(values, seeds, self.size) + self.start


def multiplexed(slots: int, n_features: int) -> list[Region]:
    """Every feature may touch the whole pool."""
    return [Region(0, slots)] * n_features


def separate(
    slots: int,
    cardinalities: Sequence[int],
    rule: str,
    least: Sequence[int] | None = None,
    most: Sequence[int] | None = None,
) -> list[Region]:
    """Disjoint slices that fill the pool, sized by `rule` of the cardinality.

    Each gets its `least` (1 where none is given) and a share of what is left, but no more than its `most`: what one cannot use
    the others share. Largest remainders get what rounding leaves over. Needs at least the sum of `least` slots, and fills the
    pool unless it is larger than the sum of `most`.
    """
    if rule not in RULES:
        raise unknown("region rule", rule, RULES)
    weights = [RULES[rule](cardinality) for cardinality in cardinalities]
    sizes = list(least) if least is not None else [1] * len(weights)
    limits = list(most) if most is not None else [slots] * len(weights)
    growing = list(range(len(weights)))
    while growing:
        spare = slots - sum(sizes)
        total = math.fsum(weights[i] for i in growing)  # the same in every version of Python
        shares = {i: spare * weights[i] / total for i in growing}
        full = [i for i in growing if sizes[i] + shares[i] > limits[i]]
        if not full:
            break
        for i in full:
            sizes[i] = limits[i]
        growing = [i for i in growing if i not in full]
    for i in growing:
        sizes[i] += math.floor(shares[i])
    by_remainder = sorted(growing, key=lambda i: (math.floor(shares[i]) - shares[i], i))
    for i in by_remainder[: slots - sum(sizes)]:
        sizes[i] += 1
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [Region(start, size) for start, size in zip(starts, sizes, strict=True)]


def n_regions(spec: Spec) -> int:
    """How many different regions there are: one a feature, or one for all."""
    return len(spec.features) if spec.regions == "separate" else 1


def affordable(
    spec: Spec,
    numbers: int,
    needed: int,
    most: int | None = None,
    beside: int = 0,
    thing: str = "row",
) -> int:
    """Slots of `numbers` float32 numbers that the budget pays for, beside `beside` bytes of something else.

    most: that can be used. Raises BudgetError, with the nearest budget that works, where the slots are less than `needed` or
    leave too much unused.
    """
    budget, slot_bytes = spec.require_budget(), 4 * numbers
    slots = max(budget - beside, 0) // slot_bytes
    if slots < needed:
        rows = f"{needed} {thing}{'s' if needed > 1 else ''} of {numbers} number{'s' if numbers > 1 else ''} needed"
        each = " (one a feature)" if needed == n_regions(spec) > 1 else ""
        also = f", beside {beside:,} bytes of other numbers" if beside else ""
        raise BudgetError(
            spec.name,
            budget,
            f"pays for {slots} of the {rows}{each}{also}",
            beside + needed * slot_bytes,
        )
    slots = slots if most is None else min(slots, most)
    used = beside + slots * slot_bytes
    if used < LEAST_USED * budget:
        why = f"is given and only {used:,} of them can be used (at least 90 % must be)"
        raise BudgetError(spec.name, budget, why, used if slots == most else used + slot_bytes)
    return slots


def divide(
    spec: Spec, slots: int, least: Sequence[int] | None = None, most: Sequence[int] | None = None
) -> list[Region]:
    """One region a feature, in a pool of `slots` slots. least, most: of each separate region, as in `separate`."""
    if spec.regions == "separate":
        return separate(
            slots,
            [f.cardinality for f in spec.features],
            spec.region_rule or "proportional",
            least,
            most,
        )
    return multiplexed(slots, len(spec.features))


def regions(spec: Spec, slot_numbers: int, beside: int = 0) -> list[Region]:
    """One region a feature, in a pool of as many slots of `slot_numbers` float32 numbers as the budget pays for.

    beside: bytes of the budget that something else takes. The pool ends with the last region. Raises BudgetError, with the
    smallest budget that works, where the pool is too small.
    """
    return divide(spec, affordable(spec, slot_numbers, n_regions(spec), beside=beside))
