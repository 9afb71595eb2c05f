"""ROBE: a vector is cut from one array of numbers in blocks, each at a hashed place.

    block_j(x) = w[start + (xxh32(x, seed_j) + 0 ... Z - 1) mod P]
    e(x) = the first D of [block_1(x), block_2(x), ...]

ROBE-Z, Desai et al., MLSys 2022 (arXiv 2108.02191). P is the size of the feature's region of w,
inside which a block wraps around. A block is one read from memory, where HashedNets (Z = 1, with
signs) needs D reads. Z is at most D.
Bytes: 4 P, no more.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.knobs import require
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import ends_of, regions
from ue_bench.strategies.spec import Spec


class Robe(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"block": 8}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        block = self.options["block"]
        require(spec, "block", block, block >= 1, "at least 1")
        self.block = min(block, spec.dim)
        self.regions = regions(spec, slot_numbers=1, per_lookup=spec.dim)
        ends = ends_of(self.regions)
        self.pool = Pool(ends[-1], spec, numbers=1, ends=ends)

    def locate(self, feature: int, values: Any) -> Tensor:
        region = self.regions[feature]
        blocks = math.ceil(self.spec.dim / self.block)
        first = hash_rows(values, self.spec.seeds(feature, blocks), region.size)
        numbers = (first.unsqueeze(2) + torch.arange(self.block)) % region.size + region.start
        by_lookup = numbers.flatten(1).unflatten(1, (self.spec.lookups[feature], -1))
        return by_lookup[:, :, : self.spec.dim].flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)
