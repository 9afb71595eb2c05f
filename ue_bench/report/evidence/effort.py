"""Equal effort: whether the forms that compete were searched alike, as the records of trials prove.

A form is a strategy with its regions and one rule that sizes them. Each has a search at each size:
the same number of trials, each on the same seeds, from the default and in the same space apart from
the knobs of its own method. Records of earlier versions do not say enough of their search, and are
not judged.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ue_bench.config.hash_salt import salt_word
from ue_bench.config.ranges import Between, UpTo, from_json
from ue_bench.errors import one_line
from ue_bench.record import Record
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.trials import Trial, facts, trials_of, tried, without
from ue_bench.report.format import bytes_text

# What must be equal, by the words that name it.
_TERMS = {
    "seeds": "seeds of a trial",
    "sampler": "sampler",
    "startup": "trials at random",
    "batch": "trials of a batch",
    "total": "total of lookups",
    "objectives": "objectives",
    "margin": "margin",
    "give_up": "rule of giving up",
}

Form = tuple[str, str, str, str, str]  # strategy, regions, rule, salt, code


class Effort(NamedTuple):
    """What the records say of one search.

    form: without the rule where the search varied that. budgets: of its trials, one where it did
    not vary them; None: without a budget. tried: how many trials; ended_well: how many of them have
    a value. exhausted: whether its space has no other trial. terms: what must be equal, as text by
    its name. begins: whether the first trial is the default configuration. facts: what the records
    say of the search. trials: those that have a value. winner: the best of them; None: there are
    none.
    """

    form: Form
    budgets: frozenset[int | None]
    tried: int
    ended_well: int
    exhausted: bool
    terms: Mapping[str, str]
    begins: bool
    facts: Mapping[str, Any]
    trials: tuple[Trial, ...]
    winner: Trial | None

    @property
    def name(self) -> str:
        """The search in words."""
        words = " ".join(word for word in self.form[:4] if word)
        sizes = ", ".join(sorted(map(bytes_text, self.budgets)))
        return one_line(f"search of {words} at {sizes}")


def form_of(config: Mapping[str, Any], varies: Collection[str] = ()) -> Form:
    """Return the form of a configuration. varies: what its search varied."""
    rule = config.get("region_rule") or ""
    if "region_rule" in varies:
        rule = ""
    return (
        config["strategy"],
        config.get("regions") or "",
        rule,
        salt_word(config.get("hash_salt")),
        config.get("code") or "",
    )


def efforts_of(search: Iterable[Record]) -> list[Effort]:
    """Return what the records of searches say of each, failed ones too.

    search: the records of trials, which may have failed.
    """
    by_search: dict[str, list[Record]] = defaultdict(list)
    for record in search:
        if "seeds" in facts(record):
            by_search[_key(record)].append(record)
    return [_effort(records) for _, records in sorted(by_search.items())]


def _key(record: Record) -> str:
    """Return a text that is equal for the trials of one search alone."""
    about = without(facts(record), {"number"})
    form = form_of(record.config.by_name(), about["varies"])
    return same_text([record.study, form, about])


def _effort(records: Sequence[Record]) -> Effort:
    about = without(facts(records[0]), {"number"})
    trials = trials_of(record for record in records if record.status == "ok")
    winner = None
    if trials:
        winner = min(trials, key=lambda trial: (trial.val_mse, trial.run_id))
    configurations = {tried(record) for record in records}
    return Effort(
        form=form_of(records[0].config.by_name(), about["varies"]),
        budgets=frozenset(record.config.budget for record in records),
        tried=len(configurations),
        ended_well=len(trials),
        exhausted=len(configurations) >= _size(about["space"]),
        terms=_terms(about, records),
        begins=any(record.run_id == about["default"] for record in records),
        facts=about,
        trials=tuple(trials),
        winner=winner,
    )


def _terms(about: Mapping[str, Any], records: Sequence[Record]) -> dict[str, str]:
    """Return what must be equal for the searches of forms that compete.

    Where each value has a row of its own, a second lookup is nothing but a longer vector: a search
    of a form with a vocabulary may leave the lookups out. So may one whose numbers cannot have few
    bits leave these out, one without separate regions their rules, and one whose lookup takes two
    numbers a dim of 1. A search that nothing came of does not say whether it has a vocabulary, and
    has no arm that competes.
    """
    terms = {word: _text(about.get(name)) for name, word in _TERMS.items()}
    shared = {}
    lookups = {}
    for name, allowed in about["space"].items():
        if name.startswith("lookups."):
            lookups[name] = allowed
        elif name in ("bits", "region_rule", "dim"):
            terms[name] = _text(allowed)
        elif not name.startswith("options."):
            shared[name] = allowed
    terms["space"] = _text(shared)
    came_of_it = [record for record in records if record.status == "ok"]
    has_vocabulary = any(record.cost.get("vocabulary_bytes") for record in came_of_it)
    if lookups or (came_of_it and not has_vocabulary):
        terms["lookups"] = _text(lookups)
    return terms


def _size(space: Mapping[str, Any]) -> float:
    """Return how many configurations a space has at the most."""
    size = 1.0
    for content in space.values():
        allowed = from_json(content)
        if isinstance(allowed, Between):
            return math.inf
        size *= len(allowed.values if isinstance(allowed, UpTo) else allowed)
    return size


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def reasons_against(
    arms: Sequence[Mapping[str, Any]], efforts: Sequence[Effort]
) -> list[str | None]:
    """Return why each arm of a comparison was not searched like the others; None: it was.

    arms: their configurations. efforts: of the searches that the comparison confirms. An arm of a
    form that was not searched at all is a rival of the winners, and is not judged here.
    """
    faults = faults_of(efforts)
    reasons: list[str | None] = []
    for config in arms:
        at_size = of_form_and_size(config, efforts)
        reason = None
        if not at_size and _of_form(config, efforts):
            reason = "its form was searched at other sizes only"
        for place in at_size:
            reason = reason or faults[place]
        reasons.append(reason)
    return reasons


def of_form_and_size(config: Mapping[str, Any], efforts: Sequence[Effort]) -> list[int]:
    """Return the places of the searches of a configuration's form at its budget."""
    places = _of_form(config, efforts)
    return [place for place in places if config.get("budget") in efforts[place].budgets]


