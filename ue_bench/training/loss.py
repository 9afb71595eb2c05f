"""What a model is trained for: the loss of a task, the predictions that its outputs stand for, and
the errors that an evaluation reports.

The trainer takes the loss from the model, so that one loop and one evaluation serve every task.
Outputs and targets are float32 [B] or [N]. A loss may train on a scale of its own. Its `scale` is
folded into the head after training, so that a model that is served, saved or judged predicts in
units of the targets.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.training import scores

SCALED_ROWS = 1_000_000  # rows that are scaled at a time


@dataclass(frozen=True)
class Scale:
    """The scale on which targets have mean 0 and standard deviation 1, in units of the targets."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, targets: np.ndarray) -> "Scale":
        """Return the scale of training targets, float32 [N]. Where all are equal, they become 0."""
        mean = float(targets.mean(dtype=np.float64))
        deviation = float(targets.std(dtype=np.float64))
        if targets.min() == targets.max() or not 0 < deviation < math.inf:
            deviation = 1.0
        return cls(mean, deviation)


class Loss(ABC):
    """The loss of a task.

    errors: names of the mean errors that `batch` and `evaluate` return, in their order. The last is
        the loss itself: training descends it, and early stopping and the best epoch follow it.
    scale: what the outputs are on; None: outputs need no scale.
    """

    errors: tuple[str, ...]
    scale: Scale | None = None

    @abstractmethod
    def start(self, mean: float) -> float:
        """Return the output that predicts the mean of the targets."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Return what the outputs predict, in units of the targets."""

    def scaled(self, targets: Tensor) -> Tensor:
        """Return what `batch` compares outputs with."""
        return targets

    def in_units(self, error: float) -> float:
        """Return a mean error of `batch` in units of the targets."""
        return error

    def unscaled(self) -> "Loss":
        """Return the loss of a model whose head has the scale folded in."""
        return self

    @abstractmethod
    def batch(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, a scalar to descend, and the mean errors, [errors] without gradients.

        targets: as `scaled` returns them, once for all batches.
        """

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        """Return the errors, summed over the rows in float64 and divided once.

        The errors of a diverged model may be NaN, which the caller has to check.
        """

    @abstractmethod
    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        """Return the scores that a record has beside the MSE; None where one is undefined."""

    @abstractmethod
    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        """Return, beside squared errors, the errors of each row by their score: float64 [N]."""


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

    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        return {}


class StandardisedError(SquaredError):
    """Regression: outputs are predictions on the scale of the training targets.

    The unit of the target then decides nothing. Adam's steps are as long for targets in the
    thousands as for stars, so that on the targets as they are it would not get there. Errors that
    are reported are in units of the targets.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale: Scale = scale

    def start(self, mean: float) -> float:
        return 0.0

    def scaled(self, targets: Tensor) -> Tensor:
        # In float64, targets that differ by their unit alone become the same numbers to the bit,
        # and training them takes the same road. In parts, because the copies are twice as large.
        scaled = torch.empty_like(targets)
        parts = zip(targets.split(SCALED_ROWS), scaled.split(SCALED_ROWS), strict=True)
        for part, scaled_part in parts:
            centred = part.double() - self.scale.mean
            scaled_part.copy_(centred / self.scale.deviation)
        return scaled

    def in_units(self, error: float) -> float:
        return error * self.scale.deviation**2

    def unscaled(self) -> Loss:
        return SquaredError()

    def predict(self, outputs: Tensor) -> Tensor:
        return (outputs.double() * self.scale.deviation + self.scale.mean).float()

    def evaluate(self, outputs: Tensor, targets: Tensor) -> list[float]:
        return [self.in_units(_mse(outputs, self.scaled(targets)))]


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

    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        labels = targets.cpu().numpy().astype(np.float64)
        return {"log_loss": scores.log_losses(outputs.cpu().numpy(), labels)}


def _mse(predicted: Tensor, targets: Tensor) -> float:
    squares = (predicted - targets).double().square()
    return float(squares.sum()) / len(targets)


LOSSES: dict[str, Loss] = {"regression": SquaredError(), "binary": LogisticLoss()}
