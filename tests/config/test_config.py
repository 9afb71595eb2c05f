"""A configuration is strict, round-trips, and its id depends on what was asked and on nothing else."""

import json

import pytest

from ue_bench.config import SEEDS, RunConfig
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
    assert RunConfig.from_dict(asked).run_id == run_id


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
