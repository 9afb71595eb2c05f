"""Anchors as arms: their error is that of the predictors in every record, and their bytes are
those of what is served."""

from dataclasses import replace

import movielens_files as official
import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.data import Definition, encode, split
from ue_bench.errors import BenchError
from ue_bench.record import load, parse_run
from ue_bench.record.group_errors import anchor_errors, group_errors
from ue_bench.report.evidence.arms import collect
from ue_bench.strategies import Spec, build
from ue_bench.study import Grid, Search, Study
from ue_bench.study.plan import Plan
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import embedding_of, run_once
from ue_bench.training.user_item_model import UserItemModel

BIAS = RunConfig(strategy="bias", measure="quality", split_seed=1)
FACTORS = replace(BIAS, strategy="matrix_factorisation", options={"rank": 8})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("anchors"), "ml-100k")


@pytest.fixture(scope="module")
def one_feature(tmp_path_factory):
    """A table in which one feature plays user and item."""
    folder = tmp_path_factory.mktemp("one")
    frame = pl.DataFrame({"y": np.arange(60.0), "city": [f"c{i % 7}" for i in range(60)]})
    frame.write_csv(folder / "t.csv")
    definition = data.define(Definition("t.csv", "y", ("city",)), folder)
    return {"dataset": "t.csv", "table": definition}, folder


# ---- the record


@pytest.mark.parametrize(("config", "anchor"), [(BIAS, "bias"), (FACTORS, "mf")])
@pytest.mark.parametrize("labels", [{}, {"task": "binary", "positive_at_least": 4.0}])
def test_its_scores_are_those_of_the_predictor_in_every_record(folder, config, anchor, labels):
    # On a split that no seed draws anew, a record keeps the errors of anchors by user.
    config = replace(config, split="user_temporal", **labels)
    record = run_once(config, data_dir=folder)
    quality = record.quality
    assert ("test_auc" in quality) == ("task" in labels)
    scores = dict(quality["anchors"][anchor])
    del scores["groups"]
    for score, value in scores.items():
        assert quality[score] == pytest.approx(value, rel=1e-5), score
    assert quality["val_mse"] > 0
    own = group_errors(record, "test")
    of_predictor = anchor_errors(record, anchor)
    assert own.n.sum() == record.found["n_rows"]["test"]
    assert own.sums == pytest.approx(of_predictor.sums, rel=1e-3, abs=1e-3)


def test_its_record_has_what_a_strategys_has(folder):
    own = run_once(FACTORS, data_dir=folder)
    other = run_once(RunConfig(strategy="collisionless", epochs=1), data_dir=folder)
    assert parse_run(own.to_json(), "here") == own
    assert own.is_anchor
    assert not other.is_anchor
    assert own.quality.keys() == other.quality.keys()
    assert other.cost.keys() - own.cost.keys() == {"step_ms", "latency"}
    for name in ("cardinalities", "n_seen", "n_rows", "checksum", "entities"):
        assert own.found[name] == other.found[name]
    slices = own.quality["slices"]
    assert slices["warm_user"]["n"] + slices["cold_user"]["n"] == own.found["n_rows"]["test"]


def test_it_does_not_depend_on_the_other_features_or_the_recipe(folder):
    errors = set()
    for changes in ({}, {"features": "gender,age"}, {"lr": 0.1, "head": "dcn"}, {"init_seed": 5}):
        errors.add(run_once(replace(FACTORS, **changes), data_dir=folder).quality["test_mse"])
    assert len(errors) == 1
    assert (
        run_once(replace(FACTORS, split_seed=2), data_dir=folder).quality["test_mse"] not in errors
    )


def test_whether_it_beats_itself_is_no_question(folder):
    assert run_once(BIAS, data_dir=folder).quality["beats_bias"] is None
    assert run_once(FACTORS, data_dir=folder).quality["beats_bias"] is not None


def test_its_latency_is_measured_by_the_same_clock(folder):
    record = run_once(replace(FACTORS, measure="latency"), data_dir=folder)
    assert record.quality == {}
    assert len(record.cost["latency"]) == 12
    assert record.cost["slot_cache_bytes"] == 0, "a code is the number of its row"


# ---- bytes and values


def served(hundred, rank):
    """A fitted anchor, and the rows that it was fitted to."""
    parts = split(hundred, "random", 1)
    parts[hundred.ratings["movie_id"].to_numpy() == 9] |= 1  # a movie that training has not seen
    encoded = encode(hundred, ("user_id", "movie_id"), parts)
    model = UserItemModel(encoded.entities, rank)
    model.fit(encoded, stars=True, threads=1)
    return model, encoded


@pytest.mark.parametrize("rank", [0, 1, 8])
def test_its_bytes_are_those_of_what_it_serves(hundred, rank):
    model, encoded = served(hundred, rank)
    rows = sum(feature.n_seen + 1 for feature in encoded.entities)
    spec = Spec(name="collisionless", features=encoded.entities, lookups=(1, 1), dim=1)
    exact = build(replace(spec, regions="exact")).footprint()
    own = model.footprint()
    assert own.table == 4 * (1 + rows * (1 + rank))
    assert own.auxiliary == 0
    assert (own.vocabulary, own.vocabulary_floor) == (exact.vocabulary, exact.vocabulary_floor)
    assert own.total_floor == own.table + own.vocabulary_floor < own.total


