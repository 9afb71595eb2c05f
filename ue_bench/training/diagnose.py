"""Why it works: what the index map makes values share, and what training makes of it. On request, in the record.

`found.diagnostics` follows from the index map as it is served, `quality.diagnostics` from training. Both count the values that
occur in training, for no other writes to a row. Two values collide in a lookup where all their slots of that lookup are equal:
for the hashing trick, where they share a row. Theory, for n values hashed to M rows, K slots a lookup, l lookups of a value:

    free of the feature's own values in a lookup: (1 - M^-K)^(n - 1)        in one of l: 1 - (1 - that)^l
    free of the values of another feature with n' values and l' lookups in the same rows: (1 - M^-K)^(n' l')

Coleman et al., NeurIPS 2023 (arXiv 2305.12102), for K = 1. There the update of a row by the values of other features is harmless
where the features' read-out weights are orthogonal, that by other values of the same feature never.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy, Pool
from ue_bench.training.model import RatingModel

NOT_ROWS = "the slots of this method are not rows of one pool, so that equal slots of two features need not share numbers"
NOT_HASHED = "the slots of this feature are not each hashed to one of its rows"
NO_READOUT = "no single weight matrix of this head reads the embeddings"
NO_PAIR = "there are not two features whose lookups are equally wide"
DIGITS = 6


def index_map(strategy: EmbeddingStrategy) -> dict[str, Any]:
    """Collisions of every feature and load of the rows; null with a reason under `why_null` where the method has no such thing.

    features: by name, `values` of training, `rows` they are hashed to, `lookups`, `slots` a lookup; `intra` and `inter`, each
    with the shares of values that are free of such collisions: `free` by lookup, `free_any` in at least one lookup,
    `free_any_weighted` the same weighted by training rows, and what theory says (`formula`, `formula_any`). `own_weighted` of
    `intra`: of the training rows that read a value's row through the same lookup, the value's own share, weighted by training
    rows, mean over lookups: 1 without collisions, and near 1 where a frequent value meets a rare one.
    load: over all `rows` of the pool, how many `values` and how many `training_rows` read a row (quantiles).
    """
    features = strategy.spec.features
    located = [_located(strategy, index) for index in range(len(features))]
    weights = [torch.tensor(f.counts or [1] * f.n_seen, dtype=torch.float64) for f in features]
    ids, total = _numbered(located)
    used = [torch.bincount(own.flatten(), minlength=total) for own in ids]
    every = torch.stack(used).sum(0)
    found, reasons = {}, {} if strategy.one_pool else {"inter, load": NOT_ROWS}
    for index, feature in enumerate(features):
        rows = strategy.hashed_rows(index)
        if rows is None:
            reasons["formula"] = NOT_HASHED
        alone, share = _within(ids[index], weights[index], total)
        intra = _free(alone, weights[index], _intra(strategy, located, index))
        intra["own_weighted"] = _mean(share.mean(1), weights[index])
        inter = None
        if strategy.one_pool:
            inter = _free(
                (every - used[index])[ids[index]] == 0,
                weights[index],
                _inter(strategy, located, index),
            )
        found[feature.name] = {
            "values": feature.n_seen,
            "rows": rows and len(rows),
            "lookups": ids[index].shape[1],
            "slots": located[index].shape[2],
            "intra": intra,
            "inter": inter,
        }
    return {
        "features": found,
        "load": _load(strategy, located, weights) if strategy.one_pool else None,
        "why_null": reasons,
    }


def _located(strategy: EmbeddingStrategy, index: int) -> Tensor:
    """Slots of the training values of a feature: int64 [values, lookups, slots a lookup].

    The slots of a lookup stand side by side; where they cannot be dealt out evenly, one lookup has them all.
    """
    feature, lookups = strategy.spec.features[index], strategy.spec.lookups[index]
    slots = strategy.locate(index, feature.values[: feature.n_seen]).cpu()
    return slots.unflatten(1, (1 if slots.shape[1] % lookups else lookups, -1))


def _numbered(located: list[Tensor]) -> tuple[list[Tensor], int]:
    """Each lookup's slots as one number, equal where all slots are: int64 [values, lookups] by feature; how many there are."""
    ids, total = [torch.empty(0)] * len(located), 0
    for slots in sorted({own.shape[2] for own in located}):
        members = [index for index, own in enumerate(located) if own.shape[2] == slots]
        known, numbers = torch.unique(
            torch.cat([located[m].flatten(0, 1) for m in members]), dim=0, return_inverse=True
        )
        parts = numbers.split([located[m].shape[0] * located[m].shape[1] for m in members])
        for member, part in zip(members, parts, strict=True):
            ids[member] = part.view(located[member].shape[:2]) + total
        total += len(known)
    return ids, total


