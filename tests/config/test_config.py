"""A configuration is strict, round-trips, and its id depends on what was asked and on nothing else."""

import json
from dataclasses import replace

import pytest

from ue_bench.config import SEEDS, SETTINGS, RunConfig
from ue_bench.config.fields import AS_DEFAULT
from ue_bench.config.run_config import GONE
from ue_bench.errors import BenchError


@pytest.mark.parametrize(
    ("asked", "run_id"),
    [
        ({}, "44136fa355b3678a"),
        ({"budget": 28032, "regions": "multiplexed"}, "4803d2ea1944bd08"),
        (
            {"strategy": "per_feature", "lookups": {"user_id": 2}, "budget": 7008, "hash_seed": 3},
            "19d2d81dcdf405d9",
        ),
    ],
)
def test_ids_are_pinned(asked, run_id):
    """A field added later leaves the ids of old records alone; these three must never change."""
    assert RunConfig.from_stored(asked).run_id == run_id


def test_a_field_that_is_left_out_has_what_its_writer_meant():
    """A user who leaves a field out wants its default; a version that knew no field did without."""
    asked = RunConfig.from_dict({"budget": 28032})
    stored = RunConfig.from_stored({"budget": 28032})
    assert asked == RunConfig(budget=28032)
    assert (asked.target_scale, stored.target_scale) == ("standard", "raw")
    assert (asked.average_epochs, stored.average_epochs) == (3.0, 0.0)
    assert asked.run_id != stored.run_id
    before = {name: k.before for name, k in SETTINGS.items() if k.before is not AS_DEFAULT}
    assert replace(asked, **before) == stored
    assert asked.without_defaults() == {"budget": 28032} | {
        name: getattr(RunConfig(), name) for name in before
    }
    assert stored.without_defaults() == {"budget": 28032}


@pytest.mark.parametrize("scale", ["raw", "standard"])
def test_complete_fields_mean_the_same_to_both_readers(scale):
    config = RunConfig(budget=28032, lookups={"user_id": 2}, target_scale=scale)
    for read in (RunConfig.from_dict, RunConfig.from_stored):
        assert read(config.to_dict()) == config
    assert RunConfig.from_stored(config.without_defaults()) == config


@pytest.mark.parametrize("bad", [{"sport": 1}, {"target_scale": "log"}, {"lr": "x"}, [1], None])
def test_what_is_stored_is_read_strictly(bad):
    with pytest.raises(BenchError) as error:
        RunConfig.from_stored(bad)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", GONE)
def test_a_field_that_is_gone_may_only_have_the_value_that_runs_have_now(name):
    stored = {"budget": 28032, name: GONE[name]}
    assert RunConfig.from_stored(stored) == RunConfig.from_stored({"budget": 28032})
    with pytest.raises(BenchError, match=f"{name}: 'other' was stored; the field is gone"):
        RunConfig.from_stored({**stored, name: "other"})
    with pytest.raises(BenchError, match="config field"):
        RunConfig.from_dict(stored)


def test_labels_have_no_scale_and_keep_their_id():
    for asked in ({}, {"target_scale": "raw"}, {"target_scale": "standard"}):
        config = replace(RunConfig.from_stored({}), task="binary", **asked)
        assert config.target_scale == "raw"
        assert config.run_id == "6797b5e5d363073b"


def test_round_trip_through_json():
    config = RunConfig(
        lookups={"user_id": 2},
        hash_seeds={"user_id": [1, 2]},
        options={"k": 3},
        batch_size=None,
        lr=1,
    )
    again = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.run_id == config.run_id


def test_equal_requests_have_equal_ids():
    assert RunConfig(lr=1).run_id == RunConfig(lr=1.0).run_id
    assert RunConfig(dim=16).run_id == RunConfig().run_id
    assert len({RunConfig(lr=lr).run_id for lr in (1e-3, 2e-3, 3e-3)}) == 3


def test_seed_sets_all_four():
    config = RunConfig().with_seed(7)
    assert [getattr(config, name) for name in SEEDS] == [7, 7, 7, 7]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"strateg": "unified"}, "did you mean 'strategy'"),
        ({"split": "randm"}, "did you mean 'random'"),
        ({"budget": 0}, "at least 1"),
        ({"budget": 1.5}, "must be int or null"),
        ({"dim": -2}, "at least 1"),
        ({"dim": None}, "either dim"),
        ({"width": 96}, "either dim"),
        ({"lookups": {"user_id": 0}}, "at least 1"),
        ({"lookups": {"user_id": "2"}}, "must be"),
        ({"lr": 0}, "above 0"),
        ({"lr": float("nan")}, "above 0"),
        ({"lr": float("inf")}, "above 0"),
        ({"dropout": 1}, "below 1"),
        ({"epochs": True}, "must be int"),
        ({"hash_seed": -1}, "at least 0"),
        ({"init_seed": 2**32}, "2**32"),
        ({"strategy": 3}, "must be str"),
        ({"options": [1]}, "must be dict"),
    ],
)
def test_a_bad_value_is_told_in_one_line(asked, told):
    with pytest.raises(BenchError) as error:
        RunConfig.from_dict(asked)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
