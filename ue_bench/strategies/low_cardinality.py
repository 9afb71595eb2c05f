"""One policy for features of few values: in every strategy of a comparison they get exact rows, and the method gets the rest.

The exact rows and their dictionaries are paid for like everything else: the method works with what the budget leaves over.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies.base import EmbeddingStrategy, Spec, check_budget
from ue_bench.strategies.methods.collisionless import Collisionless


class ExactLowCardinality(EmbeddingStrategy):
    """`method` for the features with more than `at_most` values, `Collisionless` for the others."""

    def __init__(self, spec: Spec, method: type[EmbeddingStrategy], at_most: int) -> None:
        super().__init__(replace(spec, options={}))  # the knobs are the method's
        few = [f.cardinality <= at_most for f in spec.features]
        if all(few):
            raise BenchError(
                f"{spec.name}: every feature has at most {at_most} values, so that exact rows leave nothing to the method; "
                "lower --low-cardinality-max"
            )
        self.exact = Collisionless(_part(self.spec, few, budget=None))
        paid = self.exact.footprint().table
        rest = [not is_few for is_few in few]
        try:
            left = None if spec.budget is None else max(spec.budget - paid, 0)
            self.method = method(_part(spec, rest, budget=left))
            check_budget(self.method)
        except BudgetError as error:
            why = f"{error.why}, beside {paid:,} bytes for exact rows of low-cardinality features"
            raise BudgetError(spec.name, spec.budget or 0, why, error.works + paid) from error
        self.vocabularies = [*self.exact.vocabularies, *self.method.vocabularies]
        positions = {True: 0, False: 0}
        self.parts: list[
            tuple[EmbeddingStrategy, int]
        ] = []  # per feature: who holds it, and as which of its features
        for is_few in few:
            self.parts.append((self.exact if is_few else self.method, positions[is_few]))
            positions[is_few] += 1
        self.widths = tuple(part.widths[index] for part, index in self.parts)
        self.counts = [part.locate(index, []).shape[1] for part, index in self.parts]

    def locate(self, feature: int, values: Any) -> Tensor:
        part, index = self.parts[feature]
        return part.locate(index, values)

    def embed(self, slots: Tensor) -> Tensor:
        columns = slots.split(self.counts, dim=1)
        vectors = {}
        for part in (self.exact, self.method):
            mine = [
                column
                for column, (owner, _) in zip(columns, self.parts, strict=True)
                if owner is part
            ]
            vectors[part] = part.embed(torch.cat(mine, dim=1)).split(list(part.widths), dim=1)
        return torch.cat([vectors[part][index] for part, index in self.parts], dim=1)

    def hashed_rows(self, feature: int) -> range | None:
        part, index = self.parts[feature]
        return part.hashed_rows(index)

    def to_serve(self, feature: int) -> Feature:
        part, index = self.parts[feature]
        return part.to_serve(index)

    def end_epoch(self, epoch: int) -> bool:
        changed = self.method.end_epoch(epoch)
        if changed:
            self.locate_all()  # the method's index map may be another one
        return changed

    def end_training(self) -> None:
        self.method.end_training()


def _part(spec: Spec, mask: list[bool], budget: int | None) -> Spec:
    own = (f for f, keep in zip(spec.features, mask, strict=True) if keep)
    features = tuple(
        replace(f, bags=None) for f in own
    )  # the whole spreads bags, and a part gets single values
    lookups = tuple(n for n, keep in zip(spec.lookups, mask, strict=True) if keep)
    return replace(spec, features=features, lookups=lookups, budget=budget)
