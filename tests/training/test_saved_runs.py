"""`ue-bench run --save` and docs/serving.md: a saved model has the errors of its run, here and in
another program."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ue_bench
from ue_bench import data, record
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.training.run_once import run_once
from ue_bench.training.saved import save

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```",
    (DOCS / "serving.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)
WORLD = ("--dataset", "planted-additive", "--epochs", "2", "--measure", "quality")


def run(*words):
    return CliRunner().invoke(main, ["run", *WORLD, *words])


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("--features", "wide", "--lookups", "user_id=2"),
        ("--strategy", "int8"),
        ("--strategy", "cce", "--low-cardinality", "exact"),
    ],
    ids=" ".join,
)
def test_the_saved_model_has_the_error_of_the_record(words):
    """To the last digit, on the raw values of the test rows."""
    finished = run("--budget", "9kB", *words, "--save", "model")
    assert finished.exit_code == 0, finished.output
    assert finished.output.splitlines()[-1] == "  model: model"
    (written,), skipped = record.load(Path("results/local"))
    loaded = ue_bench.load("model")
    assert not skipped
    assert loaded.record["run_id"] == written.run_id
    dataset = data.load("planted-additive")
    test = np.flatnonzero(data.split(dataset, "random", 0) == 2)
    columns = {name: dataset.column(name).gather(test) for name in loaded.columns}
    ratings = torch.from_numpy(dataset.ratings["rating"].to_numpy()[test])
    errors = (loaded.predict(columns) - ratings).double().numpy()
    assert float(np.square(errors).sum() / len(errors)) == written.quality["test_mse"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--save", "notes"),
            "Error: notes holds something else ('a.txt'); name a new or empty folder",
        ),
        (
            ("--save", "notes/a.txt"),
            "Error: cannot write notes/a.txt: File exists",
        ),
        (
            ("--measure", "latency", "--save", "model"),
            "Error: measure: 'latency' was given with --save, but trains no model",
        ),
    ],
)
def test_what_cannot_be_saved_is_an_error_before_training(words, message):
    Path("notes").mkdir()
    Path("notes", "a.txt").write_text("mine")
    finished = run("--budget", "9kB", *words)
    assert finished.exit_code == 2
    assert message in finished.output
    assert not list(Path().rglob("*.json"))
    assert Path("notes", "a.txt").read_text() == "mine"


def models_of(config):
    """The models that a run passes to `on_trained`."""
    models = []
    run_once(config, on_trained=lambda model, dataset: models.append(model))
    return models


def test_a_latency_run_passes_on_no_model():
    config = RunConfig("planted-additive", budget=9_000, measure="latency")
    assert models_of(config) == []
    (model,) = models_of(replace(config, measure="quality", epochs=1))
    assert not model.training


@pytest.mark.parametrize(
    "changes", [{}, {"strategy": "per_feature", "region_rule": "sqrt", "hash_seed": 7}], ids=str
)
def test_another_program_predicts_the_same(changes):
    """The last block of the page uses neither torch nor this package."""
    config = RunConfig(
        dataset="planted-additive",
        features="user_id,movie_id,user_id*gender",
        lookups={"user_id": 2},
        budget=9_000,
        epochs=2,
        measure="quality",
    )
    config = replace(config, **changes)
    (model,) = models_of(config)
    save(Path("model"), model, config)
    program: dict = {}
    exec(BLOCKS[-1], program)
    assert not {"ue_bench", "torch"} & set(re.findall(r"\w+", BLOCKS[-1]))
    columns = {
        "user_id": [str(i) for i in range(60)],
        "movie_id": [str(3 * i) for i in range(60)],
        "gender": ["1", "2", "new"] * 20,
    }
    predictions = []
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        predictions.append(program["predict"](row))
    expected = ue_bench.load("model").predict(columns).numpy()
    np.testing.assert_allclose(predictions, expected, rtol=1e-5)


def test_an_exact_table_has_the_layout_of_the_page():
    config = RunConfig(
        "planted-additive",
        strategy="collisionless",
        features="movie_id,user_id",
        lookups={"movie_id": 2},
        epochs=1,
        measure="quality",
    )
    (model,) = models_of(config)
    save(Path("model"), model, config)
    program: dict = {}
    exec(BLOCKS[-1], program)
    tensors = program["tensors"]
    table = tensors["strategy.pool.weight"]
    movie, user = program["about"]["features"]

    offsets = tensors["values.0.offsets"].tolist()
    utf8 = tensors["values.0.utf8"].tobytes()
    movies = [utf8[start:end].decode() for start, end in pairwise(offsets)]
    assert movie["lookups"] == 2
    first = 2 * movies.index("17")
    start_of_users = 2 * (movie["held"] + 1)
    row_of_unseen_users = start_of_users + user["held"]
    vector = np.concatenate([table[first], table[first + 1], table[row_of_unseen_users]])

    embedded = ue_bench.load("model").embed({"movie_id": ["17"], "user_id": ["nobody"]})
    assert embedded[0].tolist() == vector.tolist()


def test_the_page_as_printed():
    """The command of the page runs, here for one epoch and without timing."""
    words = ["--strategy", "unified", "--budget", "28kB", "--save", "model"]
    finished = CliRunner().invoke(main, ["run", *words, "--epochs", "1", "--measure", "quality"])
    assert finished.exit_code == 0, finished.output
    exec(BLOCKS[0], {})
    assert " ".join(["ue-bench run", *words]) in (DOCS / "serving.md").read_text()
