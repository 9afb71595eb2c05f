"""Whole numbers, one a value of a feature, in an array instead of Python's objects."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class Counts(Sequence[int]):
    """A sequence of Python's whole numbers, which are made when they are read.

    numbers: int64, of one dimension. `numpy.asarray` returns it without a copy.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        chosen = self.numbers[index]
        return Counts(chosen) if isinstance(index, slice) else int(chosen)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(list(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy:
            return self.numbers.astype(dtype or self.numbers.dtype)
        return self.numbers.astype(dtype or self.numbers.dtype, copy=False)
