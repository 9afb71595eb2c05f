"""Quotient and remainder: every dense id i has a pair of rows of two small tables that no other id has.

    e(i) = E_q[floor(i / c)] op E_r[i mod c]        op: times, plus, or side by side (both of D / 2 numbers)

Shi et al., KDD 2020 (arXiv 1909.02107). Ids number the training values of a feature and one for all unseen, and each lookup of
them; they need a vocabulary. With separate regions each feature has two tables of its own; multiplexed, one pair numbers the
values of all features in one row. c is the least one for which the two tables fit into their rows and use 90 % of them, so that
most rows are quotients where rows are scarce. Under `times` the smaller table starts around 1: it scales the rows of the larger
one, which start as in any table; two factors near 0 would have next to no gradient.
Bytes: 4 D (ceil(n / c) + c) for n ids, half of that side by side, summed over pairs of tables; the vocabulary is counted beside.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.strategies.base import LEAST_USED, EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.dense_ids import DenseIds, require
from ue_bench.strategies.regions import affordable, divide


class QuotientRemainder(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"combine": "multiply"}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.combine = self.options["combine"]
        require(
            spec,
            "combine",
            self.combine,
            self.combine in ("multiply", "add", "concat"),
            "multiply, add or concat",
        )
        if self.combine == "concat" and spec.dim % 2:
            raise BenchError(
                f"{spec.name}: {spec.dim} numbers per lookup were given; two rows side by side need an even number"
            )
        numbers = spec.dim // 2 if self.combine == "concat" else spec.dim
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        self.separate = spec.regions == "separate"
        counts = self.ids.counts if self.separate else [self.ids.total]
        least, most = [least_rows(n) for n in counts], [n + 1 for n in counts]
        rows = affordable(spec, numbers, sum(least), sum(most))
        shares = (
            [region.size for region in divide(spec, rows, least, most)] if self.separate else [rows]
        )
        used = min(
            1.0, LEAST_USED * spec.require_budget() / (4 * numbers * rows)
        )  # of the rows, at least
        self.divisors = [divisor(n, share, used) for n, share in zip(counts, shares, strict=True)]
        self.quotients = [math.ceil(n / c) for n, c in zip(counts, self.divisors, strict=True)]
        sizes = [q + c for q, c in zip(self.quotients, self.divisors, strict=True)]
        self.starts = [sum(sizes[:index]) for index in range(len(sizes))]
        self.pool = Pool(sum(sizes), spec, numbers)
        if self.combine == "multiply":
            with torch.no_grad():
                for start, q, c in zip(self.starts, self.quotients, self.divisors, strict=True):
                    self.pool.weight[
                        slice(start + q, start + q + c) if c <= q else slice(start, start + q)
                    ] += 1

    def locate(self, feature: int, values: Any) -> Tensor:
        ids, table = self.ids.of(feature, values), feature if self.separate else 0
        if not self.separate:
            ids += self.ids.starts[feature]
        start, q, c = self.starts[table], self.quotients[table], self.divisors[table]
        return torch.stack([start + ids // c, start + q + ids % c], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        rows = self.pool(slots.unflatten(1, (-1, 2)))
        if self.combine == "concat":
            return rows.flatten(1)
        quotient, remainder = rows.unbind(2)
        return (
            quotient * remainder if self.combine == "multiply" else quotient + remainder
        ).flatten(1)


def least_rows(n: int) -> int:
    """The fewest rows that a pair of tables for `n` ids can have, some 2 sqrt(n)."""
    return min(math.ceil(n / c) + c for c in range(1, math.isqrt(n) + 2))


def divisor(n: int, rows: int, used: float) -> int:
    """The least c whose two tables for `n` ids take no more than `rows` rows and at least the part `used` of them.

    There is one from `least_rows` to n + 1 rows: from c = sqrt(n) on a larger c adds one row or none.
    """
    c = np.arange(1, rows + 1)
    taken = -(-n // c) + c
    return int(c[(taken <= rows) & (taken >= used * rows)][0])
