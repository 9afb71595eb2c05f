"""TT-Rec: the exact table as a tensor train, whose rows are products of three small matrices.

    id = (i_1 n_2 + i_2) n_3 + i_3
    row(id)[j_1, j_2, j_3] = A[i_1, j_1, :] B[i_2, :, j_2, :] C[i_3, :, j_3]
    vector(x) = [row(id_1(x)), ..., row(id_l(x))]

Yin et al., MLSys 2021 (arXiv 2101.11714). There is an id for every lookup of every training value,
and one for every lookup of a feature's unseen values; n_1 n_2 n_3 is their number, rounded up, and
D = d_1 d_2 d_3. The two ranks (columns of A, rows of C) come from the budget and may differ.
Multiplexed: one train over the ids of all features. Separate: one for each, sized by the region
rule. Cores are normal with the same deviation, such that rows have the deviation of `init` (the
paper draws them so that rows are close to normal). Needs a vocabulary.
Bytes: 4 (n_1 d_1 r_1 + n_2 r_1 d_2 r_2 + n_3 r_2 d_3) for every train.
"""

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import largest_form
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.pool import Pool, gather
from ue_bench.strategies.regions import region_sizes
from ue_bench.strategies.spec import Spec

AT_ONCE = 4  # times the ids that are asked for: for so many, all rows are made


class Train(nn.Module):
    """The cores over `ids` ids: [n_1, d_1 r_1], [n_2, r_1 d_2 r_2] and [n_3, r_2 d_3] numbers."""

    def __init__(self, ids: int, ranks: tuple[int, int], spec: Spec) -> None:
        super().__init__()
        self.n = digits(ids)
        self.d = factors(spec.dim)
        self.ranks = ranks
        d1, d2, d3 = self.d
        r1, r2 = ranks
        sizes = (d1 * r1, r1 * d2 * r2, r2 * d3)
        self.cores = nn.ModuleList(
            Pool(n, spec, size) for n, size in zip(self.n, sizes, strict=True)
        )
        variance = spec.init_scale**2 / (1 if spec.init == "normal" else 3)
        deviation = (variance / math.prod(ranks)) ** (1 / 6)
        for core in self.cores:
            pool = cast(Pool, core)
            nn.init.normal_(pool.weight, std=deviation)
            if not spec.unfilled:
                pool.fit_steps()

    def forward(self, ids: Tensor) -> Tensor:
        """Return the rows of int64 ids: [B, L] -> [B, L D]."""
        n1, n2, n3 = self.n
        d1, d2, d3 = self.d
        r1, r2 = self.ranks
        a, b, c = (cast(Pool, core) for core in self.cores)
        flat = ids.flatten()
        count = flat.shape[0]
        i1 = flat // (n2 * n3)
        i2 = flat // n3 % n2
        i3 = flat % n3
        # few large products cost less than many small ones; a traced program is one for all sizes
        # of a batch
        if is_compiling() or a.sparse or b.sparse or c.sparse or count <= n1 * n2:
            ab = a(i1).view(count, d1, r1) @ b(i2).view(count, r1, d2 * r2)
        else:
            pairs = a.table().view(n1 * d1, r1) @ b.table().view(n2, r1, d2 * r2)
            pair = i2 * n1 + i1
            if n1 * n2 * n3 <= AT_ONCE * count:
                return gather(self._all_rows(pairs), pair * n3 + i3).view(len(ids), -1)
            ab = gather(pairs.view(n2 * n1, d1 * d2 * r2), pair)
        rows = ab.view(count, d1 * d2, r2) @ c(i3).view(count, r2, d3)
        return rows.view(*ids.shape, d1 * d2 * d3).flatten(1)

    def _all_rows(self, pairs: Tensor) -> Tensor:
        """Return the rows of all ids, i_2 first: [n_2 n_1 n_3, D].

        pairs: the products of the first two cores, [n_2, n_1 d_1, d_2 r_2].
        """
        n1, n2, n3 = self.n
        d1, d2, d3 = self.d
        r2 = self.ranks[1]
        last = cast(Pool, self.cores[2]).table().view(n3, r2, d3)
        last = last.transpose(0, 1).reshape(r2, n3 * d3)
        rows = (pairs.view(n2 * n1 * d1 * d2, r2) @ last).view(n2 * n1, d1 * d2, n3, d3)
        return rows.transpose(1, 2).reshape(n2 * n1 * n3, d1 * d2 * d3)


