"""The only training loop and the only evaluation. They know a model, rows and a recipe, and no
strategy by name.

Rows are tensors on the device and a batch is one gather, so there is no loader. Errors are summed,
rows are counted, and the sum is divided once. The model brings the loss.
"""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.record.schema import LARGEST
from ue_bench.training.dense_adam import DenseAdam
from ue_bench.training.early_stopping import EarlyStopping
from ue_bench.training.model import RatingModel, ScoredModel
from ue_bench.training.process_ranks import ALONE, Ranks
from ue_bench.training.row_adam import RowAdam, of_rows, summed_by_row
from ue_bench.training.weight_average import WeightAverage

EVALUATION_ROWS = 16_384  # rows in one forward pass of an evaluation
# Optimizers that train the pools on sparse gradients, unless the configuration says otherwise.
SPARSE = ("sparse_adam", "adagrad")
# Updates of the average of the weights in each epoch. One a step would cost a large table more than
# its training does.
AVERAGES_PER_EPOCH = 8
MOST_STEPS = 2**53  # that a number of steps in a file can be
_FOLLOW = ("ratios", "read")  # of the state of a table, what follows from the rest once it settled
_KEPT_BY_ROW_OF_ADAGRAD = ("sum",)


@dataclass(frozen=True)
class Rows:
    """Rows on one device: codes int32 (or int64) [N, F], ratings (the targets) float32 [N]."""

    codes: Tensor
    ratings: Tensor

    def __len__(self) -> int:
        return len(self.ratings)


@dataclass(frozen=True)
class Recipe:
    """How to train.

    batch_size: rows a step; None: all rows in the order given.
    patience: epochs without a better validation loss before training stops; None: it never stops
        early, and the last weights are kept.
    give_up_epochs, give_up_above: training also stops after so many epochs where no validation MSE
        so far is as low as this; None: it does not.
    stop_above: training also stops where the validation loss is above the lowest so far by more
        than this share of it; None, or without patience: it does not.
    average_epochs: epochs after which a step weighs 1 / e in the average of the weights, which is
        evaluated and served; 0: none is kept.
    seed: of the batch order and of dropout.
    """

    optimizer: str
    lr: float
    weight_decay: float
    batch_size: int | None
    epochs: int
    patience: int | None
    evals_per_epoch: int
    stop_above: float | None
    average_epochs: float
    seed: int
    give_up_epochs: int | None = None
    give_up_above: float | None = None


