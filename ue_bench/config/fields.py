"""What is known of one field of a run beside its type and default: help, bounds, choices and group.

Command-line options, completion, checks, and the question in which fields two arms may differ all
follow from this one place.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from ue_bench.errors import BenchError, unknown

Group = Literal["data", "strategy", "recipe", "seeds", "machine"]
LARGEST_WHOLE = 2**63 - 1  # what a machine word holds
AS_DEFAULT = object()  # of `before`: runs did what the default says
_KEY = "setting"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A field of a run.

    group: what the field is part of. Arms of a comparison may differ in `strategy` and `machine`.
    help: a sentence for the command line; None: the field has no option of its own.
    choices: the texts that are allowed; empty: any.
    at_least, above, at_most, below: bounds of a number.
    null: the word that stands for null on the command line.
    unit: how the text of an option is read where its type does not say it: "bytes", "lookups" or
        "bits".
    names: the kind of names that a shell completes, where there are no choices.
    before: what runs did before the field existed, where that is not the default. A stored run
        without the field has this value, and a run with this value keeps the id it had.
    """

    group: Group
    help: str | None = None
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    null: str | None = None
    unit: Literal["bytes", "lookups", "bits"] | None = None
    names: str | None = None
    before: Any = AS_DEFAULT

    def check(self, name: str, value: Any) -> None:
        """Raise BenchError where `value`, which has the type of the field, is not allowed."""
        if value is None:
            return
        if self.choices and value not in self.choices:
            raise unknown(name.replace("_", " "), value, self.choices)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_number(name, value)

    def _check_number(self, name: str, number: float) -> None:
        if isinstance(number, int) and abs(number) > LARGEST_WHOLE:
            raise BenchError(f"{name}: {number} was given; a whole number must be below 2**63")
        too_small = self.at_least is not None and number < self.at_least
        not_above = self.above is not None and number <= self.above
        too_large = self.at_most is not None and number > self.at_most
        not_below = self.below is not None and number >= self.below
        if too_small or not_above or too_large or not_below or not isfinite(number):
            raise BenchError(f"{name}: {number} was given; it must be {self.allowed}")

    def bounded(self, kind: Any) -> Any:
        """Return the type of the field with its bounds and choices, for `msgspec.convert`."""
        options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
        bounded = [self._bounded_option(option) for option in options]
        return Union[tuple(bounded)]  # noqa: UP007 # the options are only known here

    def _bounded_option(self, kind: Any) -> Any:
        if kind is str and self.choices:
            return Literal[self.choices]
        if kind is int:
            least = -LARGEST_WHOLE if self.at_least is None else int(self.at_least)
            most = LARGEST_WHOLE if self.below is None else int(self.below) - 1
            return Annotated[int, msgspec.Meta(ge=least, le=most)]
        if kind is float:
            bounds: dict[str, Any] = {"le": sys.float_info.max, "ge": -sys.float_info.max}
            if self.at_least is not None:
                bounds["ge"] = self.at_least
            if self.above is not None:
                del bounds["ge"]
                bounds["gt"] = self.above
            if self.at_most is not None:
                bounds["le"] = self.at_most
            if self.below is not None:
                del bounds["le"]
                bounds["lt"] = self.below
            return Annotated[float, msgspec.Meta(**bounds)]
        return kind

    @property
    def allowed(self) -> str:
        """The bounds in words."""
        words = []
        if self.above is not None:
            words.append(f"a number above {self.above:g}")
        if self.at_least is not None:
            words.append(f"at least {self.at_least:g}")
        if self.at_most is not None:
            words.append(f"at most {self.at_most:g}")
        if self.below is not None:
            words.append(f"below {_number_text(self.below)}")
        return " and ".join(words) or "a finite number"


def setting(
    default: Any = dataclasses.MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    **known: Any,
) -> Any:
    """Declare a field of a run with its default, or the factory of its default, and its Setting."""
    metadata = {_KEY: Setting(**known)}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(cls: type) -> dict[str, Setting]:
    """The Setting of each field of a dataclass, in the order of the fields."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(cls)}


def names_of(settings: Mapping[str, Setting], *groups: Group) -> tuple[str, ...]:
    """The fields of these groups."""
    return tuple(name for name, known in settings.items() if known.group in groups)


def _number_text(number: float) -> str:
    for power in (31, 32):
        if number == 2**power:
            return f"2**{power}"
    return f"{number:g}"


def is_of(kind: Any, value: Any) -> bool:
    """Say whether a value is of a type of the annotations of RunConfig."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def type_text(kind: Any) -> str:
    """Write a type for a message: `int or null`."""
    if get_origin(kind) in (dict, list):
        return str(kind)
    names = []
    for option in get_args(kind) or (kind,):
        plain = get_origin(option) is None
        names.append(option.__name__ if plain else str(option))
    return " or ".join(names).replace("NoneType", "null")
