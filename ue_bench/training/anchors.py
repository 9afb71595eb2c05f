"""All predictors that a model with embeddings is held against, fitted once for each split."""

import numpy as np
from threadpoolctl import threadpool_limits

from ue_bench.data.encoding import Encoded
from ue_bench.training.anchor_cache import kept, key_of
from ue_bench.training.baselines import Scores, trivial_anchors
from ue_bench.training.scores import auc, log_loss, mean_square
from ue_bench.training.split_parts import PARTS


def anchors(encoded: Encoded, binary: bool, stars: bool, threads: int) -> dict[str, Scores]:
    """Return the scores of each predictor on each part; None where a part has no rows.

    They are the trivial predictors of `trivial_anchors`, and

    * `linear`: an additive linear model of all features, with its `penalty`;
    * `boosting`: gradient boosted trees on all features, with the number of `trees`.

    * `best`: the formula of a world that was made, where the target is predicted as it is.

    The last three predict probabilities of labels, whose log loss is not clipped. `rows` is the
    number of training rows that `linear` and `boosting` were fitted to, and their training scores
    are those of these rows. The penalty and the number of trees are chosen on validation. All but
    `best` are read from the data cache where a run has fitted them to the same rows before.

    Raises BenchError when there are no training rows.
    """

    def fit() -> dict[str, Scores]:
        with threadpool_limits(threads):
            return _fit(encoded, binary, stars)

    scores = kept(key_of(encoded, {"binary": binary, "stars": stars}), fit)
    if encoded.best is not None:
        scores = {**scores, "best": best_scores(encoded, binary)}
    return scores


def best_scores(encoded: Encoded, binary: bool) -> Scores:
    """Return the scores of the formula of a world that was made, `encoded.best`, on each part."""
    from scipy.special import logit

    outputs = np.asarray(encoded.best, np.float64)
    return _scores(logit(outputs) if binary else outputs, encoded, binary)


def _fit(encoded: Encoded, binary: bool, stars: bool) -> dict[str, Scores]:
    # They load scipy and scikit-learn, a second that a run with anchors in the cache does not need.
    from ue_bench.training.boosting_anchor import fit_boosting
    from ue_bench.training.linear_anchor import fit_linear

    scores = trivial_anchors(encoded, binary, stars)
    linear = fit_linear(encoded, binary)
    scores["linear"] = {
        **_scores(linear.outputs, encoded, binary),
        "penalty": linear.penalty,
        "rows": linear.rows,
    }
    boosting = fit_boosting(encoded, binary)
    scores["boosting"] = {
        **_scores(boosting.outputs, encoded, binary),
        "trees": boosting.trees,
        "rows": boosting.rows,
    }
    return scores


def _scores(outputs: np.ndarray, encoded: Encoded, binary: bool) -> Scores:
    """Return the scores of predictions, or of logits of labels: float64 [N], NaN for no output."""
    from scipy.special import expit

    predictions = expit(outputs) if binary else outputs
    scores: Scores = {}
    for name, number in PARTS.items():
        rows = (encoded.parts == number) & ~np.isnan(outputs)
        targets = encoded.ratings[rows]
        scores[f"{name}_mse"] = mean_square(predictions[rows] - targets)
        if binary:
            scores[f"{name}_auc"] = auc(outputs[rows], targets)
            scores[f"{name}_log_loss"] = log_loss(outputs[rows], targets)
    return scores
