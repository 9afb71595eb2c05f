"""Dates and times of a column as texts in ISO 8601."""

from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl

from ue_bench.categories.plain_columns import ALLOWED, EPOCH, FIRST_DAY, LAST_DAY

# Days since 1970 that polars can write as dates: up to the years -262,143 and 262,142.
_CALENDAR_DAYS = 95_000_000
_UNITS_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


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


def texts_of_days(days: np.ndarray) -> pl.Series | list[str]:
    """Return dates in ISO 8601.

    days: int32 or int64, since 1970. Raises ValueError for a date that no calendar here has.
    """
    if len(days) == 0 or (days.min() >= FIRST_DAY and days.max() <= LAST_DAY):
        return list(map(_text_of_day, days.tolist()))
    return times_as_text(pl.Series(days.astype(np.int32)).cast(pl.Date))


@lru_cache(maxsize=2**16)  # the dates of 179 years
def _text_of_day(day: int) -> str:
    return date.fromordinal(EPOCH + day).isoformat()


def times_as_text(column: pl.Series) -> pl.Series:
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