@dataclass
class Fit:
    """What happened in training.

    history: one entry an evaluation, with the errors of the loss by part (`val_mse`). The errors of
        training are over the rows since the previous evaluation, each predicted before its step,
        with dropout on.
    seconds: training and evaluation, wall clock.
    optimizer_bytes: of the optimizer's state and of the average of the weights.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: float = 0.0
    epochs_run: int = 0
    steps: int = 0
    seconds: float = 0.0
    optimizer_bytes: int = 0


class Optimizers:
    """The optimizer of a recipe: one for all parameters, or one for sparse gradients and one for
    the rest.

    Raises BenchError for sparse gradients with weight decay, which moves rows outside the batch.
    """

    def __init__(self, model: RatingModel, recipe: Recipe) -> None:
        self.sparse = sparse = model.strategy.sparse_pools()
        self.lazy = recipe.optimizer == "sparse_adam"
        self.rows: RowAdam | None = None
        sparse_weights = [pool.weight for pool in sparse]
        sparse_ids = {id(weight) for weight in sparse_weights}
        dense = [weight for weight in model.parameters() if id(weight) not in sparse_ids]
        self.dense_weights = dense
        if (recipe.optimizer in SPARSE or sparse) and recipe.weight_decay:
            raise BenchError(
                f"optimizer: {recipe.optimizer} trains on sparse gradients, which allow no weight "
                f"decay ({recipe.weight_decay} was given); set it to 0, or choose adam or adamw "
                "with the dense optimizer path"
            )
        if recipe.optimizer == "adagrad":
            adagrad = torch.optim.Adagrad(model.parameters(), lr=recipe.lr)
            self.parts: list[torch.optim.Optimizer | DenseAdam] = [adagrad]
            return
        decoupled = recipe.optimizer == "adamw"
        self.parts = [DenseAdam(dense, recipe.lr, recipe.weight_decay, decoupled)]
        if not sparse:
            return
        self.rows = RowAdam(sparse_weights, lr=recipe.lr, lazy=self.lazy)
        self.parts.append(self.rows)
        self.attach()

    def attach(self) -> None:
        """Let pools be read as far as a step has moved them."""
        if self.rows is None or self.lazy:
            return
        for pool in self.sparse:
            pool.reader = partial(self.rows.read, pool.weight)

    def detach(self) -> None:
        """Let pools be read as they are."""
        for pool in self.sparse:
            pool.reader = None

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for part in self.parts:
            part.step()

    @torch.no_grad()
    def add_up_gradients(self, ranks: Ranks) -> None:
        """Give every process the sums of the gradients of all of them."""
        if ranks.count == 1:
            return
        ranks.add_up([weight.grad for weight in self.dense_weights if weight.grad is not None])
        for pool in self.sparse:
            weight = pool.weight
            if weight.grad is None:
                continue
            all_rows, all_sums = ranks.gathered(*summed_by_row(weight.grad))
            rows, sums = summed_by_row(of_rows(all_rows, all_sums, weight.shape))
            if self.rows is not None and not self.lazy:  # rows that only others have read
                self.rows.catch_up(weight, rows)
            weight.grad = of_rows(rows, sums, weight.shape)

    def settle(self) -> None:
        """Make the moves that were put off until a row is read.

        Call it before anything but a step reads the weights.
        """
        if self.rows is not None:
            self.rows.settle()

    def forget(self, weight: Tensor, rows: Tensor) -> None:
        """Start rows of a weight anew, as if no step had moved them. Call `settle` before."""
        for part in self.parts:
            state = _state_of(part, weight)
            for key in _kept_by_row(part):
                if key in state:
                    state[key][rows] = 0

    def tensors(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the state as tensors. weights: the parameters by name."""
        found = {}
        for name, weight in weights.items():
            for part in self.parts:
                for key, value in _state_of(part, weight).items():
                    if value is not None and key not in _FOLLOW:
                        found[f"{name}.{key}"] = torch.as_tensor(value)
        return found

    def load_tensors(self, weights: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Take over a state that `tensors` returned.

        Raises BenchError where it lacks something, or something has another shape.
        """
        for name, weight in weights.items():
            for part in self.parts:
                state = _state_of(part, weight)
                for key, value in state.items():
                    if value is None or key in _FOLLOW:
                        continue
                    given = tensors.get(f"{name}.{key}")
                    shape = getattr(value, "shape", torch.Size())
                    may_grow = key == "left"
                    if given is None or (given.shape != shape and not may_grow):
                        raise BenchError(
                            f"the state of the optimizer has no {name}.{key} of shape "
                            f"{list(shape)}; save the model again"
                        )
                    if not torch.is_tensor(value):
                        state[key] = _count_of(f"{name}.{key}", given)
                    elif may_grow:
                        state[key] = given.clone()
                    else:
                        value.copy_(given)

    def n_bytes(self) -> int:
        """Return the bytes of the state that is kept beside the parameters."""
        total = 0
        for part in self.parts:
            for state in part.state.values():
                total += sum(value.nbytes for value in state.values() if torch.is_tensor(value))
        return total


def _count_of(name: str, given: Tensor) -> int | float:
    """Return a number of steps. Raises BenchError for what is none."""
    count: int | float = given.item()
    if not 0 <= count < MOST_STEPS:
        raise BenchError(
            f"the state of the optimizer has {count} for {name}; it must be a number of steps from "
            "0 on; save the model again"
        )
    return count


def _state_of(part: torch.optim.Optimizer | DenseAdam, weight: Tensor) -> dict[str, Any]:
    """Return the state of a parameter, which an optimizer fills in place; empty: it has none."""
    states: Any = part.state
    found: dict[str, Any] = states.get(weight, {})
    return found


def _kept_by_row(part: torch.optim.Optimizer | DenseAdam) -> tuple[str, ...]:
    """Return the names of the state that an optimizer keeps for each row of a weight.

    Shapes do not tell: what all rows share may be as long as the weight by chance.
    """
    if isinstance(part, (DenseAdam, RowAdam)):
        return part.kept_by_row
    return _KEPT_BY_ROW_OF_ADAGRAD


def train_step(
    model: RatingModel,
    optimizers: Optimizers,
    codes: Tensor,
    targets: Tensor,
    ranks: Ranks = ALONE,
    share: float = 1.0,
) -> Tensor:
    """Take one step on one batch. Returns the mean errors before it, [errors] on the device.

    targets: as `model.loss.scaled` returns them. Of several processes, each gives its rows of the
        batch, which are `share` of it.
    """
    optimizers.zero_grad()
    loss, errors = model.loss.batch(model(codes), targets)
    if ranks.count > 1:
        loss = loss * share
    loss.backward()
    optimizers.add_up_gradients(ranks)
    optimizers.step()
    return errors


@torch.no_grad()
def outputs(model: ScoredModel, rows: Rows) -> Tensor:
    """Return what the model gives each row, such as a logit: float32 [N], dropout off."""
    was_training = model.training
    model.eval()
    parts = [model(codes) for codes in rows.codes.split(EVALUATION_ROWS)]
    model.train(was_training)
    if not parts:
        return rows.ratings[:0]
    return torch.cat(parts)


def outputs_by_part(model: ScoredModel, rows: Mapping[str, Rows]) -> dict[str, Tensor]:
    """Return what the model gives the rows of each part."""
    return {name: outputs(model, part) for name, part in rows.items()}


def predict(model: RatingModel, rows: Rows) -> Tensor:
    """Return predicted ratings, or probabilities of label 1: float32 [N], dropout off."""
    return model.loss.predict(outputs(model, rows))


def evaluate(model: RatingModel, rows: Rows, ranks: Ranks = ALONE) -> dict[str, float]:
    """Return the errors of the model's loss by name, pooled over the rows.

    Of several processes, each predicts a part of the rows.
    """
    part = ranks.part(len(rows))
    (given,) = ranks.gathered(outputs(model, Rows(rows.codes[part], rows.ratings[part])))
    errors = torch.tensor(
        model.loss.evaluate(given, rows.ratings), dtype=torch.float64, device=given.device
    )
    ranks.take_from_first([errors])  # what ends training ends it in all processes
    return dict(zip(model.loss.errors, errors.tolist(), strict=True))


def fit(
    model: RatingModel,
    train: Rows,
    validation: Rows,
    recipe: Recipe,
    on_evaluation: Callable[[Fit], None] = lambda fit: None,
    ranks: Ranks = ALONE,
) -> Fit:
    """Train `model` in place and leave it as it is served.

    Its weights are the best ones with early stopping, and the last ones without; where the recipe
    averages, these are averages. The scale of its loss is folded into its head.

    ranks: the processes that train the same model on the same rows, each on its part of a batch.

    Raises BenchError when the loss stops being finite.
    """
    fitted = Fit()
    optimizers = Optimizers(model, recipe)
    names = model.loss.errors
    device = train.ratings.device
    all_targets = model.loss.scaled(train.ratings)
    order = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(ranks.seed(recipe.seed))  # dropout draws from the global generator
    batch = recipe.batch_size or len(train)
    steps = math.ceil(len(train) / batch)
    stops = _spread(recipe.evals_per_epoch, steps)
    average_steps: set[int] = set()
    decay = 0.0
    if recipe.average_epochs:
        average_steps = _spread(AVERAGES_PER_EPOCH, steps)
        decay = math.exp(-1 / (recipe.average_epochs * len(average_steps)))
    average = WeightAverage(model, decay)
    stopping = _stopping(recipe)
    best_state = None
    started = time.perf_counter()
    model.train()
    for epoch in range(recipe.epochs):
        permutation = None
        if steps > 1:
            permutation = torch.randperm(len(train), generator=order).to(device)
        errors = torch.zeros(len(names), dtype=torch.float64, device=device)
        rows = 0
        for step in range(1, steps + 1):
            if permutation is None:
                n_chosen = len(train)
                own, share = ranks.share(n_chosen)
                codes = train.codes[own]
                targets = all_targets[own]
            else:
                chosen = permutation[(step - 1) * batch : step * batch]
                n_chosen = len(chosen)
                own, share = ranks.share(n_chosen)
                codes = train.codes.index_select(0, chosen[own])
                targets = all_targets.index_select(0, chosen[own])
            of_step = train_step(model, optimizers, codes, targets, ranks, share)
            errors += of_step * (n_chosen * share)
            rows += n_chosen
            fitted.steps += 1
            if step in average_steps:
                optimizers.settle()
                average.update()
            if step not in stops:
                continue
            optimizers.settle()
            ranks.add_up([errors])
            entry = {"epoch": epoch + step / steps}
            for name, total in zip(names, errors.tolist(), strict=True):
                entry[f"train_{name}"] = model.loss.in_units(total / rows)
            errors = torch.zeros_like(errors)
            rows = 0
            with average.in_place():
                for name, error in evaluate(model, validation, ranks).items():
                    entry[f"val_{name}"] = error
                _require_finite(entry, recipe)
                fitted.history.append(entry)
                if stopping.note(entry[f"val_{names[-1]}"]):
                    fitted.best_epoch = entry["epoch"]
                    if recipe.patience:
                        best_state = copy.deepcopy(model.state_dict())
                on_evaluation(fitted)
            if stopping.ended:
                break
        fitted.epochs_run = epoch + 1
        if stopping.ended or _gives_up(fitted, recipe):
            break
        optimizers.settle()
        # Other kinds of processors, and a GPU at each call, round the same steps in their own ways.
        ranks.take_from_first([weight.data for weight in model.parameters()])
        with ranks.drawing_alike(recipe.seed + epoch):
            has_changed = model.strategy.finish_epoch(epoch)
        if has_changed:
            optimizers = Optimizers(model, recipe)
            average.restart()
            stopping.model_changed()
    optimizers.settle()
    fitted.optimizer_bytes = optimizers.n_bytes() + average.n_bytes()
    average.take_place()
    optimizers.detach()
    if best_state is not None:
        model.load_state_dict(best_state)
    model.strategy.finish_training()
    model.fold_scale()
    fitted.seconds = time.perf_counter() - started
    return fitted


def _gives_up(fitted: Fit, recipe: Recipe) -> bool:
    """Return whether training that has ended so many epochs is hopeless."""
    if recipe.give_up_epochs is None or recipe.give_up_above is None:
        return False
    if fitted.epochs_run < recipe.give_up_epochs:
        return False
    return min(entry["val_mse"] for entry in fitted.history) > recipe.give_up_above


def _stopping(recipe: Recipe) -> EarlyStopping:
    patience = math.inf
    most_rise = math.inf
    if recipe.patience:
        patience = recipe.patience * recipe.evals_per_epoch
        if recipe.stop_above is not None:
            most_rise = recipe.stop_above
    return EarlyStopping(patience, most_rise)


def _spread(times: int, steps: int) -> set[int]:
    """Return as many steps of an epoch, counted from 1, as evenly as whole steps allow.

    The last one ends the epoch. Where there are fewer steps than times, they are all steps.
    """
    if times >= steps:
        return set(range(1, steps + 1))
    return {math.ceil(steps * k / times) for k in range(1, times + 1)}


def _require_finite(entry: dict[str, float], recipe: Recipe) -> None:
    if not all(abs(value) <= LARGEST for value in entry.values()):
        raise BenchError(
            f"training diverged at epoch {entry['epoch']:.2f} (the loss is not finite); "
            f"lower lr ({recipe.lr})"
        )
