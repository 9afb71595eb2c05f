"""The text that stands for a value of a table.

The rules have no state, so that a service in any language can follow them. Text stays as it is; a
whole number is its decimal text, and so are floats where all of a column are whole; a truth value
is `true` or `false`; a date or time is in ISO 8601; a missing value is the empty text. Other
floats, and features named as numeric, are rounded to buckets.
"""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from ue_bench.data.coded import look_up
from ue_bench.data.table.targets import MISSING
from ue_bench.errors import BenchError

MEMBERS = "\x1e"  # joins the members of a list (ASCII record separator)
# How the values of a column became text.
TEXT = "text"  # as they are
CSV = "csv"  # as they are in a CSV file
WHOLE = "whole"  # floats as whole numbers
BUCKET = "bucket"  # rounded
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf)$"
_WHOLE = r"^[+-]?\d+$"
_INFINITIES = (float("inf"), float("-inf"))
_EXACT = 2.0**53  # up to here a float holds every whole number


def bucket(value: float) -> str:
    """Return a number rounded to two significant decimal digits, in plain decimal notation.

    1234 -> 1200, 0.01267 -> 0.013, -7 -> -7, 99.6 -> 100, 0 and -0 -> 0. A value exactly between
    two goes to the even digit: 125 -> 120, 135 -> 140 (C's "%.1e" rounds alike). Infinities are
    `inf` and `-inf`.
    """
    if value in _INFINITIES:
        return str(value)
    text = format(Decimal(f"{value:.1e}").normalize(), "f")
    return "0" if text == "-0" else text


def buckets(values: pl.Series) -> pl.Series:
    """Return the `bucket` of each value: String.

    values: Float64, none missing. `bucket` is monotone, so that it is called only a few times for
    each distinct result.
    """
    order = values.arg_sort()
    ascending: list[float] = values.gather(order).to_list()
    texts: list[str] = []
    while len(texts) < len(ascending):
        start = len(texts)
        text = bucket(ascending[start])
        end = _end_of_bucket(ascending, start, text)
        texts += [text] * (end - start)
    sorted_texts = pl.DataFrame({"row": order, "text": pl.Series(texts, dtype=pl.String)})
    return sorted_texts.sort("row")["text"]


def _end_of_bucket(ascending: list[float], start: int, text: str) -> int:
    """Return the index after the last value with the bucket `text`, which begins at `start`."""
    return bisect_left(ascending, True, lo=start, key=lambda value: bucket(value) != text)


def keys(column: pl.Series, is_csv: bool, absent: Sequence[str] = MISSING) -> pl.Series:
    """Return keys of the values: String, Int64, UInt64 or Float64, null where they are missing.

    Rows with the same key have the same text.
    absent: how a missing value is written in CSV files.
    Raises BenchError for a type of column that has no rule.
    """
    kind = column.dtype
    if is_csv:
        return column.set(column.is_in(absent), None)
    if kind == pl.String or kind in (pl.Categorical, pl.Enum, pl.Boolean, pl.Null):
        return column.cast(pl.String)
    if kind.is_float() or (isinstance(kind, pl.Decimal) and kind.scale):
        return column.cast(pl.Float64).fill_nan(None) + 0.0  # -0 is 0
    if kind == pl.UInt64:
        return column
    if kind.is_integer() or isinstance(kind, pl.Decimal):
        return column.cast(pl.Int64)
    if isinstance(kind, (pl.List, pl.Array)):
        return _lists_as_text(column)
    if isinstance(kind, pl.Datetime) or kind in (pl.Date, pl.Time):
        return _times_as_text(column)
    raise BenchError(
        f"column {column.name!r} holds {kind}, which has no text; "
        "a feature is text, numbers, truth values, dates, or lists"
    )


def _times_as_text(column: pl.Series) -> pl.Series:
    """Return dates and times in ISO 8601; a time with a zone in UTC, with a Z."""
    kind = column.dtype
    if kind == pl.Date:
        return column.dt.to_string("%Y-%m-%d")
    if kind == pl.Time:
        return column.dt.to_string("%H:%M:%S%.f")
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")


