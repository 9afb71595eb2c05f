"""The mean and the bias model on a stream: each block is predicted from the rows before it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ue_bench.data.encoding import Encoded
from ue_bench.training.baselines import DAMPING, Scores, label_scores
from ue_bench.training.scores import mean_square
from ue_bench.training.split_parts import PARTS


def progressive_anchors(encoded: Encoded, ends: Sequence[int], binary: bool) -> dict[str, Scores]:
    """Return the scores of `mean`, `item_mean` and `bias` on the parts that are predicted.

    They are those of `trivial_anchors`, fitted to all rows before a block. ends: where each block
    ends in the order of time, `encoded.order`.
    """
    order = encoded.order
    if order is None:
        raise ValueError("the rows of a stream have an order")
    predicted = {name: np.full(len(order), np.nan) for name in ("mean", "item_mean", "bias")}
    for first, last in pairwise(ends):
        before, block = order[:first], order[first:last]
        for name, values in _predict(encoded, before, block).items():
            predicted[name][block] = values
    targets = encoded.ratings.astype(np.float64)
    scores: dict[str, Scores] = {}
    for name, values in predicted.items():
        scores[name] = {}
        for part, number in PARTS.items():
            rows = (encoded.parts == number) & ~np.isnan(values)
            scores[name][f"{part}_mse"] = mean_square(values[rows] - targets[rows])
            if binary and rows.any():
                for score, value in label_scores(values[rows], targets[rows]).items():
                    scores[name][f"{part}_{score}"] = value
    return scores


def _predict(encoded: Encoded, before: np.ndarray, block: np.ndarray) -> dict[str, np.ndarray]:
    ratings = encoded.ratings[before].astype(np.float64)
    mean = float(ratings.mean())
    residuals = ratings - mean
    plain = _means(encoded.item, before, residuals, damping=0.0)
    of_items = _means(encoded.item, before, residuals, DAMPING)
    left = residuals - of_items[encoded.item[before]]
    of_users = _means(encoded.user, before, left, DAMPING)
    bias = of_items[encoded.item[block]] + of_users[encoded.user[block]]
    return {
        "mean": np.full(len(block), mean),
        "item_mean": mean + plain[encoded.item[block]],
        "bias": mean + bias,
    }


def _means(
    group: np.ndarray, rows: np.ndarray, residuals: np.ndarray, damping: float
) -> np.ndarray:
    """Return the damped mean residual of each group over these rows; 0 of a group without any."""
    size = int(group.max()) + 1
    total = np.bincount(group[rows], residuals, size)
    count = np.bincount(group[rows], minlength=size)
    return total / np.maximum(count + damping, 1.0)
