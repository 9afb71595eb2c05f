"""The texts of a column under its rule: those that each value has by itself."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories.number_buckets import buckets, distinct_buckets
from ue_bench.categories.plain_columns import TEXTUAL, plain_column
from ue_bench.categories.repeated_texts import Repeated, numbered_integers
from ue_bench.categories.rule import KINDS_OF_NUMBERS, NUMBER, Rule
from ue_bench.categories.time_texts import texts_of_days, times_as_text
from ue_bench.categories.value_text import MIDNIGHT, TRUTH, text_of
from ue_bench.hashing import FEW_TEXTS, is_few

_EXACT = 2**53  # up to here a float holds every whole number
# Types of polars whose values are whole numbers of at most 64 bits to numpy.
_SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
_UNSIGNED = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_WHOLE: dict[Any, Any] = {pl.Date: pl.Int32, pl.Boolean: pl.UInt8}
_NUMBERED = {*_SIGNED, *_UNSIGNED, *_WHOLE}
# Types of which equal values have one text.
_HASHED = {type(None), bool, int, float, str, date}


def texts_of(values: Any, rule: Rule) -> pl.Series:
    """Return the text of each value of a column (String, without nulls), as `text_of` makes them.

    values: a list, tuple, numpy array, Series of polars or pandas, or array of pyarrow.
    Raises TypeError and ValueError as `text_of` does, and TypeError for what is no column.
    """
    texts = short_texts_of(plain_column(values), rule)
    if isinstance(texts, Repeated):
        return texts.column()
    if isinstance(texts, pl.Series):
        return texts
    return pl.Series(texts, dtype=pl.String)


def short_texts_of(
    column: pl.Series | Sequence[Any], rule: Rule
) -> pl.Series | Repeated | list[str]:
    """Return what `texts_of` returns, in the form that takes least time.

    column: as `plain_column` makes it.

    It is a list where there are few values: that takes a few microseconds, where a Series would
    take hundreds. It is `Repeated` where numbers tell the values apart, so that the text of each
    is made and hashed once.
    """
    if not isinstance(column, pl.Series):
        if is_few(len(column)):
            return [text_of(value, rule) for value in column]
        return _distinct_texts_of_mixed(column, rule)
    if is_few(len(column)):
        return _series_texts(column, rule).to_list()
    return _distinct_texts(column, rule)


def _distinct_texts(column: pl.Series, rule: Rule) -> pl.Series | Repeated:
    """Return the texts of a Series of one type, as `_series_texts` makes them.

    Most of the time of a request is spent here. An operation of polars on one Series takes a few
    microseconds where it is no query (`cast`, `set`, `min`, `to_numpy`), and tens where it is one
    (`is_null`, `is_in`, `abs`).
    """
    dtype = column.dtype
    if dtype.is_float():
        column = _without_absent(column, rule)
        if rule.kind == "number":
            return distinct_buckets(column.cast(pl.Float64))
        return _distinct_floats(column, rule)
    if type(dtype) not in _NUMBERED:
        return _series_texts(column, rule)
    whole = column if dtype.is_integer() else column.cast(_WHOLE[type(dtype)])
    if not whole.null_count():
        distinct, codes = numbered_integers(whole.to_numpy())
        return Repeated(_texts_of_numbered(distinct, dtype, rule), codes)
    if whole.null_count() == len(whole):
        return Repeated([""], np.zeros(len(whole), np.int64))
    distinct, codes = numbered_integers(*_integers(whole))
    return Repeated([*_texts_of_numbered(distinct, dtype, rule), ""], codes)


def _integers(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a column of integers, and which are missing: bool [N].

    A missing one is some number of the column.
    """
    numbers = column.to_numpy()  # floats, NaN where it is null
    is_missing = np.isnan(numbers)
    least: Any = column.min()
    most: Any = column.max()
    if least >= -_EXACT and most <= _EXACT:
        return np.where(is_missing, least, numbers).astype(np.int64), is_missing
    return column.set(pl.Series(is_missing), least).to_numpy(), is_missing


def _distinct_floats(column: pl.Series, rule: Rule) -> pl.Series | Repeated:
    """Return the texts of floats that are not rounded."""
    numbers = column.to_numpy()  # null becomes NaN
    is_missing = np.isnan(numbers)
    present = np.where(is_missing, 0.0, numbers)
    is_whole = (present == np.floor(present)) & (np.abs(present) <= _EXACT)
    if not is_whole.all():
        return _series_texts(column, rule)
    distinct, codes = numbered_integers(present.astype(np.int64), is_missing)
    return Repeated([*_texts_of_numbered(distinct, pl.Int64(), rule), ""], codes)


def _texts_of_numbered(
    distinct: np.ndarray, dtype: pl.DataType, rule: Rule
) -> pl.Series | list[str]:
    """Return the texts of the values of a type that numpy holds as whole numbers."""
    if not is_few(len(distinct), FEW_TEXTS):
        return _series_texts(pl.Series(distinct).cast(dtype), rule)
    if dtype.is_integer():
        if rule.kind in KINDS_OF_NUMBERS or rule.absent_numbers:
            return [text_of(number, rule) for number in distinct.tolist()]
        return list(map(str, distinct.tolist()))
    if dtype == pl.Date:
        texts = texts_of_days(distinct)
    else:
        texts = [TRUTH[bool(value)] for value in distinct.tolist()]
    if not rule.absent:
        return texts
    return ["" if text in rule.absent else text for text in texts]


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
    rows, places = numbered_integers(np.array(codes, np.int64))
    return Repeated(_each([values[row] for row in rows], rule), places)


def _series_texts(column: pl.Series, rule: Rule) -> pl.Series:
    """Return the texts of a Series of one type."""
    dtype = column.dtype
    if dtype in TEXTUAL:
        return _texts_of_texts(column.cast(pl.String), rule)
    if isinstance(dtype, pl.Decimal):
        decimals = column.cast(pl.String)
        return _by_distinct(decimals, lambda distinct: _each(map(Decimal, distinct), rule))
    if not dtype.is_numeric():
        return _texts_of_texts(times_as_text(column), rule)
    column = _without_absent(column, rule)
    if dtype.is_float():
        return _texts_of_floats(column.fill_nan(None) + 0.0, rule)  # -0 is 0
    if rule.kind not in KINDS_OF_NUMBERS:
        return _without_nulls(column.cast(pl.String))
    return _texts_of_floats(column.cast(pl.Float64), rule)


def _without_nulls(texts: pl.Series) -> pl.Series:
    if not texts.null_count():
        return texts
    # unlike `fill_null` this wakes no thread of polars, for which it would have to wait
    return texts.set(texts.is_null(), "")


def _without_absent(column: pl.Series, rule: Rule) -> pl.Series:
    """Return numbers, null where they stand for a missing value."""
    if not rule.absent_numbers:
        return column
    is_absent = np.isin(column.cast(pl.Float64).to_numpy(), list(rule.absent_numbers))
    return column.set(pl.Series(is_absent), None)


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
        return column.str.strip_suffix(MIDNIGHT)
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


def _each(values: Iterable[Any], rule: Rule) -> pl.Series:
    return pl.Series([text_of(value, rule) for value in values], dtype=pl.String)


def _by_distinct(column: pl.Series, texts: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return the text of each value, made once for each distinct one; "" where it is null."""
    distinct = column.drop_nulls().unique()
    table = pl.DataFrame({"value": distinct, "text": texts(distinct)})
    rows = column.to_frame("value")
    joined = rows.join(table, on="value", how="left", maintain_order="left")
    return joined["text"].fill_null("")
