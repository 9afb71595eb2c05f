"""The trainer: errors pooled over rows, best weights restored, the same digits twice, sparse and
dense alike."""

from dataclasses import replace

import pytest
import torch

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.model import HEADS, Dropout, RatingModel
from ue_bench.training.train import Recipe, Rows, evaluate, fit, predict

FEATURES = (
    Feature("a", [str(i) for i in range(40)], 40),
    Feature("b", [str(i) for i in range(30)], 30),
)


def rows(n, seed):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(40, (n,), generator=generator)
    second = torch.randint(30, (n,), generator=generator)
    effect = torch.sin(first.float()) + torch.cos(second.float())
    noise = 0.3 * torch.randn(n, generator=generator)
    return Rows(torch.stack([first, second], dim=1), 3 + effect + noise)


TRAIN = rows(2000, 1)
VALIDATION = rows(333, 2)


def model(sparse=False, head="mlp", dropout=0.1, head_init="default"):
    torch.manual_seed(0)
    spec = Spec(
        name="collisionless",
        features=FEATURES,
        lookups=(1, 1),
        dim=8,
        regions="exact",
        sparse=sparse,
    )
    return RatingModel(
        strategy=build(spec),
        head=head,
        hidden=16,
        dropout=dropout,
        rating_bias=float(TRAIN.ratings.mean()),
        head_init=head_init,
    )


def recipe(**changes):
    usual = Recipe(
        optimizer="adam",
        lr=5e-3,
        weight_decay=0.0,
        batch_size=64,
        epochs=8,
        patience=None,
        evals_per_epoch=1,
        stop_above=None,
        average_epochs=0.0,
        seed=0,
    )
    return replace(usual, **changes)


