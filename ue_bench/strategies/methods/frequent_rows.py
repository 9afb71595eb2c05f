"""Rows of their own for the most frequent values; all others share hashed rows of the rest.

    e(x) = E[own(x)] for a frequent x, otherwise E[row_1(x)] + ... + E[row_K(x)]
    row_k(x) = start + xxh32(x, seed_k) mod size

K = 2 is frequency-based double hashing, Zhang et al., RecSys 2020 (arXiv 2007.14523). K = 1 is the
usual practice of a vocabulary of limited size with buckets for the rest. A `frequent_share` of the
rows of a region is owned, one row for each lookup of a value, by the values with most training
rows: of all features together if multiplexed, of one feature if separate. Rows that no value can
own are hashed to, and one row always is. On a stream, rows that nobody owns yet wait for values,
and once all are owned, a value that has become more frequent than an owner takes its rows.
Bytes: 4 M D for all rows; the list of frequent values is a vocabulary, which is counted
separately.
"""

from collections.abc import Mapping
from heapq import heapify, heappop
from typing import Any

import torch
from torch import Tensor

from ue_bench.features import Feature
from ue_bench.strategies.arrived import Arrived, Reset, Seen
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.knobs import require, require_hashes
from ue_bench.strategies.parts import added
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import Region, ends_of, regions
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.value_frequency import by_frequency
from ue_bench.strategies.vocabulary import Vocabulary

NO_ROW = -1  # a slot that adds nothing


