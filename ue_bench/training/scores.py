"""How good predicted probabilities are: area under the ROC curve and log loss. (Their MSE is the Brier score.)"""

import numpy as np


def auc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Area under the ROC curve: the chance that a row labelled 1 is scored above one labelled 0, ties counting half (Mann and
    Whitney's U over the number of such pairs; Hanley and McNeil, Radiology 1982). Exact: pairs are counted in whole numbers.

    scores: [N], in any monotone unit. labels: [N], 0 or 1. None where only one label occurs.
    """
    negative, positive = np.sort(scores[labels == 0]), scores[labels == 1]
    if not len(negative) or not len(positive):
        return None
    twice = sum(int(np.searchsorted(negative, positive, side).sum()) for side in ("left", "right"))
    return twice / (2 * len(negative) * len(positive))


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean of -log of the probability given to the label, in nats: float64. Finite for every finite logit; None for no row."""
    logits = logits.astype(np.float64)
    return (
        float((np.logaddexp(0.0, logits) - labels * logits).sum()) / len(labels)
        if len(labels)
        else None
    )