class TTRec(EmbeddingStrategy):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        self.separate = spec.regions == "separate"
        counts = self.ids.counts if self.separate else [self.ids.total]
        ranks = ranks_that_fill(spec, counts)
        self.trains = nn.ModuleList(
            Train(ids, ranks_of, spec) for ids, ranks_of in zip(counts, ranks, strict=True)
        )

    def locate(self, feature: int, values: Any) -> Tensor:
        ids = self.ids.of(feature, values)
        if self.separate:
            return ids
        return ids + self.ids.starts[feature]

    def embed(self, slots: Tensor) -> Tensor:
        if not self.separate:
            return self.trains[0](slots)
        columns = slots.split(list(self.spec.lookups), dim=1)
        vectors = [train(column) for train, column in zip(self.trains, columns, strict=True)]
        return torch.cat(vectors, dim=1)


class Form(NamedTuple):
    """The ranks of every train, and their bytes."""

    n_bytes: int
    ranks: list[tuple[int, int]]


def digits(ids: int) -> tuple[int, int, int]:
    """Return three numbers close to each other whose product is at least `ids`."""
    first = max(1, round(ids ** (1 / 3)))
    second = math.ceil(math.sqrt(ids / first))
    return first, second, math.ceil(ids / (first * second))


def factors(dim: int) -> tuple[int, int, int]:
    """Return three factors of `dim`, as close to each other as there are.

    The one in the middle is the least, because that is where factors cost most.
    """
    divisors = [d for d in range(1, dim + 1) if dim % d == 0]
    triples = []
    for first in divisors:
        for middle in divisors:
            last, remainder = divmod(dim, first * middle)
            if remainder == 0 and middle <= first and middle <= last:
                triples.append((first, middle, last))
    return min(triples, key=lambda triple: (sum(triple), triple))


def train_bytes(ids: int, spec: Spec, r1: int, r2: int) -> int:
    """Return the bytes of a train with ranks r1 and r2."""
    d1, d2, d3 = factors(spec.dim)
    n_bytes = 0
    for rows, numbers in zip(digits(ids), (d1 * r1, r1 * d2 * r2, r2 * d3), strict=True):
        n_bytes += spec.numbers.pool_bytes(rows, numbers)
    return n_bytes


def best_ranks(ids: int, spec: Spec, budget: int) -> tuple[int, int, int]:
    """Return the bytes and the two ranks of the most even train that uses most of a budget.

    If the budget pays for no train, they are those of the smallest.
    """
    n1, n2, n3 = digits(ids)
    d1, d2, d3 = factors(spec.dim)
    beside = sum(spec.numbers.pool_bytes(rows, 0) for rows in (n1, n2, n3))
    affordable_numbers = 8 * (budget - beside) // spec.numbers.bits
    affordable = []
    for r1 in range(1, n1 * d1 + 1):  # more than rows times columns of an outer core adds nothing
        r2 = min((affordable_numbers - n1 * d1 * r1) // (n2 * d2 * r1 + n3 * d3), n3 * d3)
        if r2 >= 1 and train_bytes(ids, spec, r1, r2) > budget:
            r2 -= 1  # each core may end within a byte
        if r2 >= 1:
            affordable.append((train_bytes(ids, spec, r1, r2), r1, r2))
    if not affordable:
        return train_bytes(ids, spec, 1, 1), 1, 1
    enough = min(max(affordable)[0], 0.95 * budget)
    large = [train for train in affordable if train[0] >= enough]
    return max(large, key=lambda train: (min(train[1:]), train[0]))


def ranks_that_fill(spec: Spec, counts: list[int]) -> list[tuple[int, int]]:
    """Return the ranks of every train. counts: ids of each.

    Small trains come first, and the next one gets what they leave over. Raises BudgetError if the
    trains leave too much of the budget unused.
    """
    least = []
    most = []
    for ids in counts:
        n1, _, n3 = digits(ids)
        d1, _, d3 = factors(spec.dim)
        least.append(train_bytes(ids, spec, 1, 1))
        most.append(train_bytes(ids, spec, n1 * d1, n3 * d3))

    def form_at(budget: int) -> Form | None:
        if budget < sum(least):
            return None
        shares = region_sizes(spec, budget, least, most)
        ranks = [(0, 0)] * len(counts)
        n_bytes = 0
        over = 0
        for i in sorted(range(len(counts)), key=lambda i: (counts[i], spec.features[i].name)):
            used, r1, r2 = best_ranks(counts[i], spec, shares[i] + over)
            ranks[i] = (r1, r2)
            over += shares[i] - used
            n_bytes += used
        return Form(n_bytes, ranks)

    form = largest_form(
        spec,
        form_at=form_at,
        used_by=lambda form: form.n_bytes,
        smallest=sum(least),
        largest=sum(most),
    )
    return form.ranks
