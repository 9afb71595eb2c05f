"""The texts of a table that is held in memory, for layers without a run."""

from collections.abc import Mapping
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


def texts(frame: Any, definition: Definition | Mapping[str, Rule]) -> pl.DataFrame:
    """Return the texts of a frame's features: String, or List of String for several values a row.

    frame: rows as `ColumnReader.read` takes them.
    definition: of the table that the frame is; or the rules by feature that `rules_of` returned
    for a table, and the frame is any rows.

    Raises BenchError as `ColumnReader.read` and `rules_of` do.
    """
    rules = rules_of(frame, definition) if isinstance(definition, Definition) else definition
    reader = ColumnReader(tuple(rules), rules)
    columns = {}
    for name, column in zip(rules, reader.read(frame), strict=True):
        dtype = pl.List(pl.String) if _is_of_lists(column) else pl.String
        columns[name] = pl.Series(column, dtype=dtype)
    return pl.DataFrame(columns)


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
