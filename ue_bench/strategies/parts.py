"""The few rows of a lookup, combined into one. Torch's own reductions take longer over a dimension
of two or three, forward and backward, and give the same numbers."""

from torch import Tensor


def added(rows: Tensor) -> Tensor:
    """Return the sum of the rows of each lookup: [..., K, D] -> [..., D]."""
    first, *others = rows.unbind(-2)
    if not others:
        return first
    total = first + others[0]
    for row in others[1:]:
        total += row
    return total


def multiplied(rows: Tensor) -> Tensor:
    """Return the product of the rows of each lookup, number by number: [..., K, D] -> [..., D]."""
    first, *others = rows.unbind(-2)
    for row in others:
        first = first * row
    return first
