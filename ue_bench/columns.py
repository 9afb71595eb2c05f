"""Raw columns, by name as a caller has them, to one column for each feature."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from ue_bench.errors import BenchError, unknown
from ue_bench.feature import CROSS
from ue_bench.hashing import FEW, to_bytes, to_column


def parts(feature: str) -> list[str]:
    """The features that a cross (`a*b`) is made of; of any other feature, itself."""
    return [part.strip() for part in feature.split("*")]


def needed(features: Sequence[str]) -> list[str]:
    """The raw columns that features are made from, in the order in which they are first needed."""
    return list(dict.fromkeys(part for feature in features for part in parts(feature)))


Texts = Callable[[str, Any], pl.Series]


def columns(
    features: Sequence[str], given: Any, texts: Texts | None = None, separators: Mapping[str, str] | None = None
) -> list[Any]:
    """One column of N categories for each feature, as `hash_rows` and a vocabulary take them; where rows hold lists, N lists.

    given: a mapping from name to N values, or a DataFrame of pandas or polars. A value is a category, or a list of some. A cross
    is made of its parts' values, joined by `CROSS`, unless a column has its own name; of lists, of each with each.
    texts: makes categories of the values of a named column; None: `column`. separators: of columns whose lists may also be given
    as one text, the character between their members.
    Raises BenchError for a column that is missing, unknown or of another length than the others, and for a value that is no
    category.
    """
    names = list(getattr(given, "columns", given)) if isinstance(given, Mapping) or hasattr(given, "columns") else None
    if names is None:
        raise BenchError(f"columns: one {type(given).__name__} was given; give the values by name, as in {_example(features)}")
    allowed = {*features, *needed(features)}
    for name in names:
        if name not in allowed:
            raise unknown("column", name, allowed)
    read: dict[str, pl.Series | list[list[Any]]] = {}
    for name in names:
        read[name] = _read(name, given[name], texts or column, (separators or {}).get(name))
        if len(read[name]) != len(read[names[0]]):
            raise BenchError(f"column {name!r} has {len(read[name])} values and column {names[0]!r} has "
                             f"{len(read[names[0]])}; give one for each row")  # fmt: skip
    found = [read[feature] if feature in read else _crossed(feature, read) for feature in features]
    # a short column goes the faster road of hash_rows as a list
    return [values if isinstance(values, list) or len(values) > FEW else values.to_list() for values in found]


def column(name: str, values: Any) -> pl.Series:
    """Raw values of one column as text or bytes: those of `hash_rows`. Raises BenchError for one that is no category."""
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _read(name: str, values: Any, texts: Texts, separator: str | None) -> pl.Series | list[list[Any]]:
    """The categories of a column; a list of them a row where the first row that is not missing holds one, or where texts have a
    separator. A missing row, or member of one, counts as not there."""
    first = next((value for value in values if value is not None), None) if isinstance(values, Iterable) else None
    if separator is None and not _is_list(first):
        return texts(name, values)
    rows = values.to_list() if isinstance(values, pl.Series) else values
    split = [row.split(separator) if isinstance(row, str) and separator else row if _is_list(row) else [row] for row in rows]
    kept = [[member for member in row if member is not None and member == member] for row in split]
    members = iter(texts(name, [member for row in kept for member in row]).to_list())
    return [[next(members) for _ in row] for row in kept]


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray, pl.Series))


def _crossed(feature: str, read: Mapping[str, pl.Series | list[list[Any]]]) -> pl.Series | list[list[Any]]:
    for part in parts(feature):
        if part not in read:
            also = f" (for {feature!r})" if part != feature else ""
            raise BenchError(f"column {part!r} is missing{also}; {', '.join(map(repr, read)) or 'none'} was given")
    own = [read[part] for part in parts(feature)]
    if any(isinstance(values, list) for values in own):
        rows = zip(
            *(values if isinstance(values, list) else ([value] for value in values.to_list()) for values in own), strict=True
        )
        return [list(map(_joined, product(*(row or [""] for row in lists)))) for lists in rows]
    first, *others = (values for values in own if isinstance(values, pl.Series))
    if all(values.dtype == pl.String for values in (first, *others)):
        return pl.select(pl.concat_str(first, *others, separator=CROSS)).to_series()
    return pl.Series(list(map(_joined, zip(*(values.to_list() for values in (first, *others)), strict=True))), dtype=pl.Binary)


def _joined(values: Sequence[Any]) -> bytes:
    return CROSS.encode().join(map(to_bytes, values))


def _example(features: Sequence[str]) -> str:
    return "{" + ", ".join(f"{name!r}: [...]" for name in needed(features)[:2]) + "}"
