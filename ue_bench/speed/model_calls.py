"""A model of the unified embedding of any size, and its lookup and training step as calls that a
clock can repeat.

Batches differ from call to call, as in training: a row that one call fetched is not in the cache
for the next.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe, train_step

VALUES = 1_400_000  # enough to reach a million rows
BATCHES = 100


def model_and_batches(
    batch: int,
    features: int,
    lookups: int,
    dim: int,
    rows: int,
    sparse: bool = False,
    values: int | None = None,
) -> tuple[RatingModel, list[torch.Tensor]]:
    """Return the model and batches of codes, int64 [batch, features], that are drawn evenly.

    The model has a hidden layer, as in the default recipe.

    values: distinct values of all features together; None: `VALUES`.
    """
    values_each = (values or VALUES) // features
    spec = Spec(
        name="unified",
        features=made_up_features(features, values_each),
        lookups=(lookups,) * features,
        dim=dim,
        budget=rows * dim * 4,
        sparse=sparse,
    )
    torch.manual_seed(0)
    model = RatingModel(build(spec), "mlp", hidden=64, dropout=0.2, rating_bias=3.5)
    model.strategy.locate_all()
    batches = [torch.randint(values_each, (batch, features)) for _ in range(BATCHES)]
    return model, batches


def made_up_features(count: int, values_each: int) -> tuple[Feature, ...]:
    """Return features whose values all occur in training."""
    features = []
    for number in range(count):
        values = [f"{number}-{value}" for value in range(values_each)]
        features.append(Feature(f"f{number}", values, values_each))
    return tuple(features)


def adam_recipe(batch_size: int) -> Recipe:
    """Return a recipe of one epoch with Adam."""
    return Recipe(
        optimizer="adam",
        lr=4e-3,
        weight_decay=0.0,
        batch_size=batch_size,
        epochs=1,
        patience=None,
        evals_per_epoch=1,
        stop_above=None,
        average_epochs=0.0,
        seed=0,
    )


def lookup_call(**sizes: Any) -> Callable[[], Any]:
    """Return a call that turns a batch of codes into vectors, as in serving.

    sizes: the arguments of `model_and_batches`.
    """
    model, batches = model_and_batches(**sizes)
    strategy = model.strategy.eval()
    turns = cycle(batches)

    def look_up() -> torch.Tensor:
        with torch.no_grad():
            return strategy(next(turns))

    return look_up


def step_call(**sizes: Any) -> Callable[[], Any]:
    """Return a call that takes a training step of the whole model on one batch, under Adam.

    sizes: the arguments of `model_and_batches`.
    """
    model, batches = model_and_batches(**sizes)
    optimizers = Optimizers(model, adam_recipe(sizes["batch"]))
    ratings = torch.rand(sizes["batch"]) * 4 + 1
    turns = cycle(batches)
    model.train()

    def step() -> torch.Tensor:
        return train_step(model, optimizers, next(turns), ratings)

    return step
