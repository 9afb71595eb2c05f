"""Residual quantisation: the exact table, each row replaced after training by a sum of centroids,
each of which is nearest to what those before it leave over.

    E'[r] = C_1[code(r, 1)] + ... + C_S[code(r, S)]
    code(r, s) = the nearest of C_s to E[r] - C_1[code(r, 1)] - ... - C_(s - 1)[code(r, s - 1)]

Chen, Guan and Wang, Approximate Nearest Neighbor Search by Residual Vector Quantization, Sensors
2010. The K centroids of a stage come from k-means over what is left of the rows, each of which
counts as often as training has its value, if `by_frequency`. The forms, codes and sizes are those
of `quantised_table`, with up to eight stages.
Bytes: ceil(R S ceil(log2 K) / 8) for the codes of R rows (up to 2 more, so that each can be read as
whole bytes) and 4 D K S for the centroids, for every codebook.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.methods.quantised_table import QuantisedTable

MOST_STAGES = 8


class ResidualQuantization(QuantisedTable):
    knobs: Mapping[str, Any] = {"by_frequency": False}

    def codes_of_row(self) -> Iterator[int]:
        yield from range(1, MOST_STAGES + 1)

    def numbers_of_centroid(self, codes: int) -> int:
        return self.spec.dim

    def quantise(self, table: Tensor, weights: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        left = table
        centroids = []
        nearest = []
        for _ in range(self.codes_each):
            stage_centroids, stage_nearest = k_means(left, count, weights)
            left = left - stage_centroids[stage_nearest]
            centroids.append(stage_centroids)
            nearest.append(stage_nearest)
        return torch.stack(centroids), torch.stack(nearest, dim=1)

    def combine(self, chosen: Tensor) -> Tensor:
        return chosen.sum(-2)
