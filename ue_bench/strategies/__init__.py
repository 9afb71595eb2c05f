"""The one list of strategies. A strategy is a method and the regions it may use; adding one is a file and a line here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.base import EmbeddingStrategy, Footprint, Spec, check_budget
from ue_bench.strategies.collisionless import Collisionless
from ue_bench.strategies.hashing_trick import HashingTrick
from ue_bench.strategies.low_cardinality import ExactLowCardinality

__all__ = ["STRATEGIES", "EmbeddingStrategy", "Entry", "Footprint", "Spec", "build", "entry_of", "regions_of"]


@dataclass(frozen=True)
class Entry:
    """A strategy: its method, the regions it may use (the first is the default), one line and a source.

    fixed: knobs that make it this strategy, which cannot be given. search: values of its own knob for a fair search.
    """

    method: type[EmbeddingStrategy]
    regions: tuple[str, ...]
    summary: str
    source: str
    needs_vocabulary: bool = False
    has_budget: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


BOTH = ("multiplexed", "separate")

STRATEGIES: dict[str, Entry] = {
    "unified": Entry(
        HashingTrick,
        ("multiplexed",),
        "one hashed table shared by all features, any number of lookups each",
        "Coleman et al., NeurIPS 2023, arXiv 2305.12102",
    ),
    "per_feature": Entry(
        HashingTrick,
        ("separate",),
        "one hashed table per feature, sized by a named rule",
        "Weinberger et al., ICML 2009, arXiv 0902.2206",
    ),
    "collisionless": Entry(
        Collisionless,
        ("exact",),
        "an exact row for every training value, none shared; ignores the budget",
        "the uncompressed reference",
        needs_vocabulary=True,
        has_budget=False,
    ),
}


def entry_of(name: str) -> Entry:
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES)
    return STRATEGIES[name]


def regions_of(name: str, asked: str | None) -> str:
    """The regions a strategy uses, given what was asked (None: its default). Raises BenchError where it cannot."""
    allowed = entry_of(name).regions
    if asked is not None and asked not in allowed:
        raise BenchError(f"{name}: regions {asked!r} were asked for; it has {' or '.join(allowed)}")
    return asked or allowed[0]


def build(spec: Spec, exact_at_most: int = 0) -> EmbeddingStrategy:
    """The strategy ``spec.name``, its budget checked.

    exact_at_most: features with no more values than this get exact rows in every strategy. Initial values come from torch's
    global generator. Raises BenchError for an unknown name, a budget that does not work or a bad knob.
    """
    entry = entry_of(spec.name)
    for knob in entry.fixed:
        if knob in spec.options:
            raise BenchError(f"{spec.name}: knob {knob} was given; it is {entry.fixed[knob]!r} in this strategy")
    spec = replace(spec, options={**entry.fixed, **spec.options})
    if not entry.has_budget:
        return entry.method(spec)
    low = any(feature.cardinality <= exact_at_most for feature in spec.features)
    strategy = ExactLowCardinality(spec, entry.method, exact_at_most) if low else entry.method(spec)
    check_budget(strategy)
    return strategy
