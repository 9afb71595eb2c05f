"""A column of Python, numpy, pandas, pyarrow, polars or torch, in the one form that is read: a
Series of polars, or a list of values. No value is changed."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from ue_bench.hashing import is_few

ALLOWED = "a value is text, a number, a truth value, a date or a time"

EPOCH = date(1970, 1, 1).toordinal()
# The days since 1970 that Python has as dates: those of the years 1 to 9999.
FIRST_DAY = date.min.toordinal() - EPOCH
LAST_DAY = date.max.toordinal() - EPOCH
TEXTUAL = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
# The types of a Python list that polars reads without changing a value.
_LISTED: dict[type, Any] = {
    bool: pl.Boolean,
    int: pl.Int64,
    float: pl.Float64,
    date: pl.Date,
}


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
    first = next((value for value in values if value is not None), None)
    if type(first) is str:
        try:
            return pl.Series(values, dtype=pl.String)  # which takes nothing but text
        except (TypeError, ValueError):  # ValueError for a missing value of pandas
            return values
    types = set(map(type, values))
    if types == {date}:  # in a third of the time of polars
        ordinals = np.fromiter(map(date.toordinal, values), np.int32, len(values))
        return pl.Series(ordinals - np.int32(EPOCH)).cast(pl.Date)
    types.discard(type(None))
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
    if dtype in TEXTUAL or dtype.is_integer() or dtype == pl.Float64:
        return column.to_list()
    if dtype == pl.Date and _is_of_python(column):
        return column.to_list()
    return column


def _is_of_python(dates: pl.Series) -> bool:
    """Return whether Python has all dates: those of the years 1 to 9999."""
    if dates.null_count() == len(dates):
        return True
    days: Any = dates.cast(pl.Int32)
    return bool(days.min() >= FIRST_DAY and days.max() <= LAST_DAY)


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
        return numpy_times(values)
    if kind == "f" and size not in (4, 8):
        return list(values)  # polars has no such type in all its releases
    if kind in "biuf" and not is_few(len(values)):
        return pl.Series(values)
    if kind == "f":
        return list(values)  # numbers of numpy, which know how many digits they have
    return plain_column(values.tolist())


def numpy_times(values: np.ndarray) -> pl.Series:
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
