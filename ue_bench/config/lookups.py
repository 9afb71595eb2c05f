"""Largest remainder: whole lookups in proportion to weights, for the search that proposes shares and the rule fitted to it."""

import math
import zlib
from collections.abc import Mapping


def apportion(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """`count` things shared in proportion to `weights` (equally where all are 0); whole weights that sum to `count` stay.

    Hamilton's method. Equal remainders are settled by a hash of the names and weights: settled by the name alone, the first
    feature of the alphabet would be favoured in every proposal.
    """
    total = math.fsum(weights.values())
    quotas = {
        name: count * weight / total if total else count / len(weights)
        for name, weight in weights.items()
    }
    shares = {name: math.floor(quota) for name, quota in quotas.items()}
    text = sorted(weights.items())
    lots = {name: zlib.crc32(f"{name} {text}".encode()) for name in weights}
    order = sorted(quotas, key=lambda name: (shares[name] - quotas[name], lots[name], name))
    for name in order[: count - sum(shares.values())]:
        shares[name] += 1
    return shares
