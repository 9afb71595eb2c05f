"""Training that goes on where a served model is: the rows of a new day, from raw values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.strategies.located_rows import LocatedRows
from ue_bench.strategies.pool import Pool
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe

CALLS = "calls"  # how many fits there were


class ContinuedTraining:
    """The optimizer of a served model, which keeps its state from fit to fit.

    state: as `tensors` returns it, of an earlier one; None: the optimizer starts anew.
    Raises BenchError for a model that cannot be trained on, and for a state of another model.
    """

    def __init__(
        self, model: RatingModel, recipe: Recipe, state: Mapping[str, Tensor] | None = None
    ) -> None:
        _require_floats(model)
        self.model = model
        self.recipe = recipe
        self.optimizers = Optimizers(model, recipe)
        self.calls = 0
        if state is not None:
            if CALLS not in state or state[CALLS].numel() != 1:
                raise BenchError(
                    f"the state of the optimizer has no {CALLS!r}; save the model again"
                )
            self.calls = int(state[CALLS])
            self.optimizers.load_tensors(dict(model.named_parameters()), state)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state, by names that follow from those of the parameters."""
        state = self.optimizers.tensors(dict(self.model.named_parameters()))
        return state | {CALLS: torch.tensor(self.calls)}

    def fit(self, rows: LocatedRows, targets: Tensor) -> None:
        """Train on rows once, in batches of a random order that follows from the seed and the call.

        targets: float32 [N]. Raises BenchError where the model stops being finite.
        """
        model = self.model
        seed = (self.recipe.seed + 1_000_003 * self.calls) % 2**63
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
        model.unfold_scale()
        model.train()
        self.optimizers.attach()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # dropout draws from the global generator
            scaled = model.loss.scaled(targets)
            for chosen in order.split(self.recipe.batch_size or len(targets)):
                self.optimizers.zero_grad()
                outputs = model.head(model.strategy.from_rows(rows[chosen]))
                loss, _ = model.loss.batch(outputs, scaled[chosen.to(scaled.device)])
                loss.backward()
                self.optimizers.step()
        self.optimizers.settle()
        self.optimizers.detach()
        model.eval()
        model.fold_scale()
        self.calls += 1
        if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
            raise BenchError(
                f"partial_fit: training diverged (a number of the model is not finite); lower lr "
                f"({self.recipe.lr}), and load the model again"
            )


def _require_floats(model: RatingModel) -> None:
    strategy: Any = model.strategy
    rounded = any(
        module.weight is None for module in strategy.modules() if isinstance(module, Pool)
    )
    if rounded or any(getattr(module, "training_only", ()) for module in strategy.modules()):
        raise BenchError(
            f"partial_fit: the numbers of {strategy.spec.name} are rounded or replaced once it is "
            "served; train it anew on all rows, or use a strategy with float32 rows"
        )
