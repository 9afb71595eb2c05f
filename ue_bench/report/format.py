"""How a number is written, everywhere in the report: MSE with four decimals, bytes with a decimal unit, times with a unit."""

import math
import re
from typing import Any

import pandas as pd

from ue_bench.errors import one_line

NOTHING = "–"
# not the signs within a name such as user_id*genres: these are letters like any
_MARKUP = re.compile(r"[\\`|~]|(?<![^\W_])[*_]|[*_](?![^\W_])|(?<=\])(?=[(\[])|^[#+=-]")


def plain(text: str) -> str:
    """A name from a record as Markdown that shows it as it is: it ends no cell, no comment and no line, and marks nothing up."""
    shown = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", shown)


def escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its texts made `plain`, for Markdown."""
    texts = frame.select_dtypes(["object", "string"])
    shown = texts.map(lambda value: plain(value) if isinstance(value, str) else value)
    if shown.equals(texts):
        return frame
    return frame.assign(**{name: shown[name] for name in texts.columns})


def code(text: str) -> str:
    """A name that was made `plain`, in the letters of a program; there a name that needed it would show how."""
    return text if "\\" in text or "&" in text else f"`{text}`"


def missing(value: Any) -> bool:
    """None, NaN and pandas' NA alike."""
    return bool(pd.isna(value))


def bytes_text(count: Any) -> str:
    """512 B, 7.0 kB, 28 kB, 4.5 MB: decimal units, as in 1 kB = 1000 bytes."""
    if missing(count):
        return NOTHING
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if round(value) < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and round(value, 1) < 10 else f"{value:.0f} {unit}"


def mse_text(value: Any) -> str:
    return NOTHING if missing(value) else f"{value:.4f}"


def interval_text(value: Any, low: Any, high: Any) -> str:
    """0.8990 [0.8951, 0.9029]; the brackets are left out where one seed gives no interval."""
    return mse_text(value) if missing(low) else f"{value:.4f} [{low:.4f}, {high:.4f}]"


def delta_text(difference: Any, low: Any, high: Any) -> str:
    """A difference with its interval, such as +0.0206 [+0.0102, +0.0310]; one seed has none."""
    if missing(difference):
        return NOTHING
    if missing(low):
        return f"{difference:+.4f}"
    return f"{difference:+.4f} [{low:+.4f}, {high:+.4f}]"


def p_cell(value: Any) -> str:
    """0.013, or < 0.001: of a table."""
    return NOTHING if missing(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def micros_text(value: Any) -> str:
    """Microseconds with three digits: 8.21, 75.0, 1234."""
    if missing(value):
        return NOTHING
    return (
        f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"
        if 0 < value < 1000
        else f"{value:.0f}"
    )


def p_text(value: float) -> str:
    """= 0.013, or < 0.001: stands after a p."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def ratio_text(size: Any, unit: Any) -> str:
    """`size` as a fraction of `unit`: 1/8, 1/1.5, 1/128; 2.0x when it is larger."""
    if missing(size) or missing(unit) or not size or not unit:
        return NOTHING
    ratio = float(unit) / float(size)
    if ratio < 0.95:
        return f"{1 / ratio:.1f}x"
    near = abs(ratio - round(ratio)) < 0.04 * ratio
    return f"1/{round(ratio)}" if near else f"1/{ratio:.1f}"
