"""Deep hash embedding: a network turns many hashes of a value into its vector; there is no table.

    z_k(x) = 2 (xxh32(x, seed_k) mod m) / (m - 1) - 1
    e(x) = W_2 silu(W_1 z(x) + b_1) + b_2
    m = 1,000,000

DHE, Kang et al., KDD 2021 (arXiv 2010.10784). The paper has 1,024 hashes and several hidden layers
of Mish units. Here there is one hidden layer, as wide as the budget allows, of SiLU units, which
have nearly the shape of Mish and cost half as much on a CPU. Multiplexed: one network serves all
features, whose hashes differ by their seeds. Separate: each feature has its own network, and the
regions divide the hidden units among them.
Bytes: 4 (H (K + 1 + D) + D) for K hashes and H hidden units, summed over networks; all of it is
auxiliary.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import rows_that_fit
from ue_bench.strategies.distinct_rows import distinct_rows
from ue_bench.strategies.knobs import require_hashes
from ue_bench.strategies.regions import region_sizes
from ue_bench.strategies.spec import Spec

BUCKETS = 1_000_000  # m


class DeepHash(EmbeddingStrategy):
    takes_short_slots = True
    knobs: Mapping[str, Any] = {"hashes": 32}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.hashes = self.options["hashes"]
        require_hashes(spec, self.hashes)
        units = rows_that_fit(
            spec,
            numbers=self.hashes + 1 + spec.dim,
            needed=spec.n_regions,
            beside=spec.n_regions * spec.row_bytes,
            thing="hidden unit",
        )
        self.networks = nn.ModuleList()
        for width in region_sizes(spec, units):
            hidden = nn.Linear(self.hashes, width)
            output = nn.Linear(width, spec.dim)
            self.networks.append(nn.Sequential(hidden, nn.SiLU(), output))
        self.lookups = list(spec.lookups)  # of each network
        if spec.n_regions == 1:
            self.lookups = [sum(spec.lookups)]

    def locate(self, feature: int, values: Any) -> Tensor:
        return hash_rows(values, self.spec.seeds(feature, self.hashes), BUCKETS)

    def embed(self, slots: Tensor) -> Tensor:
        hashes = slots.unflatten(1, (-1, self.hashes))
        parts = zip(self.networks, hashes.split(self.lookups, dim=1), strict=True)
        return torch.cat([self._vectors(network, part) for network, part in parts], dim=1)

    def _vectors(self, network: nn.Module, hashes: Tensor) -> Tensor:
        """Return the vectors of the lookups of one network: [B, L, K] -> [B, L D]."""
        found = distinct_rows(hashes.flatten(0, 1))
        if found is None:
            vectors: Tensor = network(numbers(hashes))
        else:
            distinct, place = found
            vectors = network(numbers(distinct)).index_select(0, place)
            vectors = vectors.unflatten(0, hashes.shape[:2])
        return vectors.flatten(1)


def numbers(hashes: Tensor) -> Tensor:
    """Return hashes as the numbers from -1 to 1 that a network takes."""
    return hashes.float() * (2 / (BUCKETS - 1)) - 1
