"""The raw columns of rows in any form: rows or columns by name, or a frame of polars, pandas or
pyarrow."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import polars as pl

from ue_bench.errors import BenchError, unknown
from ue_bench.features.crosses import distinct, needed, parts

MOST_NAMED = 20  # names of columns in an error


class RawColumns:
    """The raw columns that features are made from.

    features: names of features; a cross (`a*b`) is made from the columns of its parts, unless a
    column has the name of the cross.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._made_from = {feature: parts(feature) for feature in features}
        self._needed = needed(features)
        self._allowed = distinct([*self._needed, *features])  # the columns that can be of use

    def of(self, given: Any) -> dict[str, Any]:
        """Return the columns of rows, by name.

        given: as `ColumnReader.read` takes it. Raises BenchError for a missing column, for a torn
        row, and for what is neither rows nor a frame.
        """
        names, columns = self._named(given)
        raw: dict[str, Any] = {}
        for feature, made_from in self._made_from.items():
            for name in made_from if feature not in columns else (feature,):
                if name not in columns:
                    raise self._missing(name, feature, names)
                raw[name] = columns[name]
        return raw

    def _named(self, given: Any) -> tuple[Sequence[str], Mapping[str, Any]]:
        """Return the names of all columns, and the columns that can be of use by name."""
        if isinstance(given, (list, tuple)):
            return _rows_as_columns(given, self._allowed)
        if isinstance(given, Mapping):
            return list(given), _mapping_as_columns(given, self._allowed)
        try:
            return self._named_in_frame(given)
        except pl.exceptions.PolarsError as error:
            raise BenchError(f"columns: the frame cannot be read: {error}") from error

    def _named_in_frame(self, given: Any) -> tuple[Sequence[str], Mapping[str, Any]]:
        names = _names_of_frame(given)
        if names is None:
            example = ", ".join(f"{name!r}: [...]" for name in self._needed[:2])
            raise BenchError(
                f"columns: one {type(given).__name__} was given; give the values by name, as in "
                f"{{{example}}}, or a frame, or a list of rows"
            )
        used = [name for name in self._allowed if name in names]
        if len(set(names)) < len(names):
            for name in used:
                if names.count(name) > 1:
                    raise BenchError(f"columns: two are named {name!r}; rename one")
        return names, _frame_as_columns(given, used)

    def _missing(self, name: str, feature: str, names: Sequence[str]) -> BenchError:
        purpose = f" (for {feature!r})" if name != feature else ""
        given = ", ".join(map(repr, names[:MOST_NAMED])) or "none"
        if len(names) > MOST_NAMED:
            given += f" and {len(names) - MOST_NAMED:,} others"
        message = f"column {name!r} is missing{purpose}; {given} was given"
        others = [str(other) for other in names if other not in self._needed]
        for misspelt in get_close_matches(name, others, n=1, cutoff=0.5):
            message += f"; {unknown('column', misspelt, self._needed)}"
        return BenchError(message)


def _rows_as_columns(
    rows: Sequence[Any], allowed: Sequence[str]
) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the names in a list of rows, and its columns. Raises BenchError for a torn row."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise BenchError(
                f"row {number} is one {type(row).__name__}; give each row's values by name, as in "
                f"{{{allowed[0]!r}: ...}}"
            )
    if not rows:
        return list(allowed), {name: [] for name in allowed}
    columns = {}
    for name in allowed:
        if name not in rows[0]:
            continue
        for number, row in enumerate(rows, 1):
            if name not in row:
                raise BenchError(
                    f"row {number}: column {name!r} is missing, which row 1 has; "
                    "give None for a missing value"
                )
        columns[name] = [row[name] for row in rows]
    return list(rows[0]), columns


def _mapping_as_columns(given: Mapping[str, Any], allowed: Sequence[str]) -> dict[str, Any]:
    """Return the columns of a mapping, whose values are one row if one of them is no column."""
    columns = {name: given[name] for name in allowed if name in given}
    if any(map(_is_one_value, columns.values())):
        return {name: [value] for name, value in columns.items()}
    return columns


def _is_one_value(value: Any) -> bool:
    if isinstance(value, (str, bytes)) or getattr(value, "ndim", 1) == 0:
        return True
    return not hasattr(value, "__len__") and not hasattr(value, "__arrow_c_array__")


def _names_of_frame(given: Any) -> list[str] | None:
    """Return the names of a frame's columns; None for what is no frame."""
    if isinstance(given, pl.LazyFrame):
        return given.collect_schema().names()
    if _is_of_arrow(given) and hasattr(given, "schema"):
        return list(given.schema.names)
    if hasattr(given, "columns"):
        return list(given.columns)
    return None


def _frame_as_columns(frame: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(frame, pl.LazyFrame):
        frame = frame.select(names).collect()
    elif _is_of_arrow(frame):
        return {name: frame.column(name) for name in names}
    return {name: frame[name] for name in names}


def _is_of_arrow(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "pyarrow"  # which is not imported for this
