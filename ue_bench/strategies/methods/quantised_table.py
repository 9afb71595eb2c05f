"""The exact table, served as codes that point at centroids: what product and residual quantisation
share.

Multiplexed: one codebook for all features. Separate: one for each, and the region rule divides the
centroids among them. Codes are packed in bits, so that the number of centroids K can be any: a byte
holds only codes of up to 256 centroids, and wastes bits if there are fewer. The codes of a row, C
in number, and K are those that fill the budget with the least error expected of even data, the sum
of K^(-2 C / D) over rows. The float table is held in training only. Needs a vocabulary.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ue_bench.strategies.budget import fill, largest_form, well_used
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.packed_codes import pack, packed_bytes, read
from ue_bench.strategies.pool import require_below
from ue_bench.strategies.regions import rule_of
from ue_bench.strategies.spec import Spec


class Shape(NamedTuple):
    """Codes of a row, and centroids of each codebook."""

    codes: int
    centroids: list[int]


class QuantisedTable(Collisionless):
    """Trains the exact table and serves codes.

    A subclass says which numbers of codes a row may have, and how long a centroid then is.

    codes_each: the codes of a row. centroids: of each codebook.
    """

    training_only = ("pool.weight",)

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.separate = spec.regions == "separate"
        ends = [*self.starts[1:], len(self.pool.weight)]
        self.n_rows = [ends[-1]]  # of each codebook
        if self.separate:
            self.n_rows = [end - start for start, end in zip(self.starts, ends, strict=True)]
        self.codes_each, self.centroids = self._shape()
        numbers = self.numbers_of_centroid(self.codes_each)
        for book, (rows, count) in enumerate(zip(self.n_rows, self.centroids, strict=True)):
            codes = torch.zeros(code_bytes(rows, self.codes_each, count), dtype=torch.uint8)
            self.register_buffer(f"codes_{book}", codes)
            self.register_buffer(f"centroids_{book}", torch.zeros(self.codes_each, count, numbers))

    @abstractmethod
    def codes_of_row(self) -> Iterator[int]:
        """Yield how many codes a row may have."""

    @abstractmethod
    def numbers_of_centroid(self, codes: int) -> int:
        """Return the numbers of a centroid where a row has so many codes."""

    @abstractmethod
    def quantise(self, table: Tensor, weights: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Return centroids and codes of rows.

        table: [rows, D]. weights: of the rows, [rows]. count: centroids of each code.

        Returns centroids [C, count, numbers], and codes int64 [rows, C].
        """

    @abstractmethod
    def combine(self, chosen: Tensor) -> Tensor:
        """Return rows [..., D] from the centroids of their codes, [..., C, numbers]."""

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
        weights = self._row_weights().to(self.pool.weight.device)
        start = 0
        for book, (rows, count) in enumerate(zip(self.n_rows, self.centroids, strict=True)):
            part = slice(start, start + rows)
            of_rows = weights[part] if self.options["by_frequency"] else None
            centroids, codes = self.quantise(self.pool.weight[part], of_rows, count)
            self.get_buffer(f"centroids_{book}").copy_(centroids)
            packed = pack(codes, bits(count))
            self.get_buffer(f"codes_{book}")[: len(packed)] = packed
            start += rows

    def check_served(self) -> None:
        for book, rows in enumerate(self.n_rows):
            codes = self._codes(book, torch.arange(rows))
            require_below(self.spec, "codes", codes, self.centroids[book])

    def _row_weights(self) -> Tensor:
        """Return how often training has the value of each row, and once more: float32 [rows].

        So rows of unseen values count, too.
        """
        weights = []
        for feature, lookups in zip(self.spec.features, self.spec.lookups, strict=True):
            counts = [count for count in feature.counts if count >= feature.min_count]
            if len(counts) != len(feature.vocabulary):  # they were not counted
                counts = [0] * len(feature.vocabulary)
            weights += [1.0 + count for count in (*counts, 0) for _ in range(lookups)]
        return torch.tensor(weights)

    def _decode(self, book: int, rows: Tensor) -> Tensor:
        """Vectors float32 [..., D] of int64 rows of any shape."""
        number = torch.arange(self.codes_each, device=rows.device)
        chosen = self.get_buffer(f"centroids_{book}")[number, self._codes(book, rows).long()]
        return self.combine(chosen)

    def _codes(self, book: int, rows: Tensor) -> Tensor:
        """The codes of int64 rows of any shape: int32 [..., C]."""
        number = torch.arange(self.codes_each, device=rows.device)
        places = rows.unsqueeze(-1) * self.codes_each + number
        return read(self.get_buffer(f"codes_{book}"), places, bits(self.centroids[book]))

    def _shape(self) -> Shape:
        """The shape with the least expected error. Raises BudgetError if the budget fits none."""
        least_centroids = [min(2, rows) for rows in self.n_rows]
        possible = list(self.codes_of_row())
        return largest_form(
            self.spec,
            form_at=self._shape_at,
            used_by=lambda shape: self._cost(shape.codes, shape.centroids),
            smallest=self._cost(possible[0], least_centroids),
            largest=max(self._cost(codes, self.n_rows) for codes in (possible[0], possible[-1])),
        )

    def _shape_at(self, budget: int) -> Shape | None:
        weigh = rule_of(self.spec.region_rule)
        shares = [1.0]
        if self.separate:
            shares = [weigh(feature.cardinality) for feature in self.spec.features]
        shapes = []
        for codes in self.codes_of_row():
            cost = partial(self._cost, codes)
            counts = fill(budget, self.n_rows, shares, self.n_rows, cost, least=2)
            if counts is None or not well_used(cost(counts), budget):
                continue
            error = 0.0
            for rows, count in zip(self.n_rows, counts, strict=True):
                error += rows * count ** (-2 * codes / self.spec.dim)
            shapes.append((error, Shape(codes, counts)))
        if not shapes:
            return None
        return min(shapes)[1]

    def _cost(self, codes: int, counts: Sequence[int]) -> int:
        """Bytes of all codebooks of so many centroids."""
        of_centroid = 4 * codes * self.numbers_of_centroid(codes)
        cost = 0
        for rows, count in zip(self.n_rows, counts, strict=True):
            cost += code_bytes(rows, codes, count) + of_centroid * count
        return cost


def bits(count: int) -> int:
    """Return the bits of a number below `count`."""
    return (count - 1).bit_length()


def code_bytes(rows: int, codes: int, centroids: int) -> int:
    """Return the bytes of the packed codes of a codebook."""
    return max(1, packed_bytes(rows * codes, bits(centroids)))
