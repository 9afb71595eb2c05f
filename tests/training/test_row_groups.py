"""The groups of scored rows: the same users in every run, and their errors those of the model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from table_files import table

from ue_bench.config import RunConfig
from ue_bench.data import Definition, define, encode, load, split
from ue_bench.record.group_errors import anchor_errors, group_errors
from ue_bench.training.row_groups import row_groups, scored_part, sums
from ue_bench.training.run_once import run_once
from ue_bench.training.train import Rows, predict

WORLD = RunConfig(
    dataset="planted-additive",
    features="user_id,movie_id",
    epochs=1,
    budget=4_000,
    measure="quality",
)


def groups_of(dataset, name="random", seed=0, features=("user_id",)):
    encoded = encode(dataset, features, split(dataset, name, seed))
    return row_groups(encoded, scored_part(encoded))


def test_errors_by_user_are_those_of_the_model():
    kept = {}

    def keep(model, dataset):
        encoded = encode(dataset, ("user_id", "movie_id"), split(dataset, "random", 0))
        test = encoded.parts == 2
        codes = np.ascontiguousarray(encoded.codes[test])
        rows = Rows(torch.from_numpy(codes), torch.from_numpy(encoded.ratings[test]))
        kept["errors"] = (predict(model, rows) - rows.ratings).double().numpy() ** 2
        kept["users"] = dataset.column("user_id").to_numpy()[test]

    record = run_once(WORLD, on_trained=keep)
    expected = pd.Series(kept["errors"]).groupby(kept["users"]).agg(["size", "sum"])
    found = group_errors(record, "test")
    of_users = found.n > 0
    assert of_users.sum() == len(expected)
    assert found.n[of_users].tolist() == expected["size"].tolist()  # in the order of their names
    step = expected["sum"].max() / 65_535
    assert found.sums[of_users] == pytest.approx(expected["sum"].to_numpy(), abs=2 * step)
    assert record.quality["groups"]["test"]["by"] == "user"


def test_labels_have_their_log_loss_by_user_too():
    labels = replace(WORLD, task="binary", positive_at_least=3.5)
    record = run_once(labels)
    for measure in ("mse", "log_loss"):
        errors = group_errors(record, "test", measure)
        mean = errors.sums.sum() / errors.n.sum()
        assert mean == pytest.approx(record.quality[f"test_{measure}"])
    assert not np.allclose(
        group_errors(record, "test").sums, group_errors(record, "test", "log_loss").sums
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [("random", {"test"}), ("user_temporal", {"test", "val"}), ("article", {"val"})],
)
def test_validation_rows_and_predictors_have_theirs_where_all_seeds_have_the_same_rows(name, parts):
    record = run_once(replace(WORLD, dataset="ml-100k", split=name, budget=20_000))
    assert set(record.quality["groups"]) == parts
    for part in parts:
        errors = group_errors(record, part)
        assert errors.n.sum() == record.found["n_rows"][part]
        assert errors.sums.sum() / errors.n.sum() == pytest.approx(record.quality[f"{part}_mse"])
    scored = "test" if "test" in parts else "val"
    for name_of_anchor in ("mean", "bias", "mf"):
        errors = anchor_errors(record, name_of_anchor)
        if name == "random":
            assert errors is None
            continue
        expected = record.quality["anchors"][name_of_anchor][f"{scored}_mse"]
        assert errors.sums.sum() / errors.n.sum() == pytest.approx(expected)


def test_a_trial_of_a_search_keeps_none():
    record = run_once(WORLD, phase="search")
    assert "groups" not in record.quality
    assert not any("groups" in scores for scores in record.quality["anchors"].values())


def test_users_have_one_number_whatever_the_split_seed_and_the_features():
    dataset = load("planted-additive")
    names = sorted(set(dataset.column("user_id")))
    first = groups_of(dataset)
    for seed, features in ((0, ("movie_id",)), (1, ("user_id",))):
        parts = split(dataset, "random", seed)
        groups = groups_of(dataset, seed=seed, features=features)
        users = dataset.column("user_id").filter(parts == 2).to_list()
        assert [names[number] for number in groups.numbers] == users
        assert (groups.rows == first.rows) == (seed == 0)
        assert groups.n_groups == len(names)


def test_a_fixed_split_scores_the_same_rows_with_every_seed(hundred):
    for name in ("user_temporal", "global_temporal", "article"):
        first, second = (groups_of(hundred, name, seed) for seed in (0, 1))
        assert first.rows == second.rows
        assert first.numbers.tolist() == second.numbers.tolist()


def test_rows_without_a_user_are_cut_into_contiguous_blocks(tmp_path):
    rows = {"a": [n % 7 for n in range(10_000)], "b": [n % 11 for n in range(10_000)]}
    rows["y"] = [float(n % 5) for n in range(10_000)]
    groups = groups_of(table(tmp_path, rows), features=("a", "b"))
    assert groups.by == "block"
    assert groups.n_groups == 200
    assert (np.diff(groups.numbers) >= 0).all()
    assert np.bincount(groups.numbers).tolist() == [len(groups.numbers) // 200] * 200
    assert sums(groups, np.ones(len(groups.numbers))).sum() == len(groups.numbers)


def test_test_rows_of_their_own_are_the_same_for_all_seeds(tmp_path):
    draws = np.random.default_rng(0)
    for name in ("train", "test"):
        frame = {
            "user_id": [f"u{number}" for number in draws.integers(0, 60, 300)],
            "item_id": [f"i{number}" for number in draws.integers(0, 9, 300)],
            "y": draws.normal(size=300),
        }
        pl.DataFrame(frame).write_csv(tmp_path / f"{name}.csv")
    definition = Definition("train.csv", "y", ("user_id", "item_id"), test_files="test.csv")
    own = RunConfig(
        dataset="train.csv",
        table=define(definition, tmp_path),
        features="user_id,item_id",
        epochs=1,
        budget=4_000,
        measure="quality",
    )
    first, second = (run_once(own.with_seed(seed), data_dir=tmp_path) for seed in (0, 1))
    groups = first.quality["groups"]
    assert set(groups) == {"test"}
    assert groups["test"]["rows"] == second.quality["groups"]["test"]["rows"]
    assert anchor_errors(first, "mf") is not None


def test_many_users_share_groups():
    dataset = load("planted-additive")
    encoded = encode(dataset, ("user_id",), split(dataset, "random", 0))
    n_users = 2_500
    names = [f"u{number:05}" for number in range(n_users)]
    users = np.arange(len(encoded.user), dtype=np.int32) % n_users
    groups = row_groups(replace(encoded, user=users, user_names=names), "test")
    assert groups.n_groups == 1_000
    assert groups.numbers.tolist() == (users[encoded.parts == 2] % 1_000).tolist()
