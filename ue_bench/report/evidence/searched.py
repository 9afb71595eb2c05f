"""What a search tuned, read from its trials: an arm may have a recipe of its own only in what was searched, and alike for all."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ue_bench.config import MAY_DIFFER

Config = Mapping[str, Any]


def form(config: Config) -> tuple[str, str]:
    """What is tuned on its own: the strategy and its regions."""
    return config["strategy"], config.get("regions") or ""


def searched_fields(trials: Iterable[Config]) -> frozenset[str]:
    """The recipe's fields that vary among the trials of one form. What differs only between forms was not searched."""
    values: dict[Any, set[str]] = defaultdict(set)
    for config in trials:
        for name in config.keys() - MAY_DIFFER:
            values[form(config), name].add(_text(config[name]))
    return frozenset(name for (_, name), tried in values.items() if len(tried) > 1)


def uneven(
    arms: Iterable[tuple[str, Config]], trials: Sequence[Config], fields: frozenset[str]
) -> list[str]:
    """One line a form that was searched more or less often than most, and a (label, config) arm whose recipe no trial tried."""
    arms = list(arms)
    counts = Counter(form(config) for config in trials)
    forms = sorted({form(config) for _, config in arms})
    ranked = Counter(counts[own] for own in forms)
    usual = min(ranked, key=lambda count: (-ranked[count], -count), default=0)
    lines = [
        f"{' '.join(own)}: {counts[own]} search trials, the others have {usual}"
        for own in forms
        if counts[own] != usual
    ]
    names = sorted(fields | {"options"})
    tried = {(form(config), *(_text(config.get(name)) for name in names)) for config in trials}
    for label, config in arms:
        recipe = [_text(config.get(name)) for name in names]
        if counts[form(config)] and (form(config), *recipe) not in tried:
            told = ", ".join(f"{name} {value}" for name, value in zip(names, recipe, strict=True))
            lines.append(f"{label}: no trial of its search had its recipe ({told})")
    return list(dict.fromkeys(lines))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
