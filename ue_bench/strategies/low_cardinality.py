"""Exact rows for features of few values, in every strategy of a comparison; the method gets the
other features.

The exact rows and their dictionaries are paid for like everything else: the method works with what
the budget leaves over.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.budget import check_budget
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.spec import Spec

Method = Callable[[Spec], EmbeddingStrategy]  # a class, or what builds a strategy of it


class ExactLowCardinality(EmbeddingStrategy):
    """`method` for features of more than `at_most` values, `Collisionless` for the others.

    Raises BenchError if no feature is left for the method, and BudgetError.
    """

    def __init__(self, spec: Spec, method: Method, at_most: int) -> None:
        super().__init__(replace(spec, options={}))  # the knobs are the method's
        few = []  # indices of features
        many = []
        for index, feature in enumerate(spec.features):
            if feature.cardinality <= at_most:
                few.append(index)
            else:
                many.append(index)
        if not many:
            raise BenchError(
                f"{spec.name}: every feature has at most {at_most} values, so that exact rows "
                "leave nothing to the method; lower --low-cardinality-max"
            )
        self.exact = Collisionless(_part(self.spec, few, budget=None))
        self.method = self._build_rest(method, _part(spec, many, spec.budget))
        self.vocabularies = [*self.exact.vocabularies, *self.method.vocabularies]
        # for each feature, the strategy that holds it, and as which of its features
        self.parts: list[tuple[EmbeddingStrategy, int]] = []
        for index in range(len(spec.features)):
            if index in few:
                self.parts.append((self.exact, few.index(index)))
            else:
                self.parts.append((self.method, many.index(index)))
        self.widths = tuple(part.widths[index] for part, index in self.parts)
        self.counts = [part.locate_checked(index, []).shape[1] for part, index in self.parts]
        self.map_in_state = self.method.map_in_state
        self.learns_from_batches = self.method.learns_from_batches

    def _build_rest(self, method: Method, spec: Spec) -> EmbeddingStrategy:
        """Build the method for its features, with what the exact rows leave of the budget."""
        if spec.budget is None:
            return method(spec)
        footprint = self.exact.footprint()
        paid = footprint.table + footprint.auxiliary  # the steps of few bits are auxiliary
        try:
            strategy = method(replace(spec, budget=max(spec.budget - paid, 0)))
            check_budget(strategy)
        except BudgetError as error:
            why = f"{error.why}, beside {paid:,} bytes for exact rows of low-cardinality features"
            raise BudgetError(spec.name, spec.budget, why, error.works + paid) from error
        return strategy

    def locate(self, feature: int, values: Any) -> Tensor:
        part, index = self.parts[feature]
        return part.locate_checked(index, values)

    def embed(self, slots: Tensor) -> Tensor:
        columns = slots.split(self.counts, dim=1)
        vectors = {}
        for part in (self.exact, self.method):
            own_columns = []
            for column, (owner, _) in zip(columns, self.parts, strict=True):
                if owner is part:
                    own_columns.append(column)
            embedded = part.embed_checked(torch.cat(own_columns, dim=1))
            vectors[part] = embedded.split(list(part.widths), dim=1)
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

    def check_served(self) -> None:
        self.method.check_served()

    def end_training(self) -> None:
        self.method.end_training()


def _part(spec: Spec, indices: list[int], budget: int | None) -> Spec:
    """The spec of a few features. The whole spreads the bags: a part gets single values."""
    features = tuple(replace(spec.features[index], bags=None) for index in indices)
    lookups = tuple(spec.lookups[index] for index in indices)
    rows = None if spec.rows is None else spec.rows.columns(indices)
    return replace(spec, features=features, lookups=lookups, budget=budget, rows=rows)
