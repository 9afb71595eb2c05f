"""The choice: of the answers that validation cannot tell from the best, the cheapest to serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ue_bench.advise.contestants import Contestant
from ue_bench.advise.equal_scores import not_worse

EQUAL_LATENCY = 0.05  # medians that differ by no more than this part of the faster are equal
EQUAL_BYTES = 0.01  # so are sizes: no budget is met to the byte

Reason = Literal["validation", "latency", "bytes", "vocabulary"]


@dataclass(frozen=True)
class Choice:
    """What is named, and why.

    order: the named one, then those that validation cannot tell from the best, in the order in
    which they would be named, then the others by validation.
    n_compared: how many there are to choose from.
    n_equal: how many of the first ones validation cannot tell from the best, itself included.
    n_as_fast: how many of these are as fast as the fastest of them.
    lowest: the one with the lowest mean validation MSE.
    reason: what decided for the named one: the lowest validation MSE where nothing else is equal,
    the latency, the bytes, or that it needs no vocabulary.
    """

    order: tuple[Contestant, ...]
    n_compared: int
    n_equal: int
    n_as_fast: int
    lowest: Contestant
    reason: Reason

    @property
    def best(self) -> Contestant:
        """The one that is named."""
        return self.order[0]


def choose(ranked: Sequence[Contestant]) -> Choice:
    """Name the fastest from raw values among those that cannot be told from the first.

    Of those that are as fast, the smallest is named, and of those that are as small, the one
    without a vocabulary.

    ranked: the one with the lowest validation MSE first.
    """
    lowest, *rivals = ranked
    equal_rivals = not_worse(lowest.val, [rival.val for rival in rivals])
    equals = [lowest]
    others = []
    for rival, is_equal in zip(rivals, equal_rivals, strict=True):
        if is_equal:
            equals.append(rival)
        else:
            others.append(rival)
    order: list[Contestant] = []
    left = equals
    while left:
        following = _cheapest(left)
        order.append(following)
        left = [contestant for contestant in left if contestant is not following]
    as_fast = _as_fast(equals)
    return Choice(
        order=(*order, *others),
        n_compared=len(ranked),
        n_equal=len(equals),
        n_as_fast=len(as_fast),
        lowest=lowest,
        reason=_reason(equals),
    )


def _cheapest(equals: Sequence[Contestant]) -> Contestant:
    """Return the one that is named. The first of `equals` is preferred where all else is equal."""
    small = _as_small(_as_fast(equals))
    return min(small, key=lambda contestant: (contestant.needs_vocabulary, contestant.total_bytes))


def _as_fast(equals: Sequence[Contestant]) -> list[Contestant]:
    """Return those whose latency from raw values cannot be told from that of the fastest.

    These are the ones within 5 % of it, or within what both medians may be off. Where nothing was
    measured, all are as fast.
    """
    fastest = min(equals, key=lambda contestant: contestant.micros)
    if fastest.latency is None:
        return list(equals)
    as_fast = []
    for contestant in equals:
        noise = fastest.micros_noise + contestant.micros_noise
        limit = fastest.micros + max(EQUAL_LATENCY * fastest.micros, noise)
        if contestant.micros <= limit:
            as_fast.append(contestant)
    return as_fast


def _as_small(equals: Sequence[Contestant]) -> list[Contestant]:
    smallest = min(contestant.total_bytes for contestant in equals)
    limit = (1 + EQUAL_BYTES) * smallest
    return [contestant for contestant in equals if contestant.total_bytes <= limit]


def _reason(equals: Sequence[Contestant]) -> Reason:
    if len(equals) == 1:
        return "validation"
    as_fast = _as_fast(equals)
    if len(as_fast) == 1:
        return "latency"
    as_small = _as_small(as_fast)
    vocabularies = {contestant.needs_vocabulary for contestant in as_small}
    if len(as_small) == 1 or len(vocabularies) == 1:
        return "bytes"
    return "vocabulary"
