"""Rules: how the raw values of one column become texts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

from ue_bench.errors import unknown

NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf)$"  # a text that is a number
is_number_text = re.compile(NUMBER.removesuffix("$") + r"\Z").match
Kind = Literal["text", "date", "whole", "number"]


@dataclass(frozen=True)
class Rule:
    """How the raw values of one column become texts.

    kind: `text`: text stays as it is, and a number is written in decimal. `date`: the same, but
    midnight of a day is the day, because pandas has no dates without a time. `whole`: as `text`,
    but a text that is a number is read as one, so that "1.0" is "1". `number`: numbers, also those
    in texts, are rounded to two significant digits.
    absent: texts that stand for a missing value; a number that one of them names is missing, too.
    """

    kind: Kind = "text"
    absent: tuple[str, ...] = ()

    @cached_property
    def absent_numbers(self) -> frozenset[float]:
        """The numbers that stand for a missing value."""
        return frozenset(float(text) for text in self.absent if is_number_text(text))


TEXT = Rule()
KINDS = ("text", "date", "whole", "number")
KINDS_OF_NUMBERS = ("whole", "number")  # kinds that read a text as a number
_ABSENT = ("", "NaN")  # texts in a column of numbers that stand for a missing one


def rules_by_name(given: Mapping[str, Rule | str]) -> dict[str, Rule]:
    """Return the rules of columns that are given as rules or as the names of their kinds.

    Raises BenchError for an unknown kind.
    """
    rules = {}
    for name, rule in given.items():
        if isinstance(rule, Rule):
            rules[name] = rule
        elif rule in KINDS_OF_NUMBERS:
            rules[name] = Rule(cast(Kind, rule), _ABSENT)
        elif rule in KINDS:
            rules[name] = Rule(cast(Kind, rule))
        else:
            raise unknown(f"kind of rule for column {name!r},", str(rule), KINDS)
    return rules
