"""Angles between the weights with which a head reads different features, followed through training.

A run records them on request, as `quality.diagnostics`. The update of a row by the values of other
features is harmless where these weights are orthogonal; the update by other values of the same
feature never is (Coleman et al., NeurIPS 2023, arXiv 2305.12102).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ue_bench.training.model import RatingModel

NO_READOUT = "no single weight matrix of this head reads the embeddings"
NO_PAIR = "there are not two features whose lookups are equally wide"
DIGITS = 4


def watch(
    model: RatingModel, then: Callable[[Any], None]
) -> tuple[Callable[[Any], None], dict[str, Any]]:
    """Return a callback for the evaluations of training, and the dictionary that it fills.

    angles: a series of the results of `angles`, from epoch 0, before training, on; None with a
        reason under `why_null` where they are undefined.
    then: is called after each evaluation.
    """
    before_training, reason = angles(model)
    if before_training is None:
        return then, {"angles": None, "why_null": {"angles": reason}}
    series = [{"epoch": 0.0, **before_training}]

    def on_evaluation(fit: Any) -> None:
        now, _ = angles(model)
        series.append({"epoch": fit.history[-1]["epoch"], **(now or {})})
        then(fit)

    return on_evaluation, {"angles": series, "why_null": {}}


@torch.no_grad()
def angles(model: RatingModel) -> tuple[dict[str, Any] | None, str]:
    """Return the mean angles over pairs of lookups of different features, in degrees.

    The weights of a lookup are A, float [outputs, D].

    * `angle` is arccos(|A B'| / (|A| |B|)) in Frobenius norms, from 0 to 90. With one output it is
      the acute angle between two vectors; in general it says how little an update of a shared row
      through B moves what A reads. For isotropic weights it is arccos(D^-1/2).
    * `signed_angle` is from 0 to 180, for heads of one output, and None for others.

    The second value is the reason where there are no angles, and otherwise empty.
    """
    readout = model.head.readout
    if readout is None:
        return None, NO_READOUT
    lookups, owners = _weights_by_lookup(model, readout)
    widths = {weights.shape[1] for weights in lookups}
    if len(set(owners)) < 2 or len(widths) > 1:
        return None, NO_PAIR
    stack = torch.stack(lookups)  # [lookups, outputs, D]
    norms = stack.flatten(1).norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny)
    directions = stack / norms.view(-1, 1, 1)
    first, second = torch.triu_indices(len(lookups), len(lookups), 1)
    owner = torch.tensor(owners)
    of_two_features = owner[first] != owner[second]
    products = torch.einsum(
        "phd,pgd->phg",
        directions[first[of_two_features]],
        directions[second[of_two_features]],
    )
    signed = None
    if stack.shape[1] == 1:
        signed = _mean_degrees(products.flatten())
    angle = _mean_degrees(products.flatten(1).norm(dim=1))
    return {"angle": angle, "signed_angle": signed}, ""


def _weights_by_lookup(model: RatingModel, readout: Tensor) -> tuple[list[Tensor], list[int]]:
    """Return the weights of each lookup, float64 [outputs, D], and the number of its feature."""
    strategy = model.strategy
    lookups: list[Tensor] = []
    owners: list[int] = []
    by_feature = readout.detach().double().cpu().split(list(strategy.widths), 1)
    for index, weights in enumerate(by_feature):
        own = weights.chunk(strategy.spec.lookups[index], 1)
        lookups.extend(own)
        owners.extend([index] * len(own))
    return lookups, owners


def _mean_degrees(cosines: Tensor) -> float:
    degrees = torch.rad2deg(cosines.clamp(-1, 1).arccos())
    return round(float(degrees.mean()), DIGITS)
