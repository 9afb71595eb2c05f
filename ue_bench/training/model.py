"""A model: a strategy and a head. It takes codes and returns one number a row, whose meaning its
loss defines."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ue_bench.errors import unknown
from ue_bench.strategies.base import EmbeddingStrategy, Footprint
from ue_bench.training.loss import LOSSES, Loss


class Dropout(nn.Module):
    """Zeroes each number with probability `p`, and scales the others so that the mean stays.

    On the CPU torch draws 32 random bits a number, one number at a time, which is a quarter of a
    training step here. This module draws 16 bits, for four numbers at a time, so that `p` is exact
    to 1/65,536.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        dropped = int(p * 65_536)
        self.threshold = dropped - 32_768
        self.scale = 65_536 / (65_536 - dropped)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if x.is_cuda:
            return nn.functional.dropout(x, self.p)
        draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[: x.numel()].view_as(x)
        # floats are compared in place in a third of the time that short integers take
        return x * bits.float().ge_(self.threshold).mul_(self.scale)


class MLP(nn.Module):
    """Linear, ReLU, dropout, Linear: the article's head."""

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(sum(widths), hidden)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(hidden, 1)

    @property
    def readout(self) -> Tensor | None:
        """The single weight matrix that reads the embeddings, [outputs, W]; None: there is none."""
        return self.hidden.weight

    def start_as_he(self) -> None:
        """Draw the hidden layer anew, as He et al. (ICCV 2015, arXiv 1502.01852) do for ReLU.

        The biases are 0, so that each unit has its kink where the embeddings start, near 0. With
        the biases of torch, which are wider than what small embeddings add to them, the layer
        starts as a linear one, and learns products of features late or never.
        """
        nn.init.kaiming_uniform_(self.hidden.weight, nonlinearity="relu")
        nn.init.zeros_(self.hidden.bias)

    @staticmethod
    def count(width: int, hidden: int) -> int:
        """Return how many numbers the head has for vectors of `width` numbers."""
        return (width + 1) * hidden + hidden + 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.out(self.dropout(self.hidden(x).relu())).squeeze(1)

    def rescale(self, factor: float, shift: float) -> None:
        """Change the weights so that every output x becomes `factor` * x + `shift`."""
        _rescale(self.out, factor, shift)


class DCN(nn.Module):
    """Deep & Cross Network V2 with one cross layer, x * (A x + b) + x, and then an MLP.

    Wang et al., WWW 2021 (arXiv 2008.13535).
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.cross = nn.Linear(sum(widths), sum(widths))
        self.mlp = MLP(widths, hidden, dropout)

    @property
    def out(self) -> nn.Linear:
        return self.mlp.out

    @property
    def readout(self) -> Tensor | None:
        """None: both the cross layer and the MLP behind it read the embeddings."""
        return None

    @staticmethod
    def count(width: int, hidden: int) -> int:
        """Return how many numbers the head has for vectors of `width` numbers."""
        return (width + 1) * width + MLP.count(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.mlp(x * self.cross(x) + x)

    def rescale(self, factor: float, shift: float) -> None:
        """Change the weights so that every output x becomes `factor` * x + `shift`."""
        self.mlp.rescale(factor, shift)


class Dot(nn.Module):
    """Factorisation machine: a linear term and the dot products of all pairs of features.

    The vectors of features may differ in width, so each is first projected to `hidden` numbers. The
    sum over pairs is half of (square of the sum - sum of the squares), equation 5 of the paper
    (Rendle, ICDM 2010). Dropout is applied to the projected vectors.
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.widths = list(widths)
        self.projections = nn.ModuleList(nn.Linear(width, hidden, bias=False) for width in widths)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(sum(widths), 1)

    @property
    def readout(self) -> Tensor | None:
        """None: both the projections and the linear term read the embeddings."""
        return None

    @staticmethod
    def count(width: int, hidden: int) -> int:
        """Return how many numbers the head has for vectors of `width` numbers."""
        return width * hidden + width + 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        parts = x.split(self.widths, 1)
        projected = [project(part) for project, part in zip(self.projections, parts, strict=True)]
        vectors = self.dropout(torch.stack(projected, 1))  # [B, F, hidden]
        square_of_sum = vectors.sum(1).square()
        sum_of_squares = vectors.square().sum(1)
        pairs = (square_of_sum - sum_of_squares).sum(1) / 2
        return self.out(x).squeeze(1) + pairs

    @torch.no_grad()
    def rescale(self, factor: float, shift: float) -> None:
        """Change the weights so that every output x becomes `factor` * x + `shift`.

        factor: at least 0. A product of two projected vectors takes its square root from each.
        """
        _rescale(self.out, factor, shift)
        for weight in self.projections.parameters():
            weight.mul_(math.sqrt(factor))


