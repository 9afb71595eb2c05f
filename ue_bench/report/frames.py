"""Walking over a frame: rows with the columns as attributes, rows as dictionaries, and groups; pandas cannot type them."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Named tuples: `row.mse`."""
    return iter(frame.itertuples())


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Dictionaries: `row["mse"]`, for columns chosen by name."""
    return frame.to_dict("records")  # type: ignore[return-value]


def groups(frame: pd.DataFrame, by: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """(key, part) in order of the key; the key is a tuple where `by` is a list."""
    return iter(frame.groupby(by, sort=True))
