"""A model of a table takes the raw values of the table, in any frame, and reads them as the run
did."""

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
    """A column of each kind: ids with gaps as floats, fractions, whole numbers to be rounded, truth
    values, and text with gaps."""
    draw = np.random.default_rng(0)
    frame = {
        "shop": [None if i % 17 == 0 else float(i % 40) for i in range(N)],
        "price": np.round(draw.lognormal(2, 1, N), 2).tolist(),
        "age": draw.integers(10, 400, N).tolist(),
        "new": (draw.random(N) < 0.5).tolist(),
        "town": [None if i % 11 == 0 else f"t{i % 23}é" for i in range(N)],
    }
    return pl.DataFrame(frame).with_columns(y=pl.Series((draw.random(N) < 0.4).astype(int)))


SHOP = ["--features", "shop,price,age,new,town,town*new", "--numeric", "age", "--budget", "3kB"]


def run(file, *words):
    """Train a model of a table, and return its record and the saved model."""
    command = f"run --dataset {file} --target y --epochs 2 --measure quality --save model".split()
    finished = CliRunner().invoke(main, [*command, *words])
    assert finished.exit_code == 0, finished.output
    (written,), skipped = record.load(Path("results/local"))
    assert not skipped
    return written, ue_bench.load("model")


def rows_of_test(name, written):
    """Positions of the test rows of a run."""
    dataset = data.load(name, Path(), written.config.table)
    return np.flatnonzero(data.split(dataset, "random", 0) == 2)


def mse(predicted, targets):
    errors = (predicted - targets).double().numpy()
    return float(np.square(errors).sum() / len(errors))


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_raw_rows_have_the_error_of_the_record(name, task):
    raw = rows()
    raw.write_csv(name) if name.endswith("csv") else raw.write_parquet(name)
    written, loaded = run(name, *SHOP, "--task", task)
    test = rows_of_test(name, written)
    own = raw[test].select("shop", "price", "age", "new", "town")
    if name.endswith("csv"):  # where a truth value is the text that stands there
        own = own.with_columns(pl.col("new").cast(pl.String))
    predicted = loaded.predict(own)
    assert task == "regression" or ((predicted > 0) & (predicted < 1)).all()
    targets = torch.tensor(raw["y"].to_numpy()[test])
    assert mse(predicted, targets) == written.quality["test_mse"]
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
    _, loaded = run("t.csv", *SHOP)
    columns = raw.select(loaded.columns).with_columns(pl.col("new").cast(pl.String))
    together = loaded.embed(columns[:40])
    alone = torch.cat([loaded.embed(columns[row : row + 1]) for row in range(40)])
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
    """A Parquet file has lists, and a CSV file texts with a separator.

    A cross has each member with the other part.
    """
    draw = np.random.default_rng(1)
    tags = []
    for _ in range(N):
        drawn = draw.choice(list("abcdefgh"), draw.integers(0, 4), replace=False)
        tags.append(sorted(drawn.tolist()))
    raw = pl.DataFrame(
        {"user": [f"u{i % 30}" for i in range(N)], "tags": tags},
        schema={"user": pl.String, "tags": pl.List(pl.String)},
    )
    raw = raw.with_columns(y=pl.Series(draw.normal(size=N).round(3)))
    joined = raw.with_columns(pl.col("tags").list.join("|"))
    raw.write_parquet(name) if name.endswith("parquet") else joined.write_csv(name)
    words = ["--features", "user,tags,user*tags", "--budget", "2kB"]
    if name.endswith("csv"):
        words += ["--multi-valued", "tags"]
    written, loaded = run(name, *words)
    assert written.found["cardinalities"]["tags"] == 9, "eight, and the one for none"
    test = rows_of_test(name, written)
    own = raw[test].select("user", "tags")
    predicted = loaded.predict(own)
    targets = raw["y"].to_torch()[test].float()
    assert mse(predicted, targets) == written.quality["test_mse"]
    assert torch.equal(loaded.predict(own.to_dict(as_series=False)), predicted)
    assert torch.equal(loaded.predict(own.to_pandas()), predicted)
    if name.endswith("csv"):
        assert torch.equal(loaded.predict(joined[test].select("user", "tags")), predicted)
    with pytest.raises(
        BenchError, match="column 'user' holds lists, and the feature has one value a row"
    ):
        loaded.predict({"user": [["u1"]], "tags": [["a"]]})
