"""What the index map of a strategy makes values share. A run records it on request, as
`found.diagnostics`.

Only the values that occur in training count, because no others write to a row. Two values collide
in a lookup where all their slots of that lookup are equal: under the hashing trick, where they
share a row. In theory, for n values hashed to M rows, K slots a lookup and l lookups of a value:

    free of the feature's own values in a lookup         (1 - M^-K)^(n - 1)
    the same in at least one of l lookups                1 - (1 - that)^l
    free of the values of another feature with n'
    values and l' lookups in the same rows               (1 - M^-K)^(n' l')

Coleman et al., NeurIPS 2023 (arXiv 2305.12102), for K = 1.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.pool import Pool

NOT_ROWS = (
    "the slots of this method are not rows of one pool, so that equal slots of two features need "
    "not share numbers"
)
NOT_HASHED = "the slots of this feature are not each hashed to one of its rows"
DIGITS = 6


def index_map(strategy: EmbeddingStrategy) -> dict[str, Any]:
    """Return the collisions of every feature and the load of the rows.

    What the method does not have is None, with a reason under `why_null`.

    features: by name, `values` of training, `rows` that they are hashed to, `lookups`, `slots` a
        lookup, and `intra` and `inter`: the shares of values that are free of collisions with
        values of the same feature and of other features. `free` is by lookup, `free_any` in at
        least one lookup, `free_any_weighted` the latter weighted by training rows, `formula` and
        `formula_any` what theory expects. `own_weighted` of `intra`: among the training rows that
        read a value's row through the same lookup, the value's own share, weighted by training
        rows, mean over lookups. It is 1 without collisions and near 1 where a frequent value meets
        a rare one.
    load: over all `rows` of the pool, quantiles of how many `values` and how many `training_rows`
        read a row.
    """
    features = strategy.spec.features
    located = [_located(strategy, index) for index in range(len(features))]
    weights = []
    for feature in features:
        counts = feature.counts or [1] * feature.n_seen
        weights.append(torch.tensor(counts, dtype=torch.float64))
    ids, n_ids = _numbered(located)
    values_of = [torch.bincount(own.flatten(), minlength=n_ids) for own in ids]
    all_values = torch.stack(values_of).sum(0)

    by_feature: dict[str, Any] = {}
    reasons = {}
    if not strategy.one_pool:
        reasons["inter, load"] = NOT_ROWS
    for index, feature in enumerate(features):
        rows = strategy.hashed_rows(index)
        if rows is None:
            reasons["formula"] = NOT_HASHED
        alone, share = _within(ids[index], weights[index], n_ids)
        intra = _free_shares(alone, weights[index], _intra_formula(strategy, located, index))
        intra["own_weighted"] = _weighted_mean(share.mean(1), weights[index])
        inter = None
        if strategy.one_pool:
            others = all_values - values_of[index]
            without_others = others[ids[index]] == 0
            formula = _inter_formula(strategy, located, index)
            inter = _free_shares(without_others, weights[index], formula)
        by_feature[feature.name] = {
            "values": feature.n_seen,
            "rows": rows and len(rows),
            "lookups": ids[index].shape[1],
            "slots": located[index].shape[2],
            "intra": intra,
            "inter": inter,
        }
    load = None
    if strategy.one_pool:
        load = _load(strategy, located, weights)
    return {"features": by_feature, "load": load, "why_null": reasons}


def _located(strategy: EmbeddingStrategy, index: int) -> Tensor:
    """Return the slots of the training values of a feature.

    They are int64 [values, lookups, slots a lookup]. Where the slots cannot be divided evenly, one
    lookup has them all.
    """
    feature = strategy.spec.features[index]
    lookups = strategy.spec.lookups[index]
    slots = strategy.locate_checked(index, feature.values[: feature.n_seen]).cpu()
    if slots.shape[1] % lookups:
        lookups = 1
    return slots.unflatten(1, (lookups, -1))


def _numbered(located: list[Tensor]) -> tuple[list[Tensor], int]:
    """Number the distinct slots of lookups.

    Returns int64 [values, lookups] of each feature, where equal numbers mean equal slots, and how
    many numbers there are. Lookups of different numbers of slots are never equal.
    """
    ids = [torch.empty(0)] * len(located)
    n_ids = 0
    for n_slots in sorted({slots.shape[2] for slots in located}):
        members = [index for index, slots in enumerate(located) if slots.shape[2] == n_slots]
        lookups = torch.cat([located[member].flatten(0, 1) for member in members])
        distinct, numbers = torch.unique(lookups, dim=0, return_inverse=True)
        sizes = [located[member].shape[0] * located[member].shape[1] for member in members]
        for member, part in zip(members, numbers.split(sizes), strict=True):
            ids[member] = part.view(located[member].shape[:2]) + n_ids
        n_ids += len(distinct)
    return ids, n_ids


def _within(ids: Tensor, weights: Tensor, n_ids: int) -> tuple[Tensor, Tensor]:
    """Return whether a value is alone in a lookup, and its share there: [values, lookups] each.

    It is alone where the feature has no other value with the same slots. The share is that of the
    training rows of the feature that read the same slots.
    """
    alone = []
    share = []
    for own in ids.unbind(1):
        n_values = torch.bincount(own, minlength=n_ids)
        n_rows = torch.bincount(own, weights, minlength=n_ids)
        alone.append(n_values[own] == 1)
        share.append(weights / n_rows[own])
    return torch.stack(alone, 1), torch.stack(share, 1)


def _free_shares(free: Tensor, weights: Tensor, formula: float | None) -> dict[str, Any]:
    """Return shares of values that are free of collisions.

    free: bool [values, lookups]. formula: the probability that theory gives for one lookup.
    """
    by_lookup = [round(float(lookup.double().mean()), DIGITS) for lookup in free.unbind(1)]
    free_any = free.any(1).double()
    rounded = None
    rounded_any = None
    if formula is not None:
        rounded = round(formula, DIGITS)
        rounded_any = round(1 - (1 - formula) ** free.shape[1], DIGITS)
    return {
        "free": by_lookup,
        "free_any": round(float(free_any.mean()), DIGITS),
        "free_any_weighted": _weighted_mean(free_any, weights),
        "formula": rounded,
        "formula_any": rounded_any,
    }


def _weighted_mean(values: Tensor, weights: Tensor) -> float:
    return round(float((values * weights).sum() / weights.sum()), DIGITS)


def _intra_formula(strategy: EmbeddingStrategy, located: list[Tensor], index: int) -> float | None:
    """Return the probability that no other value of the feature has the slots of a lookup."""
    rows = strategy.hashed_rows(index)
    if rows is None:
        return None
    n_values, _, n_slots = located[index].shape
    return (1 - len(rows) ** -float(n_slots)) ** (n_values - 1)


def _inter_formula(strategy: EmbeddingStrategy, located: list[Tensor], index: int) -> float | None:
    """Return the probability that no value of another feature has the slots of a lookup.

    Hashes into rows A and rows B meet with probability |A and B| / (|A| |B|) a slot. Each other
    feature gives one factor.
    """
    own_rows = strategy.hashed_rows(index)
    n_slots = located[index].shape[2]
    log = 0.0
    for other, slots in enumerate(located):
        n_values, n_lookups, n_other_slots = slots.shape
        other_rows = strategy.hashed_rows(other)
        if own_rows is None or other_rows is None:
            return None
        if other == index or n_other_slots != n_slots:
            continue
        first = max(own_rows.start, other_rows.start)
        last = min(own_rows.stop, other_rows.stop)
        n_shared = max(0, last - first)
        meet = (n_shared / (len(own_rows) * len(other_rows))) ** n_slots
        if meet == 1:
            return 0.0
        log += n_values * n_lookups * math.log1p(-meet)
    return math.exp(log)


def _load(
    strategy: EmbeddingStrategy, located: list[Tensor], weights: list[Tensor]
) -> dict[str, Any]:
    """Return how often the rows of the pool are read.

    A value that reads a row through several slots counts once there.
    """
    pools = [module for module in strategy.modules() if isinstance(module, Pool)]
    n_rows = pools[0].rows
    values = torch.zeros(n_rows, dtype=torch.float64)
    training_rows = torch.zeros(n_rows, dtype=torch.float64)
    for slots, own_weights in zip(located, weights, strict=True):
        value = torch.arange(len(slots)).unsqueeze(1)
        pairs = torch.unique(value * n_rows + slots.flatten(1))
        values += torch.bincount(pairs % n_rows, minlength=n_rows)
        pair_weights = own_weights[pairs // n_rows]
        training_rows += torch.bincount(pairs % n_rows, pair_weights, minlength=n_rows)
    return {
        "rows": n_rows,
        "values": _quantiles(values),
        "training_rows": _quantiles(training_rows),
    }


def _quantiles(load: Tensor) -> dict[str, float]:
    """Return quantiles of the load of rows. `empty`: the share of rows that nothing reads."""
    quantiles = {"mean": round(float(load.mean()), DIGITS)}
    for percent in (50, 90, 99):
        quantile = load.quantile(percent / 100, interpolation="nearest")
        quantiles[f"p{percent}"] = float(quantile)
    quantiles["max"] = float(load.max())
    quantiles["empty"] = round(float((load == 0).double().mean()), DIGITS)
    return quantiles
