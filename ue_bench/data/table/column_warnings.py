"""What is wrong with a column that can be read, and yet says nothing: one line for each."""

import polars as pl

from ue_bench.data.table.texts import MEMBERS

LONGEST = 30  # characters of a value in a warning


def feature_warning(name: str, values: pl.Series, n_rows: int, is_row_id: bool) -> str | None:
    """Return what is wrong with a feature, None where it may say something.

    values: its distinct texts, the empty one for a missing value. is_row_id: whether no value
    occurs twice.
    """
    if n_rows < 2:
        return None
    if is_row_id:
        return f"feature {name!r} is all distinct, like the number of a row; leave it out"
    if len(values) > 1:
        return None
    value = values[0].replace(MEMBERS, ", ")
    if value == "":
        return f"feature {name!r} is missing in every row; leave it out"
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}..."
    return f"feature {name!r} is constant ({value!r}); leave it out"


def time_warning(name: str | None, times: pl.Series | None) -> str | None:
    """Return what is wrong with the column of times, None without one and where it orders rows."""
    if times is None or len(times) < 2:
        return None
    present = times.drop_nulls()
    if not len(present):
        return f"time {name!r} is missing in every row; name another column, or none"
    if present.min() == present.max():
        return f"time {name!r} is constant: temporal splits follow the order of the file"
    return None
