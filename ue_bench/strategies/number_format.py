"""How the numbers of a pool are served: as floats, or in a few bits each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ue_bench.config.number_bits import BITS
from ue_bench.strategies.packed_codes import packed_bytes

STEP_BYTES = 4  # of the step of a pool or a region, a float32
ROW_STEP_BYTES = 2  # of the step of a row, a bfloat16


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """The format of the numbers of every pool of a strategy, and how training learns it.

    name: one of `BITS`.
    step: what has a step of its own: the pool, each region or each row.
    rule: how the step comes about: "learned" with the weights, or from their "mean" magnitude.
    warm_up: epochs that are trained without rounding.
    rounding: to the "nearest" code, or in training to one of the two nearest at random
        ("stochastic").
    """

    name: str = "float32"
    step: str = "pool"
    rule: str = "learned"
    warm_up: int = 0
    rounding: str = "nearest"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "NumberFormat":
        """Return the format that the fields of a run ask for."""
        return cls(**{attribute: given[name] for attribute, name in _FIELDS.items()})

    def fields(self) -> dict[str, Any]:
        """Return the fields of a run that ask for this format: the inverse of `of`."""
        return {name: getattr(self, attribute) for attribute, name in _FIELDS.items()}

    @property
    def bits(self) -> int:
        return BITS[self.name]

    @property
    def is_code(self) -> bool:
        """Whether a number is a code, and not a float."""
        return self.bits <= 8

    def row_bytes(self, numbers: int) -> int:
        """Return the bytes of the numbers of one row, in whole bytes."""
        return -(-numbers * self.bits // 8)

    def pool_bytes(self, rows: int, numbers: int, n_regions: int = 1) -> int:
        """Return the bytes that serving needs for a pool: its numbers, and their steps."""
        count = rows * numbers
        if not self.is_code:
            return count * self.bits // 8
        steps = STEP_BYTES
        if self.step == "region":
            steps = STEP_BYTES * n_regions
        elif self.step == "row":
            steps = ROW_STEP_BYTES * rows
        return packed_bytes(count, self.bits) + steps

    def rows_within(
        self, n_bytes: int, numbers: int, n_regions: int = 1, beside_row: int = 0
    ) -> int:
        """Return the rows of the largest pool in so many bytes; 0 if there is none.

        beside_row: bytes that something else takes for each row.
        """
        bits_of_row = numbers * self.bits + 8 * beside_row
        if self.is_code and self.step == "row":
            bits_of_row += 8 * ROW_STEP_BYTES
        beside = self.pool_bytes(0, numbers, n_regions)
        return max(8 * (n_bytes - beside) // bits_of_row, 0)


# The field of a run that each attribute comes from.
_FIELDS = {
    declared.name: "bits" if declared.name == "name" else f"bits_{declared.name}"
    for declared in fields(NumberFormat)
}
