"""Clustered Compositional Embeddings: sums of a learned and a hashed choice, column by column,
where clusters are what is learned.

    column j of vector_k(x) = T0_j[c_kj(x)] + T1_j[h_kj(x)]        h = xxh32(x, seed) mod rows of T1
    between epochs, per column:
        c := cluster of the vector, T0 := centroids, T1 := 0, h := a fresh hash

Tsang and Ahle, NeurIPS 2023 (arXiv 2210.05974). A lookup's D numbers are cut into `columns`; c
starts as a hash, and stays one for unseen values. k-means over the current vectors of all training
values keeps the function as well as the clusters allow; it runs after every `cluster_every`-th of
the first `cluster_epochs` epochs. Multiplexed: all features share T0 and T1. Separate: the region
rule divides their rows among the features. T0 has as many rows as T1, or fewer if its pointers
would cost more than they bring. Needs a vocabulary.
Bytes: 4 D for each row of T0 and T1; a pointer of b bits, which tells 2^b rows of T0 apart, for
every training value, lookup and column; 1 for the round.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ue_bench.errors import BudgetError
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import too_large, well_used
from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.packed_codes import packed_bytes
from ue_bench.strategies.parts import added
from ue_bench.strategies.pointers import MOST_BITS, Pointers
from ue_bench.strategies.pool import Pool, require_below
from ue_bench.strategies.regions import divide, ends_of, region_sizes, usable_slots
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary


class Sizes(NamedTuple):
    """What a budget pays for with pointers of so many bits. pairs: rows of T0 and of T1."""

    bits: int
    pairs: int
    largest_t0: int  # rows


class Split(NamedTuple):
    """Rows of T0 (clusters) and of T1 (hashed) in one column of a feature's region."""

    clusters: int
    hashed: int


