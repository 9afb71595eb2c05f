"""A categorical feature as the data room hands it to a strategy: a name and its distinct values."""

from collections.abc import Sequence
from dataclasses import dataclass

CROSS = "\x1f"  # joins the values of a crossed feature (ASCII unit separator: it occurs in no data set)


@dataclass(frozen=True)
class Feature:
    """One categorical feature.

    name: as in the data set, or a cross such as ``user_id*genres``.
    values: every distinct value as text, those that occur in training first; a row's code is its position here.
    n_seen: ``values[:n_seen]`` occur in training; a code >= n_seen is unseen.
    counts: training rows of each of ``values[:n_seen]``; empty where nobody counted.
    """

    name: str
    values: Sequence[str]
    n_seen: int
    counts: Sequence[int] = ()

    @property
    def cardinality(self) -> int:
        """Distinct values in the whole data set, unseen ones included."""
        return len(self.values)
