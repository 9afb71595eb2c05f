"""A strategy and a head: codes in, one number a row out; what that number means is the loss's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ue_bench.errors import unknown
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.training.loss import LOSSES, Loss


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
        bits = (
            torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
            .random_(-(2**63), None)
            .view(torch.int16)
        )
        return x * ((bits[: x.numel()] >= self.threshold).view_as(x) * self.scale)


class MLP(nn.Module):
    """Linear, ReLU, dropout, Linear: the article's head."""

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(sum(widths), hidden)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(hidden, 1)

    @property
    def readout(self) -> Tensor | None:
        """The only weights that read the embeddings: [outputs, W]. None: there is no single matrix that does."""
        return self.hidden.weight

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.out(self.dropout(self.hidden(x).relu())).squeeze(1)


class DCN(nn.Module):
    """Deep & Cross Network V2 (Wang et al., WWW 2021, arXiv 2008.13535), one cross layer: x * (A x + b) + x, then an MLP."""

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.cross = nn.Linear(sum(widths), sum(widths))
        self.mlp = MLP(widths, hidden, dropout)

    @property
    def out(self) -> nn.Linear:
        return self.mlp.out

    @property
    def readout(self) -> Tensor | None:
        """None: the embeddings are read by the cross layer and past it."""
        return None

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.mlp(x * self.cross(x) + x)


class Dot(nn.Module):
    """Factorisation machine (Rendle, ICDM 2010): a linear term and the dot products of all pairs of features.

    The features' vectors may differ in width: each is first projected to `hidden` numbers. The pairs' sum is taken as half of
    (square of the sum - sum of the squares), eq. 5 of the paper. `dropout` is on the projected vectors.
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.widths = list(widths)
        self.projections = nn.ModuleList(nn.Linear(width, hidden, bias=False) for width in widths)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(sum(widths), 1)

    @property
    def readout(self) -> Tensor | None:
        """None: the embeddings are read by the projections and by the linear term."""
        return None

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        parts = zip(self.projections, x.split(self.widths, 1), strict=True)
        vectors = self.dropout(
            torch.stack([project(part) for project, part in parts], 1)
        )  # [B, F, hidden]
        pairs = (vectors.sum(1).square() - vectors.square().sum(1)).sum(1) / 2
        return self.out(x).squeeze(1) + pairs


class LinearHead(nn.Module):
    """A weighted sum: the single-layer model in which the paper derives what multiplexing does to the gradients."""

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(sum(widths), 1)

    @property
    def readout(self) -> Tensor | None:
        """The only weights that read the embeddings: [1, W]."""
        return self.out.weight

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]. `hidden` has no meaning here."""
        return self.out(self.dropout(x)).squeeze(1)


HEADS: dict[str, type[MLP | DCN | Dot | LinearHead]] = {
    "mlp": MLP,
    "dcn": DCN,
    "dot": Dot,
    "linear": LinearHead,
}


class RatingModel(nn.Module):
    """Ratings, or logits of labels, from codes. `rating_bias`: the mean of the training targets, which the last bias starts at
    (None: torch's default). `loss`: what the outputs are trained for."""

    def __init__(
        self,
        strategy: EmbeddingStrategy,
        head: str,
        hidden: int,
        dropout: float,
        rating_bias: float | None,
        loss: Loss = LOSSES["regression"],
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise unknown("head", head, HEADS)
        self.strategy = strategy
        self.loss = loss
        self.head = HEADS[head](strategy.widths, hidden, dropout)
        if rating_bias is not None:
            nn.init.constant_(self.head.out.bias, loss.start(rating_bias))

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B]: `loss.predict` makes predictions of them."""
        return self.head(self.strategy(codes))

    def head_bytes(self) -> int:
        """Bytes of the head's parameters: the trunk grows with the width of the embeddings."""
        return sum(p.numel() * p.element_size() for p in self.head.parameters())