class CCE(EmbeddingStrategy):
    one_pool = True
    map_in_state = True

    round: Tensor
    knobs: Mapping[str, Any] = {"columns": 4, "cluster_epochs": 2, "cluster_every": 1}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.columns = self.options["columns"]
        divides = self.columns >= 1 and spec.dim % self.columns == 0
        allowed = f"a divisor of the {spec.dim} numbers of a lookup"
        require(spec, "columns", self.columns, divides, allowed)
        last = self.options["cluster_epochs"]
        require(spec, "cluster_epochs", last, 0 <= last <= 255, "from 0 to 255")
        every = self.options["cluster_every"]
        require(spec, "cluster_every", every, every >= 1, "at least 1")
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.slots_of = [count * self.columns for count in spec.lookups]  # pointers of one value
        self.starts = []  # of the pointers of each feature
        n_pointers = 0
        for vocabulary, slots in zip(self.vocabularies, self.slots_of, strict=True):
            self.starts.append(n_pointers)
            n_pointers += vocabulary.size * slots
        sizes = best_sizes(spec, n_pointers, self.columns)
        self.pairs = sizes.pairs
        self.regions = divide(spec, self.pairs, most=usable_slots(spec))  # of pairs of rows
        self.split = []
        for region in self.regions:
            clusters = min(region.size, 2**sizes.bits)
            self.split.append(Split(clusters, hashed=2 * region.size - clusters))
        ends = []
        for column in range(self.columns):
            ends += [2 * (self.pairs * column + end) for end in ends_of(self.regions)]
        self.pool = Pool(ends[-1], spec, spec.dim // self.columns, ends=ends)
        self.pointers = Pointers(n_pointers, sizes.bits)
        self.register_buffer("round", torch.zeros((), dtype=torch.uint8))
        if not spec.unfilled:
            clusters_of = []
            for index, feature in enumerate(spec.features):
                first, _ = self._hashes(index, feature.vocabulary)
                clusters_of.append(first.flatten())
            self.pointers.fill(torch.cat(clusters_of))

    def locate(self, feature: int, values: Any) -> Tensor:
        vocabulary = self.vocabularies[feature]
        n_slots = self.slots_of[feature]
        position = torch.from_numpy(vocabulary.positions(values))
        seen = position < vocabulary.size
        first, second = self._hashes(feature, values)
        places = self.starts[feature] + n_slots * position[seen].unsqueeze(1)
        first[seen] = self.pointers.at(places + torch.arange(n_slots))
        column = torch.arange(n_slots) % self.columns
        start = 2 * (self.pairs * column + self.regions[feature].start)
        rows = [start + first, start + self.split[feature].clusters + second]
        return torch.stack(rows, dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        return added(self.pool(slots.unflatten(1, (-1, 2)))).flatten(1)

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> bool:
        if epoch >= self.options["cluster_epochs"]:
            return False
        if (epoch + 1) % self.options["cluster_every"]:
            return False
        groups = [self._columns_of(feature) for feature in range(len(self.spec.features))]
        if self.spec.regions != "separate":
            groups = [torch.cat(groups)]
        weight = torch.zeros_like(self.pool.weight)
        tables = weight.unflatten(0, (self.columns, 2 * self.pairs))
        pointers = []
        for feature, group in enumerate(groups):
            start = 2 * self.regions[feature].start
            clusters = self.split[feature].clusters
            nearest = []
            for column in range(self.columns):
                centroids, labels = k_means(group[:, column], clusters)
                tables[column, start : start + clusters] = centroids
                nearest.append(labels)
            pointers.append(torch.stack(nearest, dim=1).flatten())
        self.pool.weight.copy_(weight)
        self.pool.fit_steps()
        self.pointers.fill(torch.cat(pointers))
        self.round += 1
        self.locate_all()
        return True

    def check_served(self) -> None:
        for feature, start in enumerate(self.starts):
            n_pointers = self.vocabularies[feature].size * self.slots_of[feature]
            pointers = self.pointers.at(torch.arange(start, start + n_pointers))
            require_below(self.spec, "pointers", pointers, self.split[feature].clusters)

    def _columns_of(self, feature: int) -> Tensor:
        """The vectors of the vocabulary: float32 [values * lookups, columns, D / columns]."""
        values = self.spec.features[feature].vocabulary
        slots = self.locate(feature, values).to(self.pool.weight.device)
        return added(self.pool(slots.view(-1, self.columns, 2)))

    def _hashes(self, feature: int, values: Any) -> tuple[Tensor, Tensor]:
        """The rows of T0 and of T1 that values hash to in this round.

        int64 [n, lookups * columns] each.
        """
        n = self.columns
        seeds = self.spec.seeds(feature, 2 * n)
        first = []
        second = []
        for start in range(0, len(seeds), 2 * n):  # of a lookup
            first += seeds[start : start + n]
            second += seeds[start + n : start + 2 * n]
        round_number = int(self.round)
        if round_number:
            second = [lookup_seed("round", round_number, seed) for seed in second]
        split = self.split[feature]
        return hash_rows(values, first, split.clusters), hash_rows(values, second, split.hashed)


def best_sizes(spec: Spec, n_pointers: int, columns: int) -> Sizes:
    """The sizes with most rows in the largest T0, and with the fewest bits of equals.

    Raises BudgetError if the budget pays for no pair of rows in each region, or if too much of it
    would be unused.
    """
    budget = spec.require_budget()
    shape = {"numbers": spec.dim // columns, "n_regions": columns * spec.n_regions}
    rows_of_pair = 2 * columns  # of the pool

    def used_by(bits: int, pairs: int) -> int:
        pool_bytes = spec.numbers.pool_bytes(rows_of_pair * pairs, **shape)
        return 1 + packed_bytes(n_pointers, bits) + pool_bytes

    most = usable_slots(spec)
    affordable = []
    for bits in range(1, MOST_BITS + 1):
        left = budget - 1 - packed_bytes(n_pointers, bits)
        pairs = spec.numbers.rows_within(left, **shape) // rows_of_pair
        if most is not None:
            pairs = min(pairs, sum(most))
        if pairs >= spec.n_regions:
            largest_t0 = min(2**bits, max(region_sizes(spec, pairs, most=most)))
            affordable.append(Sizes(bits, pairs, largest_t0))
    if not affordable:
        why = f"does not pay for {n_pointers:,} pointers and a row of each table"
        raise BudgetError(spec.name, budget, why, works=used_by(1, spec.n_regions))
    # max returns the first of equals, which has the fewest bits
    best = max(affordable, key=lambda sizes: sizes.largest_t0)
    used = used_by(best.bits, best.pairs)
    if not well_used(used, budget):
        works = used_by(best.bits, best.pairs + 1)
        if most is not None and best.pairs == sum(most):
            works = used
        raise too_large(spec, used, works)
    return best