@pytest.mark.parametrize("rank", [0, 3])
def test_raw_values_and_codes_are_predicted_alike(hundred, rank):
    model, encoded = served(hundred, rank)
    codes = torch.from_numpy(np.stack([encoded.user, encoded.item], axis=1))
    columns = []
    for feature, column in zip(encoded.entities, codes.T.tolist(), strict=True):
        columns.append([feature.values[code] for code in column])
    assert torch.equal(model.from_values(columns), model(codes))
    unseen = model.from_values([["nobody", "1"], ["9", "nothing"]])
    assert unseen[0] == model.mean
    user = encoded.entities[0].values.to_list().index("1")
    assert unseen[1] == model.mean + model.user_rows[user, 0]


# ---- what it refuses


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 4_000}, "a budget of 4,000 bytes was given; an anchor keeps none: it takes"),
        ({"options": {}}, "matrix_factorisation needs a rank, the numbers of each vector; give"),
        ({"options": {"rank": 0}}, "rank 0 was given; it must be a whole number from 1 to 4,096"),
        ({"options": {"rank": 2.0}}, "rank 2.0 was given; it must be a whole number"),
        ({"options": {"rnak": 2}}, "unknown option of matrix_factorisation 'rnak'"),
        ({"regions": "separate"}, "regions 'separate' were given; an anchor has no table"),
        ({"strategy": "bias"}, "unknown option of bias 'rank'"),
    ],
)
def test_a_wrong_request_is_refused(folder, changes, message):
    with pytest.raises(BenchError, match=message):
        run_once(replace(FACTORS, **changes), data_dir=folder)


def test_a_layer_is_refused(folder):
    message = "bias is an anchor, which predicts from user and item without an embedding layer"
    with pytest.raises(BenchError, match=message):
        embedding_of(BIAS, folder)
    with pytest.raises(BenchError, match=message):
        build(Spec(name="bias", features=(), lookups=(), dim=1))


def test_fields_of_tables_do_not_make_another_run():
    asked = replace(BIAS, region_rule="sqrt", hash_seeds={"user_id": [3]}, code="0" * 64)
    asked = replace(asked, dim=None, width=40, lookups={"user_id": 3}, low_cardinality="hashed")
    assert resolve(asked) == resolve(BIAS)
    assert resolve(replace(asked, lr=0.1)) != resolve(BIAS), "the recipe of its comparison stays"


def test_data_without_user_and_item_are_refused(one_feature):
    fields, folder = one_feature
    message = (
        "bias: it needs user and item, and in t.csv the feature 'city' is both; name them by "
        "--entities USER,ITEM"
    )
    with pytest.raises(BenchError, match=message):
        run_once(RunConfig(strategy="bias", features="city", **fields), data_dir=folder)


# ---- studies


def test_a_study_runs_an_anchor_once_whatever_the_sizes(folder):
    arms = (RunConfig(strategy="unified"), RunConfig(strategy="bias"))
    plan = Plan("s", Study("?", (Grid(arms, (2, 4, 8), seeds=2),)), data_dir=folder)
    (stage,) = plan.stages({}, latency=False)
    configs = list(stage.configs.values())
    assert [config.budget for config in configs if config.strategy == "bias"] == [None, None]
    assert sum(config.strategy == "unified" for config in configs) == 6


STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study, anchor_arms

BASE = RunConfig(budget=1000, epochs=1, patience=None)
STUDY = Study("beside?", (Grid((BASE, *anchor_arms(BASE)[:2]), (2,), seeds=1),), latency=False)
"""


def test_a_study_runs_anchors_beside_strategies(folder, tmp_path):
    (tmp_path / "beside.py").write_text(STUDY)
    results = tmp_path / "results"
    words = ["study", tmp_path / "beside.py", "--results", results, "--data-dir", folder]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    records, faults = load(results)
    assert not faults
    assert sorted(record.is_anchor for record in records) == [False, True, True]
    assert {record.status for record in records} == {"ok"}
    assert len(collect(records).kept) == 3


def test_a_study_leaves_anchors_out_where_there_is_no_user_and_item(one_feature):
    fields, folder = one_feature
    base = RunConfig(strategy="unified", features="city", dim=2)
    bias = replace(base, strategy="bias")
    search = Search(base, {"lr": (1e-3, 4e-3)}, 1, against=(bias,), compression=2, seeds=1)
    study = Study("?", (Grid((base, bias), (2,), seeds=1), search))
    plan = Plan("s", study, dataset=fields, data_dir=folder)
    notes = []
    strategies = set()
    for stage in plan.stages({}, latency=False):
        notes += [note for note in stage.notes if "left out" in note]
        strategies |= {config.strategy for config in stage.configs.values()}
    assert strategies == {"unified"}
    assert notes == [
        "s: left out, bias: it needs user and item, and in t.csv the feature 'city' is both; name "
        "them by --entities USER,ITEM"
    ]