def _of_form(config: Mapping[str, Any], efforts: Sequence[Effort]) -> list[int]:
    for form in (form_of(config), form_of(config, ("region_rule",))):
        places = [place for place, effort in enumerate(efforts) if effort.form == form]
        if places:
            return places
    return []


def faults_of(efforts: Sequence[Effort]) -> list[str | None]:
    """Return what is unlike most of the others in each search; None: nothing."""
    usual = {}
    for word in (*_TERMS.values(), "space", "lookups", "bits", "region_rule", "dim"):
        usual[word] = _usual(effort.terms[word] for effort in efforts if word in effort.terms)
    wanted = _usual(effort.ended_well for effort in efforts)
    return [_fault(effort, usual, wanted) for effort in efforts]


def _fault(effort: Effort, usual: Mapping[str, str], wanted: int) -> str | None:
    if not effort.begins:
        return "its search did not begin with the default configuration"
    for word, value in effort.terms.items():
        if word == "dim" and _leaves_one_out(value, usual[word]):
            continue
        if value != usual[word]:
            return f"its search has the {word} {value}, the others have {usual[word]}"
    failed = effort.tried - effort.ended_well
    if effort.ended_well >= wanted or effort.exhausted or failed >= wanted:
        return None
    return f"its search has {effort.ended_well} trials, the others have {wanted}"


def _leaves_one_out(dims: str, usual: str) -> bool:
    """Return whether dims are the usual ones but for a dim of 1."""
    others = json.loads(usual)
    return isinstance(others, list) and others[:1] == [1] and json.loads(dims) == others[1:]


def _usual(values: Iterable[Any]) -> Any:
    """Return the most common value; of equally common ones, the largest."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value), default=None)
