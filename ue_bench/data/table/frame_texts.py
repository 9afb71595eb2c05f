"""The texts of a table that is held in memory, for layers without a run."""

from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories import Rule, is_missing, plain_column
from ue_bench.data.table.definition import Definition
from ue_bench.data.table.targets import TargetReader
from ue_bench.data.table.texts import keys, rule_of
from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader


def rules_of(frame: Any, definition: Definition) -> dict[str, Rule]:
    """Return the rule of each feature of a table, as a run on the table finds them.

    frame: the whole table with its target, as `ColumnReader.read` takes it. Its columns have types,
    as those of a Parquet file have. Rows without a target do not count.

    Raises BenchError for a missing column, and for one without a rule.
    """
    reader = ColumnReader((*definition.features, definition.target))
    columns = {name: _typed(name, values) for name, values in reader.raw(frame).items()}
    target = TargetReader(positive=definition.positive).read(columns.pop(definition.target))
    has_target = target.is_not_null()
    rules = {}
    for name, column in columns.items():
        distinct = keys(column.filter(has_target), is_csv=False).drop_nulls().unique()
        is_numeric = name in definition.numeric
        rules[name] = rule_of(distinct.alias(name), is_numeric, is_csv=False)
    return rules


def read_texts(frame: Any, reader: ColumnReader) -> pl.DataFrame:
    """Return the texts of the features of a reader: String, or List of String where rows hold
    lists.

    frame: rows as `reader.read` takes them, and with its errors. Raises BenchError for bytes that
    are no text.
    """
    columns = {}
    for name, column in zip(reader.features, reader.read(frame), strict=True):
        try:
            columns[name] = _as_texts(column)
        except (UnicodeDecodeError, pl.exceptions.PolarsError) as error:
            raise BenchError(f"column {name!r} holds bytes that are no text: {error}") from error
    return pl.DataFrame(columns)


def _as_texts(column: Any) -> pl.Series:
    if isinstance(column, pl.Series):
        return column.cast(pl.String)
    if _is_of_lists(column):
        rows = [list(map(_decoded, row)) for row in column]
        return pl.Series(rows, dtype=pl.List(pl.String))
    return pl.Series(list(map(_decoded, column)), dtype=pl.String)


def _decoded(category: str | bytes) -> str:
    return category.decode() if isinstance(category, bytes) else category


def _is_of_lists(column: Any) -> bool:
    return isinstance(column, list) and any(isinstance(row, list) for row in column[:1])


def _typed(name: str, values: Any) -> pl.Series:
    """Return a column as a Series of one type. Raises BenchError for a mixture."""
    try:
        column = plain_column(values)
        if isinstance(column, pl.Series):
            return column.alias(name)
        return pl.Series(name, [_present(value) for value in column])
    except (TypeError, ValueError, OverflowError) as error:
        raise BenchError(
            f"column {name!r}: {str(error).splitlines()[0]}; "
            "a column of a table has values of one type"
        ) from error


def _present(value: Any) -> Any:
    """Return a value, or a row's values as a list; None where it is missing."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if is_missing(value) else value
