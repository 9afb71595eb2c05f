"""Clustered Compositional Embeddings: sums of a learned and a hashed choice, column by column, where what is learned is clusters.

    column j of vector_k(x) = T0_j[c_kj(x)] + T1_j[h_kj(x)]        h = xxh32(x, seed) mod rows of T1
    between epochs, per column: c := cluster of the vector, T0 := centroids, T1 := 0, h := a fresh hash

Tsang and Ahle, NeurIPS 2023 (arXiv 2210.05974). A lookup's D numbers are cut into `columns`; c starts as a hash, and so it stays
for unseen values. k-means over the current vectors of all training values keeps the function as well as the clusters allow;
it runs after each of the first `cluster_epochs` epochs. Multiplexed: T0 and T1 are shared by all features. Separate: their
rows are shared out by the region rule. T0 has as many rows as T1, or fewer where its pointers would outgrow their integers. Needs
a vocabulary.
Bytes: 4 D a row of T0 and T1; a pointer (1, 2 or 4 bytes) for every training value, lookup and column; 1 for the round.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BudgetError
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.budget import well_used
from ue_bench.strategies.dense_ids import require
from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.regions import divide, n_regions
from ue_bench.strategies.vocabulary import Vocabulary

POINTERS = (
    (torch.uint8, 1, 2**8),
    (torch.int16, 2, 2**15),
    (torch.int32, 4, 2**31),
)  # type, bytes, rows it can point at


class CCE(EmbeddingStrategy):
    one_pool = True

    pointers: Tensor
    round: Tensor
    knobs: Mapping[str, Any] = {"columns": 4, "cluster_epochs": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.columns, last = self.options["columns"], self.options["cluster_epochs"]
        legal = self.columns >= 1 and spec.dim % self.columns == 0
        require(
            spec, "columns", self.columns, legal, f"a divisor of the {spec.dim} numbers of a lookup"
        )
        require(spec, "cluster_epochs", last, 0 <= last <= 255, "from 0 to 255")
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.slots_of = [count * self.columns for count in spec.lookups]  # pointers of one value
        known = [v.size * n for v, n in zip(self.vocabularies, self.slots_of, strict=True)]
        self.starts = [sum(known[:index]) for index in range(len(known))]
        kind, most, self.pairs = self._size(sum(known))
        self.regions = divide(spec, self.pairs)  # of pairs of rows
        self.split = [
            (min(region.size, most), 2 * region.size - min(region.size, most))
            for region in self.regions
        ]
        self.pool = Pool(self.columns * 2 * self.pairs, spec, spec.dim // self.columns)
        self.register_buffer("pointers", torch.zeros(sum(known), dtype=kind))
        self.register_buffer("round", torch.zeros((), dtype=torch.uint8))
        for feature, (start, size) in enumerate(zip(self.starts, known, strict=True)):
            values = spec.features[feature].values[: spec.features[feature].n_seen]
            self.pointers[start : start + size] = self._hashes(feature, values)[0].flatten()

    def locate(self, feature: int, values: Any) -> Tensor:
        position = torch.tensor(self.vocabularies[feature].positions(values), dtype=torch.int64)
        seen = position < self.vocabularies[feature].size
        first, second = self._hashes(feature, values)
        at = (
            self.starts[feature]
            + self.slots_of[feature] * position[seen].unsqueeze(1)
            + torch.arange(self.slots_of[feature])
        )
        first[seen] = self.pointers[at.to(self.pointers.device)].to("cpu", torch.int64)
        column = torch.arange(self.slots_of[feature]) % self.columns
        start = 2 * (self.pairs * column + self.regions[feature].start)
        return torch.stack([start + first, start + self.split[feature][0] + second], dim=2).flatten(
            1
        )

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots.unflatten(1, (-1, 2))).sum(2).flatten(1)

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> bool:
        if epoch >= self.options["cluster_epochs"]:
            return False
        vectors = [self._columns_of(feature) for feature in range(len(self.spec.features))]
        tables, weight = (
            self.pool.weight.unflatten(0, (self.columns, 2 * self.pairs)),
            torch.zeros_like(self.pool.weight),
        )
        new, pointers = weight.unflatten(0, (self.columns, 2 * self.pairs)), []
        groups = vectors if self.spec.regions == "separate" else [torch.cat(vectors)]
        for feature, group in enumerate(groups):
            start, (clusters, _) = 2 * self.regions[feature].start, self.split[feature]
            nearest = []
            for column in range(self.columns):
                new[column, start : start + clusters], labels = k_means(group[:, column], clusters)
                nearest.append(labels)
            pointers.append(torch.stack(nearest, dim=1).flatten())
        tables.copy_(new)
        self.pointers.copy_(torch.cat(pointers))
        self.round += 1
        self.locate_all()
        return True

    def _columns_of(self, feature: int) -> Tensor:
        """Vectors of training values: float32 [values * lookups, columns, D / columns]."""
        known = self.spec.features[feature]
        slots = self.locate(feature, known.values[: known.n_seen]).to(self.pool.weight.device)
        return self.pool(slots.view(-1, self.columns, 2)).sum(2)

    def _hashes(self, feature: int, values: Any) -> tuple[Tensor, Tensor]:
        """Rows of T0 and of T1 that values hash to in this round: int64 [n, lookups * columns] each."""
        seeds, (clusters, hashed), n = (
            self.spec.seeds(feature, 2 * self.columns),
            self.split[feature],
            self.columns,
        )
        first = [seed for k in range(0, len(seeds), 2 * n) for seed in seeds[k : k + n]]
        second = [seed for k in range(n, len(seeds), 2 * n) for seed in seeds[k : k + n]]
        if now := int(self.round):
            second = [lookup_seed("round", now, seed) for seed in second]
        return hash_rows(values, first, clusters), hash_rows(values, second, hashed)

    def _size(self, pointers: int) -> tuple[torch.dtype, int, int]:
        """Type of the pointers, rows it can point at, and pairs of rows: with most rows in the largest T0."""
        budget, pair, found = self.spec.require_budget(), 2 * self.spec.row_bytes, []
        for kind, size, most in POINTERS:
            pairs = (budget - 1 - size * pointers) // pair
            if pairs >= n_regions(self.spec):
                found.append(
                    (
                        min(most, max(region.size for region in divide(self.spec, pairs))),
                        -size,
                        kind,
                        most,
                        pairs,
                    )
                )
        if not found:
            why = f"does not pay for {pointers:,} pointers and a row of each table"
            raise BudgetError(
                self.spec.name, budget, why, 1 + pointers + n_regions(self.spec) * pair
            )
        _, size, kind, most, pairs = max(found, key=lambda option: option[:2])
        used = 1 - size * pointers + pairs * pair
        if not well_used(used, budget):
            why = f"is given and only {used:,} of them can be used (at least 90 % must be)"
            raise BudgetError(self.spec.name, budget, why, used + pair)
        return kind, most, pairs
