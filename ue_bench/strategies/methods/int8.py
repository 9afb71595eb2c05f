"""Rows of 8-bit integers: the exact table, quantised after training with a scale for every row.

    s(r) = max |E[r]|
    code(r, j) = round(127 E[r, j] / s(r))
    E'[r, j] = s(r) code(r, j) / 127

Row-wise quantisation as FBGEMM serves it (Khudia et al., arXiv 2101.05615), symmetric about 0. If
the budget is smaller than this, a row has d_f < l D numbers and a linear map to the width, as in
`low_dim_exact`; the map stays in float32. With `quantisation_aware`, training also uses the codes,
and the gradient passes the rounding straight through (Bengio et al., arXiv 1308.3432). The float
table is held in training only. Needs a vocabulary.
Bytes: (n_f + 1) (d_f + 2) for every feature (scales are float16), and 4 d_f l D for every linear
map.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.methods.quantized_rows import SCALE_BYTES, QuantizedRows, quantize, steps


class Int8(QuantizedRows):
    knobs: Mapping[str, Any] = {"quantisation_aware": False}
    largest = 127

    def row_bytes(self, numbers: int) -> int:
        return numbers + SCALE_BYTES

    def pack(self, codes: Tensor) -> Tensor:
        return codes.to(torch.int8)

    def unpack(self, stored: Tensor, numbers: int) -> Tensor:
        return stored.float()

    def trained(self, rows: Tensor) -> Tensor:
        if not self.options["quantisation_aware"]:
            return rows
        codes, scales = quantize(rows.detach(), self.largest)
        return rows + (codes * steps(scales, self.largest) - rows.detach())
