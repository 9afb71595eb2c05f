"""Which values a record can hold, and gives back as they were."""

from math import isfinite
from typing import Any

from ue_bench.config.fields import LARGEST_WHOLE

DEEPEST = 20  # lists in lists
LIMITS = (
    "that a record can hold: finite numbers, whole ones below 2**63, text of whole characters, "
    f"at most {DEEPEST} deep"
)


def is_text(value: str) -> bool:
    """Say whether a file can hold the text.

    Half a surrogate pair, as a command line that is no UTF-8 may give it, has no bytes.
    """
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def is_json(value: Any, depth: int = 0) -> bool:
    """Say whether a record can hold the value and gives it back as it was."""
    if isinstance(value, dict):
        names = all(isinstance(name, str) and is_text(name) for name in value)
        return names and depth < DEEPEST and all(is_json(v, depth + 1) for v in value.values())
    if isinstance(value, list):
        return depth < DEEPEST and all(is_json(item, depth + 1) for item in value)
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, int):
        return abs(value) <= LARGEST_WHOLE
    if isinstance(value, float):
        return isfinite(value)
    return value is None
