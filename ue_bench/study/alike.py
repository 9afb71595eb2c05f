"""The rule that strategies which compete are searched with equal effort."""

import json
from collections.abc import Iterable
from dataclasses import fields

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study.grid_and_search import Search

Terms = dict[str, str]
_MAY_DIFFER = ("base", "space", "against", "seed")


def require_alike(searches: Iterable[Search]) -> None:
    """Raise BenchError unless strategies that compete are searched alike.

    Strategies, and forms of one strategy, compete if their data set, features, split, head and task
    are equal; tables of one name may be different data sets. Each must have the same searches: the
    same trials, sizes, seeds of confirmation and space. Only the knobs of its own method and the
    rule of its regions may differ.
    """
    contests: dict[tuple[str, tuple[str, ...]], dict[str, list[Terms]]] = {}
    for search in searches:
        table = json.dumps(search.base.table, sort_keys=True)
        forms = contests.setdefault((table, _contest(search.base)), {})
        name = f"{search.base.strategy} {search.base.regions or ''}".strip()
        forms.setdefault(name, []).append(_terms(search))
    for (_, contest), forms in contests.items():
        where = ", ".join(word for word in contest if word)
        _require_equal(forms, f"searches on {where} are not alike")


def _contest(base: RunConfig) -> tuple[str, ...]:
    """Return what is equal for strategies that compete."""
    words = (base.dataset, base.features, base.multi_valued or "", base.split, base.head)
    if base.task == "binary":
        labels = f"labels {base.negative_at_most}, {base.positive_at_least}"
        return (*words, base.task, labels)
    return words


def _terms(search: Search) -> Terms:
    """Return what must be equal in the searches of strategies that compete."""
    terms = {}
    for field in fields(Search):
        if field.name not in _MAY_DIFFER:
            terms[field.name] = str(getattr(search, field.name))
    space = {}
    for name, values in sorted(search.space.items()):
        if not name.startswith(("options.", "region_rule")):
            space[name] = values
    return {**terms, "budget": str(search.base.budget), "space": str(space)}


def _require_equal(forms: dict[str, list[Terms]], message: str) -> None:
    """Raise BenchError if the searches of a form differ from those of the first one."""
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
