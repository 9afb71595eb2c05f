"""The anchors as they are served: the bias model and biased matrix factorisation.

They are fitted as the anchors of every record are (`baselines`), and are held in 32 bits like a
table, so that their bytes and their error are those of one and the same thing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from ue_bench.data.encoding import Encoded
from ue_bench.features import Feature
from ue_bench.strategies import Footprint
from ue_bench.strategies.vocabulary import Vocabulary
from ue_bench.training.baselines import Prediction, label_losses, label_scores
from ue_bench.training.model import ScoredModel


class UserItemModel(ScoredModel):
    """mu + b_u + b_i + p_u . q_i, where mu is the mean of the training rows.

    The row of a training value is [1 + rank]: its bias, and its vector. The last row of a table, of
    zeros, is that of all unseen values. Before `fit`, all numbers are 0.

    entities: user and item. rank: numbers of each vector; 0 for the bias model. of_labels: whether
    the targets are labels 0 and 1.
    """

    mean: Tensor
    user_rows: Tensor
    item_rows: Tensor

    def __init__(
        self, entities: tuple[Feature, Feature], rank: int, of_labels: bool = False
    ) -> None:
        super().__init__()
        self.of_labels = of_labels
        self.features = entities
        self.rank = rank
        self.vocabularies = [Vocabulary(feature) for feature in entities]
        of_users, of_items = self.vocabularies
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("user_rows", torch.zeros(of_users.size + 1, 1 + rank))
        self.register_buffer("item_rows", torch.zeros(of_items.size + 1, 1 + rank))

    def fit(self, encoded: Encoded, stars: bool, threads: int) -> None:
        """Fit the numbers to the training rows.

        stars: whether the target is ratings in stars, as in `trivial_anchors`. threads: of the
        linear algebra.
        """
        with threadpool_limits(threads):
            prediction = Prediction(encoded)
            biases = prediction.add_biases()
            users = [biases.user]
            items = [biases.item]
            if self.rank:
                vectors = prediction.fit_vectors(self.rank, stars)
                users.append(vectors.user)
                items.append(vectors.item)
        self.mean.fill_(prediction.mean)
        _fill(self.user_rows, users)
        _fill(self.item_rows, items)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the predictions of rows: codes of user and item [B, 2] -> float32 [B]."""
        users = _rows(self.user_rows, codes[:, 0])
        items = _rows(self.item_rows, codes[:, 1])
        biases = self.mean + users[:, 0] + items[:, 0]
        if not self.rank:
            return biases
        return biases + (users[:, 1:] * items[:, 1:]).sum(1)

    def from_values(self, columns: Sequence[Any]) -> Tensor:
        """Return the predictions of raw values of user and item: two lists of B -> float32 [B]."""
        positions = []
        for vocabulary, values in zip(self.vocabularies, columns, strict=True):
            positions.append(torch.from_numpy(vocabulary.positions(values)))
        return self(torch.stack(positions, dim=1).to(self.mean.device))

    def predictions(self, outputs: Tensor) -> Tensor:
        return outputs

    def label_scores(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        if not self.of_labels:
            return {}
        return label_scores(outputs.double().cpu().numpy(), targets.cpu().numpy())

    def row_errors(self, outputs: Tensor, targets: Tensor) -> dict[str, np.ndarray]:
        if not self.of_labels:
            return {}
        predictions = outputs.double().cpu().numpy()
        return {"log_loss": label_losses(predictions, targets.cpu().numpy())}

    def footprint(self) -> Footprint:
        """Count the bytes that are served. Nothing else is held in training."""
        return Footprint(
            table=sum(tensor.nbytes for tensor in self.state_dict().values()),
            auxiliary=0,
            vocabulary=sum(vocabulary.n_bytes for vocabulary in self.vocabularies),
            vocabulary_floor=sum(vocabulary.floor_bytes for vocabulary in self.vocabularies),
        )


def _rows(table: Tensor, codes: Tensor) -> Tensor:
    """Return the row of each code [B]; all codes that training has not seen have the last one."""
    return table.index_select(0, codes.clamp(max=len(table) - 1))


def _fill(table: Tensor, columns: Sequence[np.ndarray]) -> None:
    """Fill in the rows of training values, which come before all others in the columns."""
    n_seen = len(table) - 1
    numbers = np.column_stack([column[:n_seen] for column in columns])
    table[:n_seen] = torch.from_numpy(numbers.astype(np.float32))
