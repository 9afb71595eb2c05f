"""Collisions, load and angles: beside a count by brute force, beside the formulas, and in the record."""

import itertools
import math
from dataclasses import replace

import click
import pytest
import torch
from click.testing import CliRunner

from ue_bench.cli.options import config_options, make_config
from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.base import Pool
from ue_bench.training import diagnose
from ue_bench.training.model import RatingModel
from ue_bench.training.run_once import run_once

SIZES = {"a": 300, "b": 120, "c": 7}


def features(sizes=SIZES):
    return tuple(
        Feature(name, [f"{name}{i}" for i in range(n)], n - 2, [1 + i % 9 for i in range(n - 2)])
        for name, n in sizes.items()
    )


def make(
    name="unified", regions="multiplexed", rows=100, lookups=(1, 2, 1), exact_at_most=0, **asked
):
    rule = "equal" if regions == "separate" else None
    spec = Spec(name, features(), lookups, 8, rows * 32, regions, rule, **asked)
    return build(spec, exact_at_most)


def brute_force(strategy, index):
    """Shares free of intra and of inter collisions in any lookup, by comparing every pair of values."""
    slots = [
        [
            tuple(map(tuple, row))
            for row in strategy.locate(i, f.values[: f.n_seen]).unflatten(1, (n, -1)).tolist()
        ]
        for i, (f, n) in enumerate(zip(strategy.spec.features, strategy.spec.lookups, strict=True))
    ]
    mine, free = slots[index], {"intra": 0, "inter": 0}
    others = {one for i, rows in enumerate(slots) if i != index for row in rows for one in row}
    for place, row in enumerate(mine):
        rest = mine[:place] + mine[place + 1 :]
        free["intra"] += any(all(one != other[k] for other in rest) for k, one in enumerate(row))
        free["inter"] += any(one not in others for one in row)
    return {kind: count / len(mine) for kind, count in free.items()}


@pytest.mark.parametrize(
    ("name", "regions"),
    [("unified", "multiplexed"), ("per_feature", "separate"), ("multi_hash_sum", "multiplexed")],
)
def test_as_counted_by_brute_force(name, regions):
    strategy = make(name, regions)
    found = diagnose.index_map(strategy)
    assert found["why_null"] == {}
    for index, feature in enumerate(strategy.spec.features):
        own, counted = found["features"][feature.name], brute_force(strategy, index)
        for kind in ("intra", "inter"):
            assert own[kind]["free_any"] == pytest.approx(counted[kind], abs=1e-6)
            assert max(own[kind]["free"]) <= own[kind]["free_any"] <= sum(own[kind]["free"]) + 1e-6


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_the_hashing_trick_agrees_with_the_formula(regions):
    """Mean over 60 hash seeds, within four standard errors."""
    name = {"multiplexed": "unified", "separate": "per_feature"}[regions]
    found = [
        diagnose.index_map(make(name, regions, hash_seed=seed))["features"] for seed in range(60)
    ]
    for (feature, kind), key in itertools.product(
        itertools.product(SIZES, ("intra", "inter")), ("", "_any")
    ):
        shares = torch.tensor(
            [
                one[feature][kind]["free_any"] if key else one[feature][kind]["free"][0]
                for one in found
            ]
        )
        expected = found[0][feature][kind][f"formula{key}"]
        error = float(shares.std()) / math.sqrt(len(found))
        assert float(shares.mean()) == pytest.approx(expected, abs=4 * error + 1e-6), (
            feature,
            kind,
            key,
        )
    rows = 100 if regions == "multiplexed" else found[0]["a"]["rows"]
    assert found[0]["a"]["intra"]["formula"] == pytest.approx((1 - 1 / rows) ** 297, abs=1e-6)
    others = (1 - 1 / rows) ** (2 * 118 + 5) if regions == "multiplexed" else 1.0
    assert found[0]["a"]["inter"]["formula"] == pytest.approx(others, abs=1e-6)


def test_the_exact_table_has_no_collisions():
    strategy = make("collisionless", "exact")
    found = diagnose.index_map(strategy)
    for own in found["features"].values():
        assert set(own["intra"]["free"] + own["inter"]["free"]) == {1.0}
        assert own["intra"]["own_weighted"] == own["inter"]["free_any_weighted"] == 1
        assert own["rows"] is own["intra"]["formula"] is own["inter"]["formula"] is None
    assert found["load"]["rows"] == 299 + 2 * 119 + 6
    assert found["load"]["values"]["max"] == 1
    assert found["load"]["values"]["empty"] == pytest.approx(
        4 / 543, abs=1e-6
    )  # the rows of unseen values
    assert "formula" in found["why_null"]


def test_load_counts_values_and_training_rows():
    strategy = make(rows=10)
    found = diagnose.index_map(strategy)["load"]
    values, rows = [0] * 10, [0] * 10
    for index, feature in enumerate(strategy.spec.features):
        for row, count in zip(
            strategy.locate(index, feature.values[: feature.n_seen]).tolist(),
            feature.counts,
            strict=True,
        ):
            for slot in set(row):
                values[slot] += 1
                rows[slot] += count
    for own, counted in ((found["values"], values), (found["training_rows"], rows)):
        assert (own["max"], own["mean"], own["empty"]) == (
            max(counted),
            pytest.approx(sum(counted) / 10),
            0,
        )
        assert own["p50"] in counted


