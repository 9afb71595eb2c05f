"""What serves a saved model: raw values in, vectors or predictions out."""

from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.features import needed
from ue_bench.strategies.in_programs.row_targets import row_targets
from ue_bench.strategies.in_programs.slot_model import SlotModel
from ue_bench.strategies.located_rows import LocatedRows
from ue_bench.training.assembly import make_recipe
from ue_bench.training.continued import ContinuedTraining
from ue_bench.training.loss import Loss
from ue_bench.training.model import RatingModel
from ue_bench.training.train import EVALUATION_ROWS


class Predictor:
    """A saved model.

    model: the torch module, in evaluation mode.
    config: of the run that trained the model.
    record: the content of `config.json`.
    training: how it is trained on, with the state of the optimizer; None before the first
    `partial_fit`.
    """

    def __init__(
        self,
        model: RatingModel,
        config: RunConfig,
        record: dict[str, Any],
        training: ContinuedTraining | None = None,
    ) -> None:
        self.model = model.eval()
        self.config = config
        self.record = record
        self.training = training

    def partial_fit(self, columns: Any, targets: Any) -> "Predictor":
        """Train on N new rows once, and return the model itself.

        The optimizer goes on from the call before, also from one before the model was saved, and
        starts anew where there was none. Values that training has not seen have the rows that they
        are served with. Batches, rate and dropout are those of the run.

        columns: as `predict` takes them. targets: N numbers; of labels 0 or 1.

        Raises BenchError as `predict` does, for targets that are not one finite number a row, and
        for a model whose numbers were rounded for serving.
        """
        rows = self.rows(columns)
        numbers = row_targets("partial_fit", targets, len(rows)).to(self.model.strategy.device)
        if self.config.task == "binary" and not ((numbers == 0) | (numbers == 1)).all():
            raise BenchError("partial_fit: the targets of labels are 0 or 1, and others were given")
        if self.training is None:
            self.training = ContinuedTraining(self.model, make_recipe(self.config))
        if len(rows):
            self.training.fit(rows, numbers)
        return self

    @property
    def features(self) -> list[str]:
        """Names of the features, in their order in a vector."""
        return [feature.name for feature in self.model.strategy.spec.features]

    @property
    def columns(self) -> list[str]:
        """Names of the raw columns that `predict` and `embed` take."""
        return needed(self.features)

    @torch.no_grad()
    def predict(self, columns: Any) -> Tensor:
        """Return the predictions of N rows of raw values, float32 [N].

        They equal those of the run to the bit, on one machine with as many threads.

        columns: a mapping from name to N values; a mapping from name to one value, which is one
            row; a list of such rows; a DataFrame or LazyFrame of polars, a DataFrame of pandas, or
            a Table or RecordBatch of pyarrow. Other columns are ignored. Values are text, bytes or
            whole numbers, and may be unseen. Those of a model of a table are whatever the table may
            contain; those of a multi-valued feature are lists, or texts with its separator. A cross
            is made from the columns of its parts.

        Raises BenchError for a missing column, for columns of different lengths, and for a value
        that is no category.
        """
        parts = [self._output(vectors) for vectors in self._vectors(columns)]
        if not parts:
            return torch.empty(0)
        return torch.cat(parts)

    @torch.no_grad()
    def embed(self, columns: Any) -> Tensor:
        """Return the vectors of N rows of raw values, float32 [N, W].

        `columns` and errors are those of `predict`.
        """
        parts = self._vectors(columns)
        if not parts:
            return torch.empty(0, sum(self.model.strategy.widths))
        return torch.cat(parts)

    def slot_model(self) -> SlotModel:
        """Return the model from slots on, for `torch.export` and `ue_bench.write_onnx`.

        Its outputs are the predictions float32 [B] of rows that `rows` located.
        """
        strategy = self.model.strategy
        return SlotModel(strategy, Predictions(self.model.head, self.model.loss)).eval()

    def rows(self, columns: Any) -> LocatedRows:
        """Locate N rows of raw values. Arguments and errors are those of `predict`."""
        strategy = self.model.strategy
        return strategy.rows(strategy.reader.read_distinct(columns))

    def _vectors(self, columns: Any) -> list[Tensor]:
        """Return the vectors in parts of as many rows as an evaluation has.

        The sums are then the same, in the same order.
        """
        strategy = self.model.strategy
        rows = self.rows(columns)
        parts = []
        for start in range(0, len(rows), EVALUATION_ROWS):
            parts.append(strategy.from_rows(rows[start : start + EVALUATION_ROWS]))
        return parts

    def _output(self, vectors: Tensor) -> Tensor:
        """Return the predictions for vectors [N, W]."""
        return self.model.loss.predict(self.model.head(vectors))


class Predictions(nn.Module):
    """A head, and what its outputs predict: float32 [N, W] -> [N]."""

    def __init__(self, head: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.head = head
        self.loss = loss

    def forward(self, vectors: Tensor) -> Tensor:
        return self.loss.predict(self.head(vectors))
