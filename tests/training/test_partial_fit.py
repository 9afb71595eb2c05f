"""A served model that is trained on: in one go or with a save between, and what is refused."""

import hashlib

import numpy as np
import pytest
import saved_models
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import ue_bench
from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.training.model_folder import TRAINING

DAYS = []
_random = np.random.default_rng(0)
for _day in range(3):
    _rows = 300
    _columns = {
        "user_id": _random.integers(1, 100, _rows),
        "movie_id": _random.integers(1, 100, _rows),
    }
    _columns |= {name: _random.integers(1, 2, _rows) for name in ("gender", "age")}
    _columns |= {name: _random.integers(1, 5, _rows) for name in ("occupation", "zip_code")}
    _target = 3 + 0.02 * _columns["user_id"] - 0.02 * _columns["movie_id"]
    DAYS.append(({name: column.tolist() for name, column in _columns.items()}, _target))
FORMS = {
    "unified": "--strategy unified --budget 2kB",
    "sparse": "--strategy unified --budget 2kB --optimizer-path sparse",
    "raw targets": "--strategy unified --budget 2kB --target-scale raw",
    "a vocabulary": "--strategy collisionless",
    "labels": "--strategy unified --budget 2kB --task binary --positive-at-least 4",
}


def trained(folder, options):
    line = f"run --dataset planted-small --epochs 2 --batch-size 64 --measure quality {options}"
    line += f" --results {folder / 'results'} --save {folder / 'model'}"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    return ue_bench.load(folder / "model")


def targets_of(form, day):
    target = DAYS[day][1]
    return (target > 3.5).astype(float) if form == "labels" else target


@pytest.mark.parametrize("form", FORMS)
def test_two_days_in_one_go_or_with_a_save_between(form, tmp_path):
    model = trained(tmp_path, FORMS[form])
    before = model.predict(DAYS[2][0])
    model.partial_fit(DAYS[0][0], targets_of(form, 0))
    ue_bench.save(model, tmp_path / "between")
    model.partial_fit(DAYS[1][0], targets_of(form, 1))
    in_one_go = model.predict(DAYS[2][0])
    again = ue_bench.load(tmp_path / "between")
    again.partial_fit(DAYS[1][0], targets_of(form, 1))
    assert torch.equal(again.predict(DAYS[2][0]), in_one_go)
    assert not torch.equal(in_one_go, before)
    forgetful = ue_bench.load(tmp_path / "between")
    forgetful.training = None
    forgetful.partial_fit(DAYS[1][0], targets_of(form, 1))
    assert not torch.equal(forgetful.predict(DAYS[2][0]), in_one_go), "yesterday's state counts"


def test_it_learns(tmp_path):
    model = trained(tmp_path, FORMS["unified"])
    columns, target = DAYS[2]
    errors = []
    for _ in range(6):
        errors.append(float((model.predict(columns) - torch.tensor(target)).square().mean()))
        for day in range(3):
            model.partial_fit(*DAYS[day])
    assert errors[-1] < 0.75 * errors[0]


def test_a_model_that_was_not_trained_on_has_no_state(tmp_path):
    model = trained(tmp_path, FORMS["unified"])
    assert not (tmp_path / "model" / TRAINING).exists()
    model.partial_fit(*DAYS[0])
    ue_bench.save(model, tmp_path / "model")
    assert (tmp_path / "model" / TRAINING).exists()
    fresh = trained(tmp_path, FORMS["unified"])
    assert fresh.training is None
    assert not (tmp_path / "model" / TRAINING).exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--strategy unified --budget 2kB --bits 4", "the numbers of unified are rounded"),
        ("--strategy product_quantization --budget 2kB", "the numbers of product_quantization are"),
    ],
)
def test_rounded_numbers_are_not_trained_on(options, told, tmp_path):
    model = trained(tmp_path, options)
    with pytest.raises(BenchError, match=told):
        model.partial_fit(*DAYS[0])


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ([1.0, 2.0], r"targets of shape \[2\] were given for 300 rows"),
        ([float("nan")] * 300, "one finite number for each"),
        (["x"] * 300, "partial_fit: could not convert string to float: 'x'; give numbers"),
    ],
)
def test_bad_targets(targets, told, tmp_path):
    model = trained(tmp_path, FORMS["unified"])
    with pytest.raises(BenchError, match=told):
        model.partial_fit(DAYS[0][0], targets)


def test_labels_are_0_or_1(tmp_path):
    model = trained(tmp_path, FORMS["labels"])
    with pytest.raises(BenchError, match="the targets of labels are 0 or 1"):
        model.partial_fit(*DAYS[0])


def test_a_damaged_state_is_told(tmp_path):
    model = trained(tmp_path, FORMS["unified"])
    ue_bench.save(model.partial_fit(*DAYS[0]), tmp_path / "model")
    path = tmp_path / "model" / TRAINING
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BenchError, match=r"training.safetensors is damaged"):
        ue_bench.load(tmp_path / "model")


@pytest.mark.parametrize("steps", [-(2**63), 2**60])
def test_a_state_of_steps_that_nobody_made_is_told(steps, tmp_path):
    model = trained(tmp_path, FORMS["unified"] + " --optimizer sparse_adam")
    ue_bench.save(model.partial_fit(*DAYS[0]), tmp_path / "model")
    path = tmp_path / "model" / TRAINING
    state = {name: tensor.clone() for name, tensor in load_file(path).items()}
    state["strategy.pool.weight.step"] = torch.tensor(steps)
    save_file(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    saved_models.rewrite(tmp_path / "model", training_sha256=digest)
    with pytest.raises(BenchError, match="it must be a number of steps from 0 on"):
        ue_bench.load(tmp_path / "model")
