"""The text of one value under a rule."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import singledispatch
from typing import Any

import numpy as np

from ue_bench.categories.number_buckets import INFINITIES, bucket
from ue_bench.categories.plain_columns import ALLOWED, numpy_times
from ue_bench.categories.rule import Rule, is_number_text
from ue_bench.categories.time_texts import times_as_text

Number = int | float | np.floating[Any] | Decimal
MIDNIGHT = "T00:00:00"
TRUTH = {False: "false", True: "true"}


def text_of(value: Any, rule: Rule) -> str:
    """Return the text of one value; "" where it is missing (None, NaN, NaT, pd.NA, `rule.absent`).

    Raises TypeError for a value that has no text, and ValueError for half a character.
    """
    plain = value if type(value) is str else _plain(value)
    if isinstance(plain, str):
        if not plain.isascii():
            plain.encode()  # raises for half a character
        if plain in rule.absent:
            return ""
        if rule.kind == "date":
            return plain.removesuffix(MIDNIGHT)
        if rule.kind == "text" or not is_number_text(plain):
            return plain
        return _number_text(float(plain), rule)
    if rule.absent_numbers and _as_float(plain) in rule.absent_numbers:
        return ""
    return _number_text(plain, rule)


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pd.NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # an array compares its members
        return False


@singledispatch
def _plain(value: Any) -> str | Number:
    """Return a value as text or as a number, never NaN; "" where it is missing."""
    if is_missing(value):
        return ""
    if getattr(value, "ndim", None) == 0:
        return _plain(value.item())
    if type(value).__module__.split(".")[0] == "pyarrow":
        return _plain(value.as_py())
    raise TypeError(f"{value!r:.60} is a {type(value).__name__}; {ALLOWED}")


@_plain.register
def _(value: str) -> str:
    return str.__str__(value)  # an enumeration of texts prints its own name


@_plain.register(type(None))
def _(value: None) -> str:
    return ""


@_plain.register(bool)
@_plain.register(np.bool_)
def _(value: bool | np.bool_) -> str:
    return TRUTH[bool(value)]


@_plain.register(int)
@_plain.register(np.integer)
def _(value: int | np.integer[Any]) -> int:
    return int(value)


@_plain.register(float)
@_plain.register(np.floating)
def _(value: float | np.floating[Any]) -> str | Number:
    return "" if value != value else value


@_plain.register
def _(value: Decimal) -> str | Decimal:
    return "" if value.is_nan() else value


@_plain.register
def _(value: np.timedelta64) -> str:  # which numpy calls a whole number
    raise TypeError(f"{value!r} is a duration; {ALLOWED}")


@_plain.register
def _(value: date) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


@_plain.register
def _(value: time) -> str:
    if value.tzinfo is not None:
        raise TypeError(f"{value!r} is a time of day with a zone; give it without one")
    return _time_text(value, 1000 * value.microsecond)


@_plain.register
def _(value: datetime) -> str:
    if value != value:  # NaT is a datetime
        return ""
    zone = ""
    if value.utcoffset() is not None:
        value = value.astimezone(UTC)
        zone = "Z"
    nanoseconds = 1000 * value.microsecond + getattr(value, "nanosecond", 0)  # of pd.Timestamp
    day = f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    return f"{day}T{_time_text(value, nanoseconds)}{zone}"


@_plain.register
def _(value: np.datetime64) -> str:
    return times_as_text(numpy_times(np.array([value])))[0] or ""


def _time_text(value: time | datetime, nanoseconds: int) -> str:
    """Return hours, minutes and seconds, with 0, 3, 6 or 9 digits after the point."""
    text = f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}"
    if not nanoseconds:
        return text
    digits = f"{nanoseconds:09d}"
    while digits.endswith("000"):
        digits = digits.removesuffix("000")
    return f"{text}.{digits}"


def _number_text(number: Number, rule: Rule) -> str:
    if rule.kind == "number":
        return bucket(_as_float(number))
    if rule.kind == "whole" and not isinstance(number, np.floating):
        number = _as_float(number)
    return _digits(number)


def _as_float(number: Number) -> float:
    try:
        return float(number)
    except OverflowError:  # of an int or a Decimal
        return float("inf") if number > 0 else float("-inf")


def _digits(number: Number) -> str:
    """Return a number in plain decimal notation: the shortest that its type reads as this number.

    3.0 -> 3, 0.1 -> 0.1, 1e-7 -> 0.0000001, -0.0 -> 0; infinities are `inf` and `-inf`.
    """
    if isinstance(number, int):
        return str(number)
    if number in INFINITIES:
        return str(float(number))
    if number == int(number):
        return str(int(number))
    if isinstance(number, Decimal):
        return format(number, "f").rstrip("0")
    return np.format_float_positional(number, trim="-")
