"""Large batches read piece by piece, so that what is made on the way stays in the cache."""

from collections.abc import Callable

import torch
from torch import Tensor

PIECE = 2**15  # slots of a piece


def in_pieces(embed: Callable[[Tensor], Tensor], slots: Tensor) -> Tensor:
    """Return `embed(slots)`, of many slots [B, L] in pieces of rows where nothing is trained.

    embed: of rows that do not depend on each other.
    """
    if slots.numel() <= PIECE or torch.is_grad_enabled() or slots.is_cuda:
        return embed(slots)
    rows = max(1, PIECE // slots.shape[1])
    return torch.cat([embed(piece) for piece in slots.split(rows)])
