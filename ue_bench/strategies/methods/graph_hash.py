"""GraphHash: values that often meet in training rows share a row.

    e_k(x) = E[c_k(x)]                                     graph_hash
    e_k(x) = E[c_k(x)] + E[h_k(x)]                         double_graph_hash
    h_k(x) = start + xxh32(x, seed) mod size

Wu et al., WWW 2025 (arXiv 2412.17245), for users and items. Here all features' values are nodes of
one graph, whose edges count the training rows in which two values meet, and c_k(x) is the row of
the value's cluster (`value_graph`). Each lookup k has clusters of its own: the method visits the
nodes in another random order, and clusters are at other rows. Multiplexed: there are at most as
many clusters as rows, and values of different features share them. Separate: the values of a
feature fall into at most as many clusters as its region has rows. An unseen value has the row that
it hashes to. Needs a vocabulary, and the training rows.
Bytes: 4 M D for M rows; a pointer of b bits, with 2^b rows in the largest region or more, for every
training value and lookup.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError, BudgetError
from ue_bench.hashing import lookup_seed
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import too_large, well_used
from ue_bench.strategies.packed_codes import packed_bytes
from ue_bench.strategies.parts import added
from ue_bench.strategies.pointers import MOST_BITS, Pointers
from ue_bench.strategies.pool import Pool, require_below
from ue_bench.strategies.regions import Region, divide, ends_of, region_sizes, usable_slots
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.value_frequency import by_frequency
from ue_bench.strategies.value_graph import Group, ValueGraph
from ue_bench.strategies.vocabulary import Vocabulary


class GraphHash(EmbeddingStrategy):
    one_pool = True
    map_in_state = True
    knobs: Mapping[str, Any] = {"double": False}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.starts = []  # of the pointers of each feature
        n_pointers = 0
        for lookups, vocabulary in zip(spec.lookups, self.vocabularies, strict=True):
            self.starts.append(n_pointers)
            n_pointers += lookups * vocabulary.size
        per_lookup = 2 if self.options["double"] else 1
        bits, self.regions = _bits_and_regions(spec, n_pointers, per_lookup)
        self.pool = Pool(self.regions[-1].end, spec, ends=ends_of(self.regions))
        self.pointers = Pointers(n_pointers, bits)
        if not spec.unfilled:
            self._cluster()

    def _cluster(self) -> None:
        spec = self.spec
        if spec.rows is None:
            raise BenchError(
                f"{spec.name} learns from training rows which values meet, and none were given; "
                "give them"
            )
        graph = ValueGraph(spec.features, self.vocabularies, spec.rows)
        numbers = torch.zeros(self.pointers.count, dtype=torch.int64)
        indices = list(range(len(spec.features)))
        if spec.regions == "separate":
            sharing = [[index] for index in indices]
        else:
            sharing = [indices]
        for lookup in range(max(spec.lookups)):
            for features in sharing:
                self._point(graph, lookup, features, numbers)
        self.pointers.fill(numbers)

    def _point(self, graph: ValueGraph, lookup: int, features: list[int], numbers: Tensor) -> None:
        """Fill in which rows of their region the values of some features have in one lookup."""
        ranked = by_frequency(self.spec, features)
        nodes = np.empty(len(ranked), np.int64)
        places = np.empty(len(ranked), np.int64)
        for feature in features:
            own = ranked.features == feature
            positions = self._positions(feature)[ranked.positions[own]]
            nodes[own] = graph.starts[feature] + positions
            places[own] = self.starts[feature] + self.spec.lookups[feature] * positions + lookup
        has_lookup = np.asarray(self.spec.lookups)[ranked.features] > lookup
        nodes, places = nodes[has_lookup], places[has_lookup]
        seed = lookup_seed("clusters", lookup, self.spec.hash_seed)
        size = self.regions[features[0]].size
        clusters = graph.clusters(Group(nodes, size), seed)
        row_of = np.random.default_rng(seed).permutation(size)
        numbers[torch.from_numpy(places)] = torch.from_numpy(row_of[clusters])

    def _positions(self, feature: int) -> np.ndarray:
        """Return the position in the vocabulary of each training value of a feature."""
        whole = self.spec.features[feature]
        positions: np.ndarray = self.vocabularies[feature].positions(whole.values[: whole.n_seen])
        return positions

    def locate(self, feature: int, values: Any) -> Tensor:
        region = self.regions[feature]
        lookups = self.spec.lookups[feature]
        hashed = region.rows(values, self.spec.seeds(feature))
        position = torch.from_numpy(self.vocabularies[feature].positions(values)).unsqueeze(1)
        seen = position < self.vocabularies[feature].size
        places = self.starts[feature] + lookups * position + torch.arange(lookups)
        clustered = region.start + self.pointers.at(torch.where(seen, places, 0))
        rows = torch.where(seen, clustered, hashed)
        if not self.options["double"]:
            return rows
        return torch.stack([rows, hashed], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        if not self.options["double"]:
            return self.pool(slots).flatten(1)
        return added(self.pool(slots.unflatten(1, (-1, 2)))).flatten(1)

    def check_served(self) -> None:
        for feature, start in enumerate(self.starts):
            n_pointers = self.vocabularies[feature].size * self.spec.lookups[feature]
            pointers = self.pointers.at(torch.arange(start, start + n_pointers))
            require_below(self.spec, "pointers", pointers, self.regions[feature].size)


def _bits_and_regions(spec: Spec, n_pointers: int, per_lookup: int) -> tuple[int, list[Region]]:
    """The bits of a pointer and the regions of the largest pool that the budget pays for.

    Raises BudgetError if the budget pays for no row in each region, or if too much of it would be
    unused.
    """
    budget = spec.require_budget()
    shape = {"numbers": spec.dim, "n_regions": spec.n_regions}
    most = usable_slots(spec, per_lookup)

    def bits_for(rows: int) -> int:
        """The bits that tell the rows of the largest of the regions apart."""
        return max(1, (max(region_sizes(spec, rows, most=most)) - 1).bit_length())

    def cheapest(rows: int) -> int:
        """The bits that take the fewest bytes. Of few pointers, 8 bits take fewer than 5."""
        enough = range(bits_for(rows), MOST_BITS + 1)
        return min(enough, key=lambda bits: packed_bytes(n_pointers, bits))

    def used_by(rows: int) -> int:
        pointers = packed_bytes(n_pointers, cheapest(rows))
        return pointers + spec.numbers.pool_bytes(rows, **shape)

    rows = 0
    for bits in range(1, MOST_BITS + 1):
        affordable = spec.numbers.rows_within(budget - packed_bytes(n_pointers, bits), **shape)
        if most is not None:
            affordable = min(affordable, sum(most))
        # the most rows that so many bits tell apart
        sizes = range(spec.n_regions, affordable + 1)
        tells = bisect_right(sizes, bits, key=bits_for)
        if tells:
            rows = max(rows, sizes[tells - 1])
    if not rows:
        why = f"does not pay for {n_pointers:,} pointers and a row in each region"
        raise BudgetError(spec.name, budget, why, works=used_by(spec.n_regions))
    used = used_by(rows)
    if not well_used(used, budget):
        works = used if most is not None and rows == sum(most) else used_by(rows + 1)
        raise too_large(spec, used, works)
    return cheapest(rows), divide(spec, rows, most=most)
