"""The `quality` of a record: errors of the trained model, beside those of the trivial
predictors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench import data
from ue_bench.errors import BenchError
from ue_bench.record.group_errors import pack_counts, pack_errors
from ue_bench.training.baselines import Scores
from ue_bench.training.model import ScoredModel
from ue_bench.training.rarity import by_rarity, rarity_of
from ue_bench.training.reliability import reliability
from ue_bench.training.row_groups import RowGroups, row_groups, scored_part, sums
from ue_bench.training.scores import mean_square
from ue_bench.training.split_parts import PARTS
from ue_bench.training.train import Fit, Rows
from ue_bench.training.user_ranking import ranking

ANCHORS = "anchors"


def judge(
    model: ScoredModel,
    rows: dict[str, Rows],
    outputs_of: Mapping[str, Tensor],
    anchors: dict[str, Scores],
    encoded: data.Encoded,
    fitted: Fit,
    grouped: Sequence[str],
) -> dict[str, Any]:
    """Return the errors of the trained model, pooled over the rows of each part.

    `beats_bias` compares MSE for every task. MSE is a proper score of probabilities too, it needs
    no clipping of what the bias model predicts beyond 0 and 1, and all marks and comparisons of the
    report are based on it.

    rows: by part. outputs_of: what the model gave them. anchors: the scores of the trivial
    predictors on the same rows.
    grouped: the parts whose errors are kept by user or block of rows too (see
    `record.group_errors`); with `ANCHORS` among them, those of the anchors on the scored part.

    Raises BenchError where a prediction is not finite.
    """
    errors: dict[str, np.ndarray] = {}
    predictions: dict[str, np.ndarray] = {}
    row_errors: dict[str, dict[str, np.ndarray]] = {}
    quality: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for name, part in rows.items():
        part_outputs = outputs_of[name]
        predicted = model.predictions(part_outputs)
        predictions[name] = predicted.double().cpu().numpy()
        errors[name] = (predicted - part.ratings).double().cpu().numpy()
        _require_finite(errors[name], name)
        row_errors[name] = model.row_errors(part_outputs, part.ratings)
        quality[f"{name}_mse"] = mean_square(errors[name])
        for score, value in model.label_scores(part_outputs, part.ratings).items():
            scores[f"{name}_{score}"] = value
    judged = scored_part(encoded)  # the article's split has no test rows
    mse = quality[f"{judged}_mse"]
    bias_mse = anchors["bias"][f"{judged}_mse"]
    beats_bias = None
    if mse is not None and bias_mse is not None:
        beats_bias = mse < bias_mse
    test_mae = None
    if len(errors["test"]):
        test_mae = _mae(errors["test"])

    def score_some(chosen: np.ndarray) -> dict[str, Any]:
        """Return all scores of some of the judged rows, bool [N]."""
        of_chosen = torch.from_numpy(chosen).to(outputs_of[judged].device)
        label_scores = model.label_scores(
            outputs_of[judged][of_chosen], rows[judged].ratings[of_chosen]
        )
        own = errors[judged][chosen]
        return {**_slice(own), "mae": _mae(own), **label_scores}

    targets = rows[judged].ratings.double().cpu().numpy()
    judgement = {
        **quality,
        **scores,
        "test_mae": test_mae,
        "best_epoch": fitted.best_epoch,
        "epochs_run": fitted.epochs_run,
        "history": fitted.history,
        "slices": {"of": judged, **_slices(errors[judged], encoded, PARTS[judged])},
        "rarity": {"of": judged, **by_rarity(rarity_of(encoded, judged), score_some)},
        "reliability": {"of": judged, **reliability(predictions[judged], targets)},
        "anchors": anchors,
        "beats_bias": beats_bias,
    }
    of_users = ranking(encoded, judged, predictions[judged])
    if of_users is not None:
        judgement["ranking"] = {"of": judged, **of_users}
    for name in rows:
        if name in grouped:
            of_rows = {"mse": np.square(errors[name]), **row_errors[name]}
            by_group = _by_group(row_groups(encoded, name), of_rows)
            judgement.setdefault("groups", {})[name] = by_group
    if ANCHORS not in grouped:
        judgement["anchors"] = {name: _ungrouped(scores) for name, scores in anchors.items()}
    return judgement


def _ungrouped(scores: Scores) -> Scores:
    return {name: value for name, value in scores.items() if name != "groups"}


def _by_group(groups: RowGroups, of_rows: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the errors of the rows of a part by group, as `group_errors` describes them."""
    by_group: dict[str, Any] = {
        "by": groups.by,
        "count": groups.n_groups,
        "rows": groups.rows,
        "n": pack_counts(np.bincount(groups.numbers, minlength=groups.n_groups)),
    }
    for measure, errors in of_rows.items():
        by_group[measure] = pack_errors(sums(groups, errors))
    return by_group


def _require_finite(errors: np.ndarray, name: str) -> None:
    n_wrong = int(np.count_nonzero(~np.isfinite(errors)))
    if n_wrong:
        raise BenchError(
            f"{n_wrong} of {len(errors)} predictions of {name} rows are beyond the numbers of 32 "
            "bits; lower lr, or give the target in a larger unit"
        )


def _slices(errors: np.ndarray, encoded: data.Encoded, part: int) -> dict[str, Any]:
    """Return the errors by whether training has the user, or the movie, of a row."""
    in_part = encoded.parts == part
    slices = {}
    for entity, seen in (("user", encoded.user_seen), ("item", encoded.item_seen)):
        is_warm = seen[in_part]
        slices[f"warm_{entity}"] = _slice(errors[is_warm])
        slices[f"cold_{entity}"] = _slice(errors[~is_warm])
    return slices


def _slice(errors: np.ndarray) -> dict[str, Any]:
    return {"n": len(errors), "mse": mean_square(errors)}


def _mae(errors: np.ndarray) -> float | None:
    if not len(errors):
        return None
    return float(np.abs(errors).mean())
