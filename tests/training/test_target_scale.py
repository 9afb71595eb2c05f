"""The unit of the target decides nothing: it is standardised in training and folded into the head.

`raw` and labels train as they did before there was a choice.
"""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import saved_models as made
import torch
from click.testing import CliRunner
from torch.nn import functional

import ue_bench
from ue_bench import data
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.data import Definition
from ue_bench.errors import BenchError
from ue_bench.record import parse_run
from ue_bench.training.assembly import make_model, make_recipe, make_spec
from ue_bench.training.loss import LogisticLoss, Scale, SquaredError, StandardisedError
from ue_bench.training.model import HEADS
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import encoded_of, rows_of
from ue_bench.training.run_once import run_once
from ue_bench.training.saved import save
from ue_bench.training.split_parts import PARTS
from ue_bench.training.timing import step_time
from ue_bench.training.train import Optimizers, Rows, evaluate, fit, outputs, predict

pytestmark = pytest.mark.usefixtures("one_thread")

UNITS = ((1.0, 0.0), (1e3, 0.0), (1e6, 0.0), (1e3, 1e4))  # a factor, and what is added
SHORT = RunConfig(
    dataset="t.parquet",
    budget=4000,
    dim=8,
    hidden=16,
    lr=1e-2,
    batch_size=128,
    epochs=4,
    head_init="default",
    stop_above=None,
    average_epochs=0.0,
    measure="quality",
)


def planted(factor=1.0, offset=0.0):
    """Two thousand rows whose target has additive effects, a product and noise."""
    random = np.random.default_rng(0)
    a = random.integers(40, size=2000)
    b = random.integers(30, size=2000)
    effect = np.sin(a) + np.cos(b) + 0.5 * np.sin(a) * np.cos(b)
    target = 3.5 + effect + 0.3 * random.standard_normal(2000)
    return pl.DataFrame(
        {
            "y": target * factor + offset,
            "a": [f"a{value}" for value in a],
            "b": [f"b{value}" for value in b],
        }
    )


def config_of(folder, frame, **changes):
    frame.write_parquet(folder / "t.parquet")
    table = data.define(Definition("t.parquet", "y", ("a", "b")), folder)
    return resolve(replace(SHORT, table=table, **changes))


def labels():
    return planted().with_columns(y=(pl.col("y") > 3.5).cast(pl.Float64))


def r2(record):
    return 1 - record.quality["test_mse"] / record.quality["anchors"]["mean"]["test_mse"]


def parts_of(config, folder):
    """The training and validation rows of a run, and the spec of its strategy."""
    _, encoded = encoded_of(config, folder)
    parts = [rows_of(encoded, PARTS[name], torch.device("cpu")) for name in ("train", "val")]
    return *parts, make_spec(config, encoded.features)


def model_of(config, train, spec):
    """The model of a run before training."""
    targets = train.ratings.numpy()
    return make_model(config, spec, float(targets.mean()), Scale.of(targets))


@pytest.mark.parametrize("head", HEADS)
def test_the_unit_of_the_target_decides_nothing(head, tmp_path):
    scores = []
    for factor, offset in UNITS:
        config = config_of(tmp_path, planted(factor, offset), head=head)
        assert config.target_scale == "standard"
        scores.append(r2(run_once(config, data_dir=tmp_path)))
    assert min(scores) > 0.7
    assert max(scores) - min(scores) < 1e-3, scores


@pytest.mark.parametrize(("strategy", "budget"), [("int8", 720), ("pep", 2_400), ("cce", 6_000)])
def test_strategies_that_change_in_training_may_have_any_unit(strategy, budget, tmp_path):
    scores = []
    for factor, offset in UNITS[:3]:
        # With values read as unseen, a digit that rounding changes moves a value to another cluster.
        fixed = {"strategy": strategy, "budget": budget, "value_dropout": 0.0}
        config = config_of(tmp_path, planted(factor, offset), **fixed)
        scores.append(r2(run_once(config, data_dir=tmp_path)))
    assert max(scores) - min(scores) < 1e-3, scores


def test_a_target_near_the_end_of_32_bits(tmp_path):
    """Its MSE, 1e60, is a number of the record; beyond that the run is refused in one line."""
    config = config_of(tmp_path, planted(1e30))
    record = run_once(config, data_dir=tmp_path)
    assert parse_run(record.to_json().encode(), "a file").quality == record.quality
    assert r2(record) == pytest.approx(
        r2(run_once(config_of(tmp_path, planted()), data_dir=tmp_path)), abs=1e-3
    )
    config = config_of(tmp_path, planted(4.2e37), epochs=1, lr=30.0)
    with pytest.raises(BenchError, match=r"beyond the numbers of 32 bits|diverged"):
        run_once(config, data_dir=tmp_path)


