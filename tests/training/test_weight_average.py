"""The average of a model's weights: the formula, what is evaluated and served, and who else sees
it."""

import math
from dataclasses import replace

import pytest
import torch
from test_train import TRAIN, VALIDATION, model, recipe
from torch import nn

from ue_bench.training.train import AVERAGES_PER_EPOCH, evaluate, fit
from ue_bench.training.weight_average import WeightAverage

AVERAGED = recipe(average_epochs=1.0, lr=0.05, epochs=3, batch_size=250)  # a step an update


def walk(layer, average, steps, generator):
    """Take random steps and return the weights after each, [steps, numbers]."""
    weights = []
    for _ in range(steps):
        with torch.no_grad():
            layer.weight.add_(torch.randn(layer.weight.shape, generator=generator))
        average.update()
        weights.append(layer.weight.detach().clone().flatten())
    return torch.stack(weights)


def test_the_average_is_that_of_the_formula_and_the_model_gets_its_weights_back():
    layer = nn.Linear(3, 2, bias=False)
    average = WeightAverage(layer, 0.7)
    weights = walk(layer, average, 6, torch.Generator().manual_seed(0))
    shares = torch.tensor([0.3 * 0.7 ** (6 - k) / (1 - 0.7**6) for k in range(1, 7)])
    assert float(shares.sum()) == pytest.approx(1)
    with average.in_place():
        torch.testing.assert_close(layer.weight.flatten(), shares @ weights)
    assert torch.equal(layer.weight.flatten(), weights[-1])
    average.take_place()
    torch.testing.assert_close(layer.weight.flatten(), shares @ weights)
    assert average.n_bytes() == 0


def test_before_the_first_update_and_after_a_restart_the_weights_are_the_models_own():
    layer = nn.Linear(3, 2, bias=False)
    average = WeightAverage(layer, 0.7)
    start = layer.weight.detach().clone()
    with average.in_place():
        assert torch.equal(layer.weight, start)
    weights = walk(layer, average, 3, torch.Generator().manual_seed(0))
    average.restart()
    with average.in_place():
        assert torch.equal(layer.weight.flatten(), weights[-1])


def literal_average(**changes):
    """Train without an average, and average the weights of each step by hand."""
    built = model()
    states = []

    def watch(fitted):
        states.append([weight.detach().clone() for weight in built.parameters()])

    each_step = recipe(lr=0.05, batch_size=250, evals_per_epoch=8, **changes)
    fit(built, TRAIN, VALIDATION, replace(each_step, epochs=3), watch)
    assert len(states) == 3 * AVERAGES_PER_EPOCH
    decay = math.exp(-1 / AVERAGES_PER_EPOCH)
    shares = [decay ** (len(states) - k) for k in range(1, len(states) + 1)]
    averages = []
    for weights in zip(*states, strict=True):
        products = [share * weight for share, weight in zip(shares, weights, strict=True)]
        averages.append(sum(products) / sum(shares))
    return averages


@pytest.mark.parametrize("sparse", [False, True])
def test_the_served_weights_are_the_average_and_training_does_not_see_it(sparse):
    """A table with sparse gradients is brought up to date before each update."""
    built = model(sparse=sparse)
    found = fit(built, TRAIN, VALIDATION, AVERAGED)
    for weight, expected in zip(built.parameters(), literal_average(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-3, atol=2e-4)
    assert evaluate(built, VALIDATION)["mse"] == found.history[-1]["val_mse"]


def test_the_best_average_is_kept_by_early_stopping():
    built = model(dropout=0.0)
    found = fit(built, TRAIN, VALIDATION, replace(AVERAGED, epochs=60, patience=3))
    best = min(entry["val_mse"] for entry in found.history)
    assert found.epochs_run < 60
    assert evaluate(built, VALIDATION)["mse"] == best < found.history[-1]["val_mse"]


def test_evaluations_see_the_average_and_its_bytes_are_counted():
    built = model()
    seen = []
    averaged = fit(
        built, TRAIN, VALIDATION, AVERAGED, lambda fit: seen.append(evaluate(built, VALIDATION))
    )
    assert [errors["mse"] for errors in seen] == [entry["val_mse"] for entry in averaged.history]
    plain = fit(model(), TRAIN, VALIDATION, replace(AVERAGED, average_epochs=0.0))
    n_bytes = sum(weight.nbytes for weight in built.parameters())
    assert averaged.optimizer_bytes == plain.optimizer_bytes + n_bytes
    assert [e["train_mse"] for e in averaged.history] == [e["train_mse"] for e in plain.history]


def test_an_average_starts_anew_where_an_epoch_changes_the_meaning_of_the_weights(monkeypatch):
    """A weight from before such an end of an epoch has no share in what is served."""
    built = model(dropout=0.0)

    def end_epoch(epoch):
        if epoch != 0:
            return False
        with torch.no_grad():
            built.strategy.pool.weight.fill_(1e6)
        return True

    monkeypatch.setattr(built.strategy, "end_epoch", end_epoch)
    fit(built, TRAIN, VALIDATION, replace(AVERAGED, epochs=2))
    assert built.strategy.pool.weight.min() > 0.9e6
