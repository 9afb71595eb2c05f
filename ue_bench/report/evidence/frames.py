"""Walking over a frame: rows with the columns as attributes, rows as dictionaries, and groups; pandas cannot type them."""

from collections import namedtuple
from collections.abc import Iterator
from functools import cache
from typing import Any

import pandas as pd


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Named tuples: `row.mse`."""
    return map(_named(tuple(frame.columns))._make, zip(*_columns(frame), strict=True))


@cache  # pandas makes the class anew for every frame, which takes longer than the few rows of most of them
def _named(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)  # type: ignore[misc]  # the names are those of a frame


def _columns(frame: pd.DataFrame) -> list[list[Any]]:
    """The values of each column as Python's own."""
    return [column.tolist() for _, column in frame.items()]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Dictionaries: `row["mse"]`, for columns chosen by name. A missing whole number is None."""
    names = list(frame.columns)
    columns = [
        [None if value is pd.NA else value for value in column] for column in _columns(frame)
    ]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def groups(frame: pd.DataFrame, by: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """(key, part) in order of the key; the key is a tuple where `by` is a list."""
    return iter(frame.groupby(by, sort=True))


def csv(frame: pd.DataFrame) -> str:
    """As text, with numbers of at most 7 digits: the same records give the same file on every machine."""
    return frame.to_csv(index=False, float_format="%.7g", lineterminator="\n")
