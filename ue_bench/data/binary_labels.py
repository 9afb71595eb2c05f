"""Labels 0 and 1 from a target, for the binary task."""

from typing import NamedTuple

import numpy as np

from ue_bench.data.splitting import TRAIN, UNUSED, VALIDATION
from ue_bench.errors import BenchError

SHOWN = 6  # values of the target that a message names


def label(
    target: np.ndarray,
    parts: np.ndarray,
    negative_at_most: float | None,
    positive_at_least: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and the parts of a split without the rows that have no label.

    target: float [N]. parts: uint8 [N] from `split`. Returns float32 [N] of 0 and 1, and uint8 [N].

    A target up to `negative_at_most` has label 0, one from `positive_at_least` on has label 1. A
    row between them gets part 3 and is counted nowhere. With one bound alone, all other rows have
    the other label. With none, the target must consist of labels.
    Raises BenchError where it does not, where training is left with one label, and where no row is
    left for validation.
    """
    rule = _rule(negative_at_most, positive_at_least)
    positive, negative = _masks(target, negative_at_most, positive_at_least)
    parts = np.where(positive | negative, parts, np.uint8(UNUSED))
    trained = positive[parts == TRAIN]
    if not len(trained) or trained.all() or not trained.any():
        left = f"only label {int(trained[0])}" if len(trained) else "no row"
        raise BenchError(
            f"{rule}: {left} is left in training, where both are needed; the target goes from "
            f"{target.min():g} to {target.max():g}: choose other bounds or another split"
        )
    if not (parts == VALIDATION).any():
        raise BenchError(
            f"{rule}: no row is left for validation; choose other bounds or another split"
        )
    return positive.astype(np.float32), parts


class LabelCounts(NamedTuple):
    """How many rows have each label, and how many have none."""

    positive: int
    negative: int
    dropped: int


def count_labels(
    target: np.ndarray, negative_at_most: float | None, positive_at_least: float | None
) -> LabelCounts:
    """Count the labels of a target, which are those of `label`.

    Raises BenchError where the target does not consist of labels and no bound is given.
    """
    positive, negative = _masks(target, negative_at_most, positive_at_least)
    n_positive = int(positive.sum())
    n_negative = int(negative.sum())
    return LabelCounts(n_positive, n_negative, dropped=len(target) - n_positive - n_negative)


def _masks(
    target: np.ndarray, negative_at_most: float | None, positive_at_least: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows have label 1, and which have label 0: bool [N] each."""
    if negative_at_most is None and positive_at_least is None:
        _require_labels(target)
        return target >= 1.0, target <= 0.0
    if negative_at_most is None:
        return target >= positive_at_least, target < positive_at_least
    if positive_at_least is None:
        return target > negative_at_most, target <= negative_at_most
    return target >= positive_at_least, target <= negative_at_most


def _rule(negative_at_most: float | None, positive_at_least: float | None) -> str:
    bounds = []
    if negative_at_most is not None:
        bounds.append(f"negative_at_most {negative_at_most:g}")
    if positive_at_least is not None:
        bounds.append(f"positive_at_least {positive_at_least:g}")
    return " and ".join(bounds) or "task 'binary'"


def _require_labels(target: np.ndarray) -> None:
    values = np.unique(target)
    if np.isin(values, (0, 1)).all():
        return
    shown = ", ".join(f"{value:g}" for value in values[:SHOWN])
    if len(values) > SHOWN:
        shown += f" and {len(values) - SHOWN} more values"
    raise BenchError(
        f"task: 'binary' was given and the target holds {shown}, not 0 and 1 alone; say which "
        "values are 0 and which are 1 with negative_at_most (--negative-at-most 2) and "
        "positive_at_least (--positive-at-least 4)"
    )
