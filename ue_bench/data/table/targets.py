"""The target and the time of a table's rows as numbers, and errors that name the row at fault."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from ue_bench.categories import beyond_calendar
from ue_bench.errors import BenchError

MISSING = ("", "NaN")  # how a missing value is written as text
SHOWN = 5  # values of the target that a message names
_TRUTH = {"true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0}
# The forms of ISO 8601 that are read as a time; UTC where there is a zone.
_TIME_FORMS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.fZ",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%MZ",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%MZ",
)


class BadRow(BenchError):
    """A row of a column is at fault. row: its number in the column, from 0."""

    def __init__(self, why: str, row: int) -> None:
        super().__init__(why)
        self.row = row


@contextmanager
def naming_place(path: Path, before: int) -> Iterator[None]:
    """Add the file, and the number of the row in it from 1, to errors raised in the `with`.

    before: number of rows of the file before the first of the column.
    """
    try:
        yield
    except BadRow as error:
        raise BenchError(f"{path}, row {before + error.row + 1}: {error}") from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


class TargetReader:
    """Reads the target, some rows at a time.

    absent: how a missing value is written as text.
    positive: the text of the value that is 1, where all others are 0; None: the target holds
    numbers.
    """

    def __init__(self, absent: Sequence[str] = MISSING, positive: str | None = None) -> None:
        self._absent = absent
        self._positive = positive
        self._has_positive = False
        self._others: dict[str, None] = {}  # the first distinct texts that are 0

    def read(self, column: pl.Series) -> pl.Series:
        """Return the target as Float32, null where it is missing. Raises what `targets_of` does."""
        if self._positive is None:
            return targets_of(column, self._absent)
        texts = _texts_of(column).set(_texts_of(column).is_in(self._absent), None)
        is_positive = texts == self._positive
        if is_positive.any():
            self._has_positive = True
        elif len(self._others) <= SHOWN:
            distinct = texts.drop_nulls().unique(maintain_order=True).head(SHOWN + 1)
            self._others |= dict.fromkeys(distinct)
        return is_positive.cast(pl.Float32)

    def require_positive(self, name: str) -> None:
        """Raise BenchError where no row that was read has the positive value."""
        if self._positive is None or self._has_positive or not self._others:
            return
        raise BenchError(
            f"target {name!r} has no row with the positive value {self._positive!r}; "
            f"its values are {_listed(list(self._others))}"
        )


def _texts_of(target: pl.Series) -> pl.Series:
    """Return the text of each value: whole floats as whole numbers, truth values in small letters.

    Raises BenchError for a column that holds neither text, numbers nor truth values.
    """
    kind = target.dtype
    if kind.is_float():
        target = target.fill_nan(None)
        is_whole = target.is_finite() & (target == target.floor()) & (target.abs() < 2**63)
        whole = target.set(~is_whole, None).cast(pl.Int64).cast(pl.String)
        return whole.zip_with(is_whole.fill_null(False), target.cast(pl.String))
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null) or kind.is_integer():
        return target.cast(pl.String)
    raise BenchError(
        f"target {target.name!r} holds {kind}; a positive value is text, a number or a truth value"
    )


def _listed(texts: Sequence[str]) -> str:
    listed = ", ".join(repr(text[:60]) for text in texts[:SHOWN])
    return f"{listed} and others" if len(texts) > SHOWN else listed


def targets_of(column: pl.Series, absent: Sequence[str] = MISSING) -> pl.Series:
    """Return the target as Float32, null where it is missing.

    column: numbers, truth values (1 and 0), or these as text.
    absent: how a missing value is written as text.
    Raises BadRow for a value that is no finite number, and BenchError for a column of another type.
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    kind = column.dtype
    if kind == pl.String:
        numbers = _numbers_in_text(column, absent)
    elif kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64)
    else:
        raise BenchError(
            f"target {column.name!r} holds {kind}; it must hold numbers or truth values"
        )
    target = numbers.fill_nan(None).cast(pl.Float32, strict=False)
    _require(column, target.is_finite().fill_null(True), "is no finite number of 32 bits")
    return target


def _numbers_in_text(column: pl.Series, absent: Sequence[str]) -> pl.Series:
    parsed = column.cast(pl.Float64, strict=False)
    numbers = column.replace_strict(_TRUTH, default=parsed, return_dtype=pl.Float64)
    is_absent = column.is_in(absent)
    numbers = numbers.set(is_absent, None)
    bad = (numbers.is_null() & column.is_not_null() & ~is_absent).fill_null(False)
    if bad.any() and numbers.is_null().all():
        texts = column.filter(bad).unique(maintain_order=True).to_list()
        raise BadRow(
            f"target {column.name!r} is text: {_listed(texts)}; name the value that is 1, where "
            f"all others are 0 (--positive VALUE, in a TOML file positive = {_quoted(texts[-1])})",
            int(bad.arg_true()[0]),
        )
    _require(column, ~bad, "is no number; a target is numbers, or true and false")
    return numbers


def _quoted(text: str) -> str:
    return json.dumps(text[:60], ensure_ascii=False)


def times_of(column: pl.Series, absent: Sequence[str] = MISSING) -> pl.Series:
    """Return the time as Int64, null where it is missing.

    column: whole numbers, which are kept, or dates and times, which become microseconds since 1970;
    also as text.
    absent: how a missing value is written as text.
    Raises BadRow for a value that is neither, and BenchError for a column of another type.
    """
    kind = column.dtype
    if kind == pl.String:
        return _times_in_text(column, absent)
    if kind.is_integer() or kind == pl.Null:
        return _in_64_bits(column)
    if kind.is_float():
        column = column.fill_nan(None)
        is_whole = column.is_finite() & (column == column.floor())
        _require(column, is_whole.fill_null(True), "is no whole number")
        return _in_64_bits(column)
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        far = beyond_calendar(column)
        if far.any():
            raise BadRow(
                f"time {column.name!r} is hundreds of thousands of years away; "
                "correct or remove it",
                int(far.arg_true()[0]),
            )
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    raise BenchError(
        f"time {column.name!r} holds {kind}; "
        "it must hold whole numbers, dates, or dates with a time"
    )


def _in_64_bits(column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Int64, strict=False)
    _require(column, numbers.is_not_null() | column.is_null(), "is beyond 64 bits")
    return numbers


def _times_in_text(column: pl.Series, absent: Sequence[str]) -> pl.Series:
    text = column.set(column.is_in(absent), None)
    numbers = text.cast(pl.Int64, strict=False)
    if numbers.null_count() == text.null_count():
        return numbers
    if numbers.is_not_null().any():
        no_number = numbers.is_null() & text.is_not_null()
        row = int(no_number.arg_true()[0])
        raise BadRow(
            f"time {column.name!r} is {text[row]!r}, but a whole number in other rows", row
        )
    by_form = [
        pl.col("text").str.to_datetime(form, time_unit="us", strict=False, ambiguous="earliest")
        for form in _TIME_FORMS
    ]
    times = text.to_frame("text").select(pl.coalesce(by_form)).to_series()
    _require(
        column,
        times.is_not_null() | text.is_null(),
        "is neither a whole number nor a date of ISO 8601",
    )
    return times.cast(pl.Int64)


def _require(column: pl.Series, good: pl.Series, fault: str) -> None:
    """Raise BadRow for the first value that is not good."""
    if good.all():
        return
    row = int((~good).arg_true()[0])
    raise BadRow(f"{column.name} is {column[row]!r}, which {fault}", row)
