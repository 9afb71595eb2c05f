"""A model of the unified embedding of any size, and its two operations as calls that a clock can repeat."""

from collections.abc import Callable
from typing import Any

import torch

from ue_bench.feature import Feature
from ue_bench.model import RatingModel
from ue_bench.strategies import Spec, build
from ue_bench.train import Optimizers, Recipe, train_step

VALUES = 20_000  # distinct values of all features together


def world(batch: int, features: int, lookups: int, dim: int, rows: int, sparse: bool) -> tuple[RatingModel, torch.Tensor]:
    """The model, with a hidden layer as in the default recipe, and codes int64 [batch, features] drawn evenly."""
    each = VALUES // features
    of = tuple(Feature(f"f{n}", [f"{n}-{value}" for value in range(each)], each) for n in range(features))
    spec = Spec("unified", of, (lookups,) * features, dim, rows * dim * 4, sparse=sparse)
    torch.manual_seed(0)
    model = RatingModel(build(spec), "mlp", hidden=64, dropout=0.2, rating_bias=3.5)
    return model, torch.randint(each, (batch, features))


def lookup(**sizes: Any) -> Callable[[], Any]:
    """A batch of codes becomes vectors, as in serving."""
    model, codes = world(**sizes, sparse=False)
    strategy = model.strategy.eval()

    def call() -> torch.Tensor:
        with torch.no_grad():
            return strategy(codes)

    return call


def step(sparse: bool, **sizes: Any) -> Callable[[], Any]:
    """A training step of the whole model on one batch."""
    model, codes = world(**sizes, sparse=sparse)
    recipe = Recipe("sparse_adam" if sparse else "adam", 4e-3, 0.0, sizes["batch"], 1, None, 1, 0)
    optimizers, ratings = Optimizers(model, recipe), torch.rand(sizes["batch"]) * 4 + 1
    model.train()
    return lambda: train_step(model, optimizers, codes, ratings)
