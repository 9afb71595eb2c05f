"""Trivial predictors and matrix factorisation, against plain transcriptions of their formulas."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score
from table_files import movielens_as_table, table

from ue_bench.data import encode, label, load, split
from ue_bench.data.splitting import SPLITS
from ue_bench.training import matrix_factorisation
from ue_bench.training.baselines import trivial_anchors
from ue_bench.training.matrix_factorisation import fit_vectors

DAMPING = 5


def damped_mean(ratings: pd.Series) -> float:
    return ratings.sum() / (len(ratings) + DAMPING)


# ---- the predictors


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_anchors_are_what_they_say(hundred, name):
    parts = split(hundred, name, 1)
    parts[hundred.ratings["movie_id"].to_numpy() == 9] |= 1  # a movie that training has not seen
    scores = trivial_anchors(encode(hundred, ("gender",), parts))

    rows = pd.DataFrame(hundred.ratings.to_dict()).astype({"rating": float}).assign(part=parts)
    train = rows[rows.part == 0]
    mean = train.rating.mean()
    item_bias = (train.rating - mean).groupby(train.movie_id).apply(damped_mean)
    rest = train.rating - mean - train.movie_id.map(item_bias)
    user_bias = rest.groupby(train.user_id).apply(damped_mean)
    item_mean = train.groupby("movie_id").rating.mean()
    rows["mean"] = mean
    rows["item_mean"] = rows.movie_id.map(item_mean).fillna(mean)
    of_item = rows.movie_id.map(item_bias).fillna(0)
    rows["bias"] = mean + of_item + rows.user_id.map(user_bias).fillna(0)

    assert set(scores) == {"mean", "item_mean", "bias", "mf"}
    for anchor in ("mean", "item_mean", "bias"):
        for part, key in enumerate(("train_mse", "val_mse", "test_mse")):
            of_part = rows[rows.part == part]
            if len(of_part):
                expected = ((of_part[anchor] - of_part.rating) ** 2).mean()
                assert scores[anchor][key] == pytest.approx(expected)
            else:
                assert scores[anchor][key] is None
    assert (scores["mean"]["test_mse"] is None) == (name == "article")


@pytest.mark.parametrize("times", [0.01, 40.0])
def test_the_scale_of_a_target_that_is_no_rating_does_not_matter(times):
    """In minutes or in hours, the predictors are the same.

    The scale of ratings is known, and the penalty was chosen on it.
    """
    world = load("planted-low-rank")
    encoded = encode(world, ("user_id", "movie_id"), split(world, "random", 0))
    scaled = replace(encoded, ratings=(encoded.ratings * np.float32(times)))
    scores = trivial_anchors(encoded, stars=False)
    of_scaled = trivial_anchors(scaled, stars=False)
    for name, by_part in scores.items():
        for part in ("train_mse", "val_mse", "test_mse"):
            assert of_scaled[name][part] == pytest.approx(by_part[part] * times**2, rel=1e-4)
    mse = scores["mf"]["test_mse"]
    assert mse < 0.9 * scores["bias"]["test_mse"]
    assert trivial_anchors(scaled)["mf"]["test_mse"] != pytest.approx(mse * times**2, rel=0.05)


def test_a_constant_target_leaves_nothing_to_explain(hundred):
    encoded = encode(hundred, ("gender",), split(hundred, "random", 1))
    flat = replace(encoded, ratings=np.full_like(encoded.ratings, 3.0))
    assert trivial_anchors(flat, stars=False)["mf"]["test_mse"] == 0


def test_the_trivial_predictors_are_scored_as_probabilities():
    dataset = load("planted-additive")
    target, parts = label(dataset.ratings["rating"].to_numpy(), split(dataset, "random", 0), 3, 4)
    encoded = encode(dataset, ("user_id", "movie_id"), parts, target)
    binary = trivial_anchors(encoded, binary=True)
    for name, scores in trivial_anchors(encoded).items():
        assert {key: binary[name][key] for key in scores} == scores  # the MSE, to the last digit

    labels = encoded.ratings.astype(float)
    train = encoded.parts == 0
    test = encoded.parts == 2
    rate = labels[train].mean()
    assert binary["mean"]["test_auc"] == 0.5  # one prediction for all rows: nothing but ties
    assert binary["mean"]["test_log_loss"] == pytest.approx(
        sklearn_log_loss(labels[test], np.full(test.sum(), rate)), rel=1e-9
    )
    item_means = [
        labels[train & (encoded.item == item)].mean() for item in range(encoded.item.max() + 1)
    ]
    predicted = np.array(item_means)[encoded.item][test]
    assert binary["item_mean"]["test_auc"] == pytest.approx(
        roc_auc_score(labels[test], predicted.round(12)), abs=1e-9
    )
    assert binary["item_mean"]["test_log_loss"] == pytest.approx(
        sklearn_log_loss(labels[test], predicted.clip(0.001, 0.999)), rel=1e-9
    )


# ---- ML-100K and tables


def test_anchors_of_ml_100k(movielens_100k):
    def scores_of(name: str):
        return trivial_anchors(encode(movielens_100k, ("user_id",), split(movielens_100k, name, 0)))

    scores = scores_of("random")
    assert scores["mean"]["test_mse"] == pytest.approx(1.27, abs=0.03)
    assert scores["bias"]["test_mse"] == pytest.approx(0.89, abs=0.02)
    # what public runs of alternating least squares reach on such a split
    assert scores["mf"]["test_mse"] < 0.863
    assert scores_of("article")["mean"]["val_mse"] == pytest.approx(1.286, abs=0.001)
    assert scores_of("user_temporal")["mean"]["test_mse"] == pytest.approx(1.527, abs=0.001)


def test_the_penalty_of_the_factors_was_chosen_on_this_spread(movielens_100k):
    """What the bias model leaves of the training ratings, on the two splits it was chosen on."""
    for seed in (0, 1):
        parts = split(movielens_100k, "random", seed)
        scores = trivial_anchors(encode(movielens_100k, ("user_id",), parts))
        assert scores["bias"]["train_mse"] ** 0.5 == pytest.approx(
            matrix_factorisation.SPREAD, abs=0.002
        )


def test_a_single_feature_that_is_user_and_item_has_a_bias_model(tmp_path):
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, {"x": rng.integers(0, 5, 200), "y": rng.normal(size=200)})
    encoded = encode(dataset, ("x",), split(dataset, "random", 0))
    assert trivial_anchors(encoded)["bias"]["val_mse"] > 0


def test_ml_100k_as_a_table_has_the_same_anchors(tmp_path, movielens_100k):
    names = ("user_id", "movie_id")
    as_table = movielens_as_table(tmp_path, movielens_100k, names)
    for name in ("random", "user_temporal", "global_temporal"):
        parts = split(movielens_100k, name, 3)
        scores = trivial_anchors(encode(movielens_100k, names, parts))
        assert trivial_anchors(encode(as_table, names, parts)) == scores


# ---- matrix factorisation


def fitted_products(user, item, residuals, train, **asked):
    """The prediction of each row by vectors that are fitted to the training rows."""
    return fit_vectors(user, item, residuals, train, **asked).products(user, item)


def test_factors_find_planted_ones_and_say_nothing_of_the_unseen():
    rng = np.random.default_rng(3)
    p = rng.normal(size=(60, 2))
    q = rng.normal(size=(40, 2))
    grid = np.meshgrid(np.arange(60), np.arange(40), indexing="ij")
    user, item = (axis.ravel() for axis in grid)
    planted = (p[user] * q[item]).sum(axis=1)
    train = (rng.random(len(user)) < 0.5) & (user != 7)
    fitted = fitted_products(user, item, planted, train, rank=2, penalty=1e-3, sweeps=30)
    tested = ~train & (user != 7)
    error = np.square(fitted - planted)[tested].mean()
    assert error < 0.01 * np.square(planted[tested]).mean()
    assert not fitted[user == 7].any()


def test_a_sweep_of_factors_is_the_ridge_regression_of_each_side():
    rng = np.random.default_rng(4)
    user = rng.integers(0, 9, 80)
    item = rng.integers(0, 7, 80)
    residuals = rng.normal(size=80)
    n_items = int(item.max()) + 1
    q = np.random.default_rng(0).normal(0.0, 0.1, (n_items, 3))
    q[~np.isin(np.arange(n_items), item)] = 0.0

    def ridge(own, other, fixed):
        """One regression a group: rows stacked under sqrt(penalty) times the identity."""
        solutions = np.zeros((int(own.max()) + 1, 3))
        for group in np.unique(own):
            x = np.vstack([fixed[other[own == group]], np.sqrt(2.0) * np.eye(3)])
            y = np.concatenate([residuals[own == group], np.zeros(3)])
            solutions[group] = np.linalg.lstsq(x, y, rcond=None)[0]
        return solutions

    p = ridge(user, item, q)
    q = ridge(item, user, p)
    train = np.ones(80, dtype=bool)
    fitted = fitted_products(user, item, residuals, train, rank=3, penalty=2.0, sweeps=1)
    assert np.allclose(fitted, (p[user] * q[item]).sum(axis=1))


def test_factors_solved_together_are_those_solved_one_by_one(monkeypatch):
    """Users of one to several hundred rows, in batches of any size, have the same numbers."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(60), rng.integers(1, 300, 60)).astype(np.int32)
    item = rng.integers(0, 400, len(user)).astype(np.int32)
    residuals = rng.normal(size=len(user))
    train = rng.random(len(user)) < 0.8
    together = fitted_products(user, item, residuals, train)
    monkeypatch.setattr(matrix_factorisation, "BATCH_ROWS", 1)
    one_by_one = fitted_products(user, item, residuals, train)
    assert np.allclose(one_by_one, together, rtol=0, atol=1e-12)
    order = rng.permutation(len(user))
    shuffled = fitted_products(user[order], item[order], residuals[order], train[order])
    assert np.allclose(shuffled, together[order], rtol=0, atol=1e-8)
