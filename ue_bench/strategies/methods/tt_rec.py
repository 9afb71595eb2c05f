"""TT-Rec: the exact table as a tensor train, whose rows are products of three small matrices.

    id = (i_1 n_2 + i_2) n_3 + i_3        row(id)[j_1, j_2, j_3] = A[i_1, j_1, :] B[i_2, :, j_2, :] C[i_3, :, j_3]
    vector(x) = [row(id_1(x)), ..., row(id_l(x))]

Yin et al., MLSys 2021 (arXiv 2101.11714). An id for every lookup of every training value, and one for every lookup of a
feature's unseen values; n_1 n_2 n_3 is their number, rounded up, and D = d_1 d_2 d_3; the two ranks
(columns of A, rows of C) come from the budget and may differ. Multiplexed: one train over the ids of all features. Separate: one
each, sized by the region rule. Cores are normal with one deviation, such that rows have that of `init` (the paper draws them so
that rows are close to normal). Needs a vocabulary.
Bytes: 4 (n_1 d_1 r_1 + n_2 r_1 d_2 r_2 + n_3 r_2 d_3) for every train.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec, gather
from ue_bench.strategies.budget import refusal, well_used
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.regions import divide


class Train(nn.Module):
    """The cores over `ids` ids: [n_1, d_1 r_1], [n_2, r_1 d_2 r_2] and [n_3, r_2 d_3] numbers."""

    def __init__(self, ids: int, ranks: tuple[int, int], spec: Spec) -> None:
        super().__init__()
        self.n, self.d, self.ranks = digits(ids), factors(spec.dim), ranks
        sizes = (self.d[0] * ranks[0], ranks[0] * self.d[1] * ranks[1], ranks[1] * self.d[2])
        self.cores = nn.ModuleList(
            Pool(n, spec, size) for n, size in zip(self.n, sizes, strict=True)
        )
        variance = spec.init_scale**2 / (1 if spec.init == "normal" else 3)
        for core in self.cores:
            nn.init.normal_(cast(Pool, core).weight, std=(variance / math.prod(ranks)) ** (1 / 6))

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of int64 ids [B, L]: [B, L D]."""
        (n1, n2, n3), (d1, d2, d3), (r1, r2), flat = self.n, self.d, self.ranks, ids.flatten()
        i1, i2 = flat // (n2 * n3), flat // n3 % n2
        a, b, c = (cast(Pool, core) for core in self.cores)
        if len(flat) > n1 * n2 and not (
            a.sparse or b.sparse
        ):  # all pairs (i_1, i_2) cost less than those of the ids
            pairs = a.weight.view(n1 * d1, r1) @ b.weight.view(n2, r1, d2 * r2)
            ab = gather(pairs.view(n2 * n1, d1 * d2 * r2), i2 * n1 + i1)
        else:
            ab = a(i1).view(len(flat), d1, r1) @ b(i2).view(len(flat), r1, d2 * r2)
        return (
            (ab.view(len(flat), d1 * d2, r2) @ c(flat % n3).view(len(flat), r2, d3))
            .view(*ids.shape, d1 * d2 * d3)
            .flatten(1)
        )


class TTRec(EmbeddingStrategy):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        self.separate = spec.regions == "separate"
        counts = self.ids.counts if self.separate else [self.ids.total]
        ranks = _ranks_that_fill(spec, counts)
        self.trains = nn.ModuleList(
            Train(ids, ranks_of, spec) for ids, ranks_of in zip(counts, ranks, strict=True)
        )

    def locate(self, feature: int, values: Any) -> Tensor:
        return self.ids.of(feature, values) + (0 if self.separate else self.ids.starts[feature])

    def embed(self, slots: Tensor) -> Tensor:
        if not self.separate:
            return self.trains[0](slots)
        columns = slots.split(list(self.spec.lookups), dim=1)
        return torch.cat(
            [train(column) for train, column in zip(self.trains, columns, strict=True)], dim=1
        )


def digits(ids: int) -> tuple[int, int, int]:
    """Three numbers close to each other whose product is at least `ids`."""
    first = max(1, round(ids ** (1 / 3)))
    second = math.ceil(math.sqrt(ids / first))
    return first, second, math.ceil(ids / (first * second))


def factors(dim: int) -> tuple[int, int, int]:
    """Three factors of `dim`, as close to each other as there are; the one in the middle, where they cost most, is the least."""
    divisors = [d for d in range(1, dim + 1) if dim % d == 0]
    all_three = [(a, b, dim // (a * b)) for a in divisors for b in divisors if dim % (a * b) == 0]
    return min((t for t in all_three if t[1] == min(t)), key=lambda t: (sum(t), t))


def train_bytes(ids: int, dim: int, r1: int, r2: int) -> int:
    (n1, n2, n3), (d1, d2, d3) = digits(ids), factors(dim)
    return 4 * (n1 * d1 * r1 + n2 * r1 * d2 * r2 + n3 * r2 * d3)


def best_ranks(ids: int, dim: int, budget: int) -> tuple[int, int, int]:
    """Bytes used and the two ranks of the train that is most even of those that use nearly all of a budget."""
    (n1, n2, n3), (d1, d2, d3) = digits(ids), factors(dim)
    found = []
    for r1 in range(1, n1 * d1 + 1):  # more than rows times columns of an outer core adds nothing
        r2 = min((budget // 4 - n1 * d1 * r1) // (n2 * d2 * r1 + n3 * d3), n3 * d3)
        if r2 >= 1:
            found.append((train_bytes(ids, dim, r1, r2), r1, r2))
    if not found:
        return train_bytes(ids, dim, 1, 1), 1, 1
    enough = min(max(found)[0], 0.95 * budget)
    return max((f for f in found if f[0] >= enough), key=lambda f: (min(f[1:]), f[0]))


def _ranks_that_fill(spec: Spec, counts: list[int]) -> list[tuple[int, int]]:
    """Ranks of every train. Small trains come first, and what they leave over goes to the next."""
    budget, (least, most) = (
        spec.require_budget(),
        zip(*(_range(ids, spec.dim) for ids in counts), strict=True),
    )

    def plan(budget: int) -> tuple[int, list[tuple[int, int]]]:
        shares, over, ranks = (
            [r.size for r in dict.fromkeys(divide(spec, budget, least, most))],
            0,
            [(0, 0)] * len(counts),
        )
        for i in sorted(range(len(counts)), key=lambda i: (counts[i], spec.features[i].name)):
            used, *found = best_ranks(counts[i], spec.dim, shares[i] + over)
            ranks[i] = (found[0], found[1])
            over += shares[i] - used
        return sum(shares) - over, ranks

    used, ranks = plan(budget) if budget >= sum(least) else (0, [])
    if not well_used(used, budget):
        raise refusal(spec, sum(least), sum(most), lambda budget: plan(budget)[0])
    return ranks


def _range(ids: int, dim: int) -> tuple[int, int]:
    """Bytes of the smallest and of the largest train."""
    n, d = digits(ids), factors(dim)
    return train_bytes(ids, dim, 1, 1), train_bytes(ids, dim, n[0] * d[0], n[2] * d[2])
