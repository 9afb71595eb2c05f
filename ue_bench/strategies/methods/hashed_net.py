"""HashedNets: every single number of a vector is a hashed element of one pool of numbers, with a
hashed sign.

    u_j(x) = xxh32(x, seed_j) mod 2 P        e_j(x) = (-1)^(u_j mod 2) w[start + floor(u_j / 2)]

Chen et al., ICML 2015 (arXiv 1504.04788). P is the size of the feature's region of w. With the
sign, the expected inner product of two vectors that share numbers is as it would be without
sharing. Index and sign come from one hash and are stored in one slot.
Bytes: 4 P, no more.
"""

from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import Region, ends_of, regions
from ue_bench.strategies.spec import Spec


class HashedNet(EmbeddingStrategy):
    takes_short_slots = True

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.regions = regions(spec, slot_numbers=1, per_lookup=spec.dim)
        ends = ends_of(self.regions)
        self.pool = Pool(ends[-1], spec, numbers=1, ends=ends)

    def locate(self, feature: int, values: Any) -> Tensor:
        region = self.regions[feature]
        signed = Region(2 * region.start, 2 * region.size)  # slot = 2 * index + sign
        return signed.rows(values, self.spec.seeds(feature, self.spec.dim))

    def embed(self, slots: Tensor) -> Tensor:
        served = self.pool.served_signed(slots)
        if served is not None:
            return served
        numbers = self.pool(slots >> 1).flatten(1)
        if numbers.requires_grad or slots.dtype != torch.int32:
            return numbers * (1 - 2 * (slots & 1)).float()
        # The sign of a float is its first bit. It is changed in place: the fewer large tensors a
        # large batch needs, the more of it stays in the cache.
        numbers.view(torch.int32).bitwise_xor_(slots << 31)
        return numbers