class FrequentRows(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"frequent_share": 0.5, "hashes": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        share = self.options["frequent_share"]
        require(spec, "frequent_share", share, 0 <= share <= 1, "between 0 and 1")
        self.hashes = self.options["hashes"]
        require_hashes(spec, self.hashes)
        # what is hashed to, by feature
        self.rest = regions(spec, slot_numbers=spec.dim, per_lookup=self.hashes)
        self.pool = Pool(self.rest[-1].end, spec, ends=ends_of(self.rest))
        # by feature, the first row of each frequent value, by its position
        self.owned: list[dict[int, int]] = [{} for _ in spec.features]
        indices = list(range(len(spec.features)))
        self.sharing = [indices]  # the features of each region
        if spec.regions == "separate":
            self.sharing = [[index] for index in indices]
        self.starts: dict[int, int] = {}  # of each region, by its first feature
        self.waiting: dict[int, list[int]] = {}  # rows that nobody owns yet, by first feature
        if spec.grows and not spec.unfilled:  # it takes memory for every value of the data
            self.seen = Seen(spec)
        for features in self.sharing:
            self._give_rows(features, share)
        self._index()

    def _give_rows(self, features: list[int], share: float) -> None:
        """Give rows of the region that features share to their most frequent values."""
        region = self.rest[features[0]]
        self.starts[features[0]] = region.start
        free = min(int(share * region.size), region.size - 1)
        taken = 0
        for feature, position in by_frequency(self.spec, features):
            lookups = self.spec.lookups[feature]
            if taken + lookups <= free:
                self.owned[feature][position] = region.start + taken
                taken += lookups
        if self.spec.grows:
            self.waiting[features[0]] = list(
                range(region.start + free - 1, region.start + taken - 1, -1)
            )
            taken = free
        for feature in features:
            self.rest[feature] = Region(region.start + taken, region.size - taken)

    def _index(self) -> None:
        """Look the owned rows up by value."""
        self.frequent = []
        self.first_rows = []  # of each feature's frequent values, and of the others
        for feature, rows in zip(self.spec.features, self.owned, strict=True):
            values = [feature.values[position] for position in rows]
            self.frequent.append(Vocabulary(Feature(feature.name, values, n_seen=len(values))))
            self.first_rows.append(torch.tensor([*rows.values(), NO_ROW]))
        self.vocabularies = [vocabulary for vocabulary in self.frequent if vocabulary.size]

    def observe(self, arrived: Arrived) -> Reset | None:
        self.seen.note(arrived)
        lost: list[int] = []
        changed = False
        for features in self.sharing:
            owners = self._heaps(features)
            for feature, code in self._newcomers(features, arrived):
                first, was_owned = self._row_for(features[0], feature, code, owners)
                if first is None:
                    continue
                self.owned[feature][code] = first
                changed = True
                if was_owned:
                    lost += range(first, first + self.spec.lookups[feature])
        if changed:
            self._index()
            self.locate_all()
        return Reset(self.pool, torch.tensor(sorted(set(lost)))) if lost else None

    def _newcomers(self, features: list[int], arrived: Arrived) -> list[tuple[int, int]]:
        """Return (feature, code) of values that own no row yet, frequent ones first."""
        due = []
        for index in features:
            feature = self.spec.features[index]
            for code in arrived.codes[index].tolist():
                count = self.seen.counts[index][code]
                if count >= feature.min_count and code not in self.owned[index]:
                    due.append((-count, feature.name, code, index))
        return [(index, code) for _, _, code, index in sorted(due)]

    def _heaps(self, features: list[int]) -> dict[int, list[tuple[float, int, int]]]:
        """Return heaps of (count, feature, code) of the values that own rows, by their lookups."""
        heaps: dict[int, list[tuple[float, int, int]]] = {}
        for index in features:
            own = heaps.setdefault(self.spec.lookups[index], [])
            own += [
                (float(self.seen.counts[index][code]), index, code) for code in self.owned[index]
            ]
        for heap in heaps.values():
            heapify(heap)
        return heaps

    def _row_for(
        self, region: int, feature: int, code: int, owners: dict[int, list[tuple[float, int, int]]]
    ) -> tuple[int | None, bool]:
        """Return the first of the rows that a value may own, and whether another one loses them.

        None: it may own none. Only an owner with as many lookups gives way.
        """
        lookups = self.spec.lookups[feature]
        waiting = self.waiting[region]
        if len(waiting) >= lookups:
            first = waiting[-1]
            del waiting[-lookups:]
            return first, False
        heap = owners.get(lookups)
        if not heap or heap[0][0] >= self.seen.counts[feature][code]:
            return None, False
        _, index, owner = heappop(heap)
        return self.owned[index].pop(owner), True

    def live_rows(self) -> int:
        waiting = sum(len(rows) for rows in self.waiting.values())
        return self.pool.rows - waiting

    def locate(self, feature: int, values: Any) -> Tensor:
        lookups = self.spec.lookups[feature]
        rows = self.rest[feature].rows(values, self.spec.seeds(feature, self.hashes))
        hashed = rows.unflatten(1, (lookups, self.hashes))
        positions = torch.from_numpy(self.frequent[feature].positions(values))
        first = self.first_rows[feature].index_select(0, positions)
        own = torch.full((len(first), lookups, self.hashes), NO_ROW)
        own[:, :, 0] = first.unsqueeze(1) + torch.arange(lookups)
        return torch.where(first.view(-1, 1, 1) == NO_ROW, hashed, own).flatten(1)

    def to_serve(self, feature: int) -> Feature:
        """Return the feature with only the values that own rows.

        As the only ones, in this order and with their counts, they own the same rows again: on a
        stream, those of `end_training`.
        """
        whole = self.spec.features[feature]
        positions = sorted(self.owned[feature])
        values = [whole.values[position] for position in positions]
        counts = [self._count(feature, position) for position in positions]
        return whole.holding(values, counts)

    def _count(self, feature: int, position: int) -> int:
        """Return how often a value was seen: in training, or so far on a stream."""
        if self.spec.grows:
            return int(self.seen.counts[feature][position])
        return self.spec.features[feature].counts[position]

    def end_training(self) -> None:
        """Bring the rows that arrived values own into the order in which counts would give them."""
        if not self.spec.grows:
            return
        before: list[int] = []
        after: list[int] = []
        for features in self.sharing:
            place = self.starts[features[0]]
            owners = []
            for feature in features:
                name = self.spec.features[feature].name
                for position in self.owned[feature]:
                    owners.append((-self._count(feature, position), name, position, feature))
            for _, _, position, feature in sorted(owners):
                first = self.owned[feature][position]
                lookups = self.spec.lookups[feature]
                before += range(first, first + lookups)
                after += range(place, place + lookups)
                self.owned[feature][position] = place
                place += lookups
            end = self.rest[features[0]].start
            self.waiting[features[0]] = list(range(end - 1, place - 1, -1))
        self.pool.move_rows(torch.tensor(before), torch.tensor(after))
        self._index()
        self.locate_all()

    def embed(self, slots: Tensor) -> Tensor:
        if self.hashes == 1:
            return self.pool(slots).flatten(1)
        by_hash = slots.unflatten(1, (-1, self.hashes))
        rows = self.pool(by_hash.clamp_min(0)) * (by_hash != NO_ROW).unsqueeze(3)
        return added(rows).flatten(1)
