"""What fits the memory: arithmetic on footprints, before anything is trained."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.errors import BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import entry_of
from ue_bench.strategies.vocabulary import ROW_NUMBER_BYTES, Vocabulary, bytes_of_each
from ue_bench.training.assembly import make_model, make_spec
from ue_bench.training.devices import require_device
from ue_bench.training.matrix_factorisation import RANK
from ue_bench.training.model import sizes
from ue_bench.training.run_data import encoded_of, reader_of, rows_of, warnings_of
from ue_bench.training.split_parts import PARTS
from ue_bench.training.train import EVALUATION_ROWS, Rows
from ue_bench.training.user_item_model import UserItemModel

# In a hashed table of more than this times the bytes of the exact one, hardly a value shares its
# row, and nothing is left to gain.
LARGEST = 4
STEP = 0.92  # a budget that fits no form of a table is lowered to this share of it at a time
LEAST = 0.5  # a form that can use only a smaller share of the memory is no candidate
GROWTH = 1.04  # exact rows get this much more than on the first split: others have other values
EXACT_DIMS = (8, 16, 32)


@dataclass(frozen=True)
class Sized:
    """A configuration with the budget that fits, and its bytes on the first split."""

    config: RunConfig
    total_bytes: int


@dataclass(frozen=True)
class Small:
    """A configuration that the memory is too small for. works: bytes in all that are enough."""

    config: RunConfig
    works: int


class Sample(NamedTuple):
    """A few rows of the first split: a batch of the training rows, and validation rows.

    n_train, n_val: how many rows there are.
    """

    train: Rows
    val: Rows
    n_train: int
    n_val: int


class Footprints:
    """Footprints of configurations on some features.

    Sizes are checked against all distinct values, as if training had seen each of them, so that
    the memory is kept on every split.

    memory: bytes of table, auxiliary data and vocabulary that configurations are sized to.
    seen: the features as training rows show them. entities: user and item.
    whole: the features as if training had seen all of their values.
    """

    def __init__(
        self, memory: int, seen: tuple[Feature, ...], entities: tuple[Feature, Feature]
    ) -> None:
        self.memory = memory
        self.seen = seen
        self.entities = entities
        self.whole = tuple(
            replace(feature, n_seen=feature.cardinality, counts=()) for feature in seen
        )

    @cached_property
    def vocabulary_bytes(self) -> int:
        """Bytes of a dictionary of all values."""
        return _vocabulary_bytes(self.whole)

    def vocabulary_of(self, config: RunConfig) -> int:
        """Return the bytes of the vocabulary, of all values, that a configuration needs."""
        if not entry_of(config.strategy).needs_vocabulary:
            return 0
        return self.vocabulary_bytes

    @property
    def n_values(self) -> int:
        """The number of distinct values of all features."""
        return sum(feature.cardinality for feature in self.whole)

    def exact_bytes(self, dim: int) -> int:
        """Return the table bytes of the exact table of one lookup.

        It has a row for every value, and one for the unseen values of each feature.
        """
        return 4 * dim * (self.n_values + len(self.whole))

    @cached_property
    def anchor_bytes(self) -> dict[str, int]:
        """Bytes in all of the predictors of each record that have a size, by their name there.

        They have no layer, so that none of them is an answer.
        """
        sizes = {}
        for name, rank in (("bias", 0), ("mf", RANK)):
            sizes[name] = UserItemModel(self.entities, rank).footprint().total
        return sizes

    def fit(self, config: RunConfig, memory: int | None = None) -> Sized | Small:
        """Find the largest budget at which a configuration keeps within the memory.

        memory: bytes of table, auxiliary data and vocabulary; None for that of the question.
        """
        if memory is None:
            memory = self.memory
        entry = entry_of(config.strategy)
        if not entry.has_budget:
            needed = self._sizes(config, self.whole)["total_bytes"]
            if needed > memory:
                return Small(config, needed)
            return Sized(config, self.bytes_of(config)["total_bytes"])
        vocabulary = self.vocabulary_of(config)
        if entry.grows and vocabulary:
            vocabulary = self._vocabulary_of_rows(config, memory)
        limit = memory - vocabulary
        if not entry.needs_vocabulary:
            exact = make_spec(config, self.seen).exact_table_bytes
            limit = min(limit, LARGEST * exact)
        budget = limit
        least = max(1, int(LEAST * limit))
        refusal: BudgetError | None = None
        while budget >= least:
            try:
                held = self.bytes_of(replace(config, budget=budget))
            except BudgetError as error:
                refusal = refusal or error
                if error.works < budget:
                    budget = error.works
                    least = min(least, budget)
                else:
                    budget = int(STEP * budget)
                continue
            if entry.needs_vocabulary:
                table = held["total_bytes"] - held["vocabulary_bytes"]
                budget = min(limit, int(GROWTH * table))
            return Sized(replace(config, budget=budget), held["total_bytes"])
        smallest = refusal.works if refusal else self._smallest_table(config)
        return Small(config, vocabulary + smallest)

    def _vocabulary_of_rows(self, config: RunConfig, memory: int) -> int:
        """Return the bytes of the vocabulary of a table whose values come and go.

        It holds the values that have rows at a time, at the worst those with the longest texts.
        Table and vocabulary together are at most `memory`, unless all values fit.
        """
        row = make_spec(replace(config, budget=memory), self.seen).row_bytes
        longest = self._longest
        n_values = np.arange(1, len(longest) + 1)
        together = row * n_values + longest
        fitting = int(np.searchsorted(together, memory, side="right"))
        return int(longest[fitting - 1]) if fitting else 0

    @cached_property
    def _longest(self) -> np.ndarray:
        """The vocabulary bytes of the values with the longest texts: int64 [values], summed up."""
        lengths = [bytes_of_each(feature.values) for feature in self.whole]
        ordered = np.sort(np.concatenate(lengths))[::-1]
        summed: np.ndarray = np.cumsum(ordered + ROW_NUMBER_BYTES)
        return summed

    def _smallest_table(self, config: RunConfig) -> int:
        """Return the bytes of the smallest table, where the vocabulary alone fills the memory."""
        try:
            return self._sizes(replace(config, budget=1), self.seen)["total_bytes"]
        except BudgetError as error:
            return error.works

    def bytes_of(self, config: RunConfig) -> dict[str, int]:
        """Return the bytes of a configuration as a record has them.

        Raises BudgetError where its budget does not work.
        """
        return self._sizes(config, self.seen)

    @staticmethod
    def _sizes(config: RunConfig, features: tuple[Feature, ...]) -> dict[str, int]:
        """Return the bytes as a record has them. Raises BudgetError where the budget is wrong."""
        # Sizes need no numbers, and no training rows of a method that learns from them.
        spec = replace(make_spec(config, features), unfilled=True)
        with torch.random.fork_rng(devices=[]):
            return sizes(make_model(config, spec, 0.5))


class Sizes(Footprints):
    """Footprints on the data of a question, with its rows on the first split.

    base: the run that its data are those of.
    facts: what the data set says of itself in a record. warnings: about its columns.
    encoded: the rows of the first split.
    reader: reads raw rows as the data was read.
    sample: a few rows, to judge the time of a run by.
    """

    def __init__(self, question: Question) -> None:
        dataset, encoded = encoded_of(question.base, question.data_dir)
        super().__init__(question.memory, encoded.features, encoded.entities)
        self.base = question.base
        self.facts = dataset.facts
        self.warnings = warnings_of(dataset, question.base)
        self.reader = reader_of(question.base, dataset)
        self.encoded = encoded
        device = require_device(question.base.device)
        train = PARTS["train"]
        val = PARTS["val"]
        self.sample = Sample(
            train=rows_of(encoded, train, device, question.base.batch_size),
            val=rows_of(encoded, val, device, EVALUATION_ROWS),
            n_train=int((encoded.parts == train).sum()),
            n_val=int((encoded.parts == val).sum()),
        )

    @property
    def n_rows(self) -> int:
        """The number of rows of the first split."""
        return len(self.encoded.parts)


def _vocabulary_bytes(features: tuple[Feature, ...]) -> int:
    return sum(Vocabulary(feature).n_bytes for feature in features)
