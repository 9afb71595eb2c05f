"""The rule of a table's column, and keys of its values while the table is read.

The rule is fixed once, from the distinct values of the whole column; `ue_bench.categories` has
what it makes of a value.
"""

from collections.abc import Sequence

import polars as pl

from ue_bench.categories import NUMBER, TEXT, Kind, Rule, texts_of
from ue_bench.data.coded import look_up
from ue_bench.data.table.targets import MISSING
from ue_bench.errors import BenchError

MEMBERS = "\x1e"  # joins the members of a list (ASCII record separator)
_WHOLE = r"^[+-]?[0-9]+$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def keys(column: pl.Series, is_csv: bool, absent: Sequence[str] = MISSING) -> pl.Series:
    """Return keys of the values: String, Int64, UInt64 or Float64, null where they are missing.

    Rows with the same key have the same text by any rule.
    absent: how a missing value is written in CSV files.
    Raises BenchError for a type of column that has no rule.
    """
    kind = column.dtype
    if is_csv:
        return column.set(column.is_in(absent), None)
    if kind == pl.String or kind in (pl.Categorical, pl.Enum, pl.Boolean, pl.Null):
        return column.cast(pl.String)
    if kind.is_float():
        return column.cast(pl.Float64).fill_nan(None) + 0.0  # -0 is 0
    if isinstance(kind, pl.Decimal):
        digits = column.cast(pl.String)  # from which the nearest float follows in any program
        return digits.cast(pl.Float64) + 0.0 if kind.scale else digits
    if kind == pl.UInt64:
        return column
    if kind.is_integer():
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
    try:
        texts = texts_of(column, TEXT)
    except ValueError as error:
        raise BenchError(f"column {column.name!r}: {error}") from error
    return texts.set(column.is_null(), None).alias(column.name)


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


def rule_of(
    distinct: pl.Series, numeric: bool, is_csv: bool, absent: Sequence[str] = MISSING
) -> Rule:
    """Return the rule of a column from the keys of all its distinct values, none missing.

    numeric: whether the feature was named so. absent: how a missing value is written in CSV files.
    Raises BenchError for a numeric feature with a value that is no number.
    """
    if numeric and distinct.dtype == pl.String:
        _require_numbers(distinct)
    kind = "number" if numeric else _kind_of(distinct, is_csv)
    if is_csv:
        return Rule(kind, tuple(absent))
    if kind in ("text", "date"):
        return Rule(kind)
    return Rule(kind, MISSING)  # the numbers may be served as texts


def _kind_of(distinct: pl.Series, is_csv: bool) -> Kind:
    if is_csv and _holds_floats(distinct):
        distinct = distinct.cast(pl.Float64)
    if _holds_dates(distinct):
        return "date"
    if not distinct.dtype.is_float():
        return "text"
    finite = distinct.filter(distinct.is_finite())
    return "whole" if (finite == finite.round()).all() else "number"


def _holds_dates(distinct: pl.Series) -> bool:
    if distinct.dtype != pl.String or not len(distinct):
        return False
    return bool(distinct.str.contains(_DATE).all())


def _require_numbers(texts: pl.Series) -> None:
    is_number = texts.str.contains(NUMBER)
    if not is_number.all():
        bad = texts.filter(~is_number)[0]
        raise BenchError(
            f"column {texts.name!r} was named numeric and holds {bad!r}; "
            "leave it out of the numeric ones"
        )


def _holds_floats(texts: pl.Series) -> bool:
    """Return whether all texts of a CSV column are numbers, and some have a point or exponent."""
    if not texts.str.contains(NUMBER).all():
        return False
    return not texts.str.contains(_WHOLE).all()
