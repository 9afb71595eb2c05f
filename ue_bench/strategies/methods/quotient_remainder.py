"""Quotient and remainder: every dense id i has a pair of rows of two small tables that no other id
has.

    e(i) = E_q[floor(i / c)] op E_r[i mod c]
    op: times (1 + the row of the smaller table), plus, or side by side (both of D / 2 numbers)

Shi et al., KDD 2020 (arXiv 1909.02107). The ids of a feature number each lookup of its training
values and of one value for all unseen ones, so a vocabulary is needed. Separate: each feature has
two tables of its own. Multiplexed: one pair of tables numbers the values of all features in one
sequence. c is the least one for which the two tables fit into their rows and use 90 % of them, so
that most rows are quotients if rows are scarce. Under `times` the smaller table scales the rows of
the larger one, by factors that start around 1: if both were near 0, there would be almost no
gradient.
Bytes: 4 D (ceil(n / c) + c) for n ids, half of that side by side, summed over pairs of tables; the
vocabulary is counted separately.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import LEAST_USED, rows_that_fit
from ue_bench.strategies.dense_ids import DenseIds
from ue_bench.strategies.knobs import require
from ue_bench.strategies.parts import added, multiplied
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.regions import region_sizes
from ue_bench.strategies.spec import Spec

COMBINATIONS = ("multiply", "add", "concat")


class QuotientRemainder(EmbeddingStrategy):
    one_pool = True
    knobs: Mapping[str, Any] = {"combine": "multiply"}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.combine = self.options["combine"]
        legal = self.combine in COMBINATIONS
        require(spec, "combine", self.combine, legal, "multiply, add or concat")
        numbers = spec.dim
        if self.combine == "concat":
            numbers = spec.dim // 2
            if spec.dim % 2:
                raise BenchError(
                    f"{spec.name}: {spec.dim} numbers per lookup were given; two rows side by side "
                    "need an even number"
                )
        self.ids = DenseIds(spec)
        self.vocabularies = self.ids.vocabularies
        self.separate = spec.regions == "separate"
        self.divisors = self._divisors(numbers)
        self.quotients = []  # rows of each table of quotients
        self.starts = []  # the first row of each pair of tables
        rows = 0
        for n, c in zip(self._counts(), self.divisors, strict=True):
            quotients = math.ceil(n / c)
            self.quotients.append(quotients)
            self.starts.append(rows)
            rows += quotients + c
        self.pool = Pool(rows, spec, numbers, ends=[*self.starts[1:], rows])
        raised = torch.tensor(self._raised()) if self.combine == "multiply" else None
        self.register_buffer("_added", raised, persistent=False)

    def _counts(self) -> list[int]:
        """The number of ids of each pair of tables."""
        return self.ids.counts if self.separate else [self.ids.total]

    def _divisors(self, numbers: int) -> list[int]:
        """The divisor c of each pair of tables of rows of so many numbers.

        Raises BudgetError if the budget pays for less or more rows than the tables can have.
        """
        counts = self._counts()
        least = [least_rows(n) for n in counts]
        most = [n + 1 for n in counts]
        rows = rows_that_fit(self.spec, numbers, needed=sum(least), usable=sum(most))
        least_bytes = LEAST_USED * self.spec.require_budget()
        whole = self.spec.numbers.pool_bytes(rows, numbers, self.spec.n_regions)
        used = min(1.0, least_bytes / whole)  # of the rows, at least
        shares = [rows]
        if self.separate:
            shares = region_sizes(self.spec, rows, least, most)
        return [divisor(n, share, used) for n, share in zip(counts, shares, strict=True)]

    def _raised(self) -> list[list[list[float]]]:
        """What is added to the quotient and to the remainder of each lookup: [L, 2, 1].

        It is 1 for the smaller table of a pair.
        """
        added = []
        for feature, lookups in enumerate(self.spec.lookups):
            table = feature if self.separate else 0
            if self.divisors[table] <= self.quotients[table]:
                added += [[[0.0], [1.0]]] * lookups
            else:
                added += [[[1.0], [0.0]]] * lookups
        return added

    def locate(self, feature: int, values: Any) -> Tensor:
        ids = self.ids.of(feature, values)
        table = feature
        if not self.separate:
            ids += self.ids.starts[feature]
            table = 0
        start = self.starts[table]
        c = self.divisors[table]
        quotient = start + ids // c
        remainder = start + self.quotients[table] + ids % c
        return torch.stack([quotient, remainder], dim=2).flatten(1)

    def embed(self, slots: Tensor) -> Tensor:
        rows = self.pool(slots.unflatten(1, (-1, 2)))
        if self.combine == "concat":
            return rows.flatten(1)
        if self.combine == "add":
            return added(rows).flatten(1)
        return multiplied(rows + self._added).flatten(1)


def least_rows(n: int) -> int:
    """Return the fewest rows that a pair of tables for `n` ids can have, about 2 sqrt(n)."""
    return min(math.ceil(n / c) + c for c in range(1, math.isqrt(n) + 2))


def divisor(n: int, rows: int, used: float) -> int:
    """Return the least c whose two tables for `n` ids have at most `rows` rows and use enough.

    used: the part of `rows` that the tables must use. There is such a c from `least_rows` to n + 1
    rows: from c = sqrt(n) on, a larger c adds one row or none.
    """
    c = np.arange(1, rows + 1)
    taken = -(-n // c) + c
    fits = (taken <= rows) & (taken >= used * rows)
    return int(c[fits][0])
