"""A model of a table takes the table's raw values, in whatever frame they come, and makes of them what the run made of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from click.testing import CliRunner

import ue_bench
from ue_bench import data, record
from ue_bench.cli import main
from ue_bench.errors import BenchError

N = 400


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows():
    """A column of each kind: ids with gaps as floats, fractions, whole numbers to be rounded, truth values, text with gaps."""
    draw = np.random.default_rng(0)
    frame = {
        "shop": [None if i % 17 == 0 else float(i % 40) for i in range(N)],
        "price": np.round(draw.lognormal(2, 1, N), 2).tolist(),
        "age": draw.integers(10, 400, N).tolist(),
        "new": (draw.random(N) < 0.5).tolist(),
        "town": [None if i % 11 == 0 else f"t{i % 23}é" for i in range(N)],
    }
    return pl.DataFrame(frame).with_columns(y=pl.Series((draw.random(N) < 0.4).astype(int)))


def run(file, *words, features="shop,price,age,new,town,town*new"):
    command = [
        "run",
        "--dataset",
        file,
        "--target",
        "y",
        "--features",
        features,
        "--numeric",
        "age",
        "--budget",
        "3kB",
        "--epochs",
        "2",
        "--measure",
        "quality",
        "--save",
        "model",
        *words,
    ]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    (kept,), skipped = record.load(Path("results/local"))
    assert not skipped
    return kept, ue_bench.load("model")


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_raw_rows_have_the_error_of_the_record(name, task):
    raw = rows()
    raw.write_csv(name) if name.endswith("csv") else raw.write_parquet(name)
    kept, loaded = run(name, "--task", task)
    dataset = data.load(name, Path(), kept.config.table)
    test = np.flatnonzero(data.split(dataset, "random", 0) == 2)
    own = raw[test].select("shop", "price", "age", "new", "town")
    if name.endswith("csv"):  # where a truth value is the text that stands there
        own = own.with_columns(pl.col("new").cast(pl.String))
    predicted = loaded.predict(own)
    assert task == "regression" or ((predicted > 0) & (predicted < 1)).all()
    errors = (predicted - torch.tensor(raw["y"].to_numpy()[test])).double().numpy()
    assert float(np.square(errors).sum() / len(errors)) == kept.quality["test_mse"]
    for other in (
        own.to_dict(as_series=False),
        own.to_pandas(),
        {c: own[c].to_numpy(writable=True) for c in own.columns},
    ):
        assert torch.equal(loaded.predict(other), predicted), type(other)
    if name.endswith("csv"):
        read = pd.read_csv(name, dtype={"new": str}).iloc[test]
        assert torch.equal(loaded.predict(read[own.columns]), predicted)


def test_one_row_is_as_in_company():
    """The kind of a column is the run's, not that of the values that happen to be asked for."""
    raw = rows()
    raw.write_csv("t.csv")
    _, loaded = run("t.csv")
    columns = raw.select(loaded.columns).with_columns(pl.col("new").cast(pl.String))
    together = loaded.embed(columns[:40])
    alone = torch.cat([loaded.embed(columns[place : place + 1]) for place in range(40)])
    assert torch.equal(alone, together)
    written = {
        "shop": ["7.0", "7", None],
        "price": ["12.31", "12.0", ""],
        "age": ["123", "120.0", "NaN"],
        "new": ["true"] * 3,
        "town": ["", "NaN", None],
    }
    numbers = {
        "shop": [7, 7, None],
        "price": [12.31, 12, None],
        "age": [123, 120, None],
        "new": ["true"] * 3,
        "town": [""] * 3,
    }
    assert torch.equal(loaded.embed(written), loaded.embed(numbers))
    assert torch.equal(loaded.embed(written)[0], loaded.embed(written)[1]), (
        "12.31 and 12 are one bucket, 123 and 120 too"
    )


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_several_values(name):
    """Lists of a Parquet file, and texts with a separator of a CSV file; a cross has each member with the other part."""
    draw = np.random.default_rng(1)
    tags = [
        sorted(draw.choice(list("abcdefgh"), draw.integers(0, 4), replace=False).tolist())
        for _ in range(N)
    ]
    raw = pl.DataFrame(
        {"user": [f"u{i % 30}" for i in range(N)], "tags": tags},
        schema={"user": pl.String, "tags": pl.List(pl.String)},
    )
    raw = raw.with_columns(y=pl.Series(draw.normal(size=N).round(3)))
    joined = raw.with_columns(pl.col("tags").list.join("|"))
    raw.write_parquet(name) if name.endswith("parquet") else joined.write_csv(name)
    words = [] if name.endswith("parquet") else ["--multi-valued", "tags"]
    command = [
        "run",
        "--dataset",
        name,
        "--target",
        "y",
        "--features",
        "user,tags,user*tags",
        "--budget",
        "2kB",
        "--epochs",
        "2",
        "--measure",
        "quality",
        "--save",
        "model",
        *words,
    ]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    (kept,), _ = record.load(Path("results/local"))
    loaded = ue_bench.load("model")
    assert kept.found["cardinalities"]["tags"] == 9, "eight, and the one for none"
    dataset = data.load(name, Path(), kept.config.table)
    test = np.flatnonzero(data.split(dataset, "random", 0) == 2)
    own = raw[test].select("user", "tags")
    predicted = loaded.predict(own)
    errors = (predicted - raw["y"].to_torch()[test].float()).double().numpy()
    assert float(np.square(errors).sum() / len(errors)) == kept.quality["test_mse"]
    assert torch.equal(loaded.predict(own.to_dict(as_series=False)), predicted)
    assert torch.equal(loaded.predict(own.to_pandas()), predicted)
    if name.endswith("csv"):
        assert torch.equal(loaded.predict(joined[test].select("user", "tags")), predicted)
    with pytest.raises(
        BenchError, match="column 'user' holds lists, and the feature has one value a row"
    ):
        loaded.predict({"user": [["u1"]], "tags": [["a"]]})
