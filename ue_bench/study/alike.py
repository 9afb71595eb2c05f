"""The rules that strategies which compete are searched with equal effort, and that searches of one
study do not ask for the same runs."""

import json
from collections.abc import Iterable
from dataclasses import fields
from itertools import combinations
from typing import Any

from ue_bench.config import MAY_DIFFER, SEEDS, RunConfig
from ue_bench.config.hash_salt import salt_word
from ue_bench.config.ranges import UpTo
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES
from ue_bench.study.grid_and_search import Search

Terms = dict[str, str]
_MAY_DIFFER = ("base", "space", "against", "seed")
_NO_RECIPE = {*MAY_DIFFER, *SEEDS}  # fields of the base


def require_alike(searches: Iterable[Search]) -> None:
    """Raise BenchError unless strategies that compete are searched alike.

    Strategies, forms of one strategy and rules of its regions compete if their data set, features,
    split, head and task are equal; tables of one name may be different data sets. Each must have
    the same searches: the same trials on as many seeds, sizes, seeds of confirmation and space,
    from the same recipe. Only the knobs of its own method may differ, only a method with exact rows
    may leave out the lookups, only one whose lookup takes two numbers a dim of 1, and only separate
    regions have rules to try.
    """
    contests: dict[tuple[str, tuple[str, ...]], dict[str, list[Search]]] = {}
    for search in searches:
        base = search.base
        table = json.dumps(base.table, sort_keys=True)
        forms = contests.setdefault((table, _contest(base)), {})
        words = [base.strategy, base.regions or "", base.region_rule or ""]
        words.append(salt_word(base.hash_salt))
        name = " ".join(word for word in words if word)
        forms.setdefault(name, []).append(search)
    for (_, contest), forms in contests.items():
        where = ", ".join(word for word in contest if word)
        message = f"searches on {where} are not alike"
        _require_equal({name: list(map(_terms, found)) for name, found in forms.items()}, message)
        lookups = {}
        dims = {}
        bits = {}
        rules = {}
        for name, found in forms.items():
            if _must_search_lookups(found[0].base.strategy):
                lookups[name] = list(map(_lookups, found))
            if not _takes_two_numbers(found[0].base.strategy):
                dims[name] = [{"dim": str(search.space.get("dim"))} for search in found]
            if _may_search_bits(found[0].base.strategy):
                bits[name] = [{"bits": str(search.space.get("bits"))} for search in found]
            if found[0].base.regions == "separate":
                rules[name] = [{"rules": str(search.space.get("region_rule"))} for search in found]
        _require_equal(lookups, message)
        _require_equal(dims, message)
        _require_equal(rules, message)
        _require_equal(bits, message)


def require_apart(searches: Iterable[Search]) -> None:
    """Raise BenchError where two searches of a study could ask for one run.

    Its record can belong to one of them alone, and the other would count a trial less.
    """
    for one, other in combinations(searches, 2):
        if _could_meet(one, other):
            raise BenchError(
                f"two searches from {one.base.strategy} could ask for the same runs; give one of "
                f"them seeds of its own: Search(seed={one.seed + one.trial_seeds})"
            )


def _seeds(search: Search) -> set[int]:
    return set(range(search.seed, search.seed + search.trial_seeds))


def _could_meet(one: Search, other: Search) -> bool:
    """Return whether some configuration may lie in both searches."""
    if one.compression != other.compression or not _seeds(one) & _seeds(other):
        return False
    names = {*one.space, *other.space}
    varied = {name.partition(".")[0] for name in names}
    for field in fields(RunConfig):
        name = field.name
        if name in names and not _allow_one_value(one, other, name):
            return False
        is_fixed = name not in varied and name not in SEEDS
        if is_fixed and getattr(one.base, name) != getattr(other.base, name):
            return False
    return True


def _allow_one_value(one: Search, other: Search, name: str) -> bool:
    """Return whether a field may have one value in both searches."""
    own, theirs = _allowed(one, name), _allowed(other, name)
    if isinstance(own, tuple) and isinstance(theirs, tuple):
        return any(value in theirs for value in own)
    return True


def _allowed(search: Search, name: str) -> Any:
    allowed = search.space.get(name, (getattr(search.base, name),))
    if isinstance(allowed, UpTo):
        return allowed.values
    return allowed


def _contest(base: RunConfig) -> tuple[str, ...]:
    """Return what is equal for strategies that compete."""
    words = (base.dataset, base.features, base.multi_valued or "", base.split, base.head)
    if base.task == "binary":
        labels = f"labels {base.negative_at_most}, {base.positive_at_least}"
        return (*words, base.task, labels)
    return words


def _terms(search: Search) -> Terms:
    """Return what must be equal in the searches of strategies that compete, beside the lookups."""
    terms = {}
    for field in fields(Search):
        if field.name not in _MAY_DIFFER:
            terms[field.name] = str(getattr(search, field.name))
    space = {}
    for name, values in sorted(search.space.items()):
        apart = name in ("bits", "region_rule") or name.startswith(("options.", "lookups."))
        if name == "dim" and isinstance(values, tuple):
            values = tuple(dim for dim in values if dim != 1)
        if not apart:
            space[name] = values
    recipe = []
    for field in fields(RunConfig):
        if field.name not in _NO_RECIPE:
            recipe.append(f"{field.name} {getattr(search.base, field.name)}")
    return {
        **terms,
        "budget": str(search.base.budget),
        "space": str(space),
        "recipe": ", ".join(recipe),
    }


def _must_search_lookups(strategy: str) -> bool:
    """Return whether a strategy has lookups. One that a plug-in has yet to add may have none."""
    entry = STRATEGIES.get(strategy)
    return entry is not None and entry.has_lookups


def _may_search_bits(strategy: str) -> bool:
    """Return whether the numbers of a strategy may have few bits; as in `_must_search_lookups`."""
    entry = STRATEGIES.get(strategy)
    return entry is not None and not entry.float_only and not entry.numbers


def _takes_two_numbers(strategy: str) -> bool:
    """Return whether a lookup of a strategy needs two numbers; as in `_must_search_lookups`."""
    entry = STRATEGIES.get(strategy)
    return entry is not None and entry.takes_two_numbers


def _lookups(search: Search) -> Terms:
    """Return what must be equal in the searches of strategies with lookups that compete."""
    lookups = {}
    for name, values in sorted(search.space.items()):
        if name.startswith("lookups."):
            lookups[name] = values
    return {"lookups": str(lookups)}


def _require_equal(forms: dict[str, list[Terms]], message: str) -> None:
    """Raise BenchError if the searches of a form differ from those of the first one."""
    if not forms:
        return
    (first, expected), *others = forms.items()
    for name, terms in others:
        if len(terms) != len(expected):
            raise BenchError(
                f"{message}: {name} has {len(terms)}, {first} has {len(expected)}; "
                "give each the same"
            )
        pairs = zip(sorted(terms, key=str), sorted(expected, key=str), strict=True)
        for of_name, of_first in pairs:
            differences = []
            for term, value in of_name.items():
                if value != of_first[term]:
                    differences.append(f"{term} {value} against {of_first[term]}")
            if differences:
                raise BenchError(
                    f"{message}: {name} differs from {first}: {'; '.join(differences)}; "
                    "give both the same"
                )
