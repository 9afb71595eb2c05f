"""A model of the unified embedding of any size, and its two operations as calls that a clock can repeat.

Batches differ from call to call, as in training: a row that one of them fetched is not at hand for the next.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe, train_step

VALUES = 1_400_000  # they reach a million rows
BATCHES = 100


def world(
    batch: int,
    features: int,
    lookups: int,
    dim: int,
    rows: int,
    sparse: bool = False,
    values: int | None = None,
) -> tuple[RatingModel, list[torch.Tensor]]:
    """The model, with a hidden layer as in the default recipe, and batches of codes int64 [batch, features] drawn evenly.

    values: distinct ones of all features together; None: VALUES.
    """
    each = (values or VALUES) // features
    of = tuple(
        Feature(f"f{n}", [f"{n}-{value}" for value in range(each)], each) for n in range(features)
    )
    spec = Spec("unified", of, (lookups,) * features, dim, rows * dim * 4, sparse=sparse)
    torch.manual_seed(0)
    model = RatingModel(build(spec), "mlp", hidden=64, dropout=0.2, rating_bias=3.5)
    model.strategy.locate_all()
    return model, [torch.randint(each, (batch, features)) for _ in range(BATCHES)]


def lookup(**sizes: Any) -> Callable[[], Any]:
    """A batch of codes becomes vectors, as in serving."""
    model, batches = world(**sizes)
    strategy, turns = model.strategy.eval(), cycle(batches)

    def call() -> torch.Tensor:
        with torch.no_grad():
            return strategy(next(turns))

    return call


def step(**sizes: Any) -> Callable[[], Any]:
    """A training step of the whole model on one batch, under Adam."""
    model, batches = world(**sizes)
    optimizers = Optimizers(model, Recipe("adam", 4e-3, 0.0, sizes["batch"], 1, None, 1, 0))
    ratings, turns = torch.rand(sizes["batch"]) * 4 + 1, cycle(batches)
    model.train()
    return lambda: train_step(model, optimizers, next(turns), ratings)
