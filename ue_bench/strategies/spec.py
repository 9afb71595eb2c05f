"""What a strategy is built from: features, lookups, budget, regions, seeds and initial values."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.hashing import lookup_seed
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.training_rows import TrainingRows


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a strategy is built from. The specs of a comparison differ only in what is compared."""

    name: str  # of the strategy, for error messages
    features: tuple[Feature, ...]
    lookups: tuple[int, ...]  # of each feature
    dim: int  # numbers per lookup (D)
    budget: int | None = None  # bytes
    regions: str = "multiplexed"  # multiplexed | separate | exact
    region_rule: str | None = None  # proportional | sqrt | equal; None: proportional
    numbers: NumberFormat = field(default_factory=NumberFormat)  # of every pool
    region_cap: str = "usable"  # usable: no separate region has more slots than it can use | none
    hash_seed: int = 0
    hash_seeds: Mapping[str, Sequence[int]] = field(default_factory=dict)  # explicit, by feature
    # how often training reads a value as an unseen one, as in `SlotCache`; 0: never
    value_dropout: float = 0.0
    init: str = "uniform"  # uniform | normal
    init_scale: float = 0.05  # half the width of the uniform, or the deviation of the normal
    # whether the slots of every distinct value are kept, as in `SlotCache`, or each batch finds its
    keep_slots: bool = True
    sparse: bool = False  # whether gradients of the pools hold only the rows that were read
    sparse_above: int = 0  # pools of at most this many numbers have dense gradients all the same
    options: Mapping[str, Any] = field(default_factory=dict)  # the method's own knobs
    # the training rows, for methods that learn from which values meet
    rows: TrainingRows | None = field(default=None, repr=False, compare=False)
    # whether values arrive in a stream, which the strategy takes in: see `observe`
    grows: bool = False
    # whether pools have no numbers yet: a saved model has them, and says how many there are
    unfilled: bool = False

    def seeds(self, feature: int, hashes: int = 1) -> list[int]:
        """Return the hash seeds of a feature, those of its first lookup first.

        hashes: seeds that each lookup needs. Raises BenchError if explicit seeds were given for
        the feature and their number is wrong.
        """
        name = self.features[feature].name
        lookups = self.lookups[feature]
        if name in self.hash_seeds:
            return self._explicit_seeds(name, lookups, hashes)
        seeds = []
        for lookup in range(lookups):
            for number in range(hashes):
                seeds.append(lookup_seed(name, lookup, self.hash_seed, number))
        return seeds

    def _explicit_seeds(self, name: str, lookups: int, hashes: int) -> list[int]:
        seeds = list(self.hash_seeds[name])
        needed = lookups * hashes
        if len(seeds) != needed:
            raise BenchError(
                f"hash_seeds: {len(seeds)} seeds were given for {name}, which has {lookups} "
                f"lookups of {hashes} hashes; give {needed}"
            )
        return seeds

    def require_budget(self) -> int:
        """Return the budget in bytes. Raises BenchError if none was given."""
        if self.budget is None:
            raise BenchError(
                f"{self.name} needs a budget in bytes for its table; give one, such as "
                "--budget 28kB"
            )
        return self.budget

    @cached_property
    def layout(self) -> str:
        """A digest of what decides which slots a value has, but for the values of vocabularies."""
        decides = (
            self.name,
            [(feature.name, feature.cardinality) for feature in self.features],
            (self.lookups, self.dim, self.budget, self.numbers),
            (self.regions, self.region_rule, self.region_cap),
            (self.hash_seed, sorted(self.hash_seeds.items()), sorted(self.options.items())),
        )
        return hashlib.sha256(repr(decides).encode()).hexdigest()[:16]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of D numbers as it is served, without a step."""
        return self.numbers.row_bytes(self.dim)

    @property
    def n_regions(self) -> int:
        """The number of different regions: one for each feature if separate, otherwise one."""
        if self.regions == "separate":
            return len(self.features)
        return 1

    @property
    def exact_table_bytes(self) -> int:
        """Bytes of a float32 table with its own row for every lookup of every distinct value.

        The compression ratio is relative to this table.
        """
        rows = 0
        for feature, lookups in zip(self.features, self.lookups, strict=True):
            rows += feature.cardinality * lookups
        return 4 * self.dim * rows
