"""Training ends after its patience, or where the validation loss has clearly risen."""

import math
from dataclasses import replace

import pytest
import torch
from test_train import TRAIN, VALIDATION, model, recipe

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.training.early_stopping import EarlyStopping
from ue_bench.training.resolve import resolve
from ue_bench.training.train import fit


def evaluations(stopping, losses):
    """Return how many of the losses it takes until training ends."""
    for number, loss in enumerate(losses, 1):
        stopping.note(loss)
        if stopping.ended:
            return number
    return None


@pytest.mark.parametrize(
    ("patience", "most_rise", "losses", "n"),
    [
        (3, math.inf, (1.0, 0.9, 0.95, 0.9, 2.0, 0.8), 5),  # an equal loss is no better one
        (3, math.inf, (1.0, 0.9, 0.95, 0.95, 0.8, 0.9), None),
        (9, 0.01, (1.0, 0.9, 0.9089, 0.9091, 0.8), 4),
        (9, 0.25, (1.0, 0.5, 0.625), None),  # as much as may be
        (math.inf, math.inf, (1.0, 2.0, 3.0), None),
        (9, 0.01, (0.0, 0.0), None),
    ],
)
def test_it_ends_when_a_limit_is_reached(patience, most_rise, losses, n):
    assert evaluations(EarlyStopping(patience, most_rise), losses) == n


def test_it_tells_the_best_loss():
    stopping = EarlyStopping(3, math.inf)
    assert [stopping.note(loss) for loss in (1.0, 0.9, 0.95, 0.9)] == [True, True, False, False]
    assert stopping.best == 0.9


def test_a_changed_model_may_start_higher():
    stopping = EarlyStopping(9, 0.01)
    stopping.note(0.9)
    stopping.model_changed()
    assert evaluations(stopping, (1.0, 0.99, 1.1)) == 3
    assert stopping.best == 0.9


def overfitting(**changes):
    """Train far beyond the best epoch, where patience allows it."""
    usual = recipe(lr=0.05, epochs=30, patience=10)
    return fit(model(dropout=0.0), TRAIN, VALIDATION, replace(usual, **changes))


def test_a_clear_rise_ends_training_before_its_patience():
    losses = [entry["val_mse"] for entry in overfitting(stop_above=0.05).history]
    waited = [entry["val_mse"] for entry in overfitting().history]
    assert len(losses) < len(waited)
    assert losses == waited[: len(losses)]
    assert losses[-1] > 1.05 * min(losses) >= max(losses[losses.index(min(losses)) : -1])


def test_training_that_is_hopeless_gives_up():
    waited = [entry["val_mse"] for entry in overfitting().history]
    least = min(waited[:3])
    given_up = overfitting(give_up_epochs=3, give_up_above=0.999 * least)
    assert [entry["val_mse"] for entry in given_up.history] == waited[:3]
    assert given_up.epochs_run == 3
    not_above = overfitting(give_up_epochs=3, give_up_above=least)
    assert [entry["val_mse"] for entry in not_above.history] == waited


def test_without_patience_no_rise_ends_training():
    assert overfitting(patience=None, stop_above=0.001, epochs=20).epochs_run == 20


def test_a_rise_at_a_change_of_the_structure_does_not_end_training(monkeypatch):
    """As where a table is clustered or cut between epochs."""
    built = model(dropout=0.0)

    def end_epoch(epoch):
        if epoch != 2:
            return False
        with torch.no_grad():
            built.strategy.pool.weight.zero_()
        return True

    monkeypatch.setattr(built.strategy, "end_epoch", end_epoch)
    found = fit(built, TRAIN, VALIDATION, recipe(epochs=6, patience=5, stop_above=0.01))
    losses = [entry["val_mse"] for entry in found.history]
    assert losses[3] > 1.01 * losses[2]
    assert found.epochs_run > 4


def test_both_limits_of_giving_up_are_given_or_none():
    with pytest.raises(BenchError, match="give_up_epochs: 3 was given with give_up_above None"):
        resolve(RunConfig(give_up_epochs=3))


@pytest.mark.parametrize("without_epochs", [{"split": "stream"}, {"strategy": "bias"}])
def test_what_has_no_epochs_cannot_give_up(without_epochs):
    with pytest.raises(BenchError, match="neither a stream nor an anchor has epochs"):
        resolve(RunConfig(give_up_epochs=3, give_up_above=0.9, **without_epochs))
