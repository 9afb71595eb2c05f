"""Exact rows of few numbers and a linear projection to the width, which the methods with short
rows share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import fill, largest_form
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary


class MatrixShape(NamedTuple):
    """The shape of a projection: as deep as the longest row that it projects."""

    depth: int
    width: int

    @property
    def n_bytes(self) -> int:
        return 4 * self.depth * self.width


class ProjectedRows(EmbeddingStrategy):
    """Rows of d_f numbers, times a matrix to the width.

    Feature f has a row for every training value and one for its unseen values. It has no matrix if
    its rows have the full width, or if the matrix would cost as much as it saves. Multiplexed:
    features of the same width share a matrix, of which each uses its first d_f rows. Otherwise
    every feature has its own. The budget decides d_f, which is at most the width, or twice the
    width where a number has at most 4 bits.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.n_rows = [vocabulary.size + 1 for vocabulary in self.vocabularies]
        self.numbers = self._numbers()  # d_f
        self.pools = nn.ModuleList()
        for rows, numbers in zip(self.n_rows, self.numbers, strict=True):
            self.pools.append(Pool(rows, spec, numbers))
        self.projections = nn.ParameterDict()
        for name, shape in self._projections(self.numbers).items():
            # vectors start as large as rows
            matrix = torch.randn(shape.depth, shape.width) * shape.depth**-0.5
            self.projections[name] = nn.Parameter(matrix)

    @abstractmethod
    def shares(self) -> Sequence[float]:
        """Return what the numbers d_f of the features are proportional to."""

    def pool(self, feature: int) -> Pool:
        return cast(Pool, self.pools[feature])

    def locate(self, feature: int, values: Any) -> Tensor:
        positions = self.vocabularies[feature].positions(values)
        return torch.from_numpy(positions).unsqueeze(1)

    def embed(self, slots: Tensor) -> Tensor:
        vectors = []
        for feature, (numbers, width) in enumerate(zip(self.numbers, self.widths, strict=True)):
            rows = self.pool(feature)(slots[:, feature])
            if numbers != width:
                rows = rows @ self.projections[self._projection(feature)][:numbers]
            vectors.append(rows)
        return torch.cat(vectors, dim=1)

    def _projection(self, feature: int) -> str:
        """The name of a feature's projection."""
        if self.spec.regions == "multiplexed":
            return f"width_{self.widths[feature]}"
        return f"feature_{feature}"

    def _projections(self, numbers: Sequence[int]) -> dict[str, MatrixShape]:
        """The shape of each projection by name, given the numbers of each feature's rows."""
        shapes: dict[str, MatrixShape] = {}
        for feature, (depth, width) in enumerate(zip(numbers, self.widths, strict=True)):
            if depth == width:
                continue
            name = self._projection(feature)
            if name in shapes:
                depth = max(depth, shapes[name].depth)
            shapes[name] = MatrixShape(depth, width)
        return shapes

    def _settled(self, numbers: Sequence[int]) -> list[int]:
        """The numbers of each row, with full rows if they cost no more than short ones and their
        matrix."""
        pool_bytes = self.spec.numbers.pool_bytes
        settled = list(numbers)
        for name, shape in self._projections(numbers).items():
            if shape.depth > shape.width:
                continue
            group = [f for f in range(len(numbers)) if self._projection(f) == name]
            short = shape.n_bytes
            full = 0
            for feature in group:
                short += pool_bytes(self.n_rows[feature], numbers[feature])
                full += pool_bytes(self.n_rows[feature], shape.width)
            if full <= short:
                for feature in group:
                    settled[feature] = shape.width
        return settled

    def _cost(self, numbers: Sequence[int]) -> int:
        """Bytes of rows of so many numbers, settled, and of their projections."""
        settled = self._settled(numbers)
        cost = 0
        for shape in self._projections(settled).values():
            cost += shape.n_bytes
        for rows, row_numbers in zip(self.n_rows, settled, strict=True):
            cost += self.spec.numbers.pool_bytes(rows, row_numbers)
        return cost

    def _numbers(self) -> list[int]:
        """The numbers d_f that fill the budget. Raises BudgetError if none do."""
        shortest = [1] * len(self.n_rows)
        # a row of few bits takes so few bytes that a large budget pays for more numbers
        widest = 2 if self.spec.numbers.bits <= 4 else 1
        limits = [widest * width for width in self.widths]
        shares = self.shares()
        numbers = largest_form(
            self.spec,
            form_at=lambda budget: fill(budget, limits, shares, self.n_rows, self._cost),
            used_by=self._cost,
            smallest=self._cost(shortest),
            largest=self._cost(limits),
        )
        return self._settled(numbers)
