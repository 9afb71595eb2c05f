"""Rows of small integers with a scale each: what the quantised exact tables share."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from ue_bench.strategies.methods.projected_rows import ProjectedRows
from ue_bench.strategies.spec import Spec

SCALE_BYTES = 2  # float16


class QuantizedRows(ProjectedRows):
    """Float rows in training, codes and scales afterwards.

    largest: the largest code; the smallest is its negative.
    """

    largest: int

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.training_only = tuple(f"pools.{feature}.weight" for feature in range(len(self.n_rows)))
        for feature, (rows, numbers) in enumerate(zip(self.n_rows, self.numbers, strict=True)):
            self.register_buffer(f"codes_{feature}", self.pack(torch.zeros(rows, numbers)))
            self.register_buffer(f"scales_{feature}", torch.zeros(rows, dtype=torch.float16))

    @abstractmethod
    def pack(self, codes: Tensor) -> Tensor:
        """Return whole float32 numbers [rows, d] as they are stored."""

    @abstractmethod
    def unpack(self, stored: Tensor, numbers: int) -> Tensor:
        """Invert `pack`: float32 [rows, numbers]."""

    def shares(self) -> Sequence[float]:
        return [1.0] * len(self.n_rows)

    def trained(self, rows: Tensor) -> Tensor:
        """Return rows of the float table as training sees them."""
        return rows

    def read(self, feature: int, slots: Tensor) -> Tensor:
        if self.pool(feature).weight is not None:
            return self.trained(super().read(feature, slots))
        stored = self.get_buffer(f"codes_{feature}")[slots]
        scales = self.get_buffer(f"scales_{feature}")[slots].unsqueeze(1)
        return self.unpack(stored, self.numbers[feature]) * steps(scales, self.largest)

    @torch.no_grad()
    def end_training(self) -> None:
        for feature in range(len(self.n_rows)):
            codes, scales = quantize(self.pool(feature).weight, self.largest)
            self.get_buffer(f"codes_{feature}").copy_(self.pack(codes))
            self.get_buffer(f"scales_{feature}").copy_(scales.squeeze(1))
        self.drop_training_only()


def quantize(rows: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """Return codes and scales of rows [n, d].

    Codes are whole float32 numbers [n, d] from -largest to largest, scales are float16 [n, 1]. A
    scale is the largest number of a row, and not the step of a code: float16 has too few bits for
    the steps of small rows.
    """
    scales = rows.abs().amax(1, keepdim=True).half()
    codes = (rows / steps(scales, largest)).round().clamp(-largest, largest)
    return codes.nan_to_num(0), scales  # 0 / 0 in rows of zeros


def steps(scales: Tensor, largest: int) -> Tensor:
    """Return what a code of 1 is worth: float32."""
    return scales.float() / largest
