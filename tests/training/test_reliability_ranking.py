"""Reliability by tenths of the predictions, and NDCG@10 of users, against plain loops."""

import math

import numpy as np
import pytest

from ue_bench import data
from ue_bench.data.encoding import encode
from ue_bench.training.reliability import reliability
from ue_bench.training.user_ranking import ranking


def test_tenths_of_the_predictions():
    predictions = np.arange(20) / 20
    found = reliability(predictions, predictions + 0.1)
    assert found["ece"] == pytest.approx(0.1)
    assert [cell["n"] for cell in found["deciles"]] == [2] * 10
    assert found["deciles"][3]["predicted"] == pytest.approx((6 + 7) / 40)
    assert reliability(predictions, predictions)["ece"] == 0
    few = reliability(np.array([0.2, 0.1]), np.array([1.0, 0.0]))
    assert few["deciles"] == [
        {"n": 1, "predicted": 0.1, "observed": 0.0},
        {"n": 1, "predicted": 0.2, "observed": 1.0},
    ]
    assert reliability(np.array([]), np.array([])) == {"ece": None, "deciles": []}


def ndcg_of(users, targets, predictions, lowest):
    values = []
    for user in sorted(set(users.tolist())):
        own = np.flatnonzero(users == user)
        if len(set(targets[own].tolist())) < 2:
            continue

        def gain(rows):
            total = 0.0
            for place, row in enumerate(rows[:10], 1):
                total += (targets[row] - lowest) / math.log2(place + 1)
            return total

        by_prediction = sorted(own, key=lambda row: (-predictions[row], row))
        by_target = sorted(own, key=lambda row: -targets[row])
        values.append(gain(by_prediction) / gain(by_target))
    return np.mean(values), len(values)


def test_the_rows_of_a_user_are_ranked():
    world = data.load("planted-small")
    parts = data.split(world, "random", 0)
    target = np.round(world.target).astype(np.float32)  # with ties
    encoded = encode(world, ("user_id", "movie_id"), parts, target)
    in_part = encoded.parts == 2
    random = np.random.default_rng(0)
    predictions = np.round(random.standard_normal(int(in_part.sum())), 1)
    found = ranking(encoded, "test", predictions)
    lowest = float(encoded.ratings.min())
    expected, count = ndcg_of(encoded.user[in_part], encoded.ratings[in_part], predictions, lowest)
    assert found == {"at": 10, "users": count, "ndcg": pytest.approx(expected)}
    best = ranking(encoded, "test", encoded.ratings[in_part].astype(float))
    assert best["ndcg"] == pytest.approx(1)
    assert found["ndcg"] < best["ndcg"]
