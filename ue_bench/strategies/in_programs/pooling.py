"""The vectors of padded lists become one vector a list.

    sum: sum of w_t v_t      mean: the sum over the sum of w_t      max: of v_t, number by number

where t goes over the values of a list, and w_t is 1 without weights. An empty list has the vector
of zeros, as in `nn.EmbeddingBag`.
"""

import torch
from torch import Tensor

from ue_bench.errors import BenchError

MODES = ("sum", "mean", "max")


def pooled(vectors: Tensor, mask: Tensor, mode: str, weights: Tensor | None = None) -> Tensor:
    """Return the pooled vectors float32 [B, W] of padded ones, [B, T, W].

    mask: bool [B, T], where a value is. mode: one of `MODES`. weights: float32 [B, T], or None.
    """
    if mode == "max":
        if weights is not None:
            raise BenchError("pooling: weights were given with mode 'max'; give sum or mean")
        values = vectors.masked_fill(~mask.unsqueeze(2), -torch.inf).amax(1)
        return values.masked_fill(~mask.any(1, keepdim=True), 0)
    shares = mask.to(vectors.dtype)
    if weights is not None:
        shares = shares * weights.to(vectors)
    sums = (vectors * shares.unsqueeze(2)).sum(1)
    if mode == "sum":
        return sums
    total = shares.sum(1, keepdim=True)
    return sums / total.masked_fill(total == 0, 1)
