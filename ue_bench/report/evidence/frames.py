"""Walk over a frame: rows as named tuples or dictionaries, and groups; pandas cannot type these."""

from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pandas as pd

from ue_bench.errors import visible


@contextmanager
def of_small_frames() -> Iterator[None]:
    """Let pandas keep texts as Python's strings, and restore the caller's setting afterwards.

    The frames of a report have some hundred rows. On these the calls of Arrow, in which pandas
    keeps texts otherwise, take half of the time.
    """
    with pd.option_context("mode.string_storage", "python"):
        yield


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Return the rows as named tuples: `row.mse`."""
    row = _row_class(tuple(frame.columns))
    return map(row._make, zip(*_columns(frame), strict=True))


# pandas makes the class anew for every frame, which takes longer than the few rows of most of them.
@cache
def _row_class(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)  # type: ignore[misc]  # names of a frame


def _columns(frame: pd.DataFrame) -> list[list[Any]]:
    """Return the values of each column as Python's own numbers and texts.

    All columns at once, since a series of each takes longer than the values of a small frame.
    """
    columns: list[list[Any]] = frame.to_numpy(object).T.tolist()
    return columns


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dictionaries: `row["mse"]`. A missing whole number is None."""
    names = list(frame.columns)
    columns = []
    for column in _columns(frame):
        columns.append([None if value is pd.NA else value for value in column])
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def groups(frame: pd.DataFrame, by: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Return (key, part) in order of the key, which is a tuple where `by` is a list."""
    return iter(frame.groupby(by, sort=True))


def csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV with numbers of 7 digits, so that it is equal on every machine."""
    return visible(frame.to_csv(index=False, float_format="%.7g", lineterminator="\n"))
