"""How many winners of searches lie on an end of what they could choose from.

A winner on an end says that the range was too narrow: the best value may lie beyond it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.config import SETTINGS
from ue_bench.config.ranges import Between, UpTo, from_json
from ue_bench.record import Record
from ue_bench.report.evidence.effort import Effort

EDGE = 0.025  # share of a range that counts as each of its ends
COLUMNS = ["knob", "low", "high", "kind", "winners", "on_low", "on_high", "share", "by_chance"]
# What is searched alike for all: its range can be made wider. The knobs of a method often have
# bounds of their own, and the most lookups are a choice of the study.
RECIPE = "recipe"
LOOKUPS = "lookups"
OWN = "own knob"


class _Choice(NamedTuple):
    """A value that a winner has, and what it was chosen from, in order."""

    value: Any
    allowed: tuple[Any, ...] | Between
    least: float | None  # that the knob may be; None: nothing is known of it

    @property
    def ends(self) -> tuple[float, float]:
        if isinstance(self.allowed, Between):
            return self.allowed.low, self.allowed.high
        return self.allowed[0], self.allowed[-1]

    @property
    def starts_at_bound(self) -> bool:
        """Whether the knob allows nothing below the low end."""
        return self.least is not None and self.ends[0] <= self.least

    @property
    def on_low(self) -> bool:
        # nor is a default that lies below the range, as a weight decay of 0, at its end
        if self.starts_at_bound or self.value == self.least:
            return False
        if isinstance(self.allowed, Between):
            return self.allowed.place(self.value) <= EDGE
        return self.value <= self.allowed[0]

    @property
    def on_high(self) -> bool:
        if isinstance(self.allowed, Between):
            return self.allowed.place(self.value) >= 1 - EDGE
        return self.value >= self.allowed[-1]

    @property
    def by_chance(self) -> float:
        """The chance that a value lies on an end where all are as likely."""
        n_ends = 1 if self.starts_at_bound else 2
        if isinstance(self.allowed, Between):
            return n_ends * EDGE
        return n_ends / len(self.allowed)


def edges(efforts: Iterable[Effort]) -> pd.DataFrame:
    """Return one row a numeric knob, over the winners of these searches.

    A low end that is the least that the knob may be, as a dropout of 0, is no end: no better value
    can lie beyond it.

    knob: its name; the lookups of all features are one. low, high: the ends of its range, the
    widest one where searches differ. kind: `recipe`, `lookups` or `own knob`. winners: how many had
    the choice. share: of the winners on an end. by_chance: the same where all values are as likely.
    """
    choices: dict[str, list[_Choice]] = defaultdict(list)
    for effort in efforts:
        if effort.winner is None:
            continue
        record = effort.winner.sample
        for name, content in effort.facts["space"].items():
            choice = _choice(record, name, content)
            if choice is not None:
                choices[_title(effort, name)].append(choice)
    rows = []
    for title, of_knob in sorted(choices.items()):
        on_low = sum(choice.on_low for choice in of_knob)
        on_high = sum(choice.on_high for choice in of_knob)
        rows.append(
            {
                "knob": title,
                "low": min(choice.ends[0] for choice in of_knob),
                "high": max(choice.ends[1] for choice in of_knob),
                "kind": _kind(title),
                "winners": len(of_knob),
                "on_low": on_low,
                "on_high": on_high,
                "share": (on_low + on_high) / len(of_knob),
                "by_chance": math.fsum(choice.by_chance for choice in of_knob) / len(of_knob),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _choice(record: Record, name: str, content: Any) -> _Choice | None:
    """Return what a winner has of a knob; None where this is no choice between numbers."""
    value = _value(record, name)
    allowed = from_json(content)
    if isinstance(allowed, UpTo):
        most = _value(record, allowed.limit)
        if not _is_number(most):
            return None
        allowed = allowed.allowed(most)
    if not _is_number(value):
        return None
    if not isinstance(allowed, Between):
        if len(allowed) < 2 or not all(map(_is_number, allowed)):
            return None
        allowed = tuple(sorted(allowed))
    return _Choice(value, allowed, _least(name))


def _least(name: str) -> float | None:
    """Return the least that a knob may be; None where nothing is known of it."""
    field, _, _ = name.partition(".")
    if field == LOOKUPS:
        return 1
    if field not in SETTINGS:
        return None
    return SETTINGS[field].at_least


def _value(record: Record, name: str) -> Any:
    """Return the value of a field of the configuration, of `lookups.FEATURE` or `options.KNOB`."""
    field, _, key = name.partition(".")
    value = getattr(record.config, field, None)
    if not key:
        return value
    if field == LOOKUPS:
        return record.found["lookups"].get(key, 1)
    return value.get(key) if isinstance(value, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _title(effort: Effort, name: str) -> str:
    """Return the name of a knob; that of a method's own has the strategy before it."""
    field, _, key = name.partition(".")
    if field == "options":
        return f"{effort.form[0]}: {key}"
    return field


def _kind(title: str) -> str:
    if title == LOOKUPS:
        return LOOKUPS
    if ": " in title:
        return OWN
    return RECIPE
