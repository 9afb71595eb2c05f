"""Exact rows of few numbers and a linear projection to the width: what the methods with short rows of their own share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.strategies.budget import fill, refusal, well_used
from ue_bench.strategies.vocabulary import Vocabulary


class ProjectedRows(EmbeddingStrategy):
    """One row of d_f numbers for every training value of feature f and one for its unseen values, times a matrix to the width.

    A feature whose rows have its full width has no matrix; nor has one where the matrix would cost as much as it saves.
    Multiplexed: features of the same width share the matrix, of which each uses its first d_f rows. Otherwise every feature has
    its own. The budget decides d_f, which is at most `widest` times the width.
    """

    widest = 1

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.vocabularies = [Vocabulary(feature) for feature in spec.features]
        self.rows = [v.size + 1 for v in self.vocabularies]
        self.numbers = self._numbers()
        self.pools = nn.ModuleList(
            Pool(rows, spec, d) for rows, d in zip(self.rows, self.numbers, strict=True)
        )
        self.projections = nn.ParameterDict()
        for name, (depth, width) in self._projections(self.numbers).items():
            self.projections[name] = nn.Parameter(
                torch.randn(depth, width) * depth**-0.5
            )  # vectors as large as rows

    @abstractmethod
    def shares(self) -> Sequence[float]:
        """How the numbers d_f of the features stand to each other."""

    def row_bytes(self, numbers: int) -> int:
        """Bytes that serving needs for a row of so many numbers."""
        return 4 * numbers

    def pool(self, feature: int) -> Pool:
        return cast(Pool, self.pools[feature])

    def read(self, feature: int, slots: Tensor) -> Tensor:
        """Rows of one feature: int64 [B] -> float32 [B, d_f]."""
        return self.pool(feature)(slots)

    def locate(self, feature: int, values: Any) -> Tensor:
        return torch.tensor(
            self.vocabularies[feature].positions(values), dtype=torch.int64
        ).unsqueeze(1)

    def embed(self, slots: Tensor) -> Tensor:
        vectors = []
        for feature, (numbers, width) in enumerate(zip(self.numbers, self.widths, strict=True)):
            rows = self.read(feature, slots[:, feature])
            vectors.append(
                rows
                if numbers == width
                else rows @ self.projections[self._projection(feature)][:numbers]
            )
        return torch.cat(vectors, dim=1)

    def _projection(self, feature: int) -> str:
        return (
            f"width_{self.widths[feature]}"
            if self.spec.regions == "multiplexed"
            else f"feature_{feature}"
        )

    def _projections(self, numbers: Sequence[int]) -> dict[str, tuple[int, int]]:
        """Rows and columns of each projection, by name."""
        shapes: dict[str, tuple[int, int]] = {}
        for feature, (depth, width) in enumerate(zip(numbers, self.widths, strict=True)):
            if depth != width:
                name = self._projection(feature)
                shapes[name] = (max(depth, shapes.get(name, (0, 0))[0]), width)
        return shapes

    def _settled(self, numbers: Sequence[int]) -> list[int]:
        """Numbers of each row when features get full rows where these cost no more than shorter ones and their matrix."""
        settled = list(numbers)
        for name, (depth, width) in self._projections(numbers).items():
            group = [f for f in range(len(numbers)) if self._projection(f) == name]
            if depth > width:
                continue
            short = 4 * depth * width + sum(
                self.rows[f] * self.row_bytes(numbers[f]) for f in group
            )
            if sum(self.rows[f] * self.row_bytes(width) for f in group) <= short:
                for f in group:
                    settled[f] = width
        return settled

    def _cost(self, numbers: Sequence[int]) -> int:
        settled = self._settled(numbers)
        projections = sum(4 * depth * width for depth, width in self._projections(settled).values())
        return projections + sum(
            rows * self.row_bytes(d) for rows, d in zip(self.rows, settled, strict=True)
        )

    def _numbers(self) -> list[int]:
        budget, shortest = self.spec.require_budget(), [1] * len(self.rows)

        limits = [self.widest * width for width in self.widths]

        def counts(budget: int) -> list[int]:
            return fill(budget, limits, self.shares(), self.rows, self._cost) or shortest

        found = counts(budget)
        if well_used(self._cost(found), budget):
            return self._settled(found)
        raise refusal(
            self.spec,
            self._cost(shortest),
            self._cost(limits),
            lambda budget: self._cost(counts(budget)),
        )
