"""Product quantisation: the exact table, cut into parts after training, each part replaced by the
nearest of a few centroids.

    E'[r] = [C_1[code(r, 1)], ..., C_P[code(r, P)]]
    vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Jégou et al., Product Quantization for Nearest Neighbor Search, TPAMI 2011 (of embedding tables: Shu
and Nakayama, arXiv 1711.01068, who learn the codes in training). P divides D; the K centroids of a
part come from k-means over the trained table's rows, each of which counts as often as training has
its value, if `by_frequency`. The forms, codes and sizes are those of `quantised_table`; the error
of a part of D / P numbers is taken to fall as K^(-2 P / D).
Bytes: ceil(R P ceil(log2 K) / 8) for the codes of R rows (up to 2 more, so that each can be read as
whole bytes) and 4 D K for the centroids, for every codebook.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.methods.quantised_table import QuantisedTable


class ProductQuantization(QuantisedTable):
    knobs: Mapping[str, Any] = {"by_frequency": False}

    def codes_of_row(self) -> Iterator[int]:
        for parts in range(1, self.spec.dim + 1):
            if self.spec.dim % parts == 0:
                yield parts

    def numbers_of_centroid(self, codes: int) -> int:
        return self.spec.dim // codes

    def quantise(self, table: Tensor, weights: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        centroids = []
        nearest = []
        for part in table.split(self.spec.dim // self.codes_each, dim=1):
            part_centroids, part_nearest = k_means(part, count, weights)
            centroids.append(part_centroids)
            nearest.append(part_nearest)
        return torch.stack(centroids), torch.stack(nearest, dim=1)

    def combine(self, chosen: Tensor) -> Tensor:
        return chosen.flatten(-2)
