"""What a model is trained for: the loss of a task, what its outputs predict, and the errors that an evaluation tells.

The trainer takes the loss from the model and asks no task: one loop, one evaluation. Outputs and targets are float32 [B] or [N].
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.training import scores


class Loss(ABC):
    """errors: names of the mean errors of `batch` and `evaluate`, in their order. The last is the task's own: it is what training
    descends, what early stopping follows and what tells the best epoch."""

    errors: tuple[str, ...]

    @abstractmethod
    def start(self, mean: float) -> float:
        """The output that predicts the mean of the targets."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """What the outputs predict, in units of the targets."""

    @abstractmethod
    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, a scalar to descend, and the mean errors over the batch, [errors], without gradients."""

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        """Errors summed over the rows in float64 and divided once. Those of a diverged model may be NaN: the caller tells it."""

    @abstractmethod
    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        """What a record says of these rows beside their MSE; null where it has no meaning."""


class SquaredError(Loss):
    """Regression: outputs are predictions."""

    errors = ("mse",)

    def start(self, mean: float) -> float:
        return mean

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs

    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss = functional.mse_loss(outputs, targets)
        return loss, loss.detach()[None]

    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        return [_mse(outputs, targets)]

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        return {}


class LogisticLoss(Loss):
    """Binary labels 0 and 1: outputs are logits, predictions are the probabilities of 1, the loss is theirs in nats (log loss).

    MSE is that of the probabilities, the Brier score (Brier, Monthly Weather Review 1950). Both are proper scores.
    """

    errors = ("mse", "log_loss")

    def start(self, mean: float) -> float:
        return math.log(mean / (1 - mean))

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss = functional.binary_cross_entropy_with_logits(outputs, targets)
        return loss, torch.stack(
            [functional.mse_loss(outputs.detach().sigmoid(), targets), loss.detach()]
        )

    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        total = functional.binary_cross_entropy_with_logits(
            outputs.double(), targets.double(), reduction="sum"
        )
        return [_mse(self.predict(outputs), targets), float(total) / len(targets)]

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        logits, labels = outputs.cpu().numpy(), targets.cpu().numpy().astype(np.float64)
        return {"auc": scores.auc(logits, labels), "log_loss": scores.log_loss(logits, labels)}


def _mse(predicted: Tensor, targets: Tensor) -> float:
    return float((predicted - targets).double().square().sum()) / len(targets)


LOSSES: dict[str, Loss] = {"regression": SquaredError(), "binary": LogisticLoss()}
