"""Training on a stream: each block of rows is predicted, then trained on once, in the order of
time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies.arrived import Arrived
from ue_bench.strategies.bags import bag_index
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Fit, Optimizers, Recipe, Rows, outputs, train_step


@dataclass(frozen=True)
class BlockEnd:
    """A block that was trained on. first, last: its rows are those from first to last - 1."""

    number: int
    first: int
    last: int
    optimizer_bytes: int


def fit_stream(
    model: RatingModel,
    rows: Rows,
    ends: Sequence[int],
    features: Sequence[Feature],
    recipe: Recipe,
    on_block: Callable[[BlockEnd], None] = lambda end: None,
    on_evaluation: Callable[[Fit], None] = lambda fit: None,
) -> tuple[Fit, Tensor]:
    """Train `model` in place on rows in the order of time, and leave it as it is served.

    ends: where each block ends. on_block: is called after each block. on_evaluation: is called with
    what happened so far, once a block has been predicted.

    Returns what happened, with the errors of each block and of training on the block before, and
    what the model gave each row before it was trained on, float32 [N], as the served model's
    outputs are; NaN in the first block. Raises BenchError when an output stops being finite.
    """
    fitted = Fit()
    optimizers = Optimizers(model, recipe)
    device = rows.ratings.device
    targets = model.loss.scaled(rows.ratings)
    order = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)  # dropout draws from the global generator
    given = torch.full((len(rows),), torch.nan, device=device)
    trained = torch.zeros(len(model.loss.errors), dtype=torch.float64, device=device)
    n_trained = 1
    started = time.perf_counter()
    model.train()
    for number, (first, last) in enumerate(pairwise([0, *ends])):
        block = Rows(rows.codes[first:last], rows.ratings[first:last])
        if number:
            before = outputs(model, block)
            given[first:last] = _as_served(model, before)
            if not given[first:last].isfinite().all():
                raise BenchError(
                    f"training diverged before block {number} of the stream (an output is not "
                    f"finite); lower lr ({recipe.lr})"
                )
            entry = {"epoch": last / len(rows)}
            errors = model.loss.evaluate(before, block.ratings)
            of_block = (trained / n_trained).tolist()
            for name, error, own in zip(model.loss.errors, errors, of_block, strict=True):
                entry[f"train_{name}"] = model.loss.in_units(own)
                entry[f"val_{name}"] = error
            fitted.history.append(entry)
            on_evaluation(fitted)
            _take_in(model, optimizers, _arrived(number, block.codes, features))
        batch = recipe.batch_size or len(block)
        shuffled = torch.randperm(len(block), generator=order).to(device)
        trained = torch.zeros(len(model.loss.errors), dtype=torch.float64, device=device)
        n_trained = len(block)
        for chosen in shuffled.split(batch):
            codes = block.codes.index_select(0, chosen)
            of_batch = targets[first:last].index_select(0, chosen)
            trained += train_step(model, optimizers, codes, of_batch) * len(chosen)
            fitted.steps += 1
        optimizers.settle()
        if model.strategy.finish_epoch(number):
            optimizers = Optimizers(model, recipe)
        fitted.epochs_run = 1
        on_block(BlockEnd(number, first, last, optimizers.n_bytes()))
    fitted.best_epoch = 1.0
    fitted.optimizer_bytes = optimizers.n_bytes()
    optimizers.detach()
    model.strategy.finish_training()
    model.fold_scale()
    fitted.seconds = time.perf_counter() - started
    return fitted, given


def _as_served(model: RatingModel, given: Tensor) -> Tensor:
    """Return outputs as the model will give them once the scale of its loss is folded in."""
    scale = model.loss.scale
    return given if scale is None else given * scale.deviation + scale.mean


def _take_in(model: RatingModel, optimizers: Optimizers, arrived: Arrived) -> None:
    """Let the strategy take in the values of a block, and start rows with another owner anew."""
    reset = model.strategy.observe(arrived)
    if reset is not None:
        reset.pool.draw_again(reset.rows)
        for weight in reset.pool.trained_by_row():
            optimizers.forget(weight, reset.rows)


def _arrived(number: int, codes: Tensor, features: Sequence[Feature]) -> Arrived:
    codes = codes.cpu().long()
    single, owner = codes, torch.arange(len(codes))
    bags = bag_index(features)
    if bags is not None:
        single, spread = bags.spread(codes)
        owner = spread.owner
    distinct = []
    counts = []
    for index, feature in enumerate(features):
        column = codes[:, index].numpy()
        if feature.bags is not None:  # a bag that is shorter than another has a value repeatedly
            pairs = torch.stack([owner, single[:, index]], dim=1)
            column = pairs.unique(dim=0)[:, 1].numpy()
        values, count = np.unique(column, return_counts=True)
        distinct.append(values.astype(np.int64))
        counts.append(count.astype(np.int64))
    return Arrived(number, tuple(distinct), tuple(counts))
