"""Zero-collision hashing: a value looks for a row with its own key near the one that it hashes to,
and shares a row only if it has none.

    place_p(x) = start + (xxh32(x, seed_1) + p) mod size,    p = 0 ... probes - 1
    key(x) = xxh32(x, seed_2) + 2^32 xxh32(x, seed_3)
    row(x) = the first place_p(x) that holds key(x), otherwise place_0(x)

MPZCH (arXiv 2602.17050). On a stream, values take free places as they arrive, and one that was not
seen for more than `expires` blocks loses its place to a newcomer. Elsewhere all training values are
known from the start, and they take places in the order of their frequency, so that it is rare
values that find none, as in a stream after a while. Each lookup of a value has a key of its own.
Keys are made from the training values and are stored in the place of a vocabulary. Features are
told apart by the seeds, so that they can share the pool.
Bytes: 4 M D for M rows of D numbers, and 8 M for their keys.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.hashing import hash_rows
from ue_bench.strategies.arrived import Arrived, Reset
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.knobs import require
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import Region, ends_of, regions
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.value_frequency import by_frequency

KEY_BYTES = 8
FREE = 0  # the key of a row that nobody owns
_HASHES = 2**32


class ZeroCollision(EmbeddingStrategy):
    one_pool = True
    map_in_state = True

    keys: Tensor
    knobs: Mapping[str, Any] = {"probes": 8, "expires": 4}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.probes = self.options["probes"]
        require(spec, "probes", self.probes, 1 <= self.probes <= 1024, "from 1 to 1,024")
        expires = self.options["expires"]
        require(spec, "expires", expires, expires >= 0, "at least 0")
        self.regions = regions(spec, slot_numbers=spec.dim, beside_slot=KEY_BYTES)
        self.pool = Pool(self.regions[-1].end, spec, ends=ends_of(self.regions))
        self.register_buffer("keys", torch.full((self.pool.rows,), FREE))
        # the block in which each row was read last, of a stream; it is not served
        self.last = torch.zeros(self.pool.rows, dtype=torch.int64)
        indices = list(range(len(spec.features)))
        if spec.regions == "separate":
            for index in indices:
                self._own_rows([index])
        else:
            self._own_rows(indices)

    def _own_rows(self, features: list[int]) -> None:
        """Let the training values of features that share a region own its rows."""
        places = []
        keys = []
        for feature in features:
            whole = self.spec.features[feature]
            place, key = self._hashes(feature, whole.values[: whole.n_seen])
            places.append(place.flatten())
            keys.append(key.flatten())
        order = self._in_order(features)
        place = torch.cat(places)[order]
        key = torch.cat(keys)[order]
        region = self.regions[features[0]]
        nobody = len(place)
        owner = torch.full((self.pool.rows,), nobody)
        probe = torch.zeros_like(place)
        looking = torch.arange(nobody)
        # All look at once, and a more frequent value takes the row of a less frequent one, which
        # looks on. The end is as if they had come one by one (Gale and Shapley, 1962).
        while len(looking):
            wanted = region.start + (place[looking] + probe[looking]) % region.size
            first = owner.scatter_reduce(0, wanted, looking, "amin")
            displaced = owner[(first != owner) & (owner < nobody)]
            owner = first
            turned_away = torch.cat([looking[owner[wanted] != looking], displaced])
            probe[turned_away] += 1
            looking = turned_away[probe[turned_away] < self.probes]
        is_owned = owner < nobody
        self.keys[is_owned] = key[owner[is_owned]]

    def _in_order(self, features: list[int]) -> Tensor:
        """Return the places of (value, lookup) of these features, the most frequent values first.

        They count the lookups of all training values, those of the first feature first: int64 [n].
        """
        starts = np.zeros(len(self.spec.features), np.int64)
        n_before = 0
        for feature in features:
            starts[feature] = n_before
            n_before += self.spec.features[feature].n_seen * self.spec.lookups[feature]
        ranked = by_frequency(self.spec, features)
        lookups = np.asarray(self.spec.lookups, np.int64)[ranked.features]
        first = starts[ranked.features] + ranked.positions * lookups
        before = np.cumsum(lookups) - lookups  # lookups of more frequent values
        order = np.repeat(first - before, lookups) + np.arange(lookups.sum())
        return torch.from_numpy(order)

    def _hashes(self, feature: int, values: Any) -> tuple[Tensor, Tensor]:
        """Return the first place in the region and the key of each lookup: int64 [n, lookups]."""
        seeds = self.spec.seeds(feature, 3)
        place = hash_rows(values, seeds[0::3], self.regions[feature].size)
        low = hash_rows(values, seeds[1::3], _HASHES)
        high = hash_rows(values, seeds[2::3], _HASHES)
        return place, low + (high << 32)

    def observe(self, arrived: Arrived) -> Reset | None:
        """Let new values own free rows within their probes, or the oldest one that has expired."""
        lost = []
        changed = False
        keys = self.keys.cpu()
        for feature, codes in enumerate(arrived.codes):
            whole = self.spec.features[feature]
            values = [whole.values[code] for code in codes.tolist()]
            region = self.regions[feature]
            place, key = self._hashes(feature, values)
            owned = torch.zeros_like(place, dtype=torch.bool)
            for probe in range(self.probes):
                tried = region.start + (place + probe) % region.size
                found = (keys[tried] == key) & ~owned
                self.last[tried[found]] = arrived.block
                owned |= found
            for first, own in zip(place[~owned].tolist(), key[~owned].tolist(), strict=True):
                row = self._row_for(keys, region, first, arrived.block)
                if row is None:
                    continue
                if keys[row] != FREE:
                    lost.append(row)
                keys[row] = own
                self.last[row] = arrived.block
                changed = True
        if changed:
            self.keys.copy_(keys)
            self.locate_all()
        return Reset(self.pool, torch.tensor(sorted(set(lost)))) if lost else None

    def _row_for(self, keys: Tensor, region: Region, first: int, block: int) -> int | None:
        """Return the row that a new value may own: a free one, else the oldest that expired."""
        tried = [region.start + (first + probe) % region.size for probe in range(self.probes)]
        for row in tried:
            if keys[row] == FREE:
                return row
        oldest = min(tried, key=lambda row: int(self.last[row]))
        if block - int(self.last[oldest]) > self.options["expires"]:
            return oldest
        return None

    def live_rows(self) -> int:
        return int((self.keys != FREE).sum())

    def locate(self, feature: int, values: Any) -> Tensor:
        region = self.regions[feature]
        place, key = self._hashes(feature, values)
        keys = self.keys.cpu()
        rows = region.start + place
        for probe in reversed(range(self.probes)):
            tried = region.start + (place + probe) % region.size
            rows = torch.where(keys[tried] == key, tried, rows)
        return rows

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
