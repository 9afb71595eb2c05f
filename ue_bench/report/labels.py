"""Short names for arms, such as `unified 2×8` or `per_feature 1×16 (sqrt)`: with the budget, unique within a comparison."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple


class Named(NamedTuple):
    """What a label is made of: the comparison it must be unique in, the arm's configuration, and what its run found."""

    comparison: Any
    config: dict[str, Any]
    found: dict[str, Any]


def lookups_text(lookups: int | dict[str, int]) -> str:
    """2, or user_id=2,movie_id=2."""
    return str(lookups) if isinstance(lookups, int) else ",".join(f"{name}={n}" for name, n in lookups.items())


def plain_label(config: dict[str, Any], found: dict[str, Any]) -> str:
    """Strategy, lookups × numbers per lookup, the rule of separate regions, and the method's own knobs; not the budget."""
    dim = found.get("dim") or config.get("dim") or "?"
    lookups = config["lookups"]
    if isinstance(lookups, dict):
        lookups = {name: n for name, n in lookups.items() if n != 1} or 1  # one lookup is what a feature has unless told
    if isinstance(lookups, dict):
        shape = lookups_text(lookups)
    else:
        shape = str(dim) if config.get("regions") == "exact" and lookups == 1 else f"{lookups}×{dim}"
    rule = f" ({config['region_rule']})" if config.get("region_rule") else ""
    knobs = "".join(f" {name}={value}" for name, value in sorted((config.get("options") or {}).items()))
    return f"{config['strategy']} {shape}{rule}{knobs}"


def name_all(arms: Sequence[Named]) -> list[tuple[str, str]]:
    """(label, group) of every arm. Equal labels get the fields in which they differ; the group is the strategy,
    with its regions where one strategy occurs in several forms."""
    forms = defaultdict(set)
    for arm in arms:
        forms[arm.config["strategy"]].add(arm.config.get("regions"))
    same: dict[Any, list[int]] = defaultdict(list)
    labels = [plain_label(arm.config, arm.found) for arm in arms]
    for place, arm in enumerate(arms):
        same[arm.comparison, labels[place]].append(place)
    for places in same.values():  # over all budgets, so that a line keeps its name
        configs = [arms[place].config for place in places]
        differ = [name for name in configs[0] if name != "budget" and any(c.get(name) != configs[0][name] for c in configs)]
        for place in places:
            told = ", ".join(f"{name}={arms[place].config.get(name)}" for name in differ)
            labels[place] += f" [{told}]" if differ else ""
    groups = []
    for arm in arms:
        strategy, regions = arm.config["strategy"], arm.config.get("regions")
        groups.append(f"{strategy} ({regions})" if len(forms[strategy]) > 1 else strategy)
    return list(zip(labels, groups, strict=True))
