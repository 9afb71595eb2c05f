"""Raw columns, by name as a caller has them, to one column for each feature."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ue_bench.errors import BenchError, unknown
from ue_bench.feature import CROSS
from ue_bench.hashing import FEW, to_column


def parts(feature: str) -> list[str]:
    """The features that a cross (`a*b`) is made of; of any other feature, itself."""
    return [part.strip() for part in feature.split("*")]


def needed(features: Sequence[str]) -> list[str]:
    """The raw columns that features are made from, in the order in which they are first needed."""
    return list(dict.fromkeys(part for feature in features for part in parts(feature)))


def columns(features: Sequence[str], given: Any) -> list[Any]:
    """One column of N categories for each feature, as `hash_rows` and a vocabulary take them.

    given: a mapping from name to N values, or a DataFrame of pandas or polars. Values as in `hash_rows`. A cross is made of its
    parts' values, joined by `CROSS`, unless a column has its own name. Raises BenchError for a column that is missing, unknown or
    of another length than the others, and for a value that is no category.
    """
    names = list(getattr(given, "columns", given)) if isinstance(given, Mapping) or hasattr(given, "columns") else None
    if names is None:
        raise BenchError(f"columns: a {type(given).__name__} was given; give the values by name, as in {_example(features)}")
    allowed = {*features, *needed(features)}
    for name in names:
        if name not in allowed:
            raise unknown("column", name, allowed)
    read: dict[str, pl.Series] = {}
    for name in names:
        read[name] = column(name, given[name])
        if len(read[name]) != len(read[names[0]]):
            raise BenchError(f"column {name!r} has {len(read[name])} values and column {names[0]!r} has "
                             f"{len(read[names[0]])}; give one for each row")  # fmt: skip
    found = [read[feature] if feature in read else _crossed(feature, read) for feature in features]
    return [values.to_list() if len(values) <= FEW else values for values in found]  # each goes the faster road of hash_rows


def column(name: str, values: Any) -> pl.Series:
    """Raw values of one column as text or bytes. Raises BenchError for one that is no category.

    The one place where raw values become those that features are made of.
    """
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _crossed(feature: str, read: Mapping[str, pl.Series]) -> pl.Series:
    for part in parts(feature):
        if part not in read:
            also = f" (for {feature!r})" if part != feature else ""
            raise BenchError(f"column {part!r} is missing{also}; {', '.join(map(repr, read)) or 'none'} was given")
    first, *others = (read[part] for part in parts(feature))
    if all(values.dtype == pl.String for values in (first, *others)):
        return pl.select(pl.concat_str(first, *others, separator=CROSS)).to_series()
    rows = zip(*(values.cast(pl.Binary).to_list() for values in (first, *others)), strict=True)
    return pl.Series([CROSS.encode().join(row) for row in rows], dtype=pl.Binary)


def _example(features: Sequence[str]) -> str:
    return "{" + ", ".join(f"{name!r}: [...]" for name in needed(features)[:2]) + "}"
