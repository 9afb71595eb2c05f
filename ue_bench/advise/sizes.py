"""What fits the memory: arithmetic on footprints, before anything is trained."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.errors import BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import entry_of
from ue_bench.strategies.vocabulary import Vocabulary
from ue_bench.training.assembly import make_model, make_spec
from ue_bench.training.model import sizes
from ue_bench.training.run_data import encoded_of

LARGEST = 4  # times the exact table's bytes: in a larger hashed table hardly a value shares its row, and nothing is left to gain
STEP = 0.92  # a budget that fits no form of a table is lowered by so much at a time
LEAST = 0.5  # of the memory: what can use less than this is no candidate at this memory
GROWTH = 1.04  # other splits have other values: exact rows get so much more than those of the first split take
EXACT_DIMS = (8, 16, 32)


@dataclass(frozen=True)
class Sized:
    """A configuration with the budget that fits, and its bytes on the first split."""

    config: RunConfig
    total_bytes: int


@dataclass(frozen=True)
class Small:
    """A configuration that the memory is too small for. works: bytes in all that would do."""

    config: RunConfig
    works: int


class Sizes:
    """Footprints of configurations on the data of a question.

    Sizes are checked against all distinct values, as if training had seen each: whatever the split, the memory is kept.
    """

    def __init__(self, question: Question) -> None:
        self.memory = question.memory
        self.seen = encoded_of(question.base, question.data_dir)[1].features
        self.whole = tuple(
            replace(feature, n_seen=feature.cardinality, counts=()) for feature in self.seen
        )

    @cached_property
    def vocabulary_bytes(self) -> int:
        """Of a dictionary of all values."""
        return sum(Vocabulary(feature).n_bytes for feature in self.whole)

    def vocabulary_of(self, config: RunConfig) -> int:
        """Bytes of the vocabulary, of all values, that a configuration needs."""
        return self.vocabulary_bytes if entry_of(config.strategy).needs_vocabulary else 0

    @property
    def n_values(self) -> int:
        return sum(feature.cardinality for feature in self.whole)

    def exact_bytes(self, dim: int) -> int:
        """Table bytes of the exact table of one lookup: a row for every value, and one a feature for the unseen."""
        return 4 * dim * (self.n_values + len(self.whole))

    def fit(self, config: RunConfig, memory: int | None = None) -> Sized | Small:
        """The configuration with the largest budget whose table, auxiliary data and vocabulary keep within `memory` bytes."""
        memory, entry = memory or self.memory, entry_of(config.strategy)
        if not entry.has_budget:
            most = self._bytes(config, self.whole)
            return (
                Sized(config, self._bytes(config, self.seen))
                if most <= memory
                else Small(config, most)
            )
        beside = self.vocabulary_of(config)
        limit = memory - beside
        if not entry.needs_vocabulary:
            limit = min(limit, LARGEST * make_spec(config, self.seen).exact_table_bytes)
        most, least = limit, max(1, int(LEAST * limit))
        refused: BudgetError | None = None
        while most >= least:
            try:
                used = self._bytes(replace(config, budget=most), self.seen)
            except BudgetError as error:
                refused = refused or error
                small = error.works >= most
                most = int(STEP * most) if small else error.works
                least = least if small else min(least, most)
                continue
            if not entry.needs_vocabulary:
                return Sized(replace(config, budget=most), used)
            table = used - sum(Vocabulary(feature).n_bytes for feature in self.seen)
            return Sized(replace(config, budget=min(limit, int(GROWTH * table))), used)
        return Small(config, beside + (refused.works if refused else self._least(config)))

    def _least(self, config: RunConfig) -> int:
        """Bytes of the smallest table, where the vocabulary alone is more than the memory."""
        try:
            return self._bytes(replace(config, budget=1), self.seen)
        except BudgetError as error:
            return error.works

    @staticmethod
    def _bytes(config: RunConfig, features: tuple[Feature, ...]) -> int:
        """Bytes in all. Raises BudgetError where the budget does not work."""
        with torch.random.fork_rng(devices=[]):
            return int(sizes(make_model(config, make_spec(config, features), 0.5))["total_bytes"])
