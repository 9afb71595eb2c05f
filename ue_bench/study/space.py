"""The space of a search: from proposed values to a configuration, and back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ue_bench.config import SEEDS, RunConfig
from ue_bench.config.ranges import Between, UpTo
from ue_bench.errors import BenchError
from ue_bench.features import canonical_feature
from ue_bench.strategies import entry_of
from ue_bench.study import Search
from ue_bench.training.assembly import without_ignored_budget
from ue_bench.training.resolve import resolve

OPTIONS = "options."


class Knob(NamedTuple):
    """One choice of a proposal.

    parameter: its name for Optuna, which has another one for other values.
    """

    name: str
    parameter: str
    allowed: tuple[Any, ...] | Between


def knobs(search: Search, value: Callable[[str], Any]) -> Iterator[Knob]:
    """Yield the choices of a proposal, those that limit others first.

    value: returns what a knob has that was chosen before, or that the search does not vary.
    """
    for name, allowed in search.space.items():
        if not isinstance(allowed, UpTo):
            yield Knob(name, name, allowed)
    for name, allowed in search.space.items():
        if isinstance(allowed, UpTo):
            values = allowed.allowed(value(allowed.limit))
            if values:
                yield Knob(name, f"{name} up to {values[-1]}", values)


def configure(base: RunConfig, chosen: Mapping[str, Any]) -> RunConfig:
    """Return `base` with the chosen values of a space, resolved and without an ignored budget.

    Values that make one run make one configuration: all lookups are one number where they are
    equal and the base has one.
    """
    changes: dict[str, Any] = {}
    for name, value in chosen.items():
        field, _, key = name.partition(".")
        if not key:
            changes[field] = value
            continue
        if field not in changes:
            changes[field] = _entries(getattr(base, field))
        changes[field][key] = value
    if "lookups" in changes and _is_one_number(base.lookups):
        counts = set(changes["lookups"].values())
        if len(counts) == 1:
            changes["lookups"] = counts.pop()
    return without_ignored_budget(resolve(replace(base, **changes)))


def with_options(config: RunConfig, search: Search) -> RunConfig:
    """Return a configuration with every knob of its method that the search varies written out.

    A knob that is left out and one that is given its default make one run, and so have one id.
    """
    options = dict(config.options)
    for name, allowed in search.space.items():
        if not name.startswith(OPTIONS):
            continue
        knob = name.removeprefix(OPTIONS)
        known = entry_of(config.strategy).method.knobs
        if knob in known:
            options.setdefault(knob, known[knob])
        if isinstance(allowed, UpTo) and knob in options:
            values = allowed.allowed(value_of(config, allowed.limit))
            if values and options[knob] > values[-1]:
                options[knob] = values[-1]
    return replace(config, options=options)


def places(config: RunConfig, search: Search) -> Iterator[tuple[Knob, Any]]:
    """Yield each knob of a space with the value that a configuration has there.

    Only the default may lie outside the space. Its number outside a range is then the nearest one
    of the range, and a knob whose list does not have its value is left out.
    """
    for knob in knobs(search, lambda name: value_of(config, name)):
        value = value_of(config, knob.name)
        if isinstance(knob.allowed, Between):
            yield knob, knob.allowed.clipped(value)
        elif value in knob.allowed:
            yield knob, value


def value_of(config: RunConfig, name: str) -> Any:
    """Return the value of a field of a configuration, of `lookups.FEATURE` or of `options.KNOB`."""
    field, _, key = name.partition(".")
    value = getattr(config, field)
    if not key:
        return value
    if field != "lookups":
        return value.get(key)
    if isinstance(value, dict):
        return value.get(canonical_feature(key), 1)
    return value


def require_choices(search: Search, base: RunConfig) -> None:
    """Raise BenchError for a knob that is no choice.

    base: the configuration that the search starts from, with defaults written out.
    """
    for name in SEEDS:
        if name in search.space:
            raise BenchError(
                f"{name} is in the space of a search, and the seeds of all trials are the same; "
                "take it out"
            )
    for knob in knobs(search, lambda name: value_of(base, name)):
        _require_difference(search, base, knob)


def _require_difference(search: Search, base: RunConfig, knob: Knob) -> None:
    """Raise BenchError where all values of a knob make one run."""
    values = knob.allowed
    if isinstance(values, Between):
        values = (values.low, values.high)
    defaults = {name: value_of(base, name) for name in search.space}
    run_ids = set()
    for value in values:
        run_ids.add(configure(base, {**defaults, knob.name: value}).run_id)
    if len(values) > 1 and len(run_ids) == 1:
        raise BenchError(
            f"{knob.name} is in the space of a search from {base.strategy}, whose runs do not "
            "depend on it; take it out"
        )


def _is_one_number(lookups: int | dict[str, int]) -> bool:
    """Return whether one number stands for the lookups of all features, and is not the default."""
    return isinstance(lookups, int) and lookups != 1


def _entries(value: Any) -> dict[str, Any]:
    """Return a copy of a field's values by name; empty where one value holds for all names."""
    if isinstance(value, dict):
        return dict(value)
    return {}
