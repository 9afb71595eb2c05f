"""A strategy and a head: codes in, ratings out."""

import torch
from torch import Tensor, nn

from ue_bench.errors import unknown
from ue_bench.strategies.base import EmbeddingStrategy


class Dropout(nn.Module):
    """Each number is zeroed with probability `p`, to 1/65,536, and the others scaled so that the mean stays.

    On the CPU torch draws 32 random bits a number, one number at a time, which is a quarter of a training step here. This draws
    16, four numbers at a time.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        dropped = int(p * 65_536)
        self.threshold, self.scale = dropped - 32_768, 65_536 / (65_536 - dropped)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if x.is_cuda:
            return nn.functional.dropout(x, self.p)
        bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        return x * ((bits[: x.numel()] >= self.threshold).view_as(x) * self.scale)


class MLP(nn.Module):
    """Linear, ReLU, dropout, Linear: the article's head."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.out(self.dropout(self.hidden(x).relu())).squeeze(1)


class DCN(nn.Module):
    """Deep & Cross Network V2 (Wang et al., WWW 2021, arXiv 2008.13535), one cross layer: x * (A x + b) + x, then an MLP."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.cross = nn.Linear(width, width)
        self.mlp = MLP(width, hidden, dropout)

    @property
    def out(self) -> nn.Linear:
        return self.mlp.out

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.mlp(x * self.cross(x) + x)


HEADS: dict[str, type[MLP] | type[DCN]] = {"mlp": MLP, "dcn": DCN}


class RatingModel(nn.Module):
    """Ratings from codes. `rating_bias`: where the last bias starts (None: torch's default)."""

    def __init__(self, strategy: EmbeddingStrategy, head: str, hidden: int, dropout: float, rating_bias: float | None) -> None:
        super().__init__()
        if head not in HEADS:
            raise unknown("head", head, HEADS)
        self.strategy = strategy
        self.head = HEADS[head](sum(strategy.widths), hidden, dropout)
        if rating_bias is not None:
            nn.init.constant_(self.head.out.bias, rating_bias)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B]."""
        return self.head(self.strategy(codes))

    def head_bytes(self) -> int:
        """Bytes of the head's parameters: the trunk grows with the width of the embeddings."""
        return sum(p.numel() * p.element_size() for p in self.head.parameters())
