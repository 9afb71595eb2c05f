"""The space of a search: from proposed values to a configuration, and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.config.lookups import apportion
from ue_bench.features import canonical_feature
from ue_bench.study import Search
from ue_bench.training.assembly import without_ignored_budget
from ue_bench.training.resolve import resolve


def configure(base: RunConfig, chosen: Mapping[str, Any], total: int | None = None) -> RunConfig:
    """Return `base` with the chosen values of a space, resolved and without an ignored budget.

    total: the lookups of all features together. The chosen lookups are then shares of the lookups
    beyond one for each feature; shares that sum to these lookups are used as they are.
    """
    if total is not None:
        chosen = _with_total(chosen, total)
    changes: dict[str, Any] = {}
    for name, value in chosen.items():
        field, _, key = name.partition(".")
        if not key:
            changes[field] = value
            continue
        if field not in changes:
            changes[field] = _entries(getattr(base, field))
        changes[field][key] = value
    return without_ignored_budget(resolve(replace(base, **changes)))


def parameters(config: RunConfig, search: Search) -> dict[str, Any]:
    """Return the values that a configuration has in the space of a search."""
    return {name: value_of(config, name) for name in search.space}


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


def _with_total(chosen: Mapping[str, Any], total: int) -> dict[str, Any]:
    shares = {}
    for name, value in chosen.items():
        if name.startswith("lookups."):
            shares[name] = value - 1
    lookups = {}
    for name, extra in apportion(total - len(shares), shares).items():
        lookups[name] = 1 + extra
    return {**chosen, **lookups}


def _entries(value: Any) -> dict[str, Any]:
    """Return a copy of a field's values by name; empty where one value holds for all names."""
    if isinstance(value, dict):
        return dict(value)
    return {}
