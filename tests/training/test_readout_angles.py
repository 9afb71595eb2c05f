"""Angles between the weights that read different features, and diagnostics in the record."""

import math
from dataclasses import replace

import click
import pytest
import torch
from click.testing import CliRunner

from ue_bench.cli.options import config_options, make_config
from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.model import RatingModel
from ue_bench.training.readout_angles import NO_READOUT, angles
from ue_bench.training.run_once import run_once

LOOKUPS = (1, 2, 1)


def model_with_weights(vectors, head="linear"):
    """A model of three features with a head that reads them with these weights."""
    features = tuple(Feature(name, [f"{name}{i}" for i in range(7)], 5) for name in "abc")
    spec = Spec(name="unified", features=features, lookups=LOOKUPS, dim=8, budget=3200)
    torch.manual_seed(0)
    model = RatingModel(build(spec), head, hidden=5, dropout=0.0, rating_bias=None)
    if vectors is not None:
        weights = torch.as_tensor(vectors, dtype=torch.float32)
        model.head.readout.data = weights.reshape(-1, 8 * sum(LOOKUPS))
    return model


def test_angles_between_the_lookups_of_different_features():
    x = [1.0] + [0.0] * 7
    y = [0.0, 2.0] + [0.0] * 6
    minus_x = [-3.0] + [0.0] * 7
    # The weights are a: x; b: y and x; c: -x. The pairs a-b have 90 and 0 degrees, a-c has 180 (or
    # 0), and b-c have 90 and 180 (or 0). The two lookups of b are no pair.
    found, _ = angles(model_with_weights([x, y, x, minus_x]))
    assert found == {"angle": pytest.approx(36), "signed_angle": pytest.approx(108)}


def test_one_definition_for_one_output_and_for_many():
    torch.manual_seed(1)
    vectors = torch.randn(1, 32)
    one, _ = angles(model_with_weights(vectors))
    five_times_the_same = vectors.expand(5, 32).contiguous()
    five, _ = angles(model_with_weights(five_times_the_same, head="mlp"))
    assert five["angle"] == pytest.approx(one["angle"], abs=1e-3)
    assert five["signed_angle"] is None


def test_isotropic_weights():
    isotropic = torch.eye(8).repeat(1, 4)
    found, _ = angles(model_with_weights(isotropic, head="mlp"))
    expected = math.degrees(math.acos(8**-0.5))
    assert found["angle"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("head", ["dcn", "dot"])
def test_a_head_that_reads_twice_has_no_angle(head):
    assert angles(model_with_weights(None, head=head)) == (None, NO_READOUT)


def test_diagnostics_are_in_the_record_and_nothing_else_changes():
    config = RunConfig(
        budget=28032,
        epochs=1,
        evals_per_epoch=2,
        measure="quality",
        features="user_id,gender",
        head="linear",
    )
    plain = run_once(config)
    record = run_once(replace(config, diagnose=True))
    series = record.quality.pop("diagnostics")["angles"]
    evaluated = [entry["epoch"] for entry in record.quality["history"]]
    assert [point["epoch"] for point in series] == [0, *evaluated]
    assert all(0 < point["angle"] <= 90 for point in series)
    index_map = record.found.pop("diagnostics")
    assert index_map["features"]["user_id"]["values"] == record.found["n_seen"]["user_id"]
    assert plain.quality == record.quality
    assert plain.found == record.found
    assert plain.run_id != record.run_id


@pytest.mark.parametrize(("words", "printed"), [([], "False\n"), (["--diagnose"], "True\n")])
def test_the_command_line_has_a_flag(words, printed):
    @click.command()
    @config_options
    def command(**fields):
        click.echo(make_config(0, (), fields).diagnose)

    assert CliRunner().invoke(command, words).output == printed