def test_errors_are_in_units_of_the_target(tmp_path):
    first, second = (
        run_once(config_of(tmp_path, planted(*unit)), data_dir=tmp_path).quality
        for unit in (UNITS[0], UNITS[3])
    )
    assert len(first["history"]) == len(second["history"]) == 4
    for entry, other in zip(first["history"], second["history"], strict=True):
        for name in ("train_mse", "val_mse"):
            assert other[name] == pytest.approx(1e6 * entry[name], rel=1e-4)
    assert second["test_mae"] == pytest.approx(1e3 * first["test_mae"], rel=1e-4)
    assert second["val_mse"] == pytest.approx(second["history"][-1]["val_mse"], rel=1e-4)


def test_early_stopping_serves_the_best_weights_in_units_of_the_target(tmp_path):
    config = config_of(tmp_path, planted(1e3, 1e4), lr=0.1, dropout=0.0, epochs=40, patience=2)
    train, validation, spec = parts_of(config, tmp_path)
    model = model_of(config, train, spec)
    seen = []
    fitted = fit(
        model,
        train,
        validation,
        make_recipe(config),
        lambda fit: seen.append(evaluate(model, validation)["mse"]),
    )
    assert seen == [entry["val_mse"] for entry in fitted.history]
    best = min(seen)
    assert fitted.epochs_run < 40
    assert seen[-1] > best
    assert evaluate(model, validation)["mse"] == pytest.approx(best, rel=1e-4)
    assert model.loss.scale is None


@pytest.mark.parametrize("head", HEADS)
def test_the_scale_is_folded_exactly_into_the_last_layer(head):
    """A factor of 4, and so its square root too, loses no digit."""
    config = replace(made.ASKED, head=head)
    spec = make_spec(resolve(config), made.FEATURES)
    rows = made.rows()
    model = make_model(config, spec, 3.0, Scale(0.0, 4.0))
    on_scale = outputs(model, rows)
    names = {name: weight.shape for name, weight in model.state_dict().items()}
    n_bytes = model.head_bytes()
    expected = predict(model, rows)
    model.fold_scale()
    assert torch.equal(outputs(model, rows), 4 * on_scale)
    assert torch.equal(predict(model, rows), expected)
    assert {name: weight.shape for name, weight in model.state_dict().items()} == names
    assert model.head_bytes() == n_bytes
    model.fold_scale()  # what is folded stays
    assert torch.equal(outputs(model, rows), 4 * on_scale)
    model.head.rescale(1234.5, -77.25)
    rescaled = 1234.5 * expected - 77.25
    torch.testing.assert_close(outputs(model, rows), rescaled, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_a_saved_model_predicts_in_units_of_the_target(head, tmp_path):
    frame = planted(1e3, 1e4)
    config = config_of(tmp_path, frame, head=head, epochs=2)
    models = []
    record = run_once(
        config, data_dir=tmp_path, on_trained=lambda model, dataset: models.append((model, dataset))
    )
    (model, dataset) = models[0]
    save(tmp_path / "model", model, config)
    loaded = ue_bench.load(tmp_path / "model")
    test = np.flatnonzero(data.split(dataset, "random", 0) == 2)
    columns = {name: frame[name].gather(test).to_list() for name in ("a", "b")}
    errors = loaded.predict(columns).double().numpy() - dataset.target[test].astype(np.float64)
    assert np.square(errors).mean() == pytest.approx(record.quality["test_mse"], rel=1e-6)
    assert record.cost["head_bytes"] == loaded.model.head_bytes()


# ---- as it was before there was a choice

# Test MSE and the last validation MSE, measured before the field existed.
BEFORE = {
    ("mlp", 1.0, 0.0): (0.2400109320465127, 0.2682145427439286),
    ("dcn", 1.0, 0.0): (0.2418888194216691, 0.27037345358936554),
    ("dot", 1.0, 0.0): (0.23102562907606264, 0.2736967155475889),
    ("linear", 1.0, 0.0): (0.28508582918008946, 0.3339772077353171),
    ("mlp", 1e3, 1e4): (1088872.766246624, 1101045.036925683),
    ("dot", 1e6, 0.0): (1111556593061.5696, 1124183717547.7646),
}


def train_literally(model, train, recipe, loss):
    """The training loop before there was a choice: the loss compares outputs with the targets."""
    optimizers = Optimizers(model, recipe)
    order = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    model.train()
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(train), generator=order).split(recipe.batch_size):
            optimizers.zero_grad()
            loss(model(train.codes[chosen]), train.ratings[chosen]).backward()
            optimizers.step()
    optimizers.settle()
    model.strategy.finish_training()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_raw_targets_and_labels_train_as_before_to_the_bit(task, head, tmp_path):
    frame = planted(1e3)
    loss = functional.mse_loss
    if task == "binary":
        frame = labels()
        loss = functional.binary_cross_entropy_with_logits
    config = config_of(tmp_path, frame, head=head, task=task, target_scale="raw", patience=None)
    train, validation, spec = parts_of(config, tmp_path)
    expected = make_model(config, spec, float(train.ratings.numpy().mean()))
    train_literally(expected, train, make_recipe(config), loss)
    model = model_of(config, train, spec)
    fit(model, train, validation, make_recipe(config))
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, expected.state_dict()[name]), name


