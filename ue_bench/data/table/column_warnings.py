"""What is wrong with a column that can be read, and yet says nothing: one line for each."""

import polars as pl

LONGEST = 30  # characters of a value in a warning


def feature_warning(name: str, values: pl.Series, n_rows: int, is_row_id: bool) -> str | None:
    """Return what is wrong with a feature, None where it may say something.

    values: its distinct texts, the empty one for a missing value. is_row_id: whether no value
    occurs twice.
    """
    if n_rows < 2:
        return None
    if is_row_id:
        return (
            f"feature {name!r} has another value in every row, as row numbers have, and nothing "
            "can be learned from it; leave it out, or round it if it is a number (--numeric)"
        )
    if len(values) > 1:
        return None
    value = values[0]
    if value == "":
        return f"feature {name!r} is missing in every row; leave it out"
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}..."
    return f"feature {name!r} is {value!r} in every row, which says nothing; leave it out"


def time_warning(name: str | None, times: pl.Series | None) -> str | None:
    """Return what is wrong with the column of times, None without one and where it orders rows."""
    if times is None or len(times) < 2:
        return None
    present = times.drop_nulls()
    if not len(present):
        return f"time {name!r} is missing in every row; name another column (--time), or none"
    if present.min() == present.max():
        return (
            f"time {name!r} is the same in every row, so that a temporal split follows the order "
            "of the file; name another column (--time), or none"
        )
    return None
