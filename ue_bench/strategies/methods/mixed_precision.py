"""Mixed precision: exact rows, whose numbers have the more bits, the more frequent their value is.

    vector(x) = [E_b[row_1(x)], ..., E_b[row_l(x)]],    b = bits of the group of x
    the bits of groups: least sum of n_g f_g^alpha 4^-b_g that the budget pays for

MPE, Li et al. (arXiv 2409.20305), has groups by frequency, too, and learns their bits by sampling
them in training. Here values are cut into groups of equal size by their frequency, over all
features together, and the bits b_g follow from the error of rounding, which falls by a factor of
four with each bit: n_g is the number of rows of a group, f_g the mean frequency of its values, and
one more bit goes where it removes most. A group of 0 bits reads the row of its feature's unseen
values. Needs a vocabulary, whose order by frequency says in what group a value is.
Bytes: n_b D b / 8 for the n_b rows of each bits, and 4 for their step.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.features import Feature
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import largest_form
from ue_bench.strategies.knobs import require
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.value_frequency import Ranked, by_frequency
from ue_bench.strategies.vocabulary import Vocabulary

GROUPS = 64
UNSEEN_BITS = 8  # of the rows of unseen values
LADDER = (0, *sorted(bits for bits in BITS.values() if bits <= UNSEEN_BITS))  # 0, 1, 2, 3, 4, 8


class MixedPrecision(EmbeddingStrategy):
    knobs: Mapping[str, Any] = {"alpha": 0.5}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        alpha = self.options["alpha"]
        require(spec, "alpha", alpha, 0 <= alpha <= 2, "from 0 to 2")
        ranked = by_frequency(spec, range(len(spec.features)))
        bits_of = bits_by_rank(spec, ranked, alpha)
        lookups = np.asarray(spec.lookups, np.int64)[ranked.features]
        n_rows = dict.fromkeys(LADDER[1:], 0)
        n_rows[UNSEEN_BITS] = sum(spec.lookups)  # those of unseen values are first
        first = np.zeros(len(ranked), np.int64)  # of each value, in the pool of its bits
        for bits in n_rows:
            of_bits = bits_of == bits
            ends = n_rows[bits] + np.cumsum(lookups[of_bits])
            first[of_bits] = ends - lookups[of_bits]
            n_rows[bits] = int(ends[-1]) if len(ends) else n_rows[bits]
        self.n_rows = {bits: rows for bits, rows in n_rows.items() if rows}
        starts = {}
        start = 0
        for bits, rows in self.n_rows.items():
            starts[bits] = start
            first[bits_of == bits] += start
            start += rows
        self.vocabularies = []
        self.first_rows = []  # of each feature's values in the order of its vocabulary, then unseen
        unseen = starts[UNSEEN_BITS]
        for index, feature in enumerate(spec.features):
            own = ranked.features == index
            self.vocabularies.append(Vocabulary(feature.choosing(ranked.positions[own])))
            rows_of_own = np.where(bits_of[own] == 0, unseen, first[own])
            self.first_rows.append(torch.from_numpy(np.append(rows_of_own, unseen)))
            unseen += spec.lookups[index]
        self.starts = list(starts.values())
        self.pools = nn.ModuleList()
        for bits, rows in self.n_rows.items():
            self.pools.append(Pool(rows, _in_bits(spec, bits)))

    def locate(self, feature: int, values: Any) -> Tensor:
        positions = torch.from_numpy(self.vocabularies[feature].positions(values))
        first = self.first_rows[feature].index_select(0, positions).unsqueeze(1)
        return first + torch.arange(self.spec.lookups[feature])

    def to_serve(self, feature: int) -> Feature:
        """Return the feature with its known values and their counts, from which the bits follow."""
        whole = self.spec.features[feature]
        known = [place for place, count in enumerate(whole.counts) if count >= whole.min_count]
        values = [whole.values[position] for position in known]
        return whole.holding(values, [whole.counts[position] for position in known])

    def embed(self, slots: Tensor) -> Tensor:
        vectors = torch.zeros(())
        for pool, start in zip(self.pools, self.starts, strict=True):
            pool = cast(Pool, pool)
            own = slots - start
            is_own = (own >= 0) & (own < pool.rows)
            rows = pool(own.clamp(0, pool.rows - 1)) * is_own.unsqueeze(-1)
            vectors = vectors.to(rows) + rows
        return vectors.flatten(1)


def bits_by_rank(spec: Spec, ranked: Ranked, alpha: float) -> np.ndarray:
    """Return the bits of each value, the most frequent first: int64 [n].

    Raises BudgetError if the budget does not pay for the rows of unseen values, or if too much of
    it would be unused.
    """
    size = max(1, -(-len(ranked) // GROUPS))
    lookups = np.asarray(spec.lookups, np.int64)[ranked.features]
    counts = _counts(spec, ranked)
    rows = []
    weights = []
    for start in range(0, len(ranked), size):
        group = slice(start, start + size)
        rows.append(int(lookups[group].sum()))
        weights.append(rows[-1] * (int(counts[group].sum()) / len(counts[group])) ** alpha)

    def used_by(levels: list[int]) -> int:
        by_bits = dict.fromkeys(LADDER[1:], 0)
        by_bits[UNSEEN_BITS] += sum(spec.lookups)
        for level, n_rows in zip(levels, rows, strict=True):
            if level:
                by_bits[LADDER[level]] += n_rows
        used = 0
        for bits, n_rows in by_bits.items():
            if n_rows:
                used += _in_bits(spec, bits).numbers.pool_bytes(n_rows, spec.dim)
        return used

    def form_at(budget: int) -> list[int] | None:
        levels = [0] * len(rows)
        if used_by(levels) > budget:
            return None
        highest = [len(LADDER) - 1] * len(rows)
        if used_by(highest) <= budget:  # on the way there, more pools have a step each
            return highest
        growing = set(range(len(rows)))
        while growing:
            best = max(growing, key=lambda group: (_gain(weights[group], levels[group]), -group))
            levels[best] += 1
            if used_by(levels) > budget:
                levels[best] -= 1
                growing.remove(best)
            elif levels[best] == len(LADDER) - 1:
                growing.remove(best)
        return levels

    levels = largest_form(
        spec,
        form_at=form_at,
        used_by=used_by,
        smallest=used_by([0] * len(rows)),
        largest=used_by([len(LADDER) - 1] * len(rows)),
    )
    return np.repeat([LADDER[level] for level in levels], size)[: len(ranked)]


def _counts(spec: Spec, ranked: Ranked) -> np.ndarray:
    """Return how many training rows each value has: int64 [n]."""
    counts = np.empty(len(ranked), np.int64)
    for index, feature in enumerate(spec.features):
        own = ranked.features == index
        counts[own] = np.asarray(feature.counts, np.int64)[ranked.positions[own]]
    return counts


def _gain(weight: float, level: int) -> float:
    """Return by how much the error of a group falls with the next level, for each of its bits."""
    bits, more = LADDER[level], LADDER[level + 1]
    return weight * (4.0**-bits - 4.0**-more) / (more - bits)


def _in_bits(spec: Spec, bits: int) -> Spec:
    return replace(spec, numbers=NumberFormat(name=parse_bits(bits)))