@pytest.mark.parametrize(("case", "errors"), BEFORE.items())
def test_raw_has_the_errors_that_it_had(case, errors, tmp_path):
    head, factor, offset = case
    config = config_of(tmp_path, planted(factor, offset), head=head, target_scale="raw")
    quality = run_once(config, data_dir=tmp_path).quality
    assert (quality["test_mse"], quality["history"][-1]["val_mse"]) == pytest.approx(
        errors, rel=1e-6
    )


def test_labels_have_one_id_and_no_scale(tmp_path):
    config = config_of(tmp_path, labels(), task="binary")
    assert config.target_scale == "raw"
    assert config == replace(config, target_scale="standard")
    train, _, spec = parts_of(config, tmp_path)
    assert isinstance(model_of(config, train, spec).loss, LogisticLoss)


# ---- the parts


def test_the_scale_of_training_targets():
    random = np.random.default_rng(0)
    targets = random.normal(1e6, 3.0, 10_000).astype(np.float32)
    scale = Scale.of(targets)
    assert scale.mean == pytest.approx(targets.astype(np.float64).mean(), rel=1e-15)
    assert scale.deviation == pytest.approx(targets.astype(np.float64).std(), rel=1e-9)
    scaled = StandardisedError(scale).scaled(torch.from_numpy(targets)).double()
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled.std(correction=0)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
@pytest.mark.parametrize("n", [1, 1_001])
def test_a_constant_target_has_deviation_1(value, n):
    scale = Scale.of(np.full(n, value, np.float32))
    assert scale.deviation == 1.0
    assert scale.mean == pytest.approx(float(np.float32(value)), rel=1e-12)


def test_a_constant_target_is_learned(tmp_path):
    config = config_of(tmp_path, planted().with_columns(y=pl.lit(1e6)), epochs=2)
    assert run_once(config, data_dir=tmp_path).quality["test_mse"] < 1


def test_many_rows_are_scaled_as_few_are(monkeypatch):
    loss = StandardisedError(Scale(2.0, 3.0))
    targets = torch.arange(10.0)
    monkeypatch.setattr("ue_bench.training.loss.SCALED_ROWS", 3)
    torch.testing.assert_close(loss.scaled(targets), (targets - 2) / 3)
    assert len(loss.scaled(targets[:0])) == 0


def test_the_last_bias_starts_at_the_mean(tmp_path):
    config = config_of(tmp_path, planted(1e3))
    train, _, spec = parts_of(config, tmp_path)
    mean = float(train.ratings.mean())
    assert float(model_of(config, train, spec).head.out.bias.detach()) == 0.0
    raw = model_of(replace(config, target_scale="raw"), train, spec)
    assert float(raw.head.out.bias.detach()) == pytest.approx(mean, rel=1e-6)
    assert isinstance(raw.loss, SquaredError)
    served = make_model(config, spec, mean)
    assert type(served.loss) is SquaredError, "without training targets there is no scale"
    default = replace(config, rating_bias="default")
    own = float(model_of(default, train, spec).head.out.bias.detach())
    assert 0 < abs(own) < 1 / math.sqrt(config.hidden)


def test_the_step_that_is_timed_is_that_of_training(tmp_path):
    config = config_of(tmp_path, planted(1e6))
    train, _, spec = parts_of(config, tmp_path)
    model = model_of(config, train, spec)
    assert step_time(model, train, make_recipe(config), seconds=0.01)["n"] >= 30
    batch = Rows(train.codes[:128], train.ratings[:128])
    error = evaluate(model, batch)["mse"]
    assert error < 0.9 * float(batch.ratings.double().var()), "the steps descend the loss"


def test_the_angles_of_a_run_do_not_depend_on_the_unit(tmp_path):
    series = []
    for unit in UNITS[:3]:
        config = config_of(tmp_path, planted(*unit), head="linear", diagnose=True)
        series.append(run_once(config, data_dir=tmp_path).quality["diagnostics"]["angles"])
    for entries in series[1:]:
        for entry, first in zip(entries, series[0], strict=True):
            assert entry["signed_angle"] == pytest.approx(first["signed_angle"], abs=1e-2)


def test_the_option_and_its_help(tmp_path):
    planted(1e3).write_parquet(tmp_path / "t.parquet")
    words = ["run", "--dataset", str(tmp_path / "t.parquet"), "--target", "y", "--features", "a,b"]
    words += ["--budget", "4kB", "--epochs", "1", "--measure", "quality", "--json"]
    words += ["--results", str(tmp_path / "results"), "--target-scale"]
    scales = []
    for word in ("raw", "standard"):
        done = CliRunner().invoke(main, [*words, word])
        assert done.exit_code == 0, done.output
        scales.append(parse_run(done.stdout.encode(), "stdout").config.target_scale)
    assert scales == ["raw", "standard"]
    done = CliRunner().invoke(main, [*words, "log"])
    assert done.exit_code == 2
    assert "raw, standard" in done.output
    text = " ".join(CliRunner().invoke(main, ["run", "--help"]).output.split())
    assert "[default: standard]" in text
