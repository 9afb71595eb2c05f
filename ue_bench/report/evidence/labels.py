"""Short names for arms, such as `unified 2×8` or `per_feature 1×16 (sqrt)`: with the budget, unique within a comparison."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from ue_bench.errors import one_line


class Named(NamedTuple):
    """What a label is made of: the comparison it must be unique in, the arm's configuration, and what its run found."""

    comparison: Any
    config: dict[str, Any]
    found: dict[str, Any]


def lookups_text(lookups: int | dict[str, int]) -> str:
    """2, or user_id=2,movie_id=2."""
    return (
        str(lookups)
        if isinstance(lookups, int)
        else ",".join(f"{name}={n}" for name, n in lookups.items())
    )


def plain_label(config: dict[str, Any], found: dict[str, Any], *, regions: bool = False) -> str:
    """Strategy, its regions where wanted, lookups × numbers per lookup, the rule of separate regions; not the budget."""
    dim = found.get("dim") or config.get("dim") or "?"
    lookups = config["lookups"]
    if isinstance(lookups, dict):
        lookups = {
            name: n for name, n in lookups.items() if n != 1
        } or 1  # one lookup is what a feature has unless told
    if isinstance(lookups, dict):
        shape = lookups_text(lookups)
    else:
        shape = (
            str(dim) if config.get("regions") == "exact" and lookups == 1 else f"{lookups}×{dim}"
        )
    rule = f" ({config['region_rule']})" if config.get("region_rule") else ""
    return f"{group_name(config, regions)} {shape}{rule}"


def group_name(config: dict[str, Any], regions: bool) -> str:
    """The strategy, with its regions where it has several forms: `a separate`."""
    return f"{config['strategy']} {config['regions']}" if regions else config["strategy"]


def name_all(arms: Sequence[Named]) -> list[tuple[str, str]]:
    """(label, group) of every arm, in one line. The group is the strategy, with its regions where it occurs in several forms.
    Equal labels get the fields in which they differ: the method's own knobs, and what a search chose, stand only where they are
    needed."""
    forms = defaultdict(set)
    for arm in arms:
        forms[arm.config["strategy"]].add(arm.config.get("regions"))
    several = [len(forms[arm.config["strategy"]]) > 1 for arm in arms]
    labels = [
        plain_label(arm.config, arm.found, regions=regions)
        for arm, regions in zip(arms, several, strict=True)
    ]
    same: dict[Any, list[int]] = defaultdict(list)
    for place, arm in enumerate(arms):
        same[arm.comparison, labels[place]].append(place)
    for places in same.values():  # over all budgets, so that a line keeps its name
        configs = [_flat(arms[place].config) for place in places]
        names = sorted({name for config in configs for name in config} - {"budget"})
        differ = [
            name
            for name in names
            if any(config.get(name) != configs[0].get(name) for config in configs)
        ]
        for place, config in zip(places, configs, strict=True):
            told = ", ".join(f"{name}={config[name]}" for name in differ if name in config)
            labels[place] += f" [{told}]" if told else ""
    groups = [group_name(arm.config, regions) for arm, regions in zip(arms, several, strict=True)]
    return [(one_line(label), one_line(group)) for label, group in zip(labels, groups, strict=True)]


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """The fields, with each knob of the method as one of them."""
    return {name: value for name, value in config.items() if name != "options"} | (
        config.get("options") or {}
    )
