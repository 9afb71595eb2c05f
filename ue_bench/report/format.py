"""How the report writes numbers and names: bytes and times with a unit, texts safe in Markdown."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ue_bench.errors import one_line

NOTHING = "–"
# Signs that mark something up in Markdown, but not those within a name such as user_id*genres,
# which are letters like any.
_MARKUP = re.compile(r"[\\`|~]|(?<![^\W_])[*_]|[*_](?![^\W_])|(?<=\])(?=[(\[])|^[#+=-]")


def plain(text: str) -> str:
    """Return a name from a record as Markdown that shows the name as it is.

    The name ends no cell, no comment and no line, and marks nothing up.
    """
    shown = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", shown)


def escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its texts made `plain`, for Markdown."""
    texts = frame.select_dtypes(["object", "string"])
    shown = texts.map(_plain_value)
    if shown.equals(texts):
        return frame
    return frame.assign(**{name: shown[name] for name in texts.columns})


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    return value


def code(text: str) -> str:
    """Return a `plain` name in the letters of a program, unless it has escapes that would show."""
    if "\\" in text or "&" in text:
        return text
    return f"`{text}`"


def listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def range_text(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Return the first and the last of sorted values, or one text where both are equal."""
    first = text(values[0])
    last = text(values[-1])
    return first if first == last else f"{first} to {last}"


def missing(value: Any) -> bool:
    """Return whether the value is None, NaN or pandas' NA."""
    return bool(pd.isna(value))


def bytes_text(count: Any) -> str:
    """Return 512 B, 7.0 kB, 28 kB or 4.5 MB: decimal units, where 1 kB is 1000 bytes."""
    if missing(count):
        return NOTHING
    value = float(count)
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if round(value) < 1000:
            break
        value /= 1000
        unit = larger
    if unit != "B" and round(value, 1) < 10:
        return f"{value:.1f} {unit}"
    return f"{value:.0f} {unit}"


def mse_text(value: Any) -> str:
    """Return an MSE with four decimals."""
    if missing(value):
        return NOTHING
    return f"{value:.4f}"


def interval_text(value: Any, low: Any, high: Any) -> str:
    """Return 0.8990 [0.8951, 0.9029]; one seed gives no interval and no brackets."""
    if missing(low):
        return mse_text(value)
    return f"{value:z.4f} [{low:z.4f}, {high:z.4f}]"


def delta_text(difference: Any, low: Any, high: Any) -> str:
    """Return +0.0206 [+0.0102, +0.0310], a difference with its interval; one seed has none."""
    if missing(difference):
        return NOTHING
    if missing(low):
        return f"{difference:+z.4f}"
    return f"{difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]"


def p_cell(value: Any) -> str:
    """Return 0.013, or < 0.001, for the cell of a table."""
    if missing(value):
        return NOTHING
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3f}"


def p_text(value: float) -> str:
    """Return = 0.013, or < 0.001, to follow the letter p."""
    if value < 0.001:
        return "< 0.001"
    return f"= {value:.3f}"


def micros_text(value: Any) -> str:
    """Return microseconds with three digits: 8.21, 75.0, 1234."""
    if missing(value):
        return NOTHING
    decimals = 0
    if 0 < value < 1000:
        decimals = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f}"


def ratio_text(size: Any, unit: Any) -> str:
    """Return `size` as a part of `unit`: 1/8, 1/1.5, 1/128; 2.0x where it is larger."""
    if missing(size) or missing(unit) or not size or not unit:
        return NOTHING
    ratio = float(unit) / float(size)
    if ratio < 0.95:
        return f"{1 / ratio:.1f}x"
    if abs(ratio - round(ratio)) < 0.04 * ratio:
        return f"1/{round(ratio)}"
    return f"1/{ratio:.1f}"


def size_text(size: Any, exact_table_bytes: Any) -> str:
    """Return 6.9 kB (1/32), a size with its part of the exact table."""
    return f"{bytes_text(size)} ({ratio_text(size, exact_table_bytes)})"
