"""Large batches read piece by piece, so that what is made on the way stays in the cache."""

from collections.abc import Callable

import torch
from torch import Tensor

PIECE = 2**15  # slots of a piece


def in_pieces(embed: Callable[[Tensor], Tensor], rows: Tensor, n_slots: int) -> Tensor:
    """Return `embed(rows)`, of many rows [B, ...] in pieces where nothing is trained.

    embed: of rows that do not depend on each other. n_slots: that a row has.
    """
    if len(rows) * n_slots <= PIECE or torch.is_grad_enabled() or rows.is_cuda:
        return embed(rows)
    return torch.cat([embed(piece) for piece in rows.split(max(1, PIECE // n_slots))])
