"""What a categorical feature is: its distinct values, and the sets of them that rows have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import polars as pl

from ue_bench.errors import BenchError


@dataclass(frozen=True, eq=False)
class Bags:
    """The distinct sets of values that the rows of a multi-valued feature have.

    A bag's vector is the mean of its values' vectors. Bag n has the values
    `members[offsets[n]:offsets[n + 1]]`, which are positions in `Feature.values`: at least one,
    none of them twice.

    offsets: int64 [bags + 1]. members: int64.
    Raises ValueError for a bag without values: a missing value is the value "".
    """

    offsets: np.ndarray
    members: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.offsets) < 1).any():
            raise ValueError(
                "a bag has at least one value; one without has the value '', which stands for "
                "what is missing"
            )

    @classmethod
    def of(cls, bags: Iterable[Sequence[int]]) -> "Bags":
        """Make bags from the positions of each bag's values."""
        members = [np.asarray(bag, np.int64) for bag in bags]
        sizes = [len(bag) for bag in members]
        return cls(
            offsets=np.cumsum([0, *sizes], dtype=np.int64),
            members=np.concatenate([np.empty(0, np.int64), *members]),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, bag: int) -> list[int]:
        members: list[int] = self.members[self.offsets[bag] : self.offsets[bag + 1]].tolist()
        return members


class Held(Sequence[str]):
    """`size` distinct values of the feature `name`, of which only the first are held.

    The others are counted and cannot be read.
    """

    def __init__(self, name: str, held: Sequence[str], size: int) -> None:
        self.name = name
        self.held = held
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        """Return a value or a slice of values. Raises BenchError for values that are not held."""
        positions = range(self.size)[index]
        if isinstance(positions, int):
            self._require(positions)
            return self.held[positions]
        if positions:
            self._require(max(positions[0], positions[-1]))
        return self.held[positions.start : positions.stop : positions.step]

    def _require(self, position: int) -> None:
        if position >= len(self.held):
            raise BenchError(
                f"feature {self.name!r}: {len(self.held):,} of its {self.size:,} values are held "
                "here, and more are asked for; a method that holds a vocabulary, and a call with "
                "codes, need the values"
            )


@dataclass(frozen=True)
class Feature:
    """One categorical feature.

    name: as in the data set, or a cross such as ``user_id*genres``.
    values: every distinct value as text, those that occur in training first. A row's code is the
    position of its value.
    n_seen: ``values[:n_seen]`` occur in training; a code >= n_seen is unseen.
    counts: training rows of each of ``values[:n_seen]``; empty if they were not counted.
    min_count: training rows that a value needs to be in a vocabulary; without counts all are.
    bags: of a multi-valued feature. A row's code is then the number of its bag, and `values` are
    the single values.
    """

    name: str
    values: Sequence[str]
    n_seen: int
    counts: Sequence[int] = ()
    bags: Bags | None = None
    min_count: int = 1

    @cached_property
    def vocabulary(self) -> Sequence[str]:
        """The values that a method with a vocabulary knows: those seen `min_count` times."""
        seen = self.values[: self.n_seen]
        if self.min_count <= 1 or not len(self.counts):
            return seen
        if isinstance(seen, pl.Series):
            return cast(Sequence[str], seen.filter(np.asarray(self.counts) >= self.min_count))
        pairs = zip(seen, self.counts, strict=True)
        return [value for value, count in pairs if count >= self.min_count]

    @property
    def cardinality(self) -> int:
        """The number of distinct values in the whole data set, unseen ones included."""
        return len(self.values)

    def raw(self, code: int) -> str | list[str]:
        """Return the value of a code; of a multi-valued feature, the values of its bag."""
        if self.bags is None:
            return self.values[code]
        return [self.values[member] for member in self.bags[code]]

    def choosing(self, positions: np.ndarray) -> "Feature":
        """Return a feature of the values at some positions alone, in their order, not counted."""
        values: Any = self.values
        if isinstance(values, pl.Series):
            values = values.gather(positions)
        else:
            values = [values[position] for position in positions.tolist()]
        return Feature(self.name, values, n_seen=len(values))

    def holding(self, values: Sequence[str], counts: Sequence[int] = ()) -> "Feature":
        """Return the feature with the same number of values, of which it holds only a few.

        values, counts: some training values and their counts. The new feature has seen no others.
        """
        return replace(
            self,
            values=Held(self.name, values, self.cardinality),
            n_seen=len(values),
            counts=counts,
        )
