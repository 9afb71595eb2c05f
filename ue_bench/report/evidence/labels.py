"""Short names for arms, such as `unified 2×8`, `per_feature 1×16 (sqrt)` or
`matrix_factorisation rank 4`.

With the budget, a label is unique within a comparison.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.config.hash_salt import salt_word
from ue_bench.config.lookups import lookups_text
from ue_bench.errors import one_line
from ue_bench.record import ANCHOR

Config = dict[str, Any]

_DEFAULT = RunConfig().by_name()


class Named(NamedTuple):
    """What a label is made of: its comparison, the arm's configuration, what its run found.

    tunes_bits: whether its search chose the format of its numbers.
    """

    comparison: Any
    config: Config
    found: dict[str, Any]
    tunes_bits: bool = False


def plain_label(config: Config, found: dict[str, Any], *, regions: bool = False) -> str:
    """Return the strategy, lookups × numbers per lookup, and the rule of separate regions.

    Of an anchor, its name and its options. regions: whether the label names the regions too. The
    budget is not part of a label.
    """
    if found.get("kind") == ANCHOR:
        return _anchor_label(config)
    label = f"{group_name(config, regions, config.get('bits'))} {_shape(config, found)}"
    if config.get("region_rule"):
        label += f" ({config['region_rule']})"
    return label


def _anchor_label(config: Config) -> str:
    words = [config["strategy"]]
    for option, value in config["options"].items():
        words += [option, str(value)]
    return " ".join(words)


def _shape(config: Config, found: dict[str, Any]) -> str:
    lookups = config["lookups"]
    dim = found.get("dim") or config.get("dim") or "?"
    if isinstance(lookups, dict):
        # A feature that is not named has one lookup.
        several = {name: n for name, n in lookups.items() if n != 1}
        if several:
            return f"{lookups_text(several)} ×{dim}"
        lookups = 1
    if lookups == 1 and config.get("regions") == "exact":
        return str(dim)
    return f"{lookups}×{dim}"


def group_name(config: Mapping[str, Any], regions: bool, bits: str | None) -> str:
    """Return the strategy, with its regions where it has several forms: `a separate`.

    Numbers in another format than float32 make another group, `a int4`. So does a salt of the hash
    functions, which is there to compare an arm with itself. bits: None where the format makes none.
    """
    words = [config["strategy"], bits_word(bits), salt_word(config.get("hash_salt"))]
    if regions:
        words.insert(1, config["regions"])
    return " ".join(filter(None, words))


def bits_word(bits: str | None) -> str:
    """Return what a name says of the format of numbers: nothing of the usual one."""
    return "" if bits in (None, _DEFAULT["bits"]) else str(bits)


def name_all(arms: Sequence[Named]) -> list[tuple[str, str]]:
    """Return (label, group) of every arm.

    The group is the strategy, with its regions where it occurs in several forms, and its bits where
    no search chose them. Of an anchor it is the label, because no figure may choose among ranks by
    their error. Arms of one comparison with equal labels get the fields in which they differ from
    the default, so that the method's own knobs, and what a search chose, are named only where they
    are needed.
    """
    forms = defaultdict(set)
    for arm in arms:
        forms[arm.config["strategy"]].add(arm.config.get("regions"))
    labels = []
    groups = []
    places: dict[Any, list[int]] = defaultdict(list)
    for place, arm in enumerate(arms):
        regions = len(forms[arm.config["strategy"]]) > 1
        label = plain_label(arm.config, arm.found, regions=regions)
        labels.append(label)
        group = label
        if arm.found.get("kind") != ANCHOR:
            bits = None if arm.tunes_bits else arm.config.get("bits")
            group = group_name(arm.config, regions, bits)
        groups.append(one_line(group))
        places[arm.comparison, label].append(place)
    for alike in places.values():  # over all budgets, so that a line keeps its name
        details = _details([arms[place].config for place in alike])
        for place, detail in zip(alike, details, strict=True):
            labels[place] += detail
    return list(zip(map(one_line, labels), groups, strict=True))


def _details(configs: Sequence[Config]) -> list[str]:
    """Return the fields in which the configurations differ, as ` [name=value, ...]` of each.

    What is the default is not named: of several labels one may be without details.
    """
    flat = [_flat(config) for config in configs]
    names = set().union(*flat) - {"budget"}
    differing = []
    for name in sorted(names):
        if any(config.get(name) != flat[0].get(name) for config in flat):
            differing.append(name)
    details = []
    for config in flat:
        values = []
        for name in differing:
            is_default = name in _DEFAULT and config.get(name) == _DEFAULT[name]
            if name in config and not is_default:
                values.append(f"{name}={config[name]}")
        detail = ""
        if values:
            detail = f" [{', '.join(values)}]"
        details.append(detail)
    return details


def _flat(config: Config) -> Config:
    """Return the fields, with each knob of the method as one of them."""
    flat = dict(config)
    options = flat.pop("options", None)
    if options:
        flat.update(options)
    return flat