def _within(ids: Tensor, weights: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """By value and lookup [values, lookups]: whether the feature has no other value there, and the value's share of the rows."""
    alone, share = [], []
    for own in ids.unbind(1):
        alone.append(torch.bincount(own, minlength=total)[own] == 1)
        share.append(weights / torch.bincount(own, weights, minlength=total)[own])
    return torch.stack(alone, 1), torch.stack(share, 1)


def _free(free: Tensor, weights: Tensor, formula: float | None) -> dict[str, Any]:
    """Shares of values, from bool [values, lookups] and the probability that theory has for one lookup."""
    return {
        "free": [round(float(one.double().mean()), DIGITS) for one in free.unbind(1)],
        "free_any": round(float(free.any(1).double().mean()), DIGITS),
        "free_any_weighted": _mean(free.any(1).double(), weights),
        "formula": None if formula is None else round(formula, DIGITS),
        "formula_any": None
        if formula is None
        else round(1 - (1 - formula) ** free.shape[1], DIGITS),
    }


def _mean(values: Tensor, weights: Tensor) -> float:
    return round(float((values * weights).sum() / weights.sum()), DIGITS)


def _intra(strategy: EmbeddingStrategy, located: list[Tensor], index: int) -> float | None:
    rows, (values, _, slots) = strategy.hashed_rows(index), located[index].shape
    return None if rows is None else (1 - len(rows) ** -float(slots)) ** (values - 1)


def _inter(strategy: EmbeddingStrategy, located: list[Tensor], index: int) -> float | None:
    """One factor for each other feature: two hashes meet with probability |A and B| / (|A| |B|) for rows A and B."""
    own, slots, log = strategy.hashed_rows(index), located[index].shape[2], 0.0
    for other, (values, lookups, width) in enumerate(each.shape for each in located):
        theirs = strategy.hashed_rows(other)
        if own is None or theirs is None:
            return None
        shared = max(0, min(own.stop, theirs.stop) - max(own.start, theirs.start))
        meet = (shared / (len(own) * len(theirs))) ** slots if width == slots else 0.0
        if other != index and meet == 1:
            return 0.0
        log += values * lookups * math.log1p(-meet) if other != index else 0.0
    return math.exp(log)


def _load(
    strategy: EmbeddingStrategy, located: list[Tensor], weights: list[Tensor]
) -> dict[str, Any]:
    """How often the rows of the pool are read. A value that finds a row through several slots counts there once."""
    rows = next(len(module.weight) for module in strategy.modules() if isinstance(module, Pool))
    values, training_rows = (
        torch.zeros(rows, dtype=torch.float64),
        torch.zeros(rows, dtype=torch.float64),
    )
    for slots, own in zip(located, weights, strict=True):
        value = torch.arange(len(slots)).unsqueeze(1)
        pairs = torch.unique(value * rows + slots.flatten(1))
        values += torch.bincount(pairs % rows, minlength=rows)
        training_rows += torch.bincount(pairs % rows, own[pairs // rows], minlength=rows)
    return {"rows": rows, "values": _quantiles(values), "training_rows": _quantiles(training_rows)}


def _quantiles(load: Tensor) -> dict[str, float]:
    """`empty`: share of rows that nothing reads."""
    return {
        "mean": round(float(load.mean()), DIGITS),
        **{f"p{q}": float(load.quantile(q / 100, interpolation="nearest")) for q in (50, 90, 99)},
        "max": float(load.max()),
        "empty": round(float((load == 0).double().mean()), DIGITS),
    }


def watch(
    model: RatingModel, then: Callable[[Any], None]
) -> tuple[Callable[[Any], None], dict[str, Any]]:
    """A callback for every evaluation of training, which calls `then`, and the dictionary that it fills.

    angles: a series from epoch 0, before training, as `angles` has them; null with a reason under `why_null`.
    """
    first, reason = angles(model)
    if first is None:
        return then, {"angles": None, "why_null": {"angles": reason}}
    series = [{"epoch": 0.0, **first}]

    def on_evaluation(fit: Any) -> None:
        series.append({"epoch": fit.history[-1]["epoch"], **(angles(model)[0] or {})})
        then(fit)

    return on_evaluation, {"angles": series, "why_null": {}}


@torch.no_grad()
def angles(model: RatingModel) -> tuple[dict[str, Any] | None, str]:
    """Angles between the weights that read the lookups of different features, mean over pairs of lookups, in degrees; or why not.

    The weights of a lookup are A, float [outputs, D]. angle: arccos(|A B'| / (|A| |B|)) in Frobenius norms, from 0 to 90: with
    one output the acute angle between two vectors, in general how little an update of a shared row through B moves what A reads.
    For isotropic weights it is arccos(D^-1/2). signed_angle: from 0 to 180, for heads of one output; null for others.
    """
    weights, strategy = model.head.readout, model.strategy
    if weights is None:
        return None, NO_READOUT
    counts, owner, parts = strategy.spec.lookups, list[int](), list[Tensor]()
    for index, block in enumerate(weights.detach().double().cpu().split(list(strategy.widths), 1)):
        parts += block.chunk(counts[index], 1)
        owner += [index] * (len(parts) - len(owner))
    if len(set(owner)) < 2 or len({part.shape[1] for part in parts}) > 1:
        return None, NO_PAIR
    stack = torch.stack(parts)  # [S, outputs, D]
    stack = stack / stack.flatten(1).norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny).view(
        -1, 1, 1
    )
    first, second = torch.triu_indices(len(parts), len(parts), 1)
    apart = torch.tensor(owner)[first] != torch.tensor(owner)[second]
    products = torch.einsum("phd,pgd->phg", stack[first[apart]], stack[second[apart]])
    signed = None
    if stack.shape[1] == 1:
        signed = _degrees(products.flatten())
    return {"angle": _degrees(products.flatten(1).norm(dim=1)), "signed_angle": signed}, ""


def _degrees(cosines: Tensor) -> float:
    return round(float(torch.rad2deg(cosines.clamp(-1, 1).arccos()).mean()), 4)
