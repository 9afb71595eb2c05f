"""Walking over a frame: rows with the columns as attributes, rows as dictionaries, and groups; pandas cannot type them."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ue_bench.report.text import plain


def escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts made `plain`, for what is written as Markdown; the same one where all of them are."""
    texts = frame.select_dtypes(["object", "string"])
    shown = texts.map(lambda value: plain(value) if isinstance(value, str) else value)
    return frame if shown.equals(texts) else frame.assign(**{name: shown[name] for name in texts.columns})


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Named tuples: `row.mse`."""
    return iter(frame.itertuples())


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Dictionaries: `row["mse"]`, for columns chosen by name."""
    return frame.to_dict("records")  # type: ignore[return-value]


def groups(frame: pd.DataFrame, by: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """(key, part) in order of the key; the key is a tuple where `by` is a list."""
    return iter(frame.groupby(by, sort=True))
