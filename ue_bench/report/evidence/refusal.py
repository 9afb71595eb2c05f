"""Refuse an arm that saw other features, rows, splits, seeds or recipes than its comparison, and an
arm that took more bytes than its budget.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache, partial
from types import NoneType
from typing import Any, NamedTuple

from ue_bench.config import MAY_DIFFER, SETTINGS
from ue_bench.config.fields import names_of
from ue_bench.record import Record
from ue_bench.record.data_identity import Identities, checksums_of
from ue_bench.record.same_text import same_text

# How features of few values are held. This is a part of the index map, and the same for all arms of
# a comparison but those that show what it does.
LOW_CARDINALITY = ("low_cardinality", "low_cardinality_max")
_TRAINED_BY = frozenset(names_of(SETTINGS, "recipe"))


class Member(NamedTuple):
    """An arm as it is judged.

    seeds: the four seeds of each of its runs. timings: the records of its latency.
    """

    config: dict[str, Any]
    runs: Sequence[Record]
    seeds: Sequence[tuple[int, ...]]
    timings: Sequence[Record] = ()

    @property
    def is_anchor(self) -> bool:
        return any(record.is_anchor for record in (*self.runs, *self.timings))


class Verdict(NamedTuple):
    """The reason against each arm, None where it is comparable; the seeds of the complete arms."""

    reasons: list[str | None]
    n_seeds: int


def check(arms: Sequence[Member], searched: frozenset[str] = frozenset()) -> Verdict:
    """Judge the arms of one comparison against what most of them have.

    searched: fields of the recipe that a search chose for each arm, in which they may differ.
    An arm with fewer seeds than the others is comparable; one with other seeds is not.
    """
    reasons: list[str | None] = [None] * len(arms)
    judges = (
        _bytes,
        partial(_recipe, searched=searched),
        partial(_low_cardinality, searched=searched),
        _data,
        _rows,
        _seeds,
    )
    for judge in judges:
        comparable = [place for place, reason in enumerate(reasons) if reason is None]
        judged = judge([arms[place] for place in comparable])
        for place, reason in zip(comparable, judged, strict=True):
            reasons[place] = reason
    n_seeds = 0
    for arm, reason in zip(arms, reasons, strict=True):
        if reason is None:
            n_seeds = max(n_seeds, len(set(arm.seeds)))
    return Verdict(reasons, n_seeds)


def _usual(values: Iterable[Hashable]) -> Any:
    """Return the most common value; of equally common ones, the first in order of their text."""
    counts = Counter(values)
    if not counts:
        return None
    return min(counts, key=lambda value: (-counts[value], str(value)))


def _texts(facts: dict[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return the value of each name as text that is equal for equal values."""
    return tuple(_text(facts.get(name)) for name in names)


def _text(value: Any) -> str:
    if isinstance(value, (str, int, float, NoneType)):
        return _plain_text(type(value).__name__, value)
    return same_text(value)


@cache
def _plain_text(kind: str, value: Any) -> str:
    """The text of a plain value. kind: 1, 1.0 and True are equal, and have other texts."""
    return json.dumps(value)


def _bytes(arms: Sequence[Member]) -> list[str | None]:
    """Compare the measured bytes with the budget: an arm above its budget is not at that budget."""
    reasons: list[str | None] = []
    for arm in arms:
        budget = arm.config.get("budget")
        used = 0
        for record in (*arm.runs, *arm.timings):
            used = max(used, record.cost["table_bytes"] + record.cost["auxiliary_bytes"])
        if budget is None or used <= budget:
            reasons.append(None)
        else:
            reasons.append(f"its table and auxiliary data take {used:,} bytes, over its budget")
    return reasons


def _recipe(arms: Sequence[Member], searched: frozenset[str]) -> list[str | None]:
    """Compare the fields of the configuration that are no part of the strategy.

    Nothing trains an anchor, so that only what it is fitted to must be the same.
    """
    fields: set[str] = set()
    for arm in arms:
        fields.update(arm.config)
    names = sorted(fields - MAY_DIFFER - searched)
    strategies = [arm for arm in arms if not arm.is_anchor]
    of_runs = []
    for arm in strategies or arms:
        of_runs += [_texts(arm.config, names)] * max(1, len(arm.runs))
    usual = _usual(of_runs)
    reasons = []
    for arm in arms:
        recipe = list(_texts(arm.config, names))
        if arm.is_anchor:
            for place, name in enumerate(names):
                if name in _TRAINED_BY:
                    recipe[place] = usual[place]
        reasons.append(_differences(names, recipe, usual))
    return reasons


