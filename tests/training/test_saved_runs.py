"""`ue-bench run --save`, and docs/serving.md: what a run measured, its saved model gives again, and another program too."""

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
    done = run("--budget", "9kB", *words, "--save", "model")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "  model: model"
    (kept,), skipped = record.load(Path("results/local"))
    loaded = ue_bench.load("model")
    assert not skipped
    assert loaded.record["run_id"] == kept.run_id
    dataset = data.load("planted-additive")
    test = np.flatnonzero(data.split(dataset, "random", 0) == 2)
    columns = {name: dataset.column(name).gather(test) for name in loaded.columns}
    errors = (
        (loaded.predict(columns) - torch.from_numpy(dataset.ratings["rating"].to_numpy()[test]))
        .double()
        .numpy()
    )
    assert float(np.square(errors).sum() / len(errors)) == kept.quality["test_mse"]


def test_what_cannot_be_saved_is_told_before_training():
    Path("notes").mkdir()
    Path("notes", "a.txt").write_text("mine")
    for words, told in (
        (
            ("--save", "notes"),
            "Error: notes holds something else ('a.txt'); name a new or empty folder",
        ),
        (("--save", "notes/a.txt"), "Error: cannot write notes/a.txt: File exists"),
        (
            ("--measure", "latency", "--save", "model"),
            "Error: measure: 'latency' was given with --save, and trains nothing",
        ),
    ):
        done = run("--budget", "9kB", *words)
        assert done.exit_code == 2
        assert told in done.output
        assert not Path("results").exists() or not list(Path("results").rglob("*.json"))
    assert Path("notes", "a.txt").read_text() == "mine"


def test_a_latency_run_hands_out_no_model():
    handed = []
    config = RunConfig("planted-additive", budget=9_000, measure="latency")
    run_once(config, on_trained=lambda model, dataset: handed.append(model))
    assert handed == []
    run_once(
        replace(config, measure="quality", epochs=1),
        on_trained=lambda model, dataset: handed.append(model),
    )
    assert len(handed) == 1
    assert not handed[0].training


@pytest.mark.parametrize(
    "asked", [{}, {"strategy": "per_feature", "region_rule": "sqrt", "hash_seed": 7}], ids=str
)
def test_another_program_predicts_the_same(asked):
    """The page's last block, which knows neither torch nor this package."""
    handed = []
    asked = {
        "lookups": {"user_id": 2},
        "features": "user_id,movie_id,user_id*gender",
        "epochs": 2,
        "budget": 9_000,
        **asked,
    }
    config = RunConfig("planted-additive", measure="quality", **asked)
    run_once(config, on_trained=lambda model, dataset: handed.append(model))
    save(Path("model"), handed[0], config)
    there: dict = {}
    exec(BLOCKS[-1], there)
    assert not {"ue_bench", "torch"} & set(re.findall(r"\w+", BLOCKS[-1]))
    rows = [
        {"user_id": str(i), "movie_id": str(3 * i), "gender": ("1", "2", "new")[i % 3]}
        for i in range(60)
    ]
    columns = {name: [row[name] for row in rows] for name in ("user_id", "movie_id", "gender")}
    expected = ue_bench.load("model").predict(columns).numpy()
    np.testing.assert_allclose([there["predict"](row) for row in rows], expected, rtol=1e-5)


def test_an_exact_table_lies_as_the_page_says():
    handed = []
    config = RunConfig(
        "planted-additive",
        strategy="collisionless",
        features="movie_id,user_id",
        lookups={"movie_id": 2},
        epochs=1,
        measure="quality",
    )
    run_once(config, on_trained=lambda model, dataset: handed.append(model))
    save(Path("model"), handed[0], config)
    there: dict = {}
    exec(BLOCKS[-1], there)
    tensors, about, start, vectors = there["tensors"], there["about"], 0, []
    for index, (feature, value) in enumerate(zip(about["features"], ("17", "nobody"), strict=True)):
        offsets, utf8 = (
            tensors[f"values.{index}.offsets"].tolist(),
            tensors[f"values.{index}.utf8"].tobytes(),
        )
        values = [utf8[first:last].decode() for first, last in pairwise(offsets)]
        k = values.index(value) if value in values else feature["held"]
        first = start + feature["lookups"] * k
        vectors += (
            tensors["strategy.pool.weight"][first : first + feature["lookups"]].flatten().tolist()
        )
        start += feature["lookups"] * (feature["held"] + 1)
    assert (
        ue_bench.load("model").embed({"movie_id": ["17"], "user_id": ["nobody"]})[0].tolist()
        == vectors
    )


def test_the_page_as_printed():
    """But for one epoch, and without the clocks."""
    words = ["--strategy", "unified", "--budget", "28kB", "--save", "model"]
    done = CliRunner().invoke(main, ["run", *words, "--epochs", "1", "--measure", "quality"])
    assert done.exit_code == 0, done.output
    exec(BLOCKS[0], {})
    assert " ".join(["ue-bench run", *words]) in (DOCS / "serving.md").read_text()
