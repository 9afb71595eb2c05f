"""The binary task: labels from ratings, logistic loss, AUC and log loss.

They are compared with formulas and with scikit-learn.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.data import label, load
from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.record import schema
from ue_bench.strategies import Spec, build
from ue_bench.training import scores
from ue_bench.training.loss import LOSSES
from ue_bench.training.model import RatingModel
from ue_bench.training.run_once import run_once
from ue_bench.training.train import Recipe, Rows, evaluate, fit, outputs, predict

LOGISTIC = LOSSES["binary"]
LIKED = RunConfig(
    task="binary",
    negative_at_most=2,
    positive_at_least=4,
    measure="quality",
    budget=28_032,
    epochs=6,
)


# ---- formulas


def test_auc_counts_pairs_and_ties_half():
    labels = np.array([0, 1, 0, 1])
    assert scores.auc(np.array([0.1, 0.9, 0.2, 0.8]), labels) == 1
    assert scores.auc(np.array([0.9, 0.1, 0.8, 0.2]), labels) == 0
    assert scores.auc(np.array([0.5, 0.5, 0.5, 0.5]), labels) == 0.5
    assert scores.auc(np.array([1.0, 1.0, 2.0, 3.0]), labels) == (0.5 + 0 + 1 + 1) / 4
    assert scores.auc(np.array([1.0, 2.0]), np.array([1, 1])) is None
    assert scores.auc(np.array([]), np.array([])) is None


@pytest.mark.parametrize("digits", [1, 2, 8])
def test_auc_and_log_loss_are_those_of_scikit_learn(digits):
    random = np.random.default_rng(digits)
    logits = random.standard_normal(3000).round(digits)  # with few digits most pairs are ties
    labels = (random.random(3000) < 1 / (1 + np.exp(-logits))).astype(float)
    assert scores.auc(logits, labels) == pytest.approx(roc_auc_score(labels, logits), abs=1e-12)
    assert scores.log_loss(logits, labels) == pytest.approx(
        sklearn_log_loss(labels, 1 / (1 + np.exp(-logits))), rel=1e-12
    )


def test_log_loss_by_hand_and_never_infinite():
    logits = np.array([math.log(3), math.log(3), -math.log(4)])  # probabilities 3/4, 3/4 and 1/5
    assert scores.log_loss(logits, np.array([1, 0, 0])) == pytest.approx(
        (math.log(4 / 3) + math.log(4) + math.log(5 / 4)) / 3
    )
    assert scores.log_loss(np.array([1000.0, -1000.0], np.float32), np.array([0, 1])) == 1000
    assert scores.log_loss(np.array([]), np.array([])) is None


def test_the_loss_of_the_trainer_is_the_same_in_training_and_evaluation():
    said, labels = torch.tensor([2.0, -1.0, 0.5, -40.0]), torch.tensor([1.0, 0.0, 0.0, 1.0])
    loss, means = LOGISTIC.batch(said, labels)
    brier, log_loss = LOGISTIC.evaluate(said, labels)
    assert float(loss) == pytest.approx(scores.log_loss(said.numpy(), labels.numpy()), rel=1e-6)
    assert log_loss == pytest.approx(scores.log_loss(said.numpy(), labels.numpy()), rel=1e-12)
    assert means.tolist() == pytest.approx([brier, log_loss], rel=1e-6)
    assert brier == pytest.approx(
        float(((1 / (1 + torch.exp(-said))) - labels).square().mean()), rel=1e-6
    )
    assert LOGISTIC.judge(said, labels)["auc"] == 0.5


# ---- labels


RATINGS = np.array([1, 2, 3, 4, 5, 1, 5, 3], np.float32)
PARTS = np.array([0, 0, 0, 0, 0, 1, 2, 2], np.uint8)


@pytest.mark.parametrize(
    ("low", "high", "labels", "parts"),
    [
        (2, 4, [0, 0, 0, 1, 1, 0, 1, 0], [0, 0, 3, 0, 0, 1, 2, 3]),
        (3, None, [0, 0, 0, 1, 1, 0, 1, 0], PARTS.tolist()),
        (None, 3, [0, 0, 1, 1, 1, 0, 1, 1], PARTS.tolist()),
    ],
)
def test_what_is_labelled_how(low, high, labels, parts):
    labelled, left = label(RATINGS, PARTS, low, high)
    assert left.tolist() == parts
    assert labelled.dtype == np.float32
    used = left != 3
    assert np.array_equal(labelled[used], np.array(labels)[used])
    assert PARTS.tolist() == [0, 0, 0, 0, 0, 1, 2, 2]


def test_labels_as_they_are():
    target = np.array([0, 1, 1, 0], np.float32)
    assert label(target, np.array([0, 0, 1, 2], np.uint8), None, None)[0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("target", "bounds", "message"),
    [
        (
            RATINGS,
            (None, None),
            "holds 1, 2, 3, 4, 5, not 0 and 1 alone; "
            "say which .* negative_at_most .* positive_at_least",
        ),
        (np.arange(8.0), (None, None), "holds 0, 1, 2, 3, 4, 5 and 2 more values, not 0 and 1"),
        (
            RATINGS,
            (0, None),
            "negative_at_most 0: only label 1 is left in training, "
            "where both are needed; .* from 1 to 5",
        ),
        (RATINGS, (None, 7), "positive_at_least 7: only label 0 is left"),
        (
            RATINGS,
            (-1, 9),
            "negative_at_most -1 and positive_at_least 9: no row is left in training",
        ),
        (np.ones(8), (None, None), "task 'binary': only label 1 is left in training"),
        (np.array([1, 5, 1, 5, 1, 3, 3, 3]), (2, 4), "no row is left for validation"),
    ],
)
def test_labels_that_cannot_be(target, bounds, message):
    with pytest.raises(BenchError, match=message) as error:
        label(target, PARTS, *bounds)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"task": "ranking"}, "unknown task 'ranking'"),
        ({"negative_at_most": 2}, "negative_at_most: 2 was given with task 'regression'"),
        ({"positive_at_least": 4.5}, "positive_at_least: 4.5 was given with task 'regression'"),
        (
            {"task": "binary", "negative_at_most": 4, "positive_at_least": 4},
            "4 must be below positive_at_least 4",
        ),
        ({"task": "binary", "positive_at_least": math.inf}, "must be a finite number"),
        ({"task": "binary", "positive_at_least": "4"}, "must be float or null"),
    ],
)
def test_a_configuration_that_cannot_be(asked, message):
    with pytest.raises(BenchError, match=message):
        RunConfig.from_dict(asked)


def test_equal_bounds_are_one_request():
    ids = {RunConfig(task="binary", positive_at_least=bound).run_id for bound in (4, 4.0)}
    assert len(ids) == 1
    assert (
        RunConfig(task="binary", positive_at_least=4).run_id
        != RunConfig(task="binary", negative_at_most=4).run_id
    )


# ---- training

FEATURES = (
    Feature("a", [str(i) for i in range(40)], 40),
    Feature("b", [str(i) for i in range(30)], 30),
)


def rows(n, seed):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack(
        [
            torch.randint(40, (n,), generator=generator),
            torch.randint(30, (n,), generator=generator),
        ],
        dim=1,
    )
    chance = torch.sigmoid(
        2 * torch.sin(codes[:, 0].float()) + 2 * torch.cos(codes[:, 1].float()) - 0.5
    )
    return Rows(codes, (torch.rand(n, generator=generator) < chance).float())


TRAIN = rows(4000, 1)
VALIDATION = rows(1000, 2)


def model(sparse=False, head="mlp", dropout=0.1):
    torch.manual_seed(0)
    strategy = build(
        Spec(
            name="collisionless",
            features=FEATURES,
            lookups=(1, 1),
            dim=8,
            regions="exact",
            sparse=sparse,
        )
    )
    return RatingModel(
        strategy=strategy,
        head=head,
        hidden=16,
        dropout=dropout,
        rating_bias=float(TRAIN.ratings.mean()),
        loss=LOGISTIC,
    )


RECIPE = Recipe(
    optimizer="adam",
    lr=1e-2,
    weight_decay=0.0,
    batch_size=64,
    epochs=5,
    patience=3,
    evals_per_epoch=1,
    stop_above=None,
    average_epochs=0.0,
    seed=0,
)


def test_at_the_start_the_loss_is_the_entropy_of_the_base_rate():
    built, rate = model(), float(TRAIN.ratings.mean())
    with torch.no_grad():
        built.head.out.weight.zero_()
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    start = evaluate(built, TRAIN)
    assert start["log_loss"] == pytest.approx(entropy, rel=1e-6)
    assert start["mse"] == pytest.approx(rate * (1 - rate), rel=1e-6)
    assert predict(built, TRAIN).unique().tolist() == pytest.approx([rate])
    assert evaluate(model(), TRAIN)["log_loss"] == pytest.approx(
        entropy, rel=0.01
    )  # with its own small weights


@pytest.mark.parametrize("head", ["mlp", "dcn", "dot", "linear"])
def test_every_head_learns_labels(head):
    built = model(head=head)
    before = evaluate(built, VALIDATION)
    found = fit(built, TRAIN, VALIDATION, RECIPE)
    after = evaluate(built, VALIDATION)
    assert after["log_loss"] < 0.9 * before["log_loss"]
    assert after["mse"] < 0.9 * before["mse"]
    assert scores.auc(outputs(built, VALIDATION).numpy(), VALIDATION.ratings.numpy()) > 0.75
    assert set(found.history[0]) == {
        "epoch",
        "train_mse",
        "val_mse",
        "train_log_loss",
        "val_log_loss",
    }
    assert (
        0 <= float(predict(built, VALIDATION).min()) <= float(predict(built, VALIDATION).max()) <= 1
    )


def test_the_log_loss_decides_when_to_stop():
    """The Brier score is best in another epoch: an overconfident model loses in log loss first."""
    built = model(dropout=0.0)
    found = fit(
        built,
        Rows(TRAIN.codes[:600], TRAIN.ratings[:600]),
        VALIDATION,
        replace(RECIPE, epochs=60, lr=0.02),
    )
    best = min(found.history, key=lambda entry: entry["val_log_loss"])
    assert found.best_epoch == best["epoch"]
    assert found.epochs_run == best["epoch"] + 3 < 60
    assert evaluate(built, VALIDATION)["log_loss"] == best["val_log_loss"]


def test_sparse_and_dense_paths_agree_and_a_seed_gives_the_same_digits():
    dense, again = (fit(model(), TRAIN, VALIDATION, RECIPE).history for _ in range(2))
    assert dense == again
    sparse = fit(model(sparse=True), TRAIN, VALIDATION, RECIPE).history
    assert [entry["val_log_loss"] for entry in sparse] == pytest.approx(
        [entry["val_log_loss"] for entry in dense], rel=1e-3
    )


# ---- a whole run


@pytest.fixture(scope="module")
def record():
    return run_once(replace(LIKED, strategy="collisionless", budget=None))


def test_a_run_on_likes_beats_the_trivial_predictors(record):
    quality = record.quality
    assert quality["test_auc"] > max(
        quality["anchors"][name]["test_auc"] for name in ("mean", "item_mean")
    )
    assert quality["test_log_loss"] < min(
        quality["anchors"][name]["test_log_loss"] for name in ("mean", "item_mean", "bias")
    )
    assert quality["test_mse"] < quality["anchors"]["item_mean"]["test_mse"]
    assert quality["beats_bias"] == (quality["test_mse"] < quality["anchors"]["bias"]["test_mse"])
    assert min(entry["val_log_loss"] for entry in quality["history"]) == pytest.approx(
        quality["val_log_loss"], rel=1e-12
    )
    assert schema.fault(quality, schema.Quality) is None


def test_what_lies_between_is_nowhere_counted(record):
    ratings = load("ml-100k").ratings
    assert sum(record.found["n_rows"].values()) == (ratings["rating"] != 3).sum() < len(ratings)
    assert (
        record.found["cardinalities"]["movie_id"]
        == ratings.filter(ratings["rating"] != 3)["movie_id"].n_unique()
    )
    slices = record.quality["slices"]
    assert slices["warm_user"]["n"] + slices["cold_user"]["n"] == record.found["n_rows"]["test"]


def test_the_same_run_gives_the_same_quality():
    short = replace(LIKED, epochs=1)
    assert run_once(short).quality == run_once(short).quality


def test_the_command_tells_auc_and_log_loss(tmp_path):
    line = "run --task binary --negative-at-most 2 --positive-at-least 4"
    line += f" --epochs 1 --measure quality --budget 28kB --results {tmp_path}"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.output
    assert "validation log loss" in done.output
    assert "test AUC 0." in done.output
    assert "Brier" in done.output
    done = CliRunner().invoke(main, ["run", "--task", "binary", "--results", str(tmp_path)])
    assert (done.exit_code, "not 0 and 1 alone" in done.output) == (2, True)
