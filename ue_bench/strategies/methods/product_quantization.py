"""Product quantisation: the exact table, cut into parts after training, each part replaced by the nearest of a few centroids.

    E'[r] = [C_1[code(r, 1)], ..., C_P[code(r, P)]]        vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Jégou et al., Product Quantization for Nearest Neighbor Search, TPAMI 2011 (of embedding tables: Shu and Nakayama, arXiv
1711.01068, who learn the codes in training). P divides D; the K centroids of a part come from k-means over the trained table's
rows. Multiplexed: one codebook for all features. Separate: one each, with centroids shared out by the region rule. Codes are
packed in bits, since a byte holds only codes of up to 256 centroids and wastes what fewer leave over: so K is any number. P and K
are those that fill the budget with the least error expected of even data (the sum of K^(-2 P / D) over rows). The float table is
held in training only. Needs a vocabulary.
Bytes: ceil(R P ceil(log2 K) / 8) + 2 for the codes of R rows (the 2 so that each can be read as three bytes) and 4 D K for the
centroids, for every codebook.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import unknown
from ue_bench.strategies.base import Spec
from ue_bench.strategies.budget import fill, refusal, well_used
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.regions import RULES

PADDING = 2  # bytes after the codes: one code of up to 17 bits is read as three bytes


class ProductQuantization(Collisionless):
    training_only = ("pool.weight",)

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.separate = spec.regions == "separate"
        ends = [*self.starts[1:], len(self.pool.weight)]
        self.rows = (
            [end - start for start, end in zip(self.starts, ends, strict=True)]
            if self.separate
            else [ends[-1]]
        )
        self.parts, self.centroids = self._shape()
        for book, (rows, count) in enumerate(zip(self.rows, self.centroids, strict=True)):
            self.register_buffer(
                f"codes_{book}", torch.zeros(code_bytes(rows, self.parts, count), dtype=torch.uint8)
            )
            self.register_buffer(
                f"centroids_{book}", torch.zeros(self.parts, count, spec.dim // self.parts)
            )

    def embed(self, slots: Tensor) -> Tensor:
        if self.pool.weight is not None:
            return self.pool(slots).flatten(1)
        if not self.separate:
            return self._decode(0, slots).flatten(1)
        columns = slots.split(list(self.spec.lookups), dim=1)
        return torch.cat(
            [
                self._decode(book, c - self.starts[book]).flatten(1)
                for book, c in enumerate(columns)
            ],
            dim=1,
        )

    @torch.no_grad()
    def end_training(self) -> None:
        for book, (table, count) in enumerate(
            zip(self.pool.weight.split(self.rows), self.centroids, strict=True)
        ):
            found = [
                k_means(part, count) for part in table.split(self.spec.dim // self.parts, dim=1)
            ]
            self.get_buffer(f"centroids_{book}").copy_(
                torch.stack([centroids for centroids, _ in found])
            )
            codes = torch.stack([nearest for _, nearest in found], dim=1).flatten().cpu().numpy()
            packed = np.packbits(codes[:, None] >> np.arange(bits(count)) & 1, bitorder="little")
            self.get_buffer(f"codes_{book}")[: len(packed)] = torch.from_numpy(packed)
        self.drop_training_only()

    def _decode(self, book: int, rows: Tensor) -> Tensor:
        """Vectors float32 [..., D] of int64 rows of any shape."""
        codes, width, part = (
            self.get_buffer(f"codes_{book}"),
            bits(self.centroids[book]),
            torch.arange(self.parts),
        )
        part = part.to(rows.device)
        first = (rows.unsqueeze(-1) * self.parts + part) * width  # bit
        byte = first >> 3
        word = codes[byte].int() | codes[byte + 1].int() << 8 | codes[byte + 2].int() << 16
        return self.get_buffer(f"centroids_{book}")[
            part, word >> (first & 7) & ((1 << width) - 1)
        ].flatten(-2)

    def _shape(self) -> tuple[int, list[int]]:
        """Parts, and centroids of each codebook."""
        spec, budget = self.spec, self.spec.require_budget()
        rule = spec.region_rule or "proportional"
        if rule not in RULES:
            raise unknown("region rule", rule, RULES)
        shares = [RULES[rule](f.cardinality) for f in spec.features] if self.separate else [1.0]

        def best(budget: int) -> tuple[int, list[int]] | None:
            found = []
            for parts in (p for p in range(1, spec.dim + 1) if spec.dim % p == 0):
                counts = fill(
                    budget, self.rows, shares, self.rows, partial(self._cost, parts), least=2
                )
                if counts and well_used(self._cost(parts, counts), budget):
                    lost = sum(
                        r * k ** (-2 * parts / spec.dim)
                        for r, k in zip(self.rows, counts, strict=True)
                    )
                    found.append((lost, parts, counts))
            return min(found)[1:] if found else None

        shape = best(budget)
        if shape is None:
            least = self._cost(1, [min(2, rows) for rows in self.rows])
            most = max(self._cost(parts, self.rows) for parts in (1, spec.dim))
            raise refusal(
                spec, least, most, lambda b: self._cost(*found) if (found := best(b)) else 0
            )
        return shape

    def _cost(self, parts: int, counts: Sequence[int]) -> int:
        return sum(
            code_bytes(r, parts, k) + 4 * self.spec.dim * k
            for r, k in zip(self.rows, counts, strict=True)
        )


def bits(count: int) -> int:
    """Bits of a number below `count`."""
    return (count - 1).bit_length()


def code_bytes(rows: int, parts: int, centroids: int) -> int:
    return max(1, -(-rows * parts * bits(centroids) // 8)) + PADDING
