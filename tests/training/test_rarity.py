"""Scores by the rarity of a row's values, against a loop over rows."""

from dataclasses import replace

import numpy as np
import pytest

from ue_bench.config import RunConfig
from ue_bench.data.encoding import Encoded
from ue_bench.features import Bags, Feature
from ue_bench.training.rarity import Rarity, by_rarity, rarity_of
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import encoded_of
from ue_bench.training.run_once import run_once
from ue_bench.training.split_parts import PARTS

SHORT = RunConfig(
    strategy="collisionless",
    split="global_temporal",
    measure="quality",
    epochs=1,
    batch_size=4096,
)


def counted(chosen):
    return {"n": int(chosen.sum())}


def test_the_rarest_value_of_a_row_decides_and_bags_are_as_rare_as_their_rarest_value():
    single = Feature("a", ["x", "y", "new"], 2, (5, 2))
    bagged = Feature("b", ["u", "v", "w"], 2, (9, 1), bags=Bags.of([[0], [0, 1], [2, 0]]))
    codes = np.array([[0, 0], [1, 1], [2, 0], [2, 2], [0, 0]], np.int32)
    nothing = np.zeros(5, np.int32)
    parts = np.array([PARTS["test"]] * 4 + [PARTS["train"]], np.uint8)
    encoded = Encoded(
        features=(single, bagged),
        codes=codes,
        ratings=np.ones(5, np.float32),
        parts=parts,
        parts_in_file=parts,
        user=nothing,
        item=nothing,
        entities=(single, bagged),
        user_names=None,
    )
    found = rarity_of(encoded, "test")
    assert found.unseen.tolist() == [0, 0, 1, 2]
    assert found.least.tolist() == [5, 1, 0, 0]


def test_deciles_hold_a_tenth_each_and_rows_that_are_as_rare_stay_together():
    least = np.random.default_rng(0).permutation(100)
    deciles = by_rarity(Rarity(np.zeros(100, int), least), counted)["deciles"]
    assert [(d["first"], d["last"], d["n"]) for d in deciles] == [(k, k, 10) for k in range(1, 11)]
    assert [(d["least"], d["most"]) for d in deciles] == [(k, k + 9) for k in range(0, 100, 10)]
    least = np.array([0] * 39 + [1] * 2 + list(range(2, 61)))
    found = by_rarity(Rarity(np.zeros(100, int), least), counted)["deciles"]
    assert [(d["first"], d["last"], d["n"]) for d in found[:3]] == [
        (1, 3, 39),
        (4, 4, 2),
        (5, 5, 9),
    ]
    assert sum(d["n"] for d in found) == 100


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_few_rows_are_all_in_some_group(n_rows):
    found = by_rarity(Rarity(np.arange(n_rows), np.arange(n_rows)), counted)
    assert sum(d["n"] for d in found["deciles"]) == n_rows
    assert [found["unseen"][name]["n"] for name in ("0", "1", "2+")] == [
        min(1, n_rows),
        int(n_rows > 1),
        max(0, n_rows - 2),
    ]


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_the_slices_of_a_record_add_up_to_its_scores(task):
    config = SHORT
    if task == "binary":
        config = replace(SHORT, task="binary", positive_at_least=4)
    quality = run_once(config).quality
    rarity = quality["rarity"]
    _, encoded = encoded_of(resolve(config))
    expected = rarity_of(encoded, "test")
    measures = ["mse", "mae"] if task == "regression" else ["mse", "log_loss"]
    for slices in (list(rarity["unseen"].values()), rarity["deciles"]):
        assert sum(part["n"] for part in slices) == len(expected.least)
        for measure in measures:
            total = sum(part["n"] * part[measure] for part in slices if part["n"])
            whole = quality[f"test_{measure}"]
            assert total / len(expected.least) == pytest.approx(whole)
    assert rarity["of"] == "test"
    assert rarity["unseen"]["0"]["n"] == int((expected.unseen == 0).sum())
    assert rarity["unseen"]["2+"]["n"] > 0
    if task == "binary":
        assert 0 < rarity["unseen"]["0"]["auc"] < 1
