"""Rows of 4-bit integers: the exact table, quantised after training with a scale for every row, two
numbers in a byte.

    s(r) = max |E[r]|
    code(r, j) = round(7 E[r, j] / s(r))
    E'[r, j] = s(r) code(r, j) / 7

Guan et al., Post-Training 4-bit Quantization on Embedding Tables (arXiv 1911.02079), of which this
is the symmetric row-wise form. If the budget is smaller than this, a row has d_f < l D numbers and
a linear map to the width, as in `low_dim_exact`; if it is larger, up to 2 l D numbers and a map.
The map stays in float32. The float table is held in training only. Needs a vocabulary.
Bytes: (n_f + 1) (ceil(d_f / 2) + 2) for every feature (scales are float16), and 4 d_f l D for every
linear map.
"""

import torch
from torch import Tensor

from ue_bench.strategies.methods.quantized_rows import SCALE_BYTES, QuantizedRows


class Int4(QuantizedRows):
    largest = 7
    # a row has an eighth of the bytes, so a large budget pays for more numbers than the width
    widest = 2

    def row_bytes(self, numbers: int) -> int:
        return (numbers + 1) // 2 + SCALE_BYTES

    def pack(self, codes: Tensor) -> Tensor:
        even = torch.nn.functional.pad(codes, (0, codes.shape[1] % 2))
        halves = (even + 8).to(torch.uint8)
        return halves[:, ::2] | (halves[:, 1::2] << 4)

    def unpack(self, stored: Tensor, numbers: int) -> Tensor:
        halves = torch.stack([stored & 15, stored >> 4], dim=2).flatten(1)
        return halves[:, :numbers].float() - 8
