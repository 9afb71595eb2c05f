"""What a search tuned, read from its trials.

An arm may have a recipe of its own only in what was searched, and searched alike for all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ue_bench.config import MAY_DIFFER
from ue_bench.config.hash_salt import salt_word
from ue_bench.record.same_text import same_text

Config = Mapping[str, Any]


class Tried(NamedTuple):
    """A trial of a search.

    varies: the fields that its search varied; None: its record does not say.
    """

    config: Config
    varies: frozenset[str] | None


def fields_varied(found: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the fields that the search of a trial varied; None where the trial does not say.

    found: of the record of the trial.
    """
    if "trial" not in found:
        return None
    return frozenset(name.partition(".")[0] for name in found["trial"]["varies"])


def form(config: Config, by_rule: bool = False) -> tuple[str, ...]:
    """Return what is tuned on its own: the strategy, its regions, the code of an added one, a salt.

    by_rule: whether each rule of separate regions is too. A search of earlier versions chose it.
    """
    parts = [config["strategy"], config.get("regions") or ""]
    if by_rule and config.get("region_rule"):
        parts.append(config["region_rule"])
    if config.get("code"):
        parts.append(config["code"])
    if config.get("hash_salt"):
        parts.append(salt_word(config["hash_salt"]))
    return tuple(parts)


def searched_fields(trials: Iterable[Tried]) -> frozenset[str]:
    """Return the recipe's fields that vary among the trials of one form.

    What differs only between forms was not searched, nor what differs only between two searches of
    one form.
    """
    tried: dict[tuple[Any, str], set[str]] = defaultdict(set)
    for config, varies in trials:
        names = config.keys() - MAY_DIFFER
        if varies is not None:
            names &= varies
        for name in names:
            tried[form(config), name].add(same_text(config[name]))
    varied = set()
    for (_, name), values in tried.items():
        if len(values) > 1:
            varied.add(name)
    return frozenset(varied)


def uneven(
    arms: Sequence[tuple[str, Config]],
    trials: Sequence[Config],
    fields: frozenset[str],
    by_rule: bool = False,
) -> list[str]:
    """Return one line for each form and each arm that was not searched like the others.

    A form is named where its trials are more or fewer than those of most forms; a (label,
    configuration) arm where no trial tried its recipe. by_rule: as in `form`.
    """
    names = sorted(fields | {"options"})
    counts = {form(config, by_rule): 0 for _, config in arms}
    tried = set()
    for config in trials:
        own_form = form(config, by_rule)
        tried.add((own_form, _recipe(config, names)))
        if own_form in counts:
            counts[own_form] += 1
    usual = _usual_count(counts.values())
    lines = []
    for own_form, count in sorted(counts.items()):
        if count != usual:
            lines.append(f"{' '.join(own_form)}: {count} search trials, the others have {usual}")
    for label, config in arms:
        recipe = _recipe(config, names)
        own_form = form(config, by_rule)
        if counts[own_form] == 0 or (own_form, recipe) in tried:
            continue
        text = ", ".join(map(" ".join, zip(names, recipe, strict=True)))
        line = f"{label}: no trial of its search had its recipe ({text})"
        if line not in lines:
            lines.append(line)
    return lines


def _usual_count(counts: Iterable[int]) -> int:
    """Return the most common count; of equally common ones, the largest."""
    forms = Counter(counts)
    return min(forms, key=lambda count: (-forms[count], -count), default=0)


def _recipe(config: Config, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(same_text(config.get(name)) for name in names)
