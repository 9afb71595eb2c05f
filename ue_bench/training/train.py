"""The only training loop and the only evaluation. Knows a model, rows and a recipe; knows no strategy by name.

Rows lie on the device as tensors and a batch is one gather: there is no loader. Errors are summed, rows counted, divided once.
What is descended and followed is the loss that the model brings.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.training.model import RatingModel
from ue_bench.training.row_adam import RowAdam

EVALUATION_ROWS = 16_384  # rows in one forward pass of an evaluation


@dataclass(frozen=True)
class Rows:
    """Rated rows on one device: codes int32 (or int64) [N, F], ratings (the targets) float32 [N]."""

    codes: Tensor
    ratings: Tensor

    def __len__(self) -> int:
        return len(self.ratings)


@dataclass(frozen=True)
class Recipe:
    """How to train. batch_size None: full batch, in the order given. patience: epochs without a better validation loss; None: no
    early stopping, and the last weights stay."""

    optimizer: str
    lr: float
    weight_decay: float
    batch_size: int | None
    epochs: int
    patience: int | None
    evals_per_epoch: int
    seed: int  # of the batch order and of dropout


@dataclass
class Fit:
    """What training met. history: one entry an evaluation, with the errors of the loss by part (`val_mse`); those of training are
    over the rows trained on since the one before, each predicted before its step, with dropout on."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: float = 0.0
    epochs_run: int = 0
    steps: int = 0
    seconds: float = 0.0  # training and evaluation, wall clock
    optimizer_bytes: int = 0


class Optimizers:
    """The optimizer of a recipe: one for all parameters, or one for sparse gradients and one for the rest.

    Raises BenchError for sparse gradients and a recipe that moves rows which are not in the batch.
    """

    def __init__(self, model: RatingModel, recipe: Recipe) -> None:
        sparse = model.strategy.sparse_pools()
        self.rows: RowAdam | None = None
        if (recipe.optimizer in SPARSE or sparse) and recipe.weight_decay:
            raise BenchError(
                f"optimizer: {recipe.optimizer} trains on sparse gradients, which allow no weight decay "
                f"({recipe.weight_decay} was given); set it to 0, or choose adam or adamw with the dense optimizer path"
            )
        ids = {id(pool.weight) for pool in sparse}
        dense = [p for p in model.parameters() if id(p) not in ids]
        if recipe.optimizer == "adagrad":
            self.parts: list[torch.optim.Optimizer] = [
                torch.optim.Adagrad(model.parameters(), lr=recipe.lr)
            ]
            return
        kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        self.parts = [kind(dense, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)]
        if sparse:
            lazy = recipe.optimizer == "sparse_adam"
            self.rows = RowAdam([pool.weight for pool in sparse], lr=recipe.lr, lazy=lazy)
            self.parts.append(self.rows)
            for pool in sparse:
                pool.before_read = None if lazy else partial(self.rows.catch_up, pool.weight)

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def settle(self) -> None:
        """Before weights are read in another way than by a step: what it has put off until a row is read is done now."""
        if self.rows is not None:
            self.rows.settle()

    def n_bytes(self) -> int:
        """Bytes of the state it keeps beside the parameters."""
        tensors = [
            v
            for part in self.parts
            for s in part.state.values()
            for v in s.values()
            if torch.is_tensor(v)
        ]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


SPARSE = (
    "sparse_adam",
    "adagrad",
)  # optimizers that take sparse gradients of the pools unless told otherwise


def train_step(
    model: RatingModel, optimizers: Optimizers, codes: Tensor, ratings: Tensor
) -> Tensor:
    """One step on one batch. Returns the mean errors before it, [errors of the loss] on the device."""
    optimizers.zero_grad()
    loss, errors = model.loss.batch(model(codes), ratings)
    loss.backward()
    optimizers.step()
    return errors


@torch.no_grad()
def outputs(model: RatingModel, rows: Rows) -> Tensor:
    """What the model says of each row, float32 [N], dropout off: ratings, or logits."""
    was_training = model.training
    model.eval()
    parts = [model(codes) for codes in rows.codes.split(EVALUATION_ROWS)]
    model.train(was_training)
    return torch.cat(parts) if parts else rows.ratings[:0]


def predict(model: RatingModel, rows: Rows) -> Tensor:
    """Predicted ratings, or probabilities of label 1, float32 [N], dropout off."""
    return model.loss.predict(outputs(model, rows))


def evaluate(model: RatingModel, rows: Rows) -> dict[str, float]:
    """The errors of the model's loss by name, pooled over the rows."""
    return dict(
        zip(model.loss.errors, model.loss.evaluate(outputs(model, rows), rows.ratings), strict=True)
    )


def fit(
    model: RatingModel,
    train: Rows,
    validation: Rows,
    recipe: Recipe,
    on_evaluation: Callable[[Fit], None] = lambda fit: None,
) -> Fit:
    """Train `model` in place and leave it as it is served, with its best weights (early stopping) or its last (none).

    Raises BenchError when the loss stops being finite.
    """
    found, optimizers, names = Fit(), Optimizers(model, recipe), model.loss.errors
    order = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)  # dropout draws from the global generator
    batch = recipe.batch_size or len(train)
    steps = math.ceil(len(train) / batch)
    stops = {
        math.ceil(steps * k / recipe.evals_per_epoch) for k in range(1, recipe.evals_per_epoch + 1)
    }
    patience = (
        recipe.patience * recipe.evals_per_epoch if recipe.patience else math.inf
    )  # in evaluations
    best, best_state, waited = math.inf, None, 0
    started = time.perf_counter()
    model.train()
    for epoch in range(recipe.epochs):
        permutation = (
            torch.randperm(len(train), generator=order).to(train.ratings.device)
            if steps > 1
            else None
        )
        errors, rows = torch.zeros(len(names), dtype=torch.float64, device=train.ratings.device), 0
        for step in range(1, steps + 1):
            if permutation is None:
                codes, ratings = train.codes, train.ratings
            else:
                chosen = permutation[(step - 1) * batch : step * batch]
                codes, ratings = (
                    train.codes.index_select(0, chosen),
                    train.ratings.index_select(0, chosen),
                )
            errors += train_step(model, optimizers, codes, ratings) * len(ratings)
            rows += len(ratings)
            found.steps += 1
            if step not in stops:
                continue
            optimizers.settle()
            now = {"epoch": epoch + step / steps}
            for name, total in zip(names, errors.tolist(), strict=True):
                now[f"train_{name}"] = total / rows
            now |= {f"val_{name}": error for name, error in evaluate(model, validation).items()}
            errors, rows = torch.zeros_like(errors), 0
            if not all(map(math.isfinite, now.values())):
                raise BenchError(
                    f"training diverged at epoch {now['epoch']:.2f} (the loss is not finite); lower lr ({recipe.lr})"
                )
            found.history.append(now)
            waited += 1
            if now[f"val_{names[-1]}"] < best:
                best, waited, found.best_epoch = now[f"val_{names[-1]}"], 0, now["epoch"]
                best_state = copy.deepcopy(model.state_dict()) if recipe.patience else None
            on_evaluation(found)
            if waited >= patience:
                break
        found.epochs_run = epoch + 1
        if waited >= patience:
            break
        optimizers.settle()
        if model.strategy.end_epoch(epoch):
            optimizers = Optimizers(model, recipe)
    optimizers.settle()
    for pool in model.strategy.sparse_pools():
        pool.before_read = None
    if best_state is not None:
        model.load_state_dict(best_state)
    model.strategy.end_training()
    found.seconds, found.optimizer_bytes = time.perf_counter() - started, optimizers.n_bytes()
    return found
