"""Law 8: the arms of a comparison saw the same features, rows, split, seeds and recipe.

One that did not is refused, with the reason.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from ue_bench.config import MAY_DIFFER
from ue_bench.record import Record


class Member(NamedTuple):
    """One arm as it is judged."""

    config: dict[str, Any]
    runs: Sequence[Record]
    seeds: Sequence[tuple[int, ...]]


class Verdict(NamedTuple):
    reasons: list[str | None]  # by arm; None: comparable
    n_seeds: int  # how many seeds the complete arms have


def check(arms: Sequence[Member], searched: frozenset[str] = frozenset()) -> Verdict:
    """Judge the arms of one comparison against what most of them have. Fewer seeds are no reason; other seeds are.

    searched: fields of the recipe that a search chose for each arm, in which they may differ.
    """

    def recipe(arms: Sequence[Member]) -> list[str | None]:
        return _recipe(arms, searched)

    reasons: list[str | None] = [None] * len(arms)
    for judge in (recipe, _data, _rows, _seeds):
        open_places = [place for place, reason in enumerate(reasons) if reason is None]
        for place, reason in zip(
            open_places, judge([arms[place] for place in open_places]), strict=True
        ):
            reasons[place] = reason
    kept = [arm for arm, reason in zip(arms, reasons, strict=True) if reason is None]
    return Verdict(reasons, max((len(set(arm.seeds)) for arm in kept), default=0))


def _usual(values: Iterable[Hashable]) -> Any:
    """The most common value; of equally common ones the first in order of their text."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], str(value))) if counts else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _recipe(arms: Sequence[Member], searched: frozenset[str]) -> list[str | None]:
    fields = sorted({name for arm in arms for name in arm.config} - MAY_DIFFER - searched)
    recipes = [tuple(_text(arm.config.get(name)) for name in fields) for arm in arms]
    usual = _usual(
        recipe
        for arm, recipe in zip(arms, recipes, strict=True)
        for _ in range(max(1, len(arm.runs)))
    )
    return [_differences(fields, recipe, usual) for recipe in recipes]


def _differences(names: Sequence[str], values: Sequence[str], usual: Sequence[str]) -> str | None:
    """`lr is 0.001, the others have 0.002`, or None."""
    pairs = zip(names, values, usual, strict=True)
    return (
        "; ".join(
            f"{name} is {own}, the others have {other}"
            for name, own, other in pairs
            if own != other
        )
        or None
    )


def _data(arms: Sequence[Member]) -> list[str | None]:
    """The file, and each feature with its cardinality: a baseline that lost a feature is found here."""
    names = ("checksum", "cardinalities")
    seen = [
        [tuple(_text(run.found.get(name)) for name in names) for run in arm.runs] for arm in arms
    ]
    usual = _usual(value for values in seen for value in values)
    return [
        next((r for v in values if (r := _differences(names, v, usual))), None) for values in seen
    ]


def _rows(arms: Sequence[Member]) -> list[str | None]:
    """The rows of each part and the values seen in training, by split seed."""
    names = ("n_rows", "n_seen")
    facts: dict[int, list[tuple[str, ...]]] = {}
    for arm in arms:
        for run in arm.runs:
            facts.setdefault(run.config.split_seed, []).append(
                tuple(_text(run.found.get(name)) for name in names)
            )
    usual = {seed: _usual(values) for seed, values in facts.items()}
    reasons: list[str | None] = []
    for arm in arms:
        reason = None
        for run in arm.runs:
            seed, own = (
                run.config.split_seed,
                tuple(_text(run.found.get(name)) for name in names),
            )
            reason = reason or _differences(
                [f"{name} with split seed {seed}" for name in names], own, usual[seed]
            )
        reasons.append(reason)
    return reasons


def _seeds(arms: Sequence[Member]) -> list[str | None]:
    """The seed set that covers most arms is the comparison's; a part of it (failed or missing runs) is kept and marked."""
    sets = [frozenset(arm.seeds) for arm in arms]
    covers = {own: sum(other <= own for other in sets) for own in sets}
    usual = min(sets, key=lambda own: (-covers[own], len(own), sorted(own)), default=frozenset())
    return [
        None if own <= usual else f"seeds are {_short(own)}, the others have {_short(usual)}"
        for own in sets
    ]


def _short(seeds: frozenset[tuple[int, ...]]) -> str:
    """Seeds as one number where all four are equal."""
    return " ".join(str(s[0]) if len(set(s)) == 1 else "/".join(map(str, s)) for s in sorted(seeds))
