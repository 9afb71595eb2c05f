"""What a model is trained for: the loss of a task, the predictions that its outputs stand for, and
the errors that an evaluation reports.

The trainer takes the loss from the model, so that one loop and one evaluation serve every task.
Outputs and targets are float32 [B] or [N].
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.training import scores


class Loss(ABC):
    """The loss of a task.

    errors: names of the mean errors that `batch` and `evaluate` return, in their order. The last is
        the loss itself: training descends it, and early stopping and the best epoch follow it.
    """

    errors: tuple[str, ...]

    @abstractmethod
    def start(self, mean: float) -> float:
        """Return the output that predicts the mean of the targets."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Return what the outputs predict, in units of the targets."""

    @abstractmethod
    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, a scalar to descend, and the mean errors, [errors] without gradients."""

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        """Return the errors, summed over the rows in float64 and divided once.

        The errors of a diverged model may be NaN, which the caller has to check.
        """

    @abstractmethod
    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        """Return the scores that a record has beside the MSE; None where one is undefined."""


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
    """Binary labels 0 and 1: outputs are logits, predictions are probabilities of label 1.

    The loss is the log loss of the probabilities, in nats. The MSE is that of the probabilities,
    the Brier score (Brier, Monthly Weather Review 1950). Both are proper scores.
    """

    errors = ("mse", "log_loss")

    def start(self, mean: float) -> float:
        return math.log(mean / (1 - mean))

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss = functional.binary_cross_entropy_with_logits(outputs, targets)
        mse = functional.mse_loss(outputs.detach().sigmoid(), targets)
        return loss, torch.stack([mse, loss.detach()])

    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        mse = _mse(self.predict(outputs), targets)
        total = functional.binary_cross_entropy_with_logits(
            outputs.double(), targets.double(), reduction="sum"
        )
        return [mse, float(total) / len(targets)]

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        logits = outputs.cpu().numpy()
        labels = targets.cpu().numpy().astype(np.float64)
        return {
            "auc": scores.auc(logits, labels),
            "log_loss": scores.log_loss(logits, labels),
        }


def _mse(predicted: Tensor, targets: Tensor) -> float:
    squares = (predicted - targets).double().square()
    return float(squares.sum()) / len(targets)


LOSSES: dict[str, Loss] = {"regression": SquaredError(), "binary": LogisticLoss()}
