"""A categorical feature as the data room hands it to a strategy: a name and its distinct values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ue_bench.errors import BenchError

CROSS = "\x1f"  # joins the values of a crossed feature (ASCII unit separator: it occurs in no data set)


@dataclass(frozen=True, eq=False)
class Bags:
    """The distinct sets of values that rows of a multi-valued feature have. A bag's vector is the mean of its values' vectors.

    Bag n has the values `members[offsets[n]:offsets[n + 1]]`, positions in `Feature.values`: at least one, none of them twice.
    offsets: int64 [bags + 1]. members: int64. Raises ValueError for a bag without values: what is missing is a value, "".
    """

    offsets: np.ndarray
    members: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.offsets) < 1).any():
            raise ValueError("a bag has at least one value; one without has the value '', which stands for what is missing")

    @classmethod
    def of(cls, bags: Iterable[Sequence[int]]) -> "Bags":
        """From the positions of each bag's values."""
        own = [np.asarray(bag, np.int64) for bag in bags]
        members = np.concatenate([np.empty(0, np.int64), *own])
        return cls(np.cumsum([0, *map(len, own)], dtype=np.int64), members)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, bag: int) -> list[int]:
        return self.members[self.offsets[bag] : self.offsets[bag + 1]].tolist()  # type: ignore[no-any-return]


class Held(Sequence[str]):
    """`size` distinct values of the feature `name`, of which only the first are held. The others count and cannot be read."""

    def __init__(self, name: str, held: Sequence[str], size: int) -> None:
        self.name, self.held, self.size = name, held, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        """Raises BenchError for a value that is not held."""
        places = range(self.size)[index]
        last = places if isinstance(places, int) else max(places[0], places[-1]) if places else -1
        if last >= len(self.held):
            raise BenchError(
                f"feature {self.name!r}: {len(self.held):,} of its {self.size:,} values are held here, and more are asked for; "
                "a method that holds a vocabulary, and a call with codes, need the values"
            )
        return self.held[places] if isinstance(places, int) else self.held[places.start : places.stop : places.step]


@dataclass(frozen=True)
class Feature:
    """One categorical feature.

    name: as in the data set, or a cross such as ``user_id*genres``.
    values: every distinct value as text, those that occur in training first; a row's code is its position here.
    n_seen: ``values[:n_seen]`` occur in training; a code >= n_seen is unseen.
    counts: training rows of each of ``values[:n_seen]``; empty where nobody counted.
    bags: of a multi-valued feature; a row's code is then the number of its bag, and `values` are the single values.
    """

    name: str
    values: Sequence[str]
    n_seen: int
    counts: Sequence[int] = ()
    bags: Bags | None = None

    @property
    def cardinality(self) -> int:
        """Distinct values in the whole data set, unseen ones included."""
        return len(self.values)

    def raw(self, code: int) -> str | list[str]:
        """The value of a code; of a multi-valued feature the values of its bag."""
        return self.values[code] if self.bags is None else [self.values[member] for member in self.bags[code]]

    def holding(self, values: Sequence[str], counts: Sequence[int] = ()) -> "Feature":
        """The same feature, of as many values, of which only some training values are held, and these are all it has seen."""
        return replace(self, values=Held(self.name, values, self.cardinality), n_seen=len(values), counts=counts)
