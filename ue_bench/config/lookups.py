"""The grammar of lookups: how many each feature has, as text, by name, and shared out by weight."""

import re
from collections.abc import Iterable, Mapping

from ue_bench.errors import BenchError

_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)  # what `int` takes without a surprise


def parse_lookups(text: str) -> int | dict[str, int]:
    """Return the lookups of `2`, or of `user_id=2,movie_id=2`. Raises BenchError."""
    if _WHOLE.fullmatch(text.strip()):
        return int(text)
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.rpartition("="))
        if not equals or not _WHOLE.fullmatch(count) or name in counts:
            raise BenchError(
                f"lookups: {text!r} was given; "
                "write a number, or each feature once: user_id=2,movie_id=2"
            )
        counts[name] = int(count)
    return counts


def lookups_by_name(lookups: int | Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Return the lookups of each feature; a feature that is not named has one."""
    if isinstance(lookups, int):
        return dict.fromkeys(names, lookups)
    return {name: lookups.get(name, 1) for name in names}


def lookups_text(lookups: int | Mapping[str, int]) -> str:
    """Write lookups as `parse_lookups` reads them."""
    if isinstance(lookups, int):
        return str(lookups)
    return ",".join(f"{name}={count}" for name, count in lookups.items())