def _lists_as_text(column: pl.Series) -> pl.Series:
    """Return the members of each list, joined by U+001E; the empty text without members."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    frame = pl.DataFrame({"row": pl.arange(len(column), eager=True), "members": column})
    members = frame.explode("members").drop_nulls()
    texts = _members_as_text(members["members"].alias(column.name))
    joined = (
        members.select("row", text=texts)
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(MEMBERS))
    )
    return look_up(frame["row"], joined).fill_null("").alias(column.name)


def _members_as_text(members: pl.Series) -> pl.Series:
    kind = members.dtype
    if kind.is_nested() or kind.is_float() or isinstance(kind, pl.Decimal):
        raise BenchError(
            f"column {members.name!r} holds lists of {kind}; "
            "members are text, whole numbers, truth values or dates"
        )
    texts = keys(members, is_csv=False).cast(pl.String)
    if texts.str.contains(MEMBERS, literal=True).any():
        raise BenchError(
            f"column {members.name!r}: a member of a list holds U+001E, which separates members; "
            "leave it out"
        )
    return texts


def texts_of(distinct: pl.Series, numeric: bool, is_csv: bool) -> tuple[pl.Series, str]:
    """Return the text of each key (String), and how the values became text.

    distinct: keys, none missing. numeric: whether the feature was named so.
    Raises BenchError for a numeric feature with a value that is no number.
    """
    unchanged = CSV if is_csv else TEXT
    if distinct.dtype == pl.String:
        if numeric:
            _require_numbers(distinct)
        elif not is_csv or not _holds_floats(distinct):
            return distinct, unchanged
        distinct = distinct.cast(pl.Float64) + 0.0
    if numeric:
        return buckets(distinct.cast(pl.Float64)), BUCKET
    if not distinct.dtype.is_float():
        return distinct.cast(pl.String), unchanged
    finite = distinct.filter(distinct.is_finite())
    if (finite != finite.round()).any():
        return buckets(distinct), BUCKET
    return _whole_as_text(distinct), WHOLE


def _holds_numbers(keys_as_text: pl.Series) -> bool:
    distinct = keys_as_text.drop_nulls().unique()
    return bool(distinct.str.contains(_NUMBER).all())


def _require_numbers(texts: pl.Series) -> None:
    is_number = texts.str.contains(_NUMBER)
    if not is_number.all():
        bad = texts.filter(~is_number)[0]
        raise BenchError(
            f"column {texts.name!r} was named numeric and holds {bad!r}; "
            "leave it out of the numeric ones"
        )


def _holds_floats(texts: pl.Series) -> bool:
    """Return whether all texts of a CSV column are numbers, and some have a point or exponent."""
    if not texts.str.contains(_NUMBER).all():
        return False
    return not texts.str.contains(_WHOLE).all()


def _whole_as_text(values: pl.Series) -> pl.Series:
    """Return whole floats and infinities in decimal digits."""
    if (values.abs() <= _EXACT).all():
        return values.cast(pl.Int64).cast(pl.String)
    texts = []
    for value in values.to_list():
        number = value if value in _INFINITIES else int(value)
        texts.append(str(number))
    return pl.Series(texts, dtype=pl.String)


def text_as(values: pl.Series, kind: str, absent: Sequence[str] = MISSING) -> pl.Series:
    """Return the texts of raw values by the rule of a column of that kind: String, "" for missing.

    kind: TEXT, CSV, WHOLE or BUCKET. Numbers may be given as text where the column was not text.
    absent: how a missing value was written in CSV files.
    Raises BenchError for a value that has no text.
    """
    key_column = keys(values, values.dtype == pl.String and kind != TEXT, absent)
    if kind == WHOLE and key_column.dtype == pl.String and _holds_numbers(key_column):
        key_column = key_column.cast(pl.Float64)
    distinct = key_column.drop_nulls().unique()
    texts, _ = texts_of(distinct.alias(values.name), kind == BUCKET, is_csv=False)
    text_by_key = pl.DataFrame({"key": distinct, "text": texts})
    return look_up(key_column, text_by_key).fill_null("").alias(values.name)
