"""Labels 0 and 1 from a target: the binary task."""

import numpy as np

from ue_bench.data.splitting import TRAIN, UNUSED, VALIDATION
from ue_bench.errors import BenchError

NAMED = 6  # values of the target that a message names


def label(
    target: np.ndarray,
    parts: np.ndarray,
    negative_at_most: float | None,
    positive_at_least: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the parts of a split without the rows that have none: float32 [N] of 0 and 1, uint8 [N].

    target: float [N]. parts: uint8 [N] from `split`. A target up to `negative_at_most` is 0, one from `positive_at_least` on is
    1, and a row between them gets part 3, so that nothing counts it. One bound alone: all that is beyond it has the other label.
    None: the target must be labels as it is. Raises BenchError where it is not, where training is left with one label, and where
    no row for validation is left.
    """
    low, high = negative_at_most, positive_at_least
    if low is None and high is None:
        _require_labels(target)
        low, high = 0.0, 1.0
    positive = target > low if high is None else target >= high
    negative = target < high if low is None else target <= low
    parts = np.where(positive | negative, parts, np.uint8(UNUSED))
    trained = positive[parts == TRAIN]
    bounds = (("negative_at_most", negative_at_most), ("positive_at_least", positive_at_least))
    rule = (
        " and ".join(f"{name} {bound:g}" for name, bound in bounds if bound is not None)
        or "task 'binary'"
    )
    if not len(trained) or trained.all() or not trained.any():
        left = f"only label {int(trained[0])}" if len(trained) else "no row"
        raise BenchError(
            f"{rule}: {left} is left in training, where both are needed; the target goes from {target.min():g} to "
            f"{target.max():g}: choose other bounds or another split"
        )
    if not (parts == VALIDATION).any():
        raise BenchError(
            f"{rule}: no row is left for validation; choose other bounds or another split"
        )
    return positive.astype(np.float32), parts


def _require_labels(target: np.ndarray) -> None:
    found = np.unique(target)
    if not np.isin(found, (0, 1)).all():
        shown = ", ".join(f"{value:g}" for value in found[:NAMED])
        more = f" and {len(found) - NAMED} more values" if len(found) > NAMED else ""
        raise BenchError(
            f"task: 'binary' was given and the target holds {shown}{more}, not 0 and 1 alone; say which values are 0 and which "
            "are 1 with negative_at_most (--negative-at-most 2) and positive_at_least (--positive-at-least 4)"
        )
