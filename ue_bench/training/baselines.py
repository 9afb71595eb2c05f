"""Trivial predictors, fitted on the training rows: what an embedding has to beat before it means anything."""

import numpy as np

from ue_bench.data.encoding import Encoded
from ue_bench.data.splitting import TEST, TRAIN, VALIDATION
from ue_bench.errors import BenchError
from ue_bench.training import factors
from ue_bench.training import scores as score

DAMPING = 5.0  # pseudo-ratings at the mean, the usual choice for the damped bias model
CLIPPED = 0.001  # a prediction stands this far from 0 and 1 at the least, where it is taken for a probability
DIGITS = 12  # of a prediction that is ranked: means that are equal but for the order of their sums are ties
_PARTS = {"train": TRAIN, "val": VALIDATION, "test": TEST}


def anchors(
    encoded: Encoded, binary: bool = False, stars: bool = True
) -> dict[str, dict[str, float | None]]:
    """MSE of each trivial predictor on each part: errors summed, rows counted, divided once; None for an empty part.

    binary: the target is labels 0 and 1, and AUC and log loss stand beside the MSE. The predictors are the same: what they
    predict is no probability, and their log loss is that of predictions clipped to [0.001, 0.999]; AUC and MSE are unclipped.

    `mean`: mu, the mean of training. `item_mean`: the plain mean of the movie's training ratings.
    `bias`: mu + b_i + b_u with b_i = sum(r - mu) / (n_i + 5), then b_u = sum(r - mu - b_i) / (n_u + 5).
    `mf`: the bias model and factors fitted to what it leaves, `factors.explained`. stars: whether the target is the ratings whose
    scale its penalty is for; what is left of another target is brought to their spread first.
    A movie or user that training lacks adds 0 to mu. Raises BenchError when there are no training rows.
    """
    train = encoded.parts == TRAIN
    if not train.any():
        raise BenchError("anchors: the split has no training rows")
    rest = encoded.ratings.astype(np.float64)
    mean = rest[train].mean()
    rest -= mean
    # What is predicted, added up by itself: from the rounded residuals of labels, equal predictions would differ by their label.
    guess = np.full(len(rest), mean) if binary else None
    which = {part: encoded.parts == number for part, number in _PARTS.items()}

    def per(group: np.ndarray, residual: np.ndarray, damping: float) -> np.ndarray:
        """Damped mean of the training residuals of each row's group, 0 for a group without any: float64 [N']."""
        size = int(group.max()) + 1
        total = np.bincount(group[train], residual[train], size)
        count = np.bincount(group[train], minlength=size)
        return (total / np.maximum(count + damping, 1.0))[group]

    def scores(beyond: np.ndarray | None = None) -> dict[str, float | None]:
        """Of what is predicted so far, and `beyond` it."""
        residual = rest if beyond is None else rest - beyond
        found = {f"{part}_mse": _mse(residual[rows]) for part, rows in which.items()}
        if guess is not None:
            predicted = guess if beyond is None else guess + beyond
            logits = _logit(predicted)
            predicted = predicted.round(DIGITS)
            for part, rows in which.items():
                found[f"{part}_auc"] = score.auc(predicted[rows], encoded.ratings[rows])
                found[f"{part}_log_loss"] = score.log_loss(logits[rows], encoded.ratings[rows])
        return found

    def explain(explained: np.ndarray) -> None:
        np.subtract(rest, explained, out=rest)
        if guess is not None:
            np.add(guess, explained, out=guess)

    found = {"mean": scores(), "item_mean": scores(per(encoded.item, rest, 0.0))}
    explain(per(encoded.item, rest, DAMPING))
    explain(per(encoded.user, rest, DAMPING))
    found["bias"] = scores()
    scale = 1.0 if stars else (rest[train].std() or 1.0) / factors.SPREAD
    left = rest if stars else rest / scale
    explain(factors.explained(encoded.user, encoded.item, left, train) * scale)
    return found | {"mf": scores()}


def _logit(predicted: np.ndarray) -> np.ndarray:
    clipped = predicted.clip(CLIPPED, 1 - CLIPPED)
    return np.log(clipped / (1 - clipped))


def _mse(residual: np.ndarray) -> float | None:
    return float(np.square(residual).sum()) / len(residual) if len(residual) else None
