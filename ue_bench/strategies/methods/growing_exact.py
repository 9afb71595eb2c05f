"""The exact table of a stream: a value gets rows of its own when it arrives, and may lose them.

    row_k(x) = the k-th row that x was given        vector(x) = [E[row_1(x)], ..., E[row_l(x)]]

A value is given rows once `min_count` rows had it, the most frequent of a block first. Every other
value has the rows for unseen values of its feature. `growing_exact` has rows for all that will
come. `evicting_exact` has as many as its budget pays for; where none is free, those that the block
lacks give way: the one that was seen longest ago (`evict` is "age"), the one that is rarest and
rarer than the newcomer, each count losing a twentieth a block ("frequency"), or none ("never").
A row with another owner starts anew. The rows follow the order of the vocabulary once training has
ended. Needs a stream.
Bytes: 4 D for each row, l of them a value that is held and l a feature for unseen values; the
vocabulary holds the values that have rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.features import Feature
from ue_bench.strategies.arrived import Arrived, Reset, Seen
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import rows_that_fit
from ue_bench.strategies.knobs import require
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.value_frequency import by_frequency
from ue_bench.strategies.vocabulary import (
    FLOOR_BYTES_PER_VALUE,
    ROW_NUMBER_BYTES,
    Vocabulary,
    bytes_of_each,
)

EVICT = ("age", "frequency", "never")
FORGET = 0.05  # of a count, each block
NO_ROW = -1


class GrowingExact(EmbeddingStrategy):
    one_pool = True
    map_in_state = True
    knobs: Mapping[str, Any] = {"evict": "age"}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        evict = self.options["evict"]
        require(spec, "evict", evict, evict in EVICT, f"one of {', '.join(EVICT)}")
        of_unseen = sum(spec.lookups)
        for_all = 0
        for feature, lookups in zip(spec.features, spec.lookups, strict=True):
            for_all += lookups * (feature.cardinality + 1)
        rows = for_all
        if spec.budget is not None:
            rows = rows_that_fit(spec, spec.dim, needed=of_unseen + 1, usable=for_all)
        self.pool = Pool(rows, spec)
        self.is_served = spec.unfilled  # a saved model, whose values all have rows
        self.live = []
        # the rows of each value, by feature: int64 [values + 1, lookups], the last of unseen ones
        self.rows_of = []
        first = 0
        for feature, lookups in zip(spec.features, spec.lookups, strict=True):
            values = feature.vocabulary if self.is_served else feature.values
            self.live.append(LiveVocabulary(feature.name, values, live=self.is_served))
            table = np.full((len(values) + 1, lookups), NO_ROW)
            table[-1] = np.arange(first, first + lookups)
            first += lookups
            self.rows_of.append(table)
        self.vocabularies = [*self.live]
        self.free = list(range(rows - 1, first - 1, -1))  # the next one is the last
        # Rows that somebody had to leave. They may be free for blocks, where values have lookups of
        # other numbers, and then still hold what the owner learned.
        self.had_owner: set[int] = set()
        if self.is_served:
            self._lay_out()
            return
        self.seen = Seen(spec, FORGET if evict == "frequency" else 0.0)
        for index, code in by_frequency(spec, range(len(spec.features))):
            if spec.lookups[index] <= len(self.free):
                self._give(index, code)

    def _give(self, feature: int, code: int) -> list[int]:
        rows = [self.free.pop() for _ in range(self.spec.lookups[feature])]
        self.rows_of[feature][code] = rows
        self.live[feature].live[code] = True
        return rows

    def _take(self, feature: int, code: int) -> None:
        rows = self.rows_of[feature][code].tolist()
        self.free += rows
        self.had_owner.update(rows)
        self.rows_of[feature][code] = NO_ROW
        self.live[feature].live[code] = False

    def observe(self, arrived: Arrived) -> Reset | None:
        self.seen.note(arrived)
        given: list[int] = []
        victims = self._victims(arrived.block)
        ahead: list[tuple[int, int]] = []  # the next ones to go, as far as they were looked at
        for newcomer in self._newcomers(arrived):
            needed = self.spec.lookups[newcomer[0]]
            room = len(self.free)
            leaving = 0  # of those ahead
            while room < needed:
                if leaving == len(ahead):
                    ahead += islice(victims, 1)
                if leaving == len(ahead) or not self._gives_way(ahead[leaving], newcomer):
                    break
                room += self.spec.lookups[ahead[leaving][0]]
                leaving += 1
            if room < needed:  # nobody goes where it would help nobody
                continue
            for victim in ahead[:leaving]:
                self._take(*victim)
            del ahead[:leaving]
            given += self._give(*newcomer)
        if not given:
            return None
        self.locate_all()
        anew = sorted(self.had_owner.intersection(given))
        return Reset(self.pool, torch.tensor(anew)) if anew else None

    def _newcomers(self, arrived: Arrived) -> list[tuple[int, int]]:
        """Return (feature, code) of the values of a block that are due rows, frequent first."""
        due = []
        for index, codes in enumerate(arrived.codes):
            feature = self.spec.features[index]
            counts = self.seen.counts[index][codes]
            wanted = ~self.live[index].live[codes] & (counts >= feature.min_count)
            for code, count in zip(codes[wanted].tolist(), counts[wanted].tolist(), strict=True):
                due.append((-count, feature.name, code, index))
        return [(index, code) for _, _, code, index in sorted(due)]

    def _victims(self, block: int) -> Iterator[tuple[int, int]]:
        """Yield (feature, code) of the values that a block lacks, in the order in which they go."""
        if self.options["evict"] == "never":
            return
        held = []
        for index, vocabulary in enumerate(self.live):
            last = self.seen.last[index]
            counts = self.seen.counts[index]
            by_age = self.options["evict"] == "age"
            for code in np.flatnonzero(vocabulary.live & (last < block)).tolist():
                name = self.spec.features[index].name
                order = last[code] if by_age else counts[code]
                held.append((order, counts[code], name, code, index))
        for _, _, _, code, index in sorted(held):
            yield index, code

    def _gives_way(self, victim: tuple[int, int], newcomer: tuple[int, int]) -> bool:
        if self.options["evict"] != "frequency":
            return True
        counts = self.seen.counts
        return bool(counts[victim[0]][victim[1]] < counts[newcomer[0]][newcomer[1]])

    def locate(self, feature: int, values: Any) -> Tensor:
        positions = self.live[feature].positions(values)
        return torch.from_numpy(self.rows_of[feature][positions])

    def embed(self, slots: Tensor) -> Tensor:
        return self.pool(slots).flatten(1)

    def live_rows(self) -> int:
        return self.pool.rows - len(self.free)

    def to_serve(self, feature: int) -> Feature:
        whole = self.spec.features[feature]
        live = np.flatnonzero(self.live[feature].live).tolist()
        return whole.holding([whole.values[code] for code in live])

    @torch.no_grad()
    def end_training(self) -> None:
        """Bring the rows into the order of the vocabulary, in which a saved model finds them."""
        if self.is_served:
            return
        before = np.concatenate([self._held_rows(index) for index in range(len(self.rows_of))])
        self._lay_out()
        after = np.concatenate([self._held_rows(index) for index in range(len(self.rows_of))])
        self.pool.move_rows(torch.from_numpy(before), torch.from_numpy(after))
        self.is_served = True
        self.locate_all()

    def _held_rows(self, feature: int) -> np.ndarray:
        """Return the rows of the values that are held and of unseen ones: int64 [rows]."""
        live = np.append(self.live[feature].live, True)
        rows: np.ndarray = self.rows_of[feature][live].flatten()
        return rows

    def _lay_out(self) -> None:
        """Number the rows of the values that are held, feature by feature, those of unseen last."""
        first = 0
        for index, table in enumerate(self.rows_of):
            live = np.append(self.live[index].live, True)
            n_rows = int(live.sum()) * table.shape[1]
            table[live] = np.arange(first, first + n_rows).reshape(-1, table.shape[1])
            first += n_rows
        self.free = list(range(self.pool.rows - 1, first - 1, -1))


class LiveVocabulary(Vocabulary):
    """The codes of values, of which some are held: `live`, bool [values]. Others are unseen."""

    def __init__(self, name: str, values: Sequence[str], live: bool) -> None:
        super().__init__(Feature(name, values, n_seen=len(values)))
        self.live = np.full(self.size, live)
        self._text_bytes = bytes_of_each(values)

    def positions(self, values: Any) -> np.ndarray:
        codes = super().positions(values)
        live = np.append(self.live, False)
        return np.where(live[codes], codes, self.size)

    @property
    def n_bytes(self) -> int:
        count = int(self.live.sum())
        return int(self._text_bytes[self.live].sum()) + ROW_NUMBER_BYTES * count

    @property
    def floor_bytes(self) -> int:
        return math.ceil(FLOOR_BYTES_PER_VALUE * int(self.live.sum()))
