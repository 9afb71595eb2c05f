"""What an entry must be that a plug-in or an installed package adds to the list of strategies.

An entry that is wrong is refused as it is added, because a strategy that can never run would
otherwise seem to be in order, or end a study hours later.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ue_bench.config import SETTINGS
from ue_bench.config.ranges import Between, UpTo
from ue_bench.errors import BenchError
from ue_bench.strategies.entry import FORMAT_FIELDS, Entry

KINDS = (bool, int, float, str)  # of the value of a knob, which a record has to hold
LONGEST = 100  # letters that a message quotes of what was given
_REGIONS = SETTINGS["regions"].choices

_TEXTS = ("summary", "source", "float_only")
_SWITCHES = (
    "needs_vocabulary",
    "needs_values",
    "needs_rows",
    "grows",
    "stream_only",
    "has_budget",
    "takes_two_numbers",
    "has_lookups",
    "plain_rows",
)
_REGIONS_RULE = f'a tuple of some of {", ".join(_REGIONS)}, such as ("{_REGIONS[0]}",)'
_SEARCH_RULE = (
    "values in a tuple that is not empty, such as (1, 2, 4), or Between(low, high), or UpTo(...)"
)


def check_entry(entry: Entry, where: str) -> None:
    """Raise BenchError for a field of an entry that is none, without loading its method.

    where: the file and the strategy, for the message.
    """
    _require(entry, where, "implementation", _is_method, 'a class or a path "package.module:Class"')
    _require(entry, where, "regions", _are_regions, _REGIONS_RULE)
    for field in _TEXTS:
        _require(entry, where, field, _is_text, "a text")
    for field in _SWITCHES:
        _require(entry, where, field, _is_switch, "True or False")
    _require(entry, where, "shapes", _are_shapes, "pairs of whole numbers, such as ((2, 8),)")
    for field in ("fixed", "numbers", "search"):
        _require(entry, where, field, _is_by_name, "a dict with names as its keys")
    for name, value in entry.fixed.items():
        if not _is_value(value):
            raise _wrong(where, f"fixed[{name!r}]", value, "True, False, a number or a text")
    for name, value in entry.numbers.items():
        _check_number_field(where, name, value)
    for name, allowed in entry.search.items():
        if not _is_range(allowed):
            raise _wrong(where, f"search[{name!r}]", allowed, _SEARCH_RULE)


def check_method(entry: Entry, where: str) -> None:
    """Raise BenchError for a method that is none, and for knobs that it does not have.

    Loads the method, and torch. where: the file and the strategy, for the message.
    """
    from ue_bench.strategies.base import EmbeddingStrategy

    method = _loaded(entry, where)
    if not (isinstance(method, type) and issubclass(method, EmbeddingStrategy)):
        raise _wrong(where, "implementation", method, "a class derived from EmbeddingStrategy")
    missing = sorted(getattr(method, "__abstractmethods__", ()))
    if missing:
        raise BenchError(f"{where}: {method.__name__} has no {' and no '.join(missing)}; write it")
    for name in _finals(EmbeddingStrategy):
        if getattr(method, name) is not getattr(EmbeddingStrategy, name):
            raise BenchError(
                f"{where}: {method.__name__} overrides {name}, which is the package's own; take it "
                "out"
            )
    if not _is_by_name(method.knobs) or not all(map(_is_value, method.knobs.values())):
        raise _wrong(
            where,
            f"{method.__name__}.knobs",
            method.knobs,
            "a dict of names and their defaults: True, False, finite numbers or texts",
        )
    for name, value in entry.fixed.items():
        _require_knob(where, "fixed", name, method.knobs)
        _require_kind(where, f"fixed[{name!r}]", value, method.knobs[name])
    for name, allowed in entry.search.items():
        _require_knob(where, "search", name, method.knobs)
        if name in entry.fixed:
            raise BenchError(
                f"{where}: search has the knob {name}, which fixed gives a value; take it out of "
                "one of them"
            )
        _check_search(where, name, allowed, method.knobs)


def _finals(base: type) -> list[str]:
    """Return the methods of a class of the package that no subclass may override."""
    names = []
    for owner in base.__mro__:
        for name, value in vars(owner).items():
            if getattr(value, "__final__", False):
                names.append(name)
    return names


def _check_search(where: str, name: str, allowed: Any, knobs: Mapping[str, Any]) -> None:
    """Raise BenchError for what a search cannot try for a knob that exists."""
    field = f"search[{name!r}]"
    if isinstance(allowed, Between):
        if type(knobs[name]) is not float:  # what a range proposes is a float
            given = f"the default of the knob is {knobs[name]!r}"
            raise BenchError(
                f"{where}: {field} is a range and {given}; give values in a tuple, such as "
                "(1, 2, 4), or make the default a float"
            )
        return
    values = allowed.values if isinstance(allowed, UpTo) else allowed
    for value in values:
        _require_kind(where, field, value, knobs[name])
    if isinstance(allowed, UpTo):
        limit, _, knob = allowed.limit.partition(".")
        if limit not in SETTINGS or (limit == "options" and knob not in knobs):
            rule = "the name of a field of a run, such as dim, or of a knob, as options.KNOB"
            raise _wrong(where, f"the limit of {field}", allowed.limit, rule)


def _loaded(entry: Entry, where: str) -> Any:
    try:
        return entry.method
    except (BenchError, MemoryError):
        raise
    except Exception as error:  # its module is a stranger's code
        raise BenchError(
            f"{where}: implementation {shown(entry.implementation)} cannot be loaded "
            f"({type(error).__name__}: {error}); give a class or a path "
            '"package.module:Class" of a module that can be imported'
        ) from error


def _require(
    entry: Entry, where: str, field: str, is_legal: Callable[[Any], bool], allowed: str
) -> None:
    value = getattr(entry, field)
    if not is_legal(value):
        raise _wrong(where, field, value, allowed)


def _require_knob(where: str, field: str, name: str, knobs: Mapping[str, Any]) -> None:
    if name not in knobs:
        names = ", ".join(sorted(knobs)) or "none"
        raise BenchError(
            f"{where}: {field} has the knob {name!r}; the method has {names}; take it out, or add "
            "it to the class's knobs"
        )


def _require_kind(where: str, field: str, value: Any, default: Any) -> None:
    """Raise BenchError for a value that `knobs.check_knobs` would refuse in every run."""
    is_number = type(default) is float and type(value) is int
    if type(value) is not type(default) and not is_number:
        kind = f"{type(default).__name__}, as the default {default!r} of the knob is"
        raise _wrong(where, field, value, kind)


def _check_number_field(where: str, name: str, value: Any) -> None:
    if name not in FORMAT_FIELDS:
        fields = ", ".join(FORMAT_FIELDS)
        raise BenchError(
            f"{where}: numbers has the field {name!r}; it may have {fields}; take it out"
        )
    setting = SETTINGS[name]
    if setting.choices:
        if not (isinstance(value, str) and value in setting.choices):
            rule = f"one of {', '.join(setting.choices)}"
            raise _wrong(where, f"numbers[{name!r}]", value, rule)
    elif type(value) is not int or value < 0:
        raise _wrong(where, f"numbers[{name!r}]", value, "a whole number of at least 0")


def _is_method(value: Any) -> bool:
    if isinstance(value, str):
        module, colon, name = value.partition(":")
        parts = (*module.split("."), *name.split("."))
        return bool(colon) and all(part.isidentifier() for part in parts)
    return isinstance(value, type)


def _are_regions(value: Any) -> bool:
    # a text is refused, of which each letter would be taken for a form
    if not isinstance(value, (tuple, list)) or not value:
        return False
    named = all(isinstance(name, str) and name in _REGIONS for name in value)
    return named and len(set(value)) == len(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _are_shapes(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or not value:
        return False
    for shape in value:
        if not isinstance(shape, (tuple, list)) or len(shape) != 2:
            return False
        if not all(type(number) is int and number >= 1 for number in shape):
            return False
    return True


def _is_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _is_value(value: Any) -> bool:
    """Return whether a record can hold the value of a knob."""
    if type(value) not in KINDS:
        return False
    return type(value) is not float or math.isfinite(value)


def _is_range(allowed: Any) -> bool:
    if isinstance(allowed, Between):
        return True
    if isinstance(allowed, UpTo):
        if not isinstance(allowed.limit, str):
            return False
        allowed = allowed.values
    is_list = isinstance(allowed, (tuple, list))  # a generator would be empty the second time
    return is_list and bool(allowed) and all(map(_is_value, allowed))


def _wrong(where: str, field: str, given: Any, allowed: str) -> BenchError:
    return BenchError(f"{where}: {field} {shown(given)} was given; it must be {allowed}")


def shown(value: Any) -> str:
    """Return what a message quotes of a stranger's value, whose own text may be long, or raise."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
