"""The type that a column has in all files of a table, where programs wrote it in several.

pandas writes whole numbers as floats on a day where one is missing, and nothing but nulls where all
are; one program writes categories where another writes text.
"""

from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import types

from ue_bench.data.table.targets import BadRow

_DIGITS = pa.decimal128(38, 0)
_NUMBERS = (_DIGITS, pa.int64(), pa.float64())  # of two, the later one is taken
_UNITS = ("s", "ms", "us", "ns")


def common(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both types, or None where there is none.

    Values keep the text that stands for them: 1 and 1.0 are the category `1` in a column of floats.
    """
    if first == second:
        return first
    first, second = _plain(first), _plain(second)
    if first == second or types.is_null(second):
        return first
    if types.is_null(first):
        return second
    if types.is_list(first) and types.is_list(second):
        member = common(first.value_type, second.value_type)
        return None if member is None else pa.list_(member)
    if types.is_timestamp(first) and types.is_timestamp(second):
        return _common_time(first, second)
    if first in _NUMBERS and second in _NUMBERS:
        return max(first, second, key=_NUMBERS.index)
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type without what does not matter to a category: coding, width and order."""
    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if types.is_integer(kind):
        return pa.int64()
    if types.is_floating(kind):
        return pa.float64()
    if types.is_decimal(kind):
        return pa.float64() if kind.scale else _DIGITS
    if kind in text_types():
        return pa.string()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def text_types() -> tuple[pa.DataType, ...]:
    """Return the types of text that this release of pyarrow has."""
    texts = [pa.string(), pa.large_string()]
    if hasattr(pa, "string_view"):  # not in the oldest release that is supported
        texts.append(pa.string_view())
    return tuple(texts)


def _common_time(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the finer of two types of times; those with a zone become UTC."""
    if (first.tz is None) != (second.tz is None):
        return None
    unit = max(first.unit, second.unit, key=_UNITS.index)
    return pa.timestamp(unit, tz=None if first.tz is None else "UTC")


def cast(name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column in another type. Raises BadRow for a value that the type does not hold."""
    if column.type == kind:
        return column
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        row = _first_that_fails(column, kind)
        raise BadRow(not_held(name, column[row].as_py(), kind), row) from error


def _first_that_fails(column: pa.Array, kind: pa.DataType) -> int:
    good, bad = 0, len(column)  # the first `good` rows can be cast, the first `bad` rows cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            column.slice(good, middle - good).cast(kind)
            good = middle
        except pa.ArrowInvalid:
            bad = middle
    return good


def not_held(name: str, value: Any, kind: pa.DataType) -> str:
    """Return what is wrong with a value that the column's type does not hold exactly."""
    return (
        f"{name} is {value}, which a column of {polars_name(kind)}, as it is in other rows or "
        "files, does not hold exactly; write it in one type everywhere, or as text"
    )


def polars_name(kind: pa.DataType) -> str:
    """Return the name of a type as polars has it, or as pyarrow has it where polars lacks it."""
    if types.is_decimal256(kind):  # polars would panic
        return str(kind)
    try:
        return str(pl.Series(pa.array([], kind)).dtype)
    except pl.exceptions.PolarsError:
        return str(kind)
