"""Trivial predictors, fitted to the training rows: an embedding has to beat them before its error
means anything."""

from typing import Any, NamedTuple

import numpy as np

from ue_bench.data.encoding import Encoded
from ue_bench.data.splitting import TRAIN
from ue_bench.errors import BenchError
from ue_bench.record.group_errors import pack_errors
from ue_bench.training.matrix_factorisation import RANK, SPREAD, Vectors, fit_vectors
from ue_bench.training.row_groups import row_groups, scored_part, sums
from ue_bench.training.scores import auc, log_loss, log_losses, mean_square
from ue_bench.training.split_parts import PARTS

DAMPING = 5.0  # pseudo-ratings at the mean, the usual choice for the damped bias model
# A prediction that is read as a probability is clipped to this distance from 0 and 1.
CLIP = 0.001
# Predictions are ranked by this many digits: means that differ only by the order of their sums are
# ties.
DIGITS = 12

Scores = dict[str, Any]  # numbers or None, and packed texts of errors by group


def trivial_anchors(
    encoded: Encoded, binary: bool = False, stars: bool = True
) -> dict[str, Scores]:
    """Return the scores of each trivial predictor on each part; None where a part has no rows.

    Errors are summed, rows are counted, and the sum is divided once. `groups` of `mean`, `bias` and
    `mf` are their squared errors by group, packed as `record.group_errors` describes. The
    predictors are

    * `mean`: mu, the mean of the training rows;
    * `item_mean`: the plain mean of the movie's training ratings;
    * `bias`: mu + b_i + b_u with b_i = sum(r - mu) / (n_i + 5), and then
      b_u = sum(r - mu - b_i) / (n_u + 5);
    * `mf`: the bias model and a matrix factorisation of its residuals.

    A movie or user without training rows adds 0 to mu.

    binary: the target is labels 0 and 1, and the scores include AUC and log loss. The predictors
        are the same. They predict no probabilities, so the log loss is that of predictions clipped
        to [0.001, 0.999]; AUC and MSE use the predictions as they are.
    stars: the target is star ratings, which the penalty of the factorisation was chosen for. The
        residuals of another target are first scaled to the spread of those of stars.

    Raises BenchError when there are no training rows.
    """
    if not (encoded.parts == TRAIN).any():
        raise BenchError("anchors: the split has no training rows")
    prediction = Prediction(encoded, binary)
    scores = {"mean": {**prediction.scores(), "groups": prediction.by_group()}}
    item_means = prediction.group_means(encoded.item, damping=0.0)
    scores["item_mean"] = prediction.scores(item_means[encoded.item])
    prediction.add_biases()
    scores["bias"] = {**prediction.scores(), "groups": prediction.by_group()}
    vectors = prediction.fit_vectors(RANK, stars)
    prediction.add(vectors.products(encoded.user, encoded.item))
    scores["mf"] = {**prediction.scores(), "groups": prediction.by_group()}
    return scores


class Biases(NamedTuple):
    """The bias of each user and of each item: float64 [users] and [items]."""

    user: np.ndarray
    item: np.ndarray


class Prediction:
    """A prediction of every row, which starts at the mean of training and is refined in steps.

    mean: mu, the mean of the training rows.
    """

    def __init__(self, encoded: Encoded, binary: bool = False) -> None:
        self.encoded = encoded
        self.train = encoded.parts == TRAIN
        self.rows = {name: encoded.parts == number for name, number in PARTS.items()}
        self.scored = scored_part(encoded)
        self.groups = row_groups(encoded, self.scored)
        self.residuals = encoded.ratings.astype(np.float64)
        self.mean = float(self.residuals[self.train].mean())
        self.residuals -= self.mean
        # The prediction of labels is summed by itself: computed from rounded residuals, equal
        # predictions would differ by the label of their row.
        self.values: np.ndarray | None = None
        if binary:
            self.values = np.full(len(self.residuals), self.mean)

    def group_means(self, group: np.ndarray, damping: float) -> np.ndarray:
        """Return the damped mean of the training residuals of each group: float64 [groups].

        A group without training rows has 0. group: of each row, whole numbers [N].
        """
        size = int(group.max()) + 1
        total = np.bincount(group[self.train], self.residuals[self.train], size)
        count = np.bincount(group[self.train], minlength=size)
        return total / np.maximum(count + damping, 1.0)

    def add_biases(self) -> Biases:
        """Add the damped bias of each row's item, then that of its user, and return both."""
        of_items = self.group_means(self.encoded.item, DAMPING)
        self.add(of_items[self.encoded.item])
        of_users = self.group_means(self.encoded.user, DAMPING)
        self.add(of_users[self.encoded.user])
        return Biases(user=of_users, item=of_items)

    def fit_vectors(self, rank: int, stars: bool) -> Vectors:
        """Return the matrix factorisation of the residuals. stars: as in `trivial_anchors`."""
        scale = 1.0
        residuals = self.residuals
        if not stars:
            scale = (residuals[self.train].std() or 1.0) / SPREAD
            residuals = residuals / scale
        user = self.encoded.user
        vectors = fit_vectors(user, self.encoded.item, residuals, self.train, rank)
        return vectors._replace(user=vectors.user * scale)

    def add(self, step: np.ndarray) -> None:
        """Add a step, float64 [N], to the prediction."""
        np.subtract(self.residuals, step, out=self.residuals)
        if self.values is not None:
            np.add(self.values, step, out=self.values)

    def by_group(self) -> str:
        """Return the squared errors of the scored rows by group, packed."""
        errors = self.residuals[self.rows[self.scored]]
        return pack_errors(sums(self.groups, np.square(errors)))

    def scores(self, step: np.ndarray | None = None) -> Scores:
        """Return the scores of the prediction; with a `step`, those it would have after `add`."""
        residuals = self.residuals
        values = self.values
        if step is not None:
            residuals = residuals - step
            values = None if values is None else values + step
        scores = {f"{name}_mse": mean_square(residuals[rows]) for name, rows in self.rows.items()}
        if values is None:
            return scores
        for name, rows in self.rows.items():
            labels = self.encoded.ratings[rows]
            for score, value in label_scores(values[rows], labels).items():
                scores[f"{name}_{score}"] = value
        return scores


def label_scores(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """Return AUC and log loss of predictions [N] of labels [N] that are no probabilities.

    The log loss is that of predictions clipped to [0.001, 0.999].
    """
    return {
        "auc": auc(predictions.round(DIGITS), labels),
        "log_loss": log_loss(_logit(predictions), labels),
    }


def label_losses(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, as in `label_scores`: float64 [N]."""
    return log_losses(_logit(predictions), labels)


def _logit(probabilities: np.ndarray) -> np.ndarray:
    clipped = probabilities.clip(CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped))
