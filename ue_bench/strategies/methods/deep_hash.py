"""Deep hash embedding: no table; a network turns many hashes of a value into its vector.

    z_k(x) = 2 (xxh32(x, seed_k) mod m) / (m - 1) - 1        e(x) = W_2 silu(W_1 z(x) + b_1) + b_2        m = 1,000,000

DHE, Kang et al., KDD 2021 (arXiv 2010.10784), there with 1,024 hashes and several hidden layers of Mish units; here with one
hidden layer, as wide as the budget allows, of SiLU units: they have nearly the shape of Mish, and cost half as much on a CPU.
Multiplexed, one network serves all features, whose hashes differ by their seeds; separate, each has a network of its own, and
the regions share out the hidden units.
Bytes: 4 (H (K + 1 + D) + D) for K hashes and H hidden units, summed over networks; all of it is auxiliary.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import EmbeddingStrategy, Spec
from ue_bench.strategies.dense_ids import require
from ue_bench.strategies.regions import affordable, divide, n_regions

BUCKETS = 1_000_000  # m


class DeepHash(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"hashes": 32}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.hashes = self.options["hashes"]
        require(spec, "hashes", self.hashes, self.hashes >= 1, "at least 1")
        networks = n_regions(spec)
        units = affordable(
            spec,
            self.hashes + 1 + spec.dim,
            networks,
            beside=networks * spec.row_bytes,
            thing="hidden unit",
        )
        widths = [region.size for region in divide(spec, units)[:networks]]
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(self.hashes, width), nn.SiLU(), nn.Linear(width, spec.dim))
            for width in widths
        )
        self.lookups = (
            list(spec.lookups) if networks > 1 else [sum(spec.lookups)]
        )  # of each network

    def locate(self, feature: int, values: Any) -> Tensor:
        return hash_rows(values, self.spec.seeds(feature, self.hashes), BUCKETS)

    def embed(self, slots: Tensor) -> Tensor:
        numbers = (slots.float() * (2 / (BUCKETS - 1)) - 1).unflatten(1, (-1, self.hashes))
        parts = zip(self.networks, numbers.split(self.lookups, dim=1), strict=True)
        return torch.cat([network(part).flatten(1) for network, part in parts], dim=1)
