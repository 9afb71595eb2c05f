"""What is kept of a data set: numbers and texts by name, and what JSON can hold."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl


class Holder(Protocol):
    """Gives what is kept, from memory or from files."""

    @property
    def meta(self) -> dict[str, Any]: ...

    def array(self, name: str) -> np.ndarray: ...

    def texts(self, name: str) -> pl.Series: ...


@dataclass
class Contents:
    """What is to be kept, in memory.

    meta: what JSON can hold. arrays: numbers, of any shape. columns: String without missing values.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    columns: dict[str, pl.Series] = field(default_factory=dict)

    def array(self, name: str) -> np.ndarray:
        """Return an array."""
        return self.arrays[name]

    def texts(self, name: str) -> pl.Series:
        """Return a column of texts."""
        return self.columns[name]

    @property
    def n_bytes(self) -> int:
        """The bytes that files of it take, about."""
        of_arrays = sum(array.nbytes for array in self.arrays.values())
        of_texts = sum(int(column.estimated_size()) for column in self.columns.values())
        return of_arrays + of_texts
