"""Whether a trained model can be built again from what is kept of it: its state and its features.

What was learned and is in no state, and what a strategy serves by and `to_serve` does not return,
are lost when a model is saved. Its scores are then those of a model that nobody can serve.
"""

from dataclasses import replace
from typing import Any

import torch

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.features import CROSS
from ue_bench.strategies import Spec
from ue_bench.strategies.pool import make_room
from ue_bench.training.assembly import make_model, make_spec, without_ignored_budget
from ue_bench.training.claimed_sizes import shapes
from ue_bench.training.model import RatingModel

COMPARED = 128  # training values of each feature whose vectors a model has to reproduce


def unfilled_model(config: RunConfig, spec: Spec) -> RatingModel:
    """Return the model of a configuration as it is served, before it has its numbers.

    `make_room` makes the room for them. The state of torch's global generator does not change.
    """
    with torch.random.fork_rng(devices=[]):
        # Any mean that both tasks allow: the trained bias is among the numbers.
        model = make_model(config, replace(spec, unfilled=True), mean_rating=0.5)
    model.strategy.drop_training_only()
    return model


def require_round_trip(model: RatingModel, config: RunConfig) -> None:
    """Raise BenchError unless a model that is built anew serves as this one does.

    It is built as `ue_bench.load` builds it, in memory: from the features that `to_serve` returns,
    with the state of this one.

    model: trained, as it is served, in evaluation mode. config: resolved.
    """
    strategy = model.strategy
    features = tuple(strategy.to_serve(index) for index in range(len(strategy.spec.features)))
    again = unfilled_model(config, make_spec(without_ignored_budget(config), features))
    if shapes(again.state_dict()) != shapes(model.state_dict()):
        raise BenchError(
            f"{config.strategy}: the strategy has other parameters and buffers when it is built "
            "from what is saved of it; training and `to_serve` must not change their shapes"
        )
    make_room(again)
    again.load_state_dict(model.state_dict())
    again.strategy.check_served()
    require_equal_vectors(model, again.to(strategy.device).eval(), config.strategy)


@torch.no_grad()
def require_equal_vectors(model: RatingModel, again: RatingModel, name: str) -> None:
    """Raise BenchError unless a model that was built again gives the vectors of the first one.

    Compared are training values, and values that no data set has. name: of the strategy.
    """
    samples = []
    for feature in model.strategy.spec.features:
        values: list[Any] = list(feature.values[: min(COMPARED, feature.n_seen)])
        for number in range(2 * COMPARED - len(values)):
            values.append(f"{CROSS}{feature.name}{number}")  # a value that no data set has
        if feature.bags is not None:
            values = [[value] for value in values]
        samples.append(values)
    expected = model.strategy.from_values(samples)
    if not torch.equal(expected, again.strategy.from_values(samples)):
        raise BenchError(
            f"{name}: the strategy gives other vectors when it is built from what is saved of it; "
            "it must keep what it learns in parameters and persistent buffers, and return what "
            "else it needs in `to_serve`"
        )