def _low_cardinality(arms: Sequence[Member], searched: frozenset[str]) -> list[str | None]:
    """Compare how features of few values are held, which a twin allows to differ.

    The twin of an arm is the same arm, with these features held as most arms hold them. Without it,
    nobody can say whether a difference from the others is due to the strategy or to these features.
    """
    policies = [_texts(arm.config, LOW_CARDINALITY) for arm in arms]
    of_runs = []
    for arm, policy in zip(arms, policies, strict=True):
        of_runs += [policy] * max(1, len(arm.runs))
    usual = _usual(of_runs)
    forms = []
    for arm in arms:
        names = sorted(set(arm.config) - searched - set(LOW_CARDINALITY))
        forms.append((tuple(names), _texts(arm.config, names)))
    twins = {form for form, policy in zip(forms, policies, strict=True) if policy == usual}
    reasons: list[str | None] = []
    for form, policy in zip(forms, policies, strict=True):
        reason = None
        if form not in twins:
            reason = f"{_differences(LOW_CARDINALITY, policy, usual)}, and there is no such arm"
        reasons.append(reason)
    return reasons


def _differences(names: Sequence[str], values: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the differences as text, such as `lr is 0.001, the others have 0.002`, or None."""
    texts = []
    for name, value, other in zip(names, values, usual, strict=True):
        if value != other:
            texts.append(f"{name} is {value}, the others have {other}")
    return "; ".join(texts) or None


def _data(arms: Sequence[Member]) -> list[str | None]:
    """Compare the data and each feature's cardinality: this finds an arm that lost a feature.

    Data of other files are the same where their rows are.
    """
    runs = [run for arm in arms for run in arm.runs]
    identities = Identities(filter(None, map(checksums_of, runs)))

    def facts_of(run: Record) -> dict[str, Any]:
        checksums = checksums_of(run)
        if checksums is None:
            return run.found
        return run.found | {"checksum": identities.of(checksums.files)}

    return _found(arms, ("checksum", "cardinalities"), lambda run: "", facts_of)


def _rows(arms: Sequence[Member]) -> list[str | None]:
    """Compare the rows of each part and the values seen in training, by split seed."""
    return _found(
        arms, ("n_rows", "n_seen"), lambda run: f" with split seed {run.config.split_seed}"
    )


def _found(
    arms: Sequence[Member],
    names: Sequence[str],
    where: Callable[[Record], str],
    facts_of: Callable[[Record], dict[str, Any]] = lambda run: run.found,
) -> list[str | None]:
    """Compare what the runs of each arm found with what most runs found that agree in `where`."""
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for arm in arms:
        for run in arm.runs:
            found[where(run)].append(_texts(facts_of(run), names))
    usual = {place: _usual(values) for place, values in found.items()}
    reasons: list[str | None] = []
    for arm in arms:
        reason = None
        for run in arm.runs:
            place = where(run)
            labels = [f"{name}{place}" for name in names]
            reason = reason or _differences(labels, _texts(facts_of(run), names), usual[place])
        reasons.append(reason)
    return reasons


def _seeds(arms: Sequence[Member]) -> list[str | None]:
    """Compare the seeds with the set that covers most arms.

    An arm with a part of that set, because runs failed or are missing, is kept and marked.
    """
    sets = [frozenset(arm.seeds) for arm in arms]

    def order(own: frozenset[tuple[int, ...]]) -> tuple[Any, ...]:
        covered = sum(other <= own for other in sets)
        return -covered, len(own), sorted(own)

    usual = min(sets, key=order, default=frozenset())
    reasons: list[str | None] = []
    for own in sets:
        if own <= usual:
            reasons.append(None)
        else:
            reasons.append(f"seeds are {_short(own)}, the others have {_short(usual)}")
    return reasons


def _short(seeds: frozenset[tuple[int, ...]]) -> str:
    """Return the seeds as text, each as one number where all four are equal."""
    texts = []
    for four in sorted(seeds):
        if len(set(four)) == 1:
            texts.append(str(four[0]))
        else:
            texts.append("/".join(map(str, four)))
    return " ".join(texts)
