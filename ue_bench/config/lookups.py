"""The grammar of lookups: how many each feature has, as text, by name, and shared out by weight."""

import math
import re
import zlib
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


def apportion(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Share out `count` things in proportion to weights; whole weights that sum to `count` stay.

    Where all weights are 0 the shares are equal. Hamilton's method of the largest remainder. Equal
    remainders are settled by a hash of the names and weights: settled by the name alone, the first
    feature of the alphabet would be favoured in every proposal.
    """
    total = math.fsum(weights.values())
    quotas: dict[str, float] = {}
    for name, weight in weights.items():
        quotas[name] = count * weight / total if total else count / len(weights)
    shares = {name: math.floor(quota) for name, quota in quotas.items()}
    text = sorted(weights.items())
    lots = {name: zlib.crc32(f"{name} {text}".encode()) for name in weights}
    order = sorted(quotas, key=lambda name: (shares[name] - quotas[name], lots[name], name))
    for name in order[: count - sum(shares.values())]:
        shares[name] += 1
    return shares
