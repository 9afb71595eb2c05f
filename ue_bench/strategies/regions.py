"""Regions: the slice of the pool that a feature may touch. Feature multiplexing is this choice and
nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ue_bench.errors import unknown
from ue_bench.hashing import hash_rows
from ue_bench.strategies.budget import rows_that_fit
from ue_bench.strategies.spec import Spec

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
        """Return the slots that values hash to, one for each seed: int64 [n values, n seeds]."""
        rows = hash_rows(values, seeds, self.size)
        return rows.add_(self.start) if self.start else rows


def rule_of(name: str | None) -> Callable[[int], float]:
    """The rule that sizes regions by cardinality; None: proportional. Raises BenchError."""
    if name is None:
        name = "proportional"
    if name not in RULES:
        raise unknown("region rule", name, RULES)
    return RULES[name]


def multiplexed(slots: int, n_features: int) -> list[Region]:
    """Regions of features that may all touch the whole pool."""
    return [Region(0, slots)] * n_features


def separate(
    slots: int,
    cardinalities: Sequence[int],
    rule: str | None,
    least: Sequence[int] | None = None,
    most: Sequence[int] | None = None,
) -> list[Region]:
    """Disjoint regions that fill a pool, sized by `rule` of the cardinality.

    Each feature gets its `least` slots (1 if none are given) and a share of the rest, but no more
    than its `most`: the others share what one feature cannot use. What rounding leaves over goes
    to the largest remainders. There must be at least the sum of `least` slots; all slots are used
    unless there are more than the sum of `most`.
    """
    weigh = rule_of(rule)
    weights = [weigh(cardinality) for cardinality in cardinalities]
    sizes = [1] * len(weights) if least is None else list(least)
    limits = [slots] * len(weights) if most is None else list(most)
    growing = list(range(len(weights)))
    shares: dict[int, float] = {}
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
    regions = []
    start = 0
    for size in sizes:
        regions.append(Region(start, size))
        start += size
    return regions


def divide(
    spec: Spec, slots: int, least: Sequence[int] | None = None, most: Sequence[int] | None = None
) -> list[Region]:
    """The region of each feature in a pool of `slots` slots.

    least, most: slots of each region, if regions are separate, as in `separate`.
    """
    if spec.regions != "separate":
        return multiplexed(slots, len(spec.features))
    cardinalities = [feature.cardinality for feature in spec.features]
    return separate(slots, cardinalities, spec.region_rule, least, most)


def region_sizes(
    spec: Spec, slots: int, least: Sequence[int] | None = None, most: Sequence[int] | None = None
) -> list[int]:
    """The sizes of the different regions of a pool, one for each feature or one for all.

    Arguments as in `divide`.
    """
    different = divide(spec, slots, least, most)[: spec.n_regions]
    return [region.size for region in different]


def usable_slots(spec: Spec, per_lookup: int = 1) -> list[int] | None:
    """The slots that each separate region can use: cardinality x lookups x `per_lookup`.

    per_lookup: the slots that one lookup of a value reads. A larger region would hold slots that
    no value reads. Returns None where regions have no such limit: where features share the pool,
    and where `spec.region_cap` is "none".
    """
    if spec.regions != "separate" or spec.region_cap == "none":
        return None
    usable = []
    for feature, lookups in zip(spec.features, spec.lookups, strict=True):
        usable.append(feature.cardinality * lookups * per_lookup)
    return usable


def ends_of(all_regions: Sequence[Region]) -> list[int]:
    """Return where each different region ends, in ascending order: `Pool` asks for it."""
    return sorted({region.end for region in all_regions})


def regions(
    spec: Spec,
    slot_numbers: int,
    beside: int = 0,
    per_lookup: int = 1,
    tables: int = 1,
    beside_slot: int = 0,
) -> list[Region]:
    """The region of each feature in the largest pool that the budget pays for.

    slot_numbers: numbers in a slot. beside: bytes of the budget that something else takes.
    per_lookup: the slots that one lookup of a value reads, as in `usable_slots`.
    tables: the rows of the pool that make up a slot, as `rows_that_fit` has them.
    beside_slot: bytes that something else takes for each slot.
    The pool ends with the last region. Raises BudgetError, with the nearest budget that works, if
    the pool is too small, or if separate regions can use less than 90 % of the budget.
    """
    most = usable_slots(spec, per_lookup)
    slots = rows_that_fit(
        spec,
        slot_numbers,
        needed=spec.n_regions,
        usable=None if most is None else sum(most),
        beside=beside,
        tables=tables,
        beside_row=beside_slot,
    )
    return divide(spec, slots, most=most)
