"""The target and the time of a table's rows, as numbers; and where in a file something is wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from ue_bench.errors import BenchError

MISSING = ("", "NaN")  # how a missing value is written as text
_TRUTH = {"true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0}
# ISO 8601, as far as it is read for a time; UTC where there is a zone
_FORMS = (
    "%Y-%m-%d",
    *(
        f"%Y-%m-%d{t}{clock}{z}"
        for t in " T"
        for clock in ("%H:%M:%S%.f", "%H:%M")
        for z in ("", "Z")
    ),
)


class BadRow(BenchError):
    """row: its number in what was looked at, from 0 on."""

    def __init__(self, why: str, row: int) -> None:
        super().__init__(why)
        self.row = row


@contextmanager
def told_of(path: Path, before: int) -> Iterator[None]:
    """Put the file, and the number of the row in it from 1 on, before what is told. before: rows of the file that come before."""
    try:
        yield
    except BadRow as error:
        raise BenchError(f"{path}, row {before + error.row + 1}: {error}") from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


def targets_of(column: pl.Series, absent: Sequence[str] = MISSING) -> pl.Series:
    """Float32, null where the target is missing: numbers, truth values (1 and 0), or these as text.

    absent: how a missing value is written as text.

    Raises BadRow for a value that is no finite number, and BenchError for a column of another kind.
    """
    kind, found = column.dtype, column
    if kind == pl.String:
        found = column.replace_strict(
            _TRUTH, default=column.cast(pl.Float64, strict=False), return_dtype=pl.Float64
        )
        found = found.set(column.is_in(absent), None)
        bad = found.is_null() & column.is_not_null() & ~column.is_in(absent)
        _require(
            column, ~bad.fill_null(False), "is no number; a target is numbers, or true and false"
        )
    elif not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise BenchError(
            f"target {column.name!r} holds {kind}; it must hold numbers or truth values"
        )
    numbers = found.cast(pl.Float64).fill_nan(None).cast(pl.Float32, strict=False)
    _require(column, numbers.is_finite().fill_null(True), "is no finite number of 32 bits")
    return numbers


def times_of(column: pl.Series, absent: Sequence[str] = MISSING) -> pl.Series:
    """Int64, null where the time is missing: whole numbers, or dates and times as microseconds since 1970, also as text.

    Raises BadRow for a value that is neither, and BenchError for a column of another kind.
    """
    kind = column.dtype
    if kind == pl.String:
        return _read(column, absent)
    if kind.is_integer() or kind == pl.Null:
        return column.cast(pl.Int64)
    if kind.is_float():
        _require(
            column,
            (column.is_nan() | (column == column.floor())).fill_null(True),
            "is no whole number",
        )
        return column.fill_nan(None).cast(pl.Int64)
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    raise BenchError(
        f"time {column.name!r} holds {kind}; it must hold whole numbers, dates or times of day with a date"
    )


def _read(column: pl.Series, absent: Sequence[str]) -> pl.Series:
    text = column.set(column.is_in(absent), None)
    number = text.cast(pl.Int64, strict=False)
    if number.null_count() == text.null_count():
        return number
    if number.null_count() < len(text) and number.is_not_null().any():
        row = int((number.is_null() & text.is_not_null()).arg_true()[0])
        raise BadRow(
            f"time {column.name!r} is {text[row]!r}, but a whole number in other rows", row
        )
    frame = text.alias("text").to_frame()
    tried = [
        pl.col("text").str.to_datetime(form, time_unit="us", strict=False, ambiguous="earliest")
        for form in _FORMS
    ]
    found = frame.select(pl.coalesce(tried))["text"]
    _require(
        column,
        found.is_not_null() | text.is_null(),
        "is neither a whole number nor a date of ISO 8601",
    )
    return found.cast(pl.Int64)


def _require(column: pl.Series, good: pl.Series, why: str) -> None:
    """Raise BadRow for the first value that is not good."""
    if not good.all():
        row = int((~good).arg_true()[0])
        raise BadRow(f"{column.name} is {column[row]!r}, which {why}", row)
