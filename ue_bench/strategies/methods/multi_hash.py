"""Several hashes per lookup: the rows that a value hashes to are added up, or averaged.

    row_k(x) = start + xxh32(x, seed_k) mod size        e(x) = sum_k E[row_k(x)], or that sum over K

Two values have the same vector only if all K rows agree, though more values share each row. Bloom
embeddings, Serrà and Karatzoglou, RecSys 2017 (arXiv 1706.03993). K = 1 is the hashing trick.
Bytes: 4 M D for M rows of D numbers.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.knobs import require, require_hashes
from ue_bench.strategies.parts import added
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import ends_of, regions
from ue_bench.strategies.spec import Spec


class MultiHash(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"combine": "sum", "hashes": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.hashes = self.options["hashes"]
        self.combine = self.options["combine"]
        require_hashes(spec, self.hashes)
        require(spec, "combine", self.combine, self.combine in ("sum", "mean"), "sum or mean")
        self.regions = regions(spec, slot_numbers=spec.dim, per_lookup=self.hashes)
        self.pool = Pool(self.regions[-1].end, spec, ends=ends_of(self.regions))

    def locate(self, feature: int, values: Any) -> Tensor:
        return self.regions[feature].rows(values, self.spec.seeds(feature, self.hashes))

    def embed(self, slots: Tensor) -> Tensor:
        rows = self.pool(slots.unflatten(1, (-1, self.hashes)))
        combined = added(rows)
        if self.combine == "mean":
            combined = combined / self.hashes
        return combined.flatten(1)

    def hashed_rows(self, feature: int) -> range:
        return range(self.regions[feature].start, self.regions[feature].end)