class LinearHead(nn.Module):
    """A weighted sum of the embeddings.

    It is the single-layer model for which the paper derives how multiplexing changes the gradients.
    `hidden` has no effect.
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(sum(widths), 1)

    @property
    def readout(self) -> Tensor | None:
        """The single weight matrix that reads the embeddings, [1, W]."""
        return self.out.weight

    @staticmethod
    def count(width: int, hidden: int) -> int:
        """Return how many numbers the head has for vectors of `width` numbers."""
        return width + 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, W] -> [B]."""
        return self.out(self.dropout(x)).squeeze(1)

    def rescale(self, factor: float, shift: float) -> None:
        """Change the weights so that every output x becomes `factor` * x + `shift`."""
        _rescale(self.out, factor, shift)


@torch.no_grad()
def _rescale(layer: nn.Linear, factor: float, shift: float) -> None:
    layer.weight.mul_(factor)
    layer.bias.mul_(factor).add_(shift)


HEADS: dict[str, type[MLP | DCN | Dot | LinearHead]] = {
    "mlp": MLP,
    "dcn": DCN,
    "dot": Dot,
    "linear": LinearHead,
}


class ScoredModel(nn.Module, ABC):
    """A model whose outputs are scored: float32 [B] for codes [B, F]."""

    @abstractmethod
    def predictions(self, outputs: Tensor) -> Tensor:
        """Return what the outputs predict, in units of the targets."""

    @abstractmethod
    def label_scores(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        """Return the scores beside the MSE, which only labels have; None where undefined."""

    @abstractmethod
    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """Return, beside squared errors, the errors of each row by their score: float64 [N]."""


class RatingModel(ScoredModel):
    """A model of ratings, or of the logits of labels.

    While it is trained, its outputs are on the scale of its loss; `fold_scale` ends that.

    head: a name of `HEADS`. Raises BenchError for another name.
    rating_bias: the mean of the training targets; the last bias starts at the output that predicts
        it. None keeps the initial value of torch.
    loss: what the outputs are trained for.
    head_init: how the hidden layer starts: "he", or "default" of torch.
    """

    def __init__(
        self,
        strategy: EmbeddingStrategy,
        head: str,
        hidden: int,
        dropout: float,
        rating_bias: float | None,
        loss: Loss = LOSSES["regression"],
        head_init: str = "default",
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise unknown("head", head, HEADS)
        self.strategy = strategy
        self.loss = loss
        self.folded: Loss | None = None  # the loss whose scale is folded into the head
        self.head = HEADS[head](strategy.widths, hidden, dropout)
        if head_init == "he":
            for part in self.head.modules():
                if isinstance(part, MLP):
                    part.start_as_he()
        if rating_bias is not None:
            nn.init.constant_(self.head.out.bias, loss.start(rating_bias))

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B], which `loss.predict` turns into predictions."""
        return self.head(self.strategy(codes))

    def predictions(self, outputs: Tensor) -> Tensor:
        return self.loss.predict(outputs)

    def label_scores(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        return self.loss.judge(outputs, targets)

    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        return self.loss.row_errors(outputs, targets)

    def fold_scale(self) -> None:
        """Fold the scale of the loss into the head, whose outputs are then as they are served."""
        scale = self.loss.scale
        if scale is not None:
            self.head.rescale(scale.deviation, scale.mean)
            self.folded = self.loss
            self.loss = self.loss.unscaled()

    def unfold_scale(self) -> None:
        """Take the scale that was folded into the head out of it, to train on."""
        if self.folded is not None and self.folded.scale is not None:
            scale = self.folded.scale
            self.head.rescale(1 / scale.deviation, -scale.mean / scale.deviation)
            self.loss = self.folded
            self.folded = None

    def head_bytes(self) -> int:
        """Return the bytes of the head's parameters, which grow with the embeddings' width."""
        return sum(weight.nbytes for weight in self.head.parameters())


def sizes(model: RatingModel) -> dict[str, Any]:
    """Return the bytes of all that serving holds, and of what the strategy holds in training."""
    return sizes_of(
        model.strategy.footprint(),
        head_bytes=model.head_bytes(),
        training_bytes=model.strategy.training_bytes(),
    )


def sizes_of(footprint: Footprint, head_bytes: int, training_bytes: int) -> dict[str, Any]:
    """Return these bytes by the names that a record has for them."""
    return {
        "table_bytes": footprint.table,
        "auxiliary_bytes": footprint.auxiliary,
        "vocabulary_bytes": footprint.vocabulary,
        "vocabulary_floor_bytes": footprint.vocabulary_floor,
        "total_bytes": footprint.total,
        "total_floor_bytes": footprint.total_floor,
        "head_bytes": head_bytes,
        "training_table_bytes": training_bytes,
    }
