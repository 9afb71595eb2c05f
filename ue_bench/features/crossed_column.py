"""The column of a cross, which is made from the columns of its parts."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import polars as pl

from ue_bench.categories import Repeated
from ue_bench.features.crosses import CROSS, parts
from ue_bench.hashing import is_few, to_bytes

# The categories of a column, as a list where they are few; or a list of them for each row.
Column = pl.Series | list[Any]


def each_row(column: Column | Repeated) -> Column:
    """Return a column with a category for each row."""
    if not isinstance(column, Repeated):
        return column
    texts = column.column()
    return texts.to_list() if is_few(len(texts)) else texts


def crossed_column(feature: str, read: Mapping[str, Column | Repeated]) -> Column:
    """Make the column of a cross from the columns of its parts."""
    columns = [each_row(read[part]) for part in parts(feature)]
    if any(map(_is_of_lists, columns)):
        return _crossed_lists(columns)
    if all(isinstance(values, pl.Series) and values.dtype == pl.String for values in columns):
        return pl.select(pl.concat_str(*columns, separator=CROSS)).to_series()
    joined = [_joined(row) for row in zip(*columns, strict=True)]
    return joined if is_few(len(joined)) else pl.Series(joined, dtype=pl.Binary)


def _is_of_lists(column: Column) -> bool:
    return isinstance(column, list) and bool(column) and isinstance(column[0], list)


def _crossed_lists(columns: Sequence[Column]) -> list[list[Any]]:
    """Cross the members of each row, each with each. An empty row has the member ""."""
    lists = []
    for values in columns:
        if _is_of_lists(values):
            lists.append([row or [""] for row in values])
        else:
            lists.append([[value] for value in values])
    crossed = []
    for rows in zip(*lists, strict=True):
        crossed.append([_joined(members) for members in product(*rows)])
    return crossed


def _joined(values: Sequence[Any]) -> bytes:
    return CROSS.encode().join(map(to_bytes, values))
