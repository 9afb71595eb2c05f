"""Raw rows as one column of categories for each feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories import (
    Repeated,
    Rule,
    is_missing,
    plain_column,
    short_texts_of,
    texts_of,
)
from ue_bench.errors import BenchError
from ue_bench.features.crossed_column import Column, crossed_column, each_row
from ue_bench.features.crosses import CROSS
from ue_bench.features.frame_columns import RawColumns
from ue_bench.hashing import is_few, to_bytes, to_column

_SINGLE = (str, bytes, bool, int)  # common types of a value that is neither missing nor a list


@dataclass(frozen=True)
class ColumnReader:
    """Turns raw rows into one column of categories for each feature.

    A row is read by itself: it has the same categories alone and among other rows.

    features: names of features; a cross (`a*b`) is made from the columns of its parts.
    rules: how raw values become categories, by raw column. The values of a column without a rule
    are categories as they are: text, bytes or whole numbers.
    separators: of raw columns with several values a row, the character between the values where
    they are given as one text.
    """

    features: tuple[str, ...]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)

    def read(self, given: Any) -> list[Any]:
        """Return one column of N categories for each feature, as `hash_rows` and a vocabulary take
        them; N lists where rows hold lists.

        given: a mapping from name to N values; a mapping from name to one value, which is one row;
        a list of such rows; a DataFrame or LazyFrame of polars, a DataFrame of pandas, or a Table
        or RecordBatch of pyarrow. Columns that no feature needs are ignored. A value is a category,
        or a list of categories. A cross is made from its parts' values, joined by `CROSS`, unless a
        column has the name of the cross; lists are crossed each with each.

        Raises BenchError for a column that is missing or of another length than the others, and for
        a value that is no category.
        """
        return [each_row(column) for column in self.read_distinct(given)]

    def read_distinct(self, given: Any) -> list[Any]:
        """Return what `read` returns, where a column may be `Repeated`: its distinct texts."""
        read = {name: self._read(name, values) for name, values in self.raw(given).items()}
        _require_equal_lengths(read)
        columns = []
        for name in self.features:
            columns.append(read[name] if name in read else crossed_column(name, read))
        return columns

    def raw(self, given: Any) -> dict[str, Any]:
        """Return the raw columns that the features are made from, by name.

        `given` is that of `read`. Raises BenchError for a missing column.
        """
        return self._raw_columns.of(given)

    @cached_property
    def _raw_columns(self) -> RawColumns:
        return RawColumns(self.features)

    def _read(self, name: str, values: Any) -> Column | Repeated:
        """Return the categories of a column, or lists of them.

        They are lists if the first row that is not missing holds one, or if the column has a
        separator.
        """
        try:
            column = _plain(values)
            if name in self.separators or _holds_lists(column):
                return self._read_lists(name, column)
            return self._categories(name, column)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise BenchError(f"column {name!r}: {error}") from error

    def _categories(self, name: str, column: pl.Series | Sequence[Any]) -> Column | Repeated:
        if name in self.rules:
            return short_texts_of(column, self.rules[name])
        return _as_they_are(column)

    def _read_lists(self, name: str, column: pl.Series | Sequence[Any]) -> list[list[Any]]:
        """Return the categories of each row: of a list, or of a text with a separator.

        Missing members of a list are left out. A text is read as a whole, and then split.
        """
        rows = _rows_of(column)
        lists = iter(self._of_lists(name, [row for row in rows if _is_list(row)]))
        others = iter(self._of_texts(name, [row for row in rows if not _is_list(row)]))
        return [next(lists) if _is_list(row) else next(others) for row in rows]

    def _of_lists(self, name: str, rows: Sequence[Any]) -> list[list[Any]]:
        members = []
        sizes = []
        for row in rows:
            held = [member for member in row if not is_missing(member)]
            members += held
            sizes.append(len(held))
        rule = self.rules.get(name)
        if rule is None:
            categories = iter(_as_they_are(members))
        else:  # an absent text is that of a whole row
            rule_of_members = replace(rule, absent=())
            categories = iter(each_row(short_texts_of(plain_column(members), rule_of_members)))
        read = [list(islice(categories, size)) for size in sizes]
        if rule is None or not rule.absent:
            return read
        separator = self.separators.get(name, CROSS)
        return [[] if separator.join(texts) in rule.absent else texts for texts in read]

    def _of_texts(self, name: str, rows: pl.Series | Sequence[Any]) -> list[list[Any]]:
        if name in self.rules:
            rows = plain_column(rows)
        else:
            rows = ["" if is_missing(row) else row for row in rows]
        separator = self.separators.get(name)
        read: list[list[Any]] = []
        for text in each_row(self._categories(name, rows)):
            if separator is not None and isinstance(text, str):
                read.append(text.split(separator))
            else:
                read.append([text])
        return read


def column(name: str, values: Any) -> pl.Series:
    """Return the raw values of one column as text or bytes, as `hash_rows` takes them.

    Raises BenchError for a value that is no category.
    """
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _require_equal_lengths(read: Mapping[str, Column | Repeated]) -> None:
    first = next(iter(read))
    rows = len(read[first])
    for name, values in read.items():
        if len(values) != rows:
            raise BenchError(
                f"column {name!r} has {len(values)} values and column {first!r} has {rows}; "
                "give one for each row"
            )


def _plain(values: Any) -> pl.Series | Sequence[Any]:
    """Return a column as `plain_column` does; the rows of a matrix are lists."""
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return list(values)
    return plain_column(values)


def _as_they_are(column: pl.Series | Sequence[Any]) -> Column:
    """Return text, bytes and whole numbers as categories. Raises TypeError for anything else."""
    if not isinstance(column, pl.Series) and is_few(len(column)):
        return [value if type(value) is str else to_bytes(value) for value in column]
    categories = to_column(column)
    return categories.to_list() if is_few(len(categories)) else categories


def _rows_of(column: pl.Series | Sequence[Any]) -> Sequence[Any]:
    """Return the rows of a column with lists as Python's values."""
    if not isinstance(column, pl.Series):
        return column
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List):
        return column.to_list()
    sizes = column.list.len().fill_null(0)
    members = column.filter(sizes > 0).explode()
    if members.dtype.is_temporal():  # which Python does not hold down to nanoseconds
        members = texts_of(members, Rule()).set(members.is_null(), None)
    remaining = iter(members.to_list())
    return [list(islice(remaining, size)) for size in sizes]


def _holds_lists(column: pl.Series | Sequence[Any]) -> bool:
    """Return whether the first value that is not missing is a list."""
    if isinstance(column, pl.Series):
        return isinstance(column.dtype, (pl.List, pl.Array))
    for value in column:
        if type(value) in _SINGLE:
            return False
        if _is_list(value):
            return True
        if not is_missing(value):
            return False
    return False


def _is_list(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple, set, frozenset, pl.Series))
