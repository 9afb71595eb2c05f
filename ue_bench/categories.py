"""Categories: the text that stands for one raw value of a column.

A column has one rule, which is fixed once for the whole column. The rule is then applied to every
value by itself, so that a value has the same text whatever stands in the other rows. Training and
serving call the functions of this file, and a service in any language can follow the rules
(docs/data.md).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property, lru_cache, singledispatch
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from ue_bench.errors import unknown
from ue_bench.hashing import is_few

NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf)$"  # a text that is a number
_IS_NUMBER = re.compile(NUMBER.removesuffix("$") + r"\Z").match
_INFINITIES = (float("inf"), float("-inf"))
_KEYS = 256  # keys of the two digits of numbers with the same exponent
_SMALLEST, _LARGEST = 1e-290, 1e290  # of the numbers whose digits plain arithmetic finds
_EPOCH = date(1970, 1, 1).toordinal()
# Days since 1970 that polars can write as dates: up to the years -262,143 and 262,142.
_CALENDAR_DAYS = 95_000_000
_UNITS_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_EXACT = 2**53  # up to here a float holds every whole number
_TEXTUAL = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
# Types of polars whose values are whole numbers of at most 64 bits to numpy.
_SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
_UNSIGNED = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_WHOLE: dict[Any, Any] = {pl.Date: pl.Int32, pl.Boolean: pl.UInt8}
_NUMBERED = (*_SIGNED, *_UNSIGNED, *_WHOLE)
# Types of which equal values have one text.
_HASHED = {type(None), bool, int, float, str, date}
# The types of a Python list that polars reads without changing a value.
_LISTED: dict[type, Any] = {
    str: pl.String,
    bool: pl.Boolean,
    int: pl.Int64,
    float: pl.Float64,
    date: pl.Date,
}

ALLOWED = "a value is text, a number, a truth value, a date or a time"

Kind = Literal["text", "date", "whole", "number"]
Number = int | float | np.floating[Any] | Decimal


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
        return frozenset(float(text) for text in self.absent if _IS_NUMBER(text))


TEXT = Rule()
KINDS = ("text", "date", "whole", "number")
_OF_NUMBERS = ("whole", "number")  # kinds that read a text as a number
_MIDNIGHT = "T00:00:00"
_ABSENT = ("", "NaN")  # texts in a column of numbers that stand for a missing one


def rules_by_name(given: Mapping[str, Rule | str]) -> dict[str, Rule]:
    """Return the rules of columns that are given as rules or as the names of their kinds.

    Raises BenchError for an unknown kind.
    """
    rules = {}
    for name, rule in given.items():
        if isinstance(rule, Rule):
            rules[name] = rule
        elif rule in _OF_NUMBERS:
            rules[name] = Rule(cast(Kind, rule), _ABSENT)
        elif rule in KINDS:
            rules[name] = Rule(cast(Kind, rule))
        else:
            raise unknown(f"kind of rule for column {name!r},", str(rule), KINDS)
    return rules


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
            return plain.removesuffix(_MIDNIGHT)
        if rule.kind == "text" or not _IS_NUMBER(plain):
            return plain
        return _number_text(float(plain), rule)
    if rule.absent_numbers and _as_float(plain) in rule.absent_numbers:
        return ""
    return _number_text(plain, rule)


def texts_of(values: Any, rule: Rule) -> pl.Series:
    """Return the text of each value of a column (String, without nulls), as `text_of` makes them.

    values: a list, tuple, numpy array, Series of polars or pandas, or array of pyarrow.
    Raises TypeError and ValueError as `text_of` does, and TypeError for what is no column.
    """
    texts = short_texts_of(values, rule)
    if isinstance(texts, Repeated):
        return texts.column()
    if isinstance(texts, pl.Series):
        return texts
    return pl.Series(texts, dtype=pl.String)


@dataclass(frozen=True, eq=False)
class Repeated:
    """The texts of N values, of which each distinct value has one.

    texts: String, or a list where there are few. codes: int64 [N], the place of each value's text.
    """

    texts: pl.Series | list[str]
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def column(self) -> pl.Series:
        """Return the text of each value: String [N]."""
        return pl.Series(self.texts, dtype=pl.String).gather(pl.Series(self.codes))


def short_texts_of(values: Any, rule: Rule) -> pl.Series | Repeated | list[str]:
    """Return what `texts_of` returns, in the form that takes least time.

    It is a list where there are few values: that takes a few microseconds, where a Series would
    take hundreds. It is `Repeated` where numbers tell the values apart, so that the text of each
    is made and hashed once.
    """
    column = plain_column(values)
    if not isinstance(column, pl.Series):
        if is_few(len(column)):
            return [text_of(value, rule) for value in column]
        return _distinct_texts_of_mixed(column, rule)
    if is_few(len(column)):
        return _series_texts(column, rule).to_list()
    return _distinct_texts(column, rule)


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


def bucket(value: float) -> str:
    """Return a number rounded to two significant decimal digits, in plain decimal notation.

    1234 -> 1200, 0.01267 -> 0.013, -7 -> -7, 99.6 -> 100, 0 and -0 -> 0. A value exactly between
    two goes to the even digit: 125 -> 120, 135 -> 140 (C's "%.1e" rounds alike). Infinities are
    `inf` and `-inf`.
    """
    if value in _INFINITIES:
        return str(float(value))
    rounded = f"{value:.1e}"
    text = repr(float(rounded))  # the shortest text that reads as this number, quickly made
    if "e" in text or "inf" in text:
        text = format(Decimal(rounded), "f")
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


def buckets(values: pl.Series) -> pl.Series:
    """Return the `bucket` of each value: String, and "" for null.

    values: Float64, null or NaN where they are missing.
    """
    return _distinct_buckets(values).column().alias(values.name)


def _distinct_buckets(values: pl.Series) -> Repeated:
    """Return the `bucket` of each value.

    Two digits and an exponent come from floating-point arithmetic. Its error is far below 1e-6, so
    that `bucket` itself is asked only for values next to a tie.
    """
    numbers = values.to_numpy()  # null becomes NaN
    size = np.abs(numbers)
    is_common = (size > _SMALLEST) & (size < _LARGEST)
    exponents = np.floor(np.log10(size, where=is_common, out=np.zeros_like(size))) - 1
    digits = np.divide(numbers, 10.0**exponents, where=is_common, out=np.zeros_like(size))
    is_certain = is_common & (np.abs(np.abs(digits - np.trunc(digits)) - 0.5) > 1e-6)
    keys = (_KEYS * exponents + np.rint(digits)).astype(np.int64)
    distinct_keys, codes = _numbered(keys)
    texts = list(map(_bucket_of_key, distinct_keys.tolist()))
    uncertain = np.flatnonzero(~is_certain)
    if len(uncertain):
        others, other_codes = np.unique(numbers[uncertain], return_inverse=True)
        codes[uncertain] = other_codes + len(texts)
        texts += ["" if math.isnan(number) else bucket(number) for number in others.tolist()]
    return Repeated(texts, codes)


def _numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of integers, ascending, and the place of each value among them."""
    if not len(values):
        return values, np.empty(0, np.int64)
    if values.dtype.itemsize < 8:  # differences need more bits
        values = values.astype(np.int64)
    least = values.min()
    span = int(values.max()) - int(least) + 1
    if span > 4 * len(values):
        return np.unique(values, return_inverse=True)
    places = (values - least).astype(np.int64)  # faster than to sort
    is_used = np.zeros(span, np.bool_)
    is_used[places] = True
    distinct = np.flatnonzero(is_used).astype(values.dtype) + least
    return distinct, (is_used.cumsum() - 1)[places]


@lru_cache(maxsize=2**16)
def _bucket_of_key(key: int) -> str:
    """Return the text of `_KEYS` times the exponent, plus the digits, from -100 to 100."""
    exponent = round(key / _KEYS)
    return bucket(float(f"{key - _KEYS * exponent}e{exponent}"))


# One value


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
    return "true" if value else "false"


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
    return _series_texts(_numpy_times(np.array([value])), TEXT)[0]


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
    if number in _INFINITIES:
        return str(float(number))
    if number == int(number):
        return str(int(number))
    if isinstance(number, Decimal):
        return format(number, "f").rstrip("0")
    return np.format_float_positional(number, trim="-")


# A column


def plain_column(values: Any) -> pl.Series | Sequence[Any]:
    """Return a column as a Series, or as a list of values, none of which is changed.

    It is a list where values of several types are mixed, and where there are few values of a simple
    type.
    Raises TypeError for what is no column.
    """
    if isinstance(values, (list, tuple)):
        return values if is_few(len(values)) else _of_one_type(values)
    if isinstance(values, pl.Series):
        return _shortened(values)
    if isinstance(values, np.ndarray):
        return _numpy_column(values)
    if hasattr(values, "dtype") and hasattr(values, "to_numpy"):
        return _pandas_column(values)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
        if _is_unknown_to_polars(values.type):
            return values.to_pylist()
        return _shortened(pl.Series(values))
    if hasattr(values, "numpy"):  # a tensor of torch
        return _numpy_column(values.numpy(force=True))
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        return plain_column(list(values))
    raise TypeError(
        f"values are one {type(values).__name__}; give a one-dimensional list, tuple, array or "
        "Series of them"
    )


def _of_one_type(values: Sequence[Any]) -> pl.Series | Sequence[Any]:
    """Return a Series if all values have one simple type or are None."""
    types = set(map(type, values)) - {type(None)}
    dtype = _LISTED.get(types.pop()) if len(types) == 1 else None
    if dtype is None:
        return values
    try:
        return pl.Series(values, dtype=dtype)
    except (OverflowError, TypeError):  # a number of more than 64 bits
        return values


def _shortened(column: pl.Series) -> pl.Series | Sequence[Any]:
    """Return a list in place of a short Series, where its values are the same in Python."""
    dtype = column.dtype
    if dtype == pl.Object:
        return plain_column(column.to_list())
    if str(dtype) == "Float16":
        return list(column.to_numpy())
    if not is_few(len(column)):
        return column
    if dtype in _TEXTUAL or dtype.is_integer() or dtype == pl.Float64:
        return column.to_list()
    if dtype == pl.Date and _is_of_python(column):
        return column.to_list()
    return column


def _is_of_python(dates: pl.Series) -> bool:
    """Return whether Python has all dates: those of the years 1 to 9999."""
    if dates.null_count() == len(dates):
        return True
    days: Any = dates.cast(pl.Int32)
    first, last = (limit.toordinal() - _EPOCH for limit in (date.min, date.max))
    return bool(first <= days.min() and days.max() <= last)


def _numpy_column(values: np.ndarray) -> pl.Series | Sequence[Any]:
    if values.ndim != 1:
        raise TypeError(f"values have shape {list(values.shape)}; they must be one-dimensional")
    if isinstance(values, np.ma.MaskedArray):
        return plain_column(values.tolist())
    kind = values.dtype.kind
    size = values.dtype.itemsize
    if kind == "m":
        raise TypeError(f"values are durations ({values.dtype}); {ALLOWED}")
    if kind == "M":
        return _numpy_times(values)
    if kind == "f" and size not in (4, 8):
        return list(values)  # polars has no such type in all its releases
    if kind in "biuf" and not is_few(len(values)):
        return pl.Series(values)
    if kind == "f":
        return list(values)  # numbers of numpy, which know how many digits they have
    return plain_column(values.tolist())


def _numpy_times(values: np.ndarray) -> pl.Series:
    """Return the dates or times of an array of any unit down to nanoseconds."""
    unit, _ = np.datetime_data(values.dtype)
    if unit in ("Y", "M", "W", "D"):
        return pl.Series(values.astype("datetime64[D]"))
    if unit in ("h", "m", "s", "ms", "us"):
        return pl.Series(values.astype("datetime64[us]"))
    return pl.Series(values.astype("datetime64[ns]"))


def _pandas_column(values: Any) -> pl.Series | Sequence[Any]:
    """Return a Series, Index or extension array of pandas."""
    import pandas as pd  # not before somebody else has imported it

    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return _numpy_column(values.to_numpy())
    if isinstance(dtype, pd.SparseDtype):
        return _numpy_column(np.asarray(values))
    if isinstance(dtype, pd.CategoricalDtype):
        categories = [*dtype.categories, None]  # the code of a missing value is -1
        return plain_column([categories[code] for code in pd.Series(values).cat.codes])
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        raise TypeError(f"values are {dtype}; {ALLOWED}")
    is_short = is_few(len(values)) and isinstance(dtype, pd.StringDtype)
    if is_short or _is_unknown_to_polars(dtype):
        return list(values)
    return _shortened(pl.from_pandas(pd.Series(values)))


def _is_unknown_to_polars(dtype: Any) -> bool:
    """Return whether polars panics on a type of pyarrow."""
    return str(dtype).startswith("decimal256")


def _distinct_texts(column: pl.Series, rule: Rule) -> pl.Series | Repeated:
    """Return the texts of a Series of one type, as `_series_texts` makes them."""
    dtype = column.dtype
    if dtype.is_float():
        column = _without_absent(column, rule)
        if rule.kind == "number":
            return _distinct_buckets(column.cast(pl.Float64))
        return _distinct_floats(column, rule)
    if dtype not in _NUMBERED:
        return _series_texts(column, rule)
    whole = column if dtype.is_integer() else column.cast(_WHOLE[dtype])
    if whole.null_count() == len(whole):
        return Repeated([""], np.zeros(len(whole), np.int64))
    if not whole.null_count():
        distinct, codes = _numbered(whole.to_numpy())
        return Repeated(_texts_of_numbered(distinct, dtype, rule), codes)
    distinct, codes = _numbered(whole.fill_null(whole.min()).to_numpy())
    codes[whole.is_null().to_numpy()] = len(distinct)
    texts = _texts_of_numbered(distinct, dtype, rule)
    return Repeated([*texts, ""], codes)


def _distinct_floats(column: pl.Series, rule: Rule) -> pl.Series | Repeated:
    """Return the texts of floats that are not rounded."""
    numbers = column.to_numpy()  # null becomes NaN
    is_missing = np.isnan(numbers)
    present = np.where(is_missing, 0.0, numbers)
    is_whole = (present == np.floor(present)) & (np.abs(present) <= _EXACT)
    if not is_whole.all():
        return _series_texts(column, rule)
    distinct, codes = _numbered(present.astype(np.int64))
    codes[is_missing] = len(distinct)
    return Repeated([*_texts_of_numbered(distinct, pl.Int64(), rule), ""], codes)


def _texts_of_numbered(
    distinct: np.ndarray, dtype: pl.DataType, rule: Rule
) -> pl.Series | list[str]:
    """Return the texts of the values of a type that numpy holds as whole numbers."""
    if dtype.is_integer() and is_few(len(distinct)):
        return [text_of(number, rule) for number in distinct.tolist()]
    return _series_texts(pl.Series(distinct).cast(dtype), rule)


def _distinct_texts_of_mixed(values: Sequence[Any], rule: Rule) -> pl.Series | Repeated:
    """Return the texts of values of any types, as `text_of` makes them."""
    types = set(map(type, values))
    if not types <= _HASHED:
        return _each(values, rule)
    keys: Iterable[Any] = values
    if len(types - {type(None)}) > 1:
        keys = zip(map(type, values), values, strict=True)  # because True and 1.0 equal 1
    first: dict[Any, int] = {}  # the first row of each key
    codes = [first.setdefault(key, row) for row, key in enumerate(keys)]
    rows, places = _numbered(np.array(codes, np.int64))
    return Repeated(_each([values[row] for row in rows], rule), places)


def _series_texts(column: pl.Series, rule: Rule) -> pl.Series:
    """Return the texts of a Series of one type."""
    dtype = column.dtype
    if dtype in _TEXTUAL:
        return _texts_of_texts(column.cast(pl.String), rule)
    if isinstance(dtype, pl.Decimal):
        decimals = column.cast(pl.String)
        return _by_distinct(decimals, lambda distinct: _each(map(Decimal, distinct), rule))
    if not dtype.is_numeric():
        return _texts_of_texts(_times_as_text(column), rule)
    column = _without_absent(column, rule)
    if dtype.is_float():
        return _texts_of_floats(column.fill_nan(None) + 0.0, rule)  # -0 is 0
    if rule.kind not in _OF_NUMBERS:
        return _without_nulls(column.cast(pl.String))
    return _texts_of_floats(column.cast(pl.Float64), rule)


def _without_nulls(texts: pl.Series) -> pl.Series:
    return texts.fill_null("") if texts.null_count() else texts


def _without_absent(column: pl.Series, rule: Rule) -> pl.Series:
    """Return numbers, null where they stand for a missing value."""
    if not rule.absent_numbers:
        return column
    return column.set(column.cast(pl.Float64).is_in(sorted(rule.absent_numbers)), None)


def _texts_of_texts(column: pl.Series, rule: Rule) -> pl.Series:
    column = _without_nulls(column)
    absent = [text for text in rule.absent if text]
    if absent:
        is_absent = column.is_in(absent)
        if is_absent.any():
            column = column.set(is_absent, "")
    if rule.kind == "text":
        return column
    if rule.kind == "date":
        return column.str.strip_suffix(_MIDNIGHT)
    is_number = column.str.contains(NUMBER)
    if not is_number.any():
        return column
    numbers = column.set(~is_number, None).cast(pl.Float64)
    return _texts_of_floats(numbers + 0.0, rule).zip_with(is_number, column)


def _texts_of_floats(column: pl.Series, rule: Rule) -> pl.Series:
    """Return the texts of numbers, null where they are missing."""
    if rule.kind == "number":
        return buckets(column.cast(pl.Float64))
    if ((column == column.floor()) & (column.abs() <= _EXACT)).all():
        return column.cast(pl.Int64).cast(pl.String).fill_null("")
    return _by_distinct(column, lambda distinct: _each(distinct.to_numpy(), rule))


def beyond_calendar(column: pl.Series) -> pl.Series:
    """Return whether each date or time lies outside the calendar of polars: Boolean [N].

    Polars ends the process's thread with a panic where it has to write such a date.
    """
    dtype = column.dtype
    if dtype != pl.Date and not isinstance(dtype, pl.Datetime):
        return pl.repeat(False, len(column), dtype=pl.Boolean, eager=True)
    days = column.to_physical().cast(pl.Int64)
    if isinstance(dtype, pl.Datetime):
        days = days // _UNITS_A_DAY[dtype.time_unit]
    return (days.abs() > _CALENDAR_DAYS).fill_null(False)


def _times_as_text(column: pl.Series) -> pl.Series:
    """Return dates and times in ISO 8601; a time with a zone in UTC, with a Z."""
    dtype = column.dtype
    if beyond_calendar(column).any():
        raise ValueError("a date is hundreds of thousands of years away; correct or remove it")
    if dtype == pl.Date:
        return column.dt.to_string("%Y-%m-%d")
    if dtype == pl.Time:
        return column.dt.to_string("%H:%M:%S%.f")
    if not isinstance(dtype, pl.Datetime):
        raise TypeError(f"values are {dtype}; {ALLOWED}")
    if dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")


def _each(values: Iterable[Any], rule: Rule) -> pl.Series:
    return pl.Series([text_of(value, rule) for value in values], dtype=pl.String)


def _by_distinct(column: pl.Series, texts: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return the text of each value, made once for each distinct one; "" where it is null."""
    distinct = column.drop_nulls().unique()
    table = pl.DataFrame({"value": distinct, "text": texts(distinct)})
    rows = column.to_frame("value")
    joined = rows.join(table, on="value", how="left", maintain_order="left")
    return joined["text"].fill_null("")
