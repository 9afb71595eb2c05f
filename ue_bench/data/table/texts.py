"""The text that stands for a value of a table: by stated rules without state, so that a service in any language can do the same.

Text is as it is; a whole number its decimal text; floats likewise where all of a column are whole; a truth value `true`, `false`;
a date or time ISO 8601; a missing value no characters. Other floats, and features named as numeric, are bucketised.
"""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from ue_bench.data.table.targets import MISSING
from ue_bench.errors import BenchError

MEMBERS = "\x1e"  # joins the members of a list (ASCII record separator)
# How the values of a column became text: as they are; as they are in a CSV file; floats as whole numbers; rounded.
TEXT, CSV, WHOLE, BUCKET = "text", "csv", "whole", "bucket"
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf)$"
_WHOLE = r"^[+-]?\d+$"
_EXACT = 2.0**53  # up to here a float holds every whole number


def bucket(value: float) -> str:
    """`value` rounded to two significant decimal digits, in plain decimal notation without needless zeros.

    1234 -> 1200, 0.01267 -> 0.013, -7 -> -7, 99.6 -> 100, 0 and -0 -> 0. A value exactly between two goes to the even digit:
    125 -> 120, 135 -> 140 (C's "%.1e" rounds alike). Infinities are `inf` and `-inf`.
    """
    if value in (float("inf"), float("-inf")):
        return str(value)
    text = format(Decimal(f"{value:.1e}").normalize(), "f")
    return "0" if text == "-0" else text


def buckets(values: pl.Series) -> pl.Series:
    """`bucket` of each value (Float64, none missing): String. It is monotone, and called a few times a bucket alone."""
    order = values.arg_sort()
    ascending: list[float] = values.gather(order).to_list()
    texts, start = [""] * len(ascending), 0
    while start < len(ascending):
        text = bucket(ascending[start])
        end = bisect_left(ascending, True, start, key=lambda value, own=text: bucket(value) != own)  # type: ignore[misc]
        texts[start:end] = [text] * (end - start)
        start = end
    return pl.DataFrame({"order": order, "text": pl.Series(texts, dtype=pl.String)}).sort("order")[
        "text"
    ]


def keys(column: pl.Series, is_csv: bool, absent: Sequence[str] = MISSING) -> pl.Series:
    """Values that stand for those of a column, as String, Int64, UInt64 or Float64, null where they are missing.

    Two rows have the same key where their values have the same text. absent: how a missing value is written in CSV files.
    Raises BenchError for a kind of column that has no rule.
    """
    kind = column.dtype
    if is_csv:
        return column.set(column.is_in(absent), None)
    if kind == pl.String or kind in (pl.Categorical, pl.Enum, pl.Boolean, pl.Null):
        return column.cast(pl.String)
    if kind.is_float() or (isinstance(kind, pl.Decimal) and kind.scale):
        return column.cast(pl.Float64).fill_nan(None) + 0.0  # -0 is 0
    if kind.is_integer() or isinstance(kind, pl.Decimal):
        return column.cast(pl.UInt64 if kind == pl.UInt64 else pl.Int64)
    if isinstance(kind, (pl.List, pl.Array)):
        return _lists(column)
    return _moments(column)


def _moments(column: pl.Series) -> pl.Series:
    """ISO 8601; a time with a zone in UTC, with a Z."""
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        column = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return column.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.f{'Z' * bool(kind.time_zone)}")
    if kind in (pl.Date, pl.Time):
        return column.dt.to_string("%Y-%m-%d" if kind == pl.Date else "%H:%M:%S%.f")
    raise BenchError(
        f"column {column.name!r} holds {kind}, which has no text; a feature is text, numbers, truth values, dates, or lists"
    )


def _lists(column: pl.Series) -> pl.Series:
    """Members joined by U+001E; no member: no characters."""
    column = column.arr.to_list() if isinstance(column.dtype, pl.Array) else column
    members = column.explode().drop_nulls()
    if (
        members.dtype.is_nested()
        or members.dtype.is_float()
        or isinstance(members.dtype, pl.Decimal)
    ):
        raise BenchError(
            f"column {column.name!r} holds lists of {members.dtype}; members are text, whole numbers, truth values or dates"
        )
    texts = keys(members, False).cast(pl.String)
    if texts.str.contains(MEMBERS, literal=True).any():
        raise BenchError(
            f"column {column.name!r}: a member of a list holds U+001E, which separates members; leave it out"
        )
    frame = pl.DataFrame({"row": pl.arange(len(column), eager=True), "list": column})
    rows = frame.explode("list").drop_nulls()["row"]
    joined = (
        pl.DataFrame({"row": rows, "text": texts})
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(MEMBERS))
    )
    return (
        frame.join(joined, on="row", how="left", maintain_order="left")["text"]
        .fill_null("")
        .alias(column.name)
    )


def texts_of(distinct: pl.Series, numeric: bool, is_csv: bool) -> tuple[pl.Series, str]:
    """The text of each key (none missing): String, and of which kind they are.

    numeric: the feature was named so. Raises BenchError where it then holds what is no number.
    """
    as_it_is = CSV if is_csv else TEXT
    if distinct.dtype == pl.String:
        is_number = distinct.str.contains(_NUMBER)
        if not (numeric or is_csv) or (
            not numeric and (not is_number.all() or distinct.str.contains(_WHOLE).all())
        ):
            return distinct, as_it_is
        if not is_number.all():
            bad = distinct.filter(~is_number)[0]
            raise BenchError(
                f"column {distinct.name!r} was named numeric and holds {bad!r}; leave it out of the numeric ones"
            )
        distinct = distinct.cast(pl.Float64) + 0.0
    if numeric:
        return buckets(distinct.cast(pl.Float64)), BUCKET
    if not distinct.dtype.is_float():
        return distinct.cast(pl.String), as_it_is
    finite = distinct.filter(distinct.is_finite())
    if (finite != finite.round()).any():
        return buckets(distinct), BUCKET
    if (distinct.abs() <= _EXACT).all():
        return distinct.cast(pl.Int64).cast(pl.String), WHOLE
    return pl.Series(_whole(distinct.to_list()), dtype=pl.String), WHOLE


def text_as(values: pl.Series, kind: str, absent: Sequence[str] = MISSING) -> pl.Series:
    """Texts of raw values as a column of that kind has them: String, "" for a missing one.

    Numbers may also be given as text where the column was not text. absent: how a missing value was written in CSV files.
    Raises BenchError for a value that has no text.
    """
    known = keys(values, values.dtype == pl.String and kind != TEXT, absent)
    if kind == WHOLE and known.dtype == pl.String:
        numbers = known.drop_nulls().unique()
        known = known.cast(pl.Float64) if numbers.str.contains(_NUMBER).all() else known
    distinct = known.drop_nulls().unique().alias("key")
    texts, _ = texts_of(distinct.alias(values.name), kind == BUCKET, False)
    numbered = pl.DataFrame({"key": distinct, "text": texts})
    found = known.to_frame("key").join(numbered, on="key", how="left", maintain_order="left")[
        "text"
    ]
    return found.fill_null("").alias(values.name)


def _whole(values: Sequence[float]) -> list[str]:
    return [str(int(value)) if abs(value) != float("inf") else str(value) for value in values]