@pytest.mark.parametrize("head", ["mlp", "dcn", "dot", "linear"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sparse_adam", "adagrad"])
def test_every_optimizer_and_head_learns(optimizer, head):
    built = model(sparse=optimizer in ("sparse_adam", "adagrad"), head=head)
    before = evaluate(built, VALIDATION)["mse"]
    changed = recipe(optimizer=optimizer)
    if optimizer == "adagrad":
        changed = replace(changed, lr=0.05)
    found = fit(built, TRAIN, VALIDATION, changed)
    assert found.history[-1]["val_mse"] < 0.6 * before
    assert found.steps == 8 * 32
    assert found.optimizer_bytes > 0


def test_validation_mse_is_pooled_over_rows():
    built = model()
    errors = predict(built, VALIDATION) - VALIDATION.ratings
    mse = float(errors.square().mean())
    assert evaluate(built, VALIDATION)["mse"] == pytest.approx(mse, rel=1e-6)
    assert built.training


def test_train_mse_weighs_the_last_small_batch_by_its_rows():
    built = model(dropout=0.0)
    start = evaluate(built, TRAIN)["mse"]
    batches_of_1999_and_1 = recipe(lr=1e-12, batch_size=1999, epochs=1)
    found = fit(built, TRAIN, VALIDATION, batches_of_1999_and_1)
    assert found.history[0]["train_mse"] == pytest.approx(start, rel=1e-5)


def test_same_seed_same_digits_and_another_seed_others():
    first = fit(model(), TRAIN, VALIDATION, recipe()).history
    assert fit(model(), TRAIN, VALIDATION, recipe()).history == first
    assert fit(model(), TRAIN, VALIDATION, recipe(seed=1)).history != first


def test_early_stopping_leaves_the_best_weights():
    built = model(dropout=0.0)
    found = fit(built, TRAIN, VALIDATION, recipe(lr=0.05, epochs=60, patience=3))
    best = min(found.history, key=lambda entry: entry["val_mse"])
    assert found.best_epoch == best["epoch"]
    assert found.epochs_run == best["epoch"] + 3 < 60
    assert evaluate(built, VALIDATION)["mse"] == best["val_mse"]


def test_without_early_stopping_the_last_weights_stay():
    built = model(dropout=0.0)
    found = fit(built, TRAIN, VALIDATION, recipe(lr=0.05, epochs=20))
    last = found.history[-1]["val_mse"]
    assert evaluate(built, VALIDATION)["mse"] == last
    assert last > min(entry["val_mse"] for entry in found.history)


def test_evaluations_within_an_epoch():
    found = fit(model(), TRAIN, VALIDATION, recipe(epochs=2, evals_per_epoch=4))
    epochs = [entry["epoch"] for entry in found.history]
    assert epochs == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def test_a_full_batch_is_one_step_an_epoch():
    assert fit(model(), TRAIN, VALIDATION, recipe(batch_size=None, epochs=5)).steps == 5


def test_sparse_and_dense_adam_touch_the_same_rows_alike():
    """One step from the same start moves the rows of the batch as Adam does, and no others."""
    dense = model()
    sparse = model(sparse=True)
    few = Rows(TRAIN.codes[:32], TRAIN.ratings[:32])
    fit(dense, few, VALIDATION, recipe(batch_size=None, epochs=1))
    fit(sparse, few, VALIDATION, recipe(batch_size=None, epochs=1, optimizer="sparse_adam"))
    start = model().strategy.pool.weight
    dense_end = dense.strategy.pool.weight
    sparse_end = sparse.strategy.pool.weight
    moved = (dense_end != start).any(dim=1)
    assert torch.equal((sparse_end != start).any(dim=1), moved)
    slots = dense.strategy.slots(few.codes)
    assert set(moved.nonzero().flatten().tolist()) == set(slots.flatten().tolist())
    # Where a gradient is nearly 0 their epsilon acts differently.
    assert (dense_end - sparse_end).abs().median() < 1e-6


def test_what_cannot_be_trained_is_an_error():
    decayed = recipe(optimizer="sparse_adam", weight_decay=0.1)
    with pytest.raises(BenchError, match="weight decay"):
        fit(model(sparse=True), TRAIN, VALIDATION, decayed)
    with pytest.raises(BenchError, match="diverged"):
        fit(model(), TRAIN, VALIDATION, recipe(lr=1e30))


@pytest.mark.parametrize("head", ["mlp", "dcn", "dot", "linear"])
def test_the_hidden_layer_starts_with_its_kinks_at_zero(head):
    """The layer of He et al. bends at 0 whatever the size of the vectors; other parts stay."""
    he = model(head=head, head_init="he")
    default = model(head=head)
    changed = set()
    for name, weight in default.state_dict().items():
        if not torch.equal(weight, he.state_dict()[name]):
            changed.add(name.rsplit("hidden.")[-1])
    if head in ("dot", "linear"):
        assert not changed
        return
    assert changed == {"weight", "bias"}
    mlp = getattr(he.head, "mlp", he.head)
    assert not mlp.hidden.bias.any()
    bound = (6 / mlp.hidden.in_features) ** 0.5
    assert 0.9 * bound < float(mlp.hidden.weight.detach().abs().max()) <= bound
    x = torch.randn(50, mlp.hidden.in_features)
    centred = mlp.out.bias
    torch.testing.assert_close(mlp.eval()(1e-3 * x) - centred, 1e-3 * (mlp(x) - centred))


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    dropout = Dropout(p)
    x = torch.ones(500, 401, requires_grad=True)
    out = dropout(x)
    assert float((out == 0).float().mean()) == pytest.approx(p, abs=0.005)
    assert float(out.detach().mean()) == pytest.approx(1, abs=0.02)
    assert len(out.unique()) <= 2
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())
    assert torch.equal(dropout.eval()(x), x)


def test_the_strategy_hears_of_each_epoch_and_may_ask_for_a_new_optimizer():
    built = model()
    epochs = []

    def end_epoch(epoch):
        epochs.append(epoch)
        return True

    built.strategy.end_epoch = end_epoch
    fit(built, TRAIN, VALIDATION, recipe(epochs=3))
    assert epochs == [0, 1, 2]


def test_the_dot_head_sums_the_products_of_all_pairs():
    torch.manual_seed(0)
    head = HEADS["dot"]((2, 3, 1), hidden=5, dropout=0.0)
    x = torch.randn(4, 6)
    parts = zip(head.projections, x.split([2, 3, 1], 1), strict=True)
    first, second, third = (project(part) for project, part in parts)
    pairs = (first * second + first * third + second * third).sum(1)
    torch.testing.assert_close(head(x), head.out(x).squeeze(1) + pairs)


def test_more_evaluations_than_steps_are_one_after_each_step():
    found = fit(model(), TRAIN, VALIDATION, recipe(epochs=1, evals_per_epoch=10**9))
    assert len(found.history) == found.steps
