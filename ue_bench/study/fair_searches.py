"""The searches that give each form of each strategy the same effort at each size.

A form is a strategy with its regions and, where these are separate, one rule that sizes them: every
rule has searches of its own, unless the rule is one of the things that a search tries.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ue_bench.config import CHOICES, RunConfig
from ue_bench.config.ranges import Between
from ue_bench.strategies import entry_of
from ue_bench.study.anchor_arms import anchor_arms
from ue_bench.study.grid_and_search import Search, Space

REGION_RULES = CHOICES["region_rule"]
LOOKUPS = (1, 2, 3, 4)  # of each feature
DIMS = (1, 2, 4, 8, 16, 32)  # numbers of a lookup; at one budget, twice as many mean half the rows
RECIPE: Space = {
    "lr": Between(5e-4, 3e-2, log=True),
    "dropout": Between(0.0, 0.7),
    "weight_decay": Between(1e-8, 1e-3, log=True),  # the low end does nothing
}


def forms_of(
    base: RunConfig, strategies: Iterable[str], rules: tuple[str, ...] = REGION_RULES
) -> list[RunConfig]:
    """Return `base` as each form of these strategies. rules: of separate regions.

    A strategy without lookups has one vector of as many numbers in their place.
    """
    forms = []
    for strategy in strategies:
        entry = entry_of(strategy)
        form = replace(base, strategy=strategy)
        if not entry.has_lookups:
            form = _with_one_lookup(form)
        for regions in entry.regions:
            form = replace(form, regions=regions)
            if regions == "separate":
                forms += [replace(form, region_rule=rule) for rule in rules]
            else:
                forms.append(form)
    return forms


def allocations(form: RunConfig, features: Iterable[str], dims: tuple[int, ...] = DIMS) -> Space:
    """Return the ways in which a form may spend a budget: lookups of each feature, and dim."""
    entry = entry_of(form.strategy)
    space: dict[str, Any] = {}
    if entry.has_lookups:
        space = {f"lookups.{name}": LOOKUPS for name in features}
    if entry.takes_two_numbers:
        dims = tuple(dim for dim in dims if dim != 1)
    return {**space, "dim": dims}


def formats(form: RunConfig, bits: tuple[str, ...]) -> Space:
    """Return the bits that a fair search tries for the numbers of a form, where it has a choice."""
    entry = entry_of(form.strategy)
    if not bits or entry.float_only or entry.numbers:
        return {}
    return {"bits": bits}


def own_knobs(form: RunConfig) -> Space:
    """Return what a fair search tries for the knobs of the form's own method."""
    knobs = entry_of(form.strategy).search
    return {f"options.{knob}": allowed for knob, allowed in knobs.items()}


def fair_searches(
    base: RunConfig,
    strategies: Iterable[str],
    features: Iterable[str],
    sizes: Iterable[int],
    recipe: Space | None = None,
    dims: tuple[int, ...] = DIMS,
    bits: tuple[str, ...] = (),
    rule_is_tried: bool = False,
    **terms: Any,
) -> tuple[Search, ...]:
    """Return a search for each form of each strategy at each size, whose best one is confirmed.

    The default form is confirmed beside it, unless the terms have `against`, and with the first
    search the anchors, which no search is needed for.

    base: the default configuration. features: those of `base`. sizes: compressions of the exact
    table. recipe: what else the space has. dims: numbers of a lookup. bits: of a number, that of
    the first trial first; empty: that of `base`. rule_is_tried: whether a search of separate
    regions tries all rules that size them; otherwise each rule has a search. terms: fields of all
    searches, such as `trials`.
    """
    features = tuple(features)
    searches = []
    for size in sizes:
        for form in forms_of(base, strategies, REGION_RULES[: 1 if rule_is_tried else None]):
            numbers = formats(form, bits)
            if numbers:
                form = replace(form, bits=bits[0])
            rules: Space = {}
            if rule_is_tried and form.regions == "separate":
                rules = {"region_rule": REGION_RULES}
            search = Search(
                base=form,
                space={
                    **(recipe or {}),
                    **allocations(form, features, dims),
                    **numbers,
                    **rules,
                    **own_knobs(form),
                },
                compression=size,
                against=(form,),
                best=1,
            )
            searches.append(replace(search, **terms))
    first, *others = searches
    return replace(first, against=(*first.against, *anchor_arms(base))), *others


def _with_one_lookup(form: RunConfig) -> RunConfig:
    if form.dim is None or not isinstance(form.lookups, int):
        return form
    return replace(form, lookups=1, dim=form.lookups * form.dim)