def test_a_value_s_own_share_of_its_row():
    """All values in one row: each has its share of the training rows."""
    own = diagnose.index_map(make("per_feature", "separate", rows=3))["features"]["c"]
    counts = features()[2].counts
    assert own["intra"]["own_weighted"] == pytest.approx(
        sum(n * n for n in counts) / sum(counts) ** 2, abs=1e-6
    )
    assert own["intra"]["free_any_weighted"] == 0


@pytest.mark.parametrize(("name", "entry"), STRATEGIES.items())
def test_every_strategy_can_be_diagnosed(name, entry):
    for regions in entry.regions:
        strategy = make(name, regions, rows=120)
        found = diagnose.index_map(strategy)
        for index, (feature, own) in enumerate(found["features"].items()):
            slots = strategy.locate(index, strategy.spec.features[index].values)
            assert all(0 <= share <= 1 for share in own["intra"]["free"]), feature
            if strategy.one_pool:
                assert 0 <= int(slots.min()) <= int(slots.max()) < found["load"]["rows"]
                assert [type(module) for module in strategy.modules()].count(Pool) == 1
            hashed = strategy.hashed_rows(index)
            if hashed is not None:
                assert set(slots.flatten().tolist()) <= set(hashed)
        assert strategy.one_pool == (found["load"] is not None)
        assert strategy.one_pool or found["why_null"]["inter, load"] == diagnose.NOT_ROWS


def test_exact_rows_of_few_values_beside_a_method():
    found = diagnose.index_map(make(exact_at_most=10))
    assert found["features"]["c"]["intra"]["free_any"] == 1
    assert found["features"]["c"]["rows"] is None
    assert found["features"]["a"]["intra"]["formula"] == pytest.approx(
        (1 - 1 / 94) ** 297, abs=1e-6
    )  # 5 rows and one of unseen values
    assert found["load"] is found["features"]["a"]["inter"] is None


def with_weights(vectors, lookups=(1, 2, 1), head="linear"):
    torch.manual_seed(0)
    model = RatingModel(make(lookups=lookups), head, 5, 0.0, None)
    if vectors is not None:
        model.head.readout.data = torch.tensor(vectors, dtype=torch.float32).reshape(
            -1, 8 * sum(lookups)
        )
    return model


def test_angles_between_the_lookups_of_different_features():
    x, y = [1.0] + [0.0] * 7, [0.0, 2.0] + [0.0] * 6
    minus = [-3.0] + [0.0] * 7
    found, _ = diagnose.angles(with_weights([x, y, x, minus]))  # a: x; b: y, x; c: -x
    # a-b: 90, 0; a-c: 180 or 0; b-c: 90, 180 or 0; between the two of b: not counted
    assert found == {"angle": pytest.approx(36), "signed_angle": pytest.approx(108)}


def test_one_definition_for_one_output_and_for_many():
    torch.manual_seed(1)
    vectors = torch.randn(1, 32)
    one, _ = diagnose.angles(with_weights(vectors.tolist()))
    many, _ = diagnose.angles(
        with_weights((vectors.T @ torch.ones(1, 5)).T.tolist(), head="mlp")
    )  # five times the same
    assert many["angle"] == pytest.approx(one["angle"], abs=1e-3)
    assert many["signed_angle"] is None
    isotropic = torch.eye(8).repeat(1, 4)
    assert diagnose.angles(with_weights(isotropic.tolist(), head="mlp"))[0][
        "angle"
    ] == pytest.approx(math.degrees(math.acos(8**-0.5)), abs=1e-3)


@pytest.mark.parametrize("head", ["dcn", "dot"])
def test_a_head_that_reads_twice_has_no_angle(head):
    assert diagnose.angles(with_weights(None, head=head)) == (None, diagnose.NO_READOUT)


def test_in_the_record_and_nothing_else_changes():
    asked = RunConfig(
        budget=28032,
        epochs=1,
        evals_per_epoch=2,
        measure="quality",
        features="user_id,gender",
        head="linear",
    )
    plain, record = run_once(asked), run_once(replace(asked, diagnose=True))
    told = record.quality.pop("diagnostics")
    assert [point["epoch"] for point in told["angles"]] == [
        0,
        *(point["epoch"] for point in record.quality["history"]),
    ]
    assert all(0 < point["angle"] <= 90 for point in told["angles"])
    index_map = record.found.pop("diagnostics")
    assert index_map["features"]["user_id"]["values"] == record.found["n_seen"]["user_id"]
    assert plain.quality == record.quality
    assert plain.found == record.found
    assert plain.run_id != record.run_id


def test_asked_for_on_the_command_line():
    @click.command()
    @config_options
    def command(**asked):
        click.echo(make_config(0, (), asked).diagnose)

    assert [CliRunner().invoke(command, words).output for words in ([], ["--diagnose"])] == [
        "False\n",
        "True\n",
    ]
