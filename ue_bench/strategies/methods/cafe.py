"""CAFE: while it trains, a sketch finds the values that training moves most; these get rows of
their own, and all others are hashed. There is no vocabulary.

    vector_k(x) = E[own(x) + k] for a hot x, otherwise E[start + xxh32(x, seed_k) mod size]
    importance(x) = decayed sum over batches of |gradient of x's vector|

Zhang et al., CAFE, SIGMOD 2024 (arXiv 2312.03256). The sketch is that of SpaceSaving in hashed
buckets of four: a value that is in its bucket adds to its importance, and another one takes the
place of the least important and inherits its importance. The paper moves values between hot and
hashed rows at any time. Here they move after each of the first `hot_epochs` epochs: the most
important values own a `hot_share` of the rows, and a new one starts from its hashed vector. A value
has one place in the sketch, whatever its lookups, and a key of 32 bits for all features together.
Separate: the hashed rows are divided among the features; the hot ones are not.
Bytes: 4 M D for all rows, and 12 for each place of the sketch (key, importance and rows), of which
there are four for each hot value.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BudgetError
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import counted, too_large, well_used
from ue_bench.strategies.knobs import require
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import divide, ends_of, usable_slots
from ue_bench.strategies.spec import Spec

WAYS = 4  # places of a bucket
PLACE_BYTES = 12
DECAY = 0.5  # of importance, an epoch
_HASHES = 2**32
_HALF = 2**31


class CAFE(EmbeddingStrategy):
    map_in_state = True
    learns_from_batches = True  # the sketch

    keys: Tensor
    importance: Tensor
    units: Tensor
    _rows: Tensor
    _places: Tensor
    _seen_keys: Tensor
    _seen_importance: Tensor
    knobs: Mapping[str, Any] = {"hot_share": 0.3, "hot_epochs": 3}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        share = self.options["hot_share"]
        require(spec, "hot_share", share, 0 < share < 1, "between 0 and 1")
        epochs = self.options["hot_epochs"]
        require(spec, "hot_epochs", epochs, epochs >= 0, "at least 0")
        self.unit = max(spec.lookups)  # rows of a hot value
        rows, self.n_hot = _sizes(spec, share, self.unit)
        first = self.n_hot * self.unit
        self.regions = divide(spec, rows - first, most=usable_slots(spec))
        self.first = first  # of the hashed rows
        ends = [first + end for end in ends_of(self.regions)]
        self.pool = Pool(rows, spec, ends=ends)
        # key 0: nobody's. unit -1: its value is hashed
        self.register_buffer("keys", torch.zeros(self.n_hot, WAYS, dtype=torch.int32))
        self.register_buffer("importance", torch.zeros(self.n_hot, WAYS))
        self.register_buffer("units", torch.full((self.n_hot, WAYS), -1, dtype=torch.int32))
        # the sketch of the epoch under way, which evaluations do not see
        self.register_buffer("_seen_keys", self.keys.clone(), persistent=False)
        self.register_buffer("_seen_importance", self.importance.clone(), persistent=False)
        rows_at: list[int] = []  # columns of the slots that are rows, and that are places
        places_at: list[int] = []
        column = 0
        for lookups in spec.lookups:
            rows_at += range(column, column + lookups)
            places_at.append(column + lookups)
            column += lookups + 1
        self.register_buffer("_rows", torch.tensor(rows_at), persistent=False)
        self.register_buffer("_places", torch.tensor(places_at), persistent=False)

    def locate(self, feature: int, values: Any) -> Tensor:
        region = self.regions[feature]
        rows = self.first + region.rows(values, self.spec.seeds(feature))
        place = self._place(feature, values)
        keys = self.keys.cpu()[place >> 32]
        found = keys == _signed(place & (_HASHES - 1)).unsqueeze(1)
        unit = torch.where(found, self.units.cpu()[place >> 32], -1).amax(1, keepdim=True).long()
        own = unit * self.unit + torch.arange(self.spec.lookups[feature])
        return torch.cat([torch.where(unit >= 0, own, rows), place.unsqueeze(1)], dim=1)

    def _place(self, feature: int, values: Any) -> Tensor:
        """Return bucket and key of values as bucket 2^32 + key: int64 [n]."""
        name = self.spec.features[feature].name
        seeds = []
        for number in range(2):
            seeds.append(lookup_seed(f"{name}\x1fsketch", 0, self.spec.hash_seed, number))
        bucket, key = hash_rows(values, seeds, _HASHES).unbind(1)
        return (bucket % self.n_hot << 32) + key.clamp_min(1)

    def embed(self, slots: Tensor) -> Tensor:
        vectors = self.pool(slots.index_select(1, self._rows)).flatten(1)
        if self.training and vectors.requires_grad:
            vectors.register_hook(partial(self._note, slots.index_select(1, self._places)))
        return vectors

    @torch.no_grad()
    def _note(self, places: Tensor, gradient: Tensor) -> None:
        """Add the gradients of a batch, [B, W], to the importance of its values, [B, F]."""
        norms = [part.norm(dim=1) for part in gradient.split(list(self.widths), dim=1)]
        place, which = places.flatten().unique(return_inverse=True)
        added = torch.zeros(len(place), device=place.device)
        added.index_add_(0, which, torch.stack(norms, dim=1).flatten())
        bucket = place >> 32
        key = _signed(place & (_HASHES - 1))
        found = self._seen_keys[bucket] == key.unsqueeze(1)
        is_in = found.any(1)
        at = bucket * WAYS + found.int().argmax(1)
        importance = self._seen_importance.view(-1)
        importance.index_add_(0, at[is_in], added[is_in])
        # of the others in a bucket, the one with the largest gradient takes the least one's place
        new = (~is_in).nonzero().squeeze(1)
        new = new[added[new].argsort(stable=True)]
        order = torch.arange(len(new), device=place.device)
        last = torch.full((self.n_hot,), -1, device=place.device)
        last.scatter_reduce_(0, bucket[new], order, "amax")
        new = new[last[last >= 0]]
        at = bucket[new] * WAYS + self._seen_importance[bucket[new]].argmin(1)
        importance[at] += added[new]
        self._seen_keys.view(-1)[at] = key[new]

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> bool:
        if epoch >= self.options["hot_epochs"]:
            return False
        importance = self._seen_importance.flatten()
        hot = torch.zeros_like(importance, dtype=torch.bool)
        hot[importance.topk(min(self.n_hot, len(importance))).indices] = True
        hot &= self._seen_keys.flatten() != 0
        stays = hot & (self._seen_keys == self.keys).flatten() & (self.units.flatten() >= 0)
        before = self.units.clone().flatten()
        units = torch.where(stays, before, -1)
        free = torch.ones(self.n_hot, dtype=torch.bool, device=units.device)
        free[units[stays].long()] = False
        comes = (hot & ~stays).nonzero().squeeze(1)
        units[comes] = free.nonzero().squeeze(1)[: len(comes)].int()
        vectors = self._vectors_of(comes)
        self.keys.copy_(self._seen_keys)
        self.units.copy_(units.view_as(self.units))
        self.importance.copy_(self._seen_importance)
        self._seen_importance *= DECAY
        for at, rows in vectors.items():
            start = int(units[at]) * self.unit
            self.pool.weight[start : start + len(rows)] = rows
        self.locate_all()
        return True

    def _vectors_of(self, at: Tensor) -> dict[int, Tensor]:
        """Return the rows [lookups, D] that the values at places of the sketch have now."""
        wanted = set(at.tolist())
        vectors: dict[int, Tensor] = {}
        for index, feature in enumerate(self.spec.features):
            slots = self.locate(index, feature.values[: feature.n_seen]).to(self.keys.device)
            place = slots[:, -1]
            found = self._seen_keys[place >> 32] == _signed(place & (_HASHES - 1)).unsqueeze(1)
            positions = (place >> 32) * WAYS + found.int().argmax(1)
            for value in found.any(1).nonzero().flatten().tolist():
                position = int(positions[value])
                if position in wanted:
                    vectors[position] = self.pool.weight[slots[value, :-1]].clone()
        return vectors


def _signed(keys: Tensor) -> Tensor:
    """Return 32-bit numbers as int32 holds them."""
    return torch.where(keys >= _HALF, keys - _HASHES, keys).int()


def _sizes(spec: Spec, share: float, unit: int) -> tuple[int, int]:
    """Return the rows that the budget pays for, and the hot values among them.

    Raises BudgetError if it pays for no hot value and a hashed row for each region, or if too much
    of it would be unused.
    """
    budget = spec.require_budget()
    usable = usable_slots(spec)

    def hot_of(rows: int) -> int:
        wanted = int(share * rows) // unit
        return max(1, min(wanted, (rows - spec.n_regions) // unit))

    def used_by(rows: int) -> int:
        pool = spec.numbers.pool_bytes(rows, spec.dim, spec.n_regions)
        return pool + PLACE_BYTES * WAYS * hot_of(rows)

    least = unit + spec.n_regions
    most = None
    if usable is not None:
        most = least
        while most - hot_of(most) * unit < sum(usable):
            most += 1
    rows = spec.numbers.rows_within(budget, spec.dim, spec.n_regions)
    if most is not None:
        rows = min(rows, most)
    low = least - 1  # the largest number of rows that is known to be affordable
    while low < rows:
        middle = (low + rows + 1) // 2
        if used_by(middle) <= budget:
            low = middle
        else:
            rows = middle - 1
    if rows < least or used_by(rows) > budget:
        why = f"does not pay for {counted(least, 'row')} of {spec.dim} numbers and their sketch"
        raise BudgetError(spec.name, budget, why, used_by(least))
    if not well_used(used_by(rows), budget):
        works = used_by(rows) if rows == most else used_by(rows + 1)
        raise too_large(spec, used_by(rows), works)
    return rows, hot_of(rows)
