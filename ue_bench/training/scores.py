"""Scores of predicted probabilities: area under the ROC curve and log loss. Their MSE is the Brier
score."""

from typing import cast

import numpy as np


def auc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the area under the ROC curve, or None where only one label occurs.

    It is the chance that a row labelled 1 has a higher score than a row labelled 0, where a tie
    counts half: Mann and Whitney's U over the number of such pairs (Hanley and McNeil, Radiology
    1982). It is exact, because pairs are counted in whole numbers.

    scores: [N], in any monotone unit.
    labels: [N], 0 or 1.
    """
    negative = np.sort(scores[labels == 0])
    positive = scores[labels == 1]
    if not len(negative) or not len(positive):
        return None
    below = int(np.searchsorted(negative, positive, "left").sum())
    below_or_tied = int(np.searchsorted(negative, positive, "right").sum())
    return (below + below_or_tied) / (2 * len(negative) * len(positive))


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the mean of -log of the probability of the label, in nats, or None without rows.

    It is computed in float64 and finite for every finite logit.
    """
    if not len(labels):
        return None
    return float(log_losses(logits, labels).sum()) / len(labels)


def log_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return -log of the probability of each label, in nats: float64 [N]."""
    logits = logits.astype(np.float64)
    return np.logaddexp(0.0, logits) - labels * logits


def mean_square(errors: np.ndarray) -> float | None:
    """Return the mean squared error of errors [N], or None without rows."""
    if not len(errors):
        return None
    return float(np.square(errors).sum()) / len(errors)


def loss_of(outputs: np.ndarray, targets: np.ndarray, binary: bool) -> float:
    """Return the mean squared error of predictions, or the log loss of logits.

    outputs, targets: [N], at least one.
    """
    if binary:
        return cast(float, log_loss(outputs, targets))  # there are rows
    return float(np.square(outputs - targets).mean())
