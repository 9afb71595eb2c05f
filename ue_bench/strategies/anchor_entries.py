"""The list of anchors: predictors from user and item alone, which run as arms beside the
strategies.

An anchor has no embedding layer, and the trainer does not train it. It has a size like a strategy,
so that its record shows what that many bytes reach without any of the features beside user and
item.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ue_bench.errors import BenchError, unknown

RANK = "rank"  # the option of an anchor that has vectors: the numbers of each
MOST_NUMBERS = 4_096  # of a vector


@dataclass(frozen=True)
class Anchor:
    """One anchor: one line about it, and its source.

    option: the one option that a run of it has to give; None where it has none.
    """

    summary: str
    source: str
    option: str | None = None


ANCHORS: dict[str, Anchor] = {
    "bias": Anchor(
        summary="the training mean, and a damped bias of each user and each item",
        source="Koren, Bell and Volinsky, IEEE Computer 2009",
    ),
    "matrix_factorisation": Anchor(
        summary="the bias model, and vectors of users and items whose products fit its residuals",
        source="Koren, Bell and Volinsky, IEEE Computer 2009",
        option=RANK,
    ),
}


def is_anchor(name: str) -> bool:
    """Return whether an arm of this name is an anchor and no strategy."""
    return name in ANCHORS


def rank_of(name: str, options: Mapping[str, Any]) -> int:
    """Return the numbers of each vector of the anchor; 0 where it has no vectors.

    options: those of the run. Raises BenchError for an option that the anchor lacks, and for a rank
    that is missing or is no whole number from 1 to 4,096.
    """
    allowed = ANCHORS[name].option
    for option in options:
        if option != allowed:
            raise unknown(f"option of {name}", option, [allowed] if allowed else [])
    if allowed is None:
        return 0
    if RANK not in options:
        raise BenchError(
            f"{name} needs a rank, the numbers of each vector; give one, such as --option rank=8"
        )
    rank = options[RANK]
    if type(rank) is not int or not 1 <= rank <= MOST_NUMBERS:
        raise BenchError(
            f"{name}: rank {rank!r} was given; it must be a whole number from 1 to {MOST_NUMBERS:,}"
        )
    return rank


def require_strategy(name: str) -> None:
    """Raise BenchError for an anchor, where an embedding layer is asked for."""
    if is_anchor(name):
        raise BenchError(
            f"{name} is an anchor, which predicts from user and item without an embedding layer; "
            "name a strategy (see: ue-bench list strategies)"
        )
