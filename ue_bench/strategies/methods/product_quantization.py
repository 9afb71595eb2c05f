"""Product quantisation: the exact table, cut into parts after training, each part replaced by the
nearest of a few centroids.

    E'[r] = [C_1[code(r, 1)], ..., C_P[code(r, P)]]
    vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Jégou et al., Product Quantization for Nearest Neighbor Search, TPAMI 2011 (of embedding tables: Shu
and Nakayama, arXiv 1711.01068, who learn the codes in training). P divides D; the K centroids of a
part come from k-means over the trained table's rows. Multiplexed: one codebook for all features.
Separate: one for each, and the region rule divides the centroids among them. Codes are packed in
bits, so that K can be any number: a byte holds only codes of up to 256 centroids, and wastes bits
if there are fewer. P and K are those that fill the budget with the least error expected of even
data (the sum of K^(-2 P / D) over rows). The float table is held in training only. Needs a
vocabulary.
Bytes: ceil(R P ceil(log2 K) / 8) + 2 for the codes of R rows (the 2 so that each can be read as
three bytes) and 4 D K for the centroids, for every codebook.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ue_bench.strategies.budget import fill, largest_form, well_used
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.pool import require_below
from ue_bench.strategies.regions import rule_of
from ue_bench.strategies.spec import Spec

PADDING = 2  # bytes after the codes: one code of up to 17 bits is read as three bytes


class Shape(NamedTuple):
    """Parts of a row, and centroids of each codebook."""

    parts: int
    centroids: list[int]


class ProductQuantization(Collisionless):
    training_only = ("pool.weight",)

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.separate = spec.regions == "separate"
        ends = [*self.starts[1:], len(self.pool.weight)]
        self.n_rows = [ends[-1]]  # of each codebook
        if self.separate:
            self.n_rows = [end - start for start, end in zip(self.starts, ends, strict=True)]
        self.parts, self.centroids = self._shape()
        for book, (rows, count) in enumerate(zip(self.n_rows, self.centroids, strict=True)):
            codes = torch.zeros(code_bytes(rows, self.parts, count), dtype=torch.uint8)
            centroids = torch.zeros(self.parts, count, spec.dim // self.parts)
            self.register_buffer(f"codes_{book}", codes)
            self.register_buffer(f"centroids_{book}", centroids)

    def embed(self, slots: Tensor) -> Tensor:
        if self.pool.weight is not None:
            return self.pool(slots).flatten(1)
        if not self.separate:
            return self._decode(0, slots).flatten(1)
        vectors = []
        for book, columns in enumerate(slots.split(list(self.spec.lookups), dim=1)):
            vectors.append(self._decode(book, columns - self.starts[book]).flatten(1))
        return torch.cat(vectors, dim=1)

    @torch.no_grad()
    def end_training(self) -> None:
        for book, table in enumerate(self.pool.weight.split(self.n_rows)):
            count = self.centroids[book]
            centroids = []
            nearest = []
            for part in table.split(self.spec.dim // self.parts, dim=1):
                part_centroids, part_nearest = k_means(part, count)
                centroids.append(part_centroids)
                nearest.append(part_nearest)
            self.get_buffer(f"centroids_{book}").copy_(torch.stack(centroids))
            codes = torch.stack(nearest, dim=1).flatten().cpu().numpy()
            code_bits = (codes[:, None] >> np.arange(bits(count))) & 1
            packed = np.packbits(code_bits, bitorder="little")
            self.get_buffer(f"codes_{book}")[: len(packed)] = torch.from_numpy(packed)
        self.drop_training_only()

    def check_served(self) -> None:
        for book, rows in enumerate(self.n_rows):
            codes = self._codes(book, torch.arange(rows), torch.arange(self.parts))
            require_below(self.spec, "codes", codes, self.centroids[book])

    def _decode(self, book: int, rows: Tensor) -> Tensor:
        """Vectors float32 [..., D] of int64 rows of any shape."""
        part = torch.arange(self.parts).to(rows.device)
        return self.get_buffer(f"centroids_{book}")[part, self._codes(book, rows, part)].flatten(-2)

    def _codes(self, book: int, rows: Tensor, part: Tensor) -> Tensor:
        """The centroid of each part: int32 [..., parts] of int64 rows of any shape."""
        codes = self.get_buffer(f"codes_{book}")
        width = bits(self.centroids[book])
        first_bit = (rows.unsqueeze(-1) * self.parts + part) * width
        byte = first_bit >> 3
        word = codes[byte].int() | (codes[byte + 1].int() << 8) | (codes[byte + 2].int() << 16)
        return (word >> (first_bit & 7)) & ((1 << width) - 1)

    def _shape(self) -> Shape:
        """The shape with the least expected error. Raises BudgetError if the budget fits none."""
        least_centroids = [min(2, rows) for rows in self.n_rows]
        return largest_form(
            self.spec,
            form_at=self._shape_at,
            used_by=lambda shape: self._cost(shape.parts, shape.centroids),
            smallest=self._cost(1, least_centroids),
            largest=max(self._cost(parts, self.n_rows) for parts in (1, self.spec.dim)),
        )

    def _shape_at(self, budget: int) -> Shape | None:
        dim = self.spec.dim
        weigh = rule_of(self.spec.region_rule)
        shares = [1.0]
        if self.separate:
            shares = [weigh(feature.cardinality) for feature in self.spec.features]
        shapes = []
        for parts in range(1, dim + 1):
            if dim % parts:
                continue
            cost = partial(self._cost, parts)
            counts = fill(budget, self.n_rows, shares, self.n_rows, cost, least=2)
            if counts is None or not well_used(cost(counts), budget):
                continue
            error = 0.0
            for rows, count in zip(self.n_rows, counts, strict=True):
                error += rows * count ** (-2 * parts / dim)
            shapes.append((error, Shape(parts, counts)))
        if not shapes:
            return None
        return min(shapes)[1]

    def _cost(self, parts: int, counts: Sequence[int]) -> int:
        """Bytes of all codebooks of so many centroids."""
        cost = 0
        for rows, count in zip(self.n_rows, counts, strict=True):
            cost += code_bytes(rows, parts, count) + 4 * self.spec.dim * count
        return cost


def bits(count: int) -> int:
    """Return the bits of a number below `count`."""
    return (count - 1).bit_length()


def code_bytes(rows: int, parts: int, centroids: int) -> int:
    """Return the bytes of the packed codes of a codebook, with the padding."""
    return max(1, -(-rows * parts * bits(centroids) // 8)) + PADDING
