"""A model of the unified embedding of any size, and its lookup and training step as calls that a
clock can repeat.

Batches differ from call to call, as in training: a row that one call fetched is not in the cache
for the next.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import torch

from ue_bench.features import Feature
from ue_bench.speed.peers import TableMaker
from ue_bench.strategies import Spec, build
from ue_bench.training.dense_adam import DenseAdam
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
    skewed: bool = False,
) -> tuple[RatingModel, list[torch.Tensor]]:
    """Return the model and batches of codes, int64 [batch, features].

    The model has a hidden layer, as in the default recipe.

    values: distinct values of all features together; None: `VALUES`.
    skewed: whether codes are drawn from Zipf's law with exponent 1; otherwise, evenly.
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
    if skewed:
        return model, [_skewed(values_each, (batch, features), seed) for seed in range(BATCHES)]
    return model, [torch.randint(values_each, (batch, features)) for _ in range(BATCHES)]


def _skewed(values: int, shape: tuple[int, int], seed: int) -> torch.Tensor:
    """Draw codes from Zipf's law: code n is n + 1 times as rare as code 0."""
    shares = np.cumsum(1 / np.arange(1, values + 1))
    draws = np.random.default_rng(seed).random(shape) * shares[-1]
    return torch.from_numpy(np.searchsorted(shares, draws))


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


def peer_step_call(make: TableMaker, **sizes: Any) -> Callable[[], Any]:
    """Return a call as of `step_call` whose table is a peer's, which its backward pass updates.

    The slots, the head, its optimizer and the loss are those of `step_call`.

    make: its table takes slots [B, lookups] and returns vectors [B, lookups * numbers].
    sizes: the arguments of `model_and_batches`.
    """
    model, batches = model_and_batches(**sizes)
    table = make(sizes["rows"], sizes["dim"], sizes["features"] * sizes["lookups"])
    recipe = adam_recipe(sizes["batch"])
    optimizer = DenseAdam(model.head.parameters(), recipe.lr)
    ratings = torch.rand(sizes["batch"]) * 4 + 1
    turns = cycle(batches)
    model.train()

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        vectors = table(model.strategy.slots(next(turns)))
        loss, errors = model.loss.batch(model.head(vectors), ratings)
        loss.backward()
        optimizer.step()
        return errors

    return step
