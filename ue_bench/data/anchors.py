"""Trivial predictors, fitted on the training rows: what an embedding has to beat before it means anything."""

import numpy as np

from ue_bench.data import factors
from ue_bench.data.encode import Encoded
from ue_bench.data.splits import TEST, TRAIN, VALIDATION
from ue_bench.errors import BenchError

DAMPING = 5.0  # pseudo-ratings at the mean, the usual choice for the damped bias model
_PARTS = {"train_mse": TRAIN, "val_mse": VALIDATION, "test_mse": TEST}


def anchors(encoded: Encoded) -> dict[str, dict[str, float | None]]:
    """MSE of each trivial predictor on each part: errors summed, rows counted, divided once; None for an empty part.

    `mean`: mu, the mean of training. `item_mean`: the plain mean of the movie's training ratings.
    `bias`: mu + b_i + b_u with b_i = sum(r - mu) / (n_i + 5), then b_u = sum(r - mu - b_i) / (n_u + 5).
    `mf`: the bias model and factors fitted to what it leaves, `factors.explained`.
    A movie or user that training lacks adds 0 to mu. Raises BenchError when there are no training rows.
    """
    train = encoded.parts == TRAIN
    if not train.any():
        raise BenchError("anchors: the split has no training rows")
    rest = encoded.ratings.astype(np.float64)
    rest -= rest[train].mean()

    def per(group: np.ndarray, residual: np.ndarray, damping: float) -> np.ndarray:
        """Damped mean of the training residuals of each row's group, 0 for a group without any: float64 [N']."""
        size = int(group.max()) + 1
        total = np.bincount(group[train], residual[train], size)
        count = np.bincount(group[train], minlength=size)
        return (total / np.maximum(count + damping, 1.0))[group]

    def scores(residual: np.ndarray) -> dict[str, float | None]:
        return {part: _mse(residual[encoded.parts == number]) for part, number in _PARTS.items()}

    found = {"mean": scores(rest), "item_mean": scores(rest - per(encoded.item, rest, 0.0))}
    rest -= per(encoded.item, rest, DAMPING)
    rest -= per(encoded.user, rest, DAMPING)
    found["bias"] = scores(rest)
    rest -= factors.explained(encoded.user, encoded.item, rest, train)
    return found | {"mf": scores(rest)}


def _mse(residual: np.ndarray) -> float | None:
    return float(np.square(residual).sum()) / len(residual) if len(residual) else None
