"""Build a strategy of the list from its specification."""

from dataclasses import replace
from functools import partial

from ue_bench.errors import BenchError
from ue_bench.strategies.added_building import construct, errors_of
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import check_budget
from ue_bench.strategies.low_cardinality import ExactLowCardinality, Method
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.registry import entry_of, is_added, numbers_of
from ue_bench.strategies.slots import require_own_slots
from ue_bench.strategies.spec import Spec


def build(spec: Spec, exact_at_most: int = 0) -> EmbeddingStrategy:
    """Build the strategy ``spec.name`` and check that its budget works.

    exact_at_most: features with no more values than this get exact rows in every strategy.
    Initial values come from torch's global generator. Raises BenchError for an unknown name, a
    budget that does not work, a budget of a strategy that keeps none, a bad knob, bits or slots
    that the strategy cannot have, and for whatever the code of an added strategy raises.
    """
    entry = entry_of(spec.name)
    for knob, value in entry.fixed.items():
        if knob in spec.options:
            raise BenchError(
                f"{spec.name}: knob {knob} was given; it is {value!r} in this strategy"
            )
    fault = entry.stream_fault(spec.grows)
    if fault:
        raise BenchError(
            f"{spec.name}: {fault}; choose another "
            f"{'strategy' if spec.grows else 'strategy, or the split stream'}"
        )
    if entry.float_only and spec.numbers.name != "float32":
        raise BenchError(
            f"{spec.name}: bits {spec.numbers.name!r} were given, and {entry.float_only}; "
            "choose float32"
        )
    numbers = NumberFormat.of(numbers_of(spec.name, spec.numbers.fields()))
    spec = replace(spec, numbers=numbers, options={**entry.fixed, **spec.options})
    if not is_added(spec.name):
        return _built(spec, entry.method, entry.has_budget, exact_at_most)
    with errors_of(spec.name):
        method = partial(construct, entry.method)
        return _built(spec, method, entry.has_budget, exact_at_most)


def _built(spec: Spec, method: Method, has_budget: bool, exact_at_most: int) -> EmbeddingStrategy:
    if not has_budget:
        return _without_budget(spec, method)
    strategy: EmbeddingStrategy
    if any(feature.cardinality <= exact_at_most for feature in spec.features):
        if spec.grows:
            raise BenchError(
                f"{spec.name}: exact rows for features of at most {exact_at_most} values were "
                "asked for, and a stream does not have its values yet; leave low_cardinality hashed"
            )
        strategy = ExactLowCardinality(spec, method, exact_at_most)
    else:
        strategy = method(spec)
    check_budget(strategy)
    require_own_slots(strategy)
    return strategy


def _without_budget(spec: Spec, method: Method) -> EmbeddingStrategy:
    """Build a strategy that keeps no budget. Raises BenchError if one was given."""
    strategy = method(replace(spec, budget=None))
    require_own_slots(strategy)
    if spec.budget is not None:
        footprint = strategy.footprint()
        used = footprint.table + footprint.auxiliary
        raise BenchError(
            f"{spec.name}: a budget of {spec.budget:,} bytes was given; this strategy keeps none: "
            f"its table takes {used:,} bytes at every budget; leave the budget out"
        )
    return strategy
