"""Tables on the command line: runs, ids that follow the data, and messages of one line."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.cli.dataset_options import ask
from ue_bench.errors import BenchError


@pytest.fixture
def clicks(tmp_path):
    rng = np.random.default_rng(0)
    n = 300
    frame = pl.DataFrame(
        {
            "user": rng.integers(0, 20, n),
            "item": rng.integers(0, 15, n),
            "country": rng.choice(["de", "fr"], n),
            "clicked": rng.integers(0, 2, n),
            "ts": rng.permutation(n),
        }
    )
    frame.write_csv(tmp_path / "clicks.csv")
    return tmp_path / "clicks.csv"


def run(line):
    options = "--epochs 1 --budget 2kB --measure quality --json"
    return CliRunner().invoke(main, f"run {line} {options}".split())


def test_a_run_on_a_table(clicks, tmp_path):
    options = "--target clicked --features user,item,country --time ts --split user_temporal"
    options += f" --results {tmp_path / 'results'}"
    done = run(f"--dataset {clicks} {options}")
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["config"]["dataset"] == "clicks.csv"
    assert record["config"]["features"] == "base"
    assert str(tmp_path) not in done.stdout
    assert record["found"]["entities"] == ["user", "item"]
    assert sum(record["found"]["n_rows"].values()) == 300
    assert set(record["quality"]["slices"]) == {
        "of",
        "warm_user",
        "cold_user",
        "warm_item",
        "cold_item",
    }
    other = json.loads(run(f"--dataset clicks.csv --data-dir {tmp_path} {options}").stdout)
    assert other["run_id"] == record["run_id"]
    assert other["quality"] == record["quality"]
    with clicks.open("a") as file:
        file.write("1,1,de,0,400\n")
    changed = json.loads(run(f"--dataset {clicks} {options}").stdout)
    assert changed["run_id"] != record["run_id"]


def test_content_that_changed_is_refused(clicks):
    asked = ask(str(clicks), None, "user,item", {"target": "clicked"})
    clicks.write_bytes(clicks.read_bytes().replace(b"de", b"at"))
    with pytest.raises(BenchError, match="it has changed since"):
        data.load("clicks.csv", asked.data_dir, asked.fields["table"])


def test_crosses_among_the_features_are_what_wide_adds(clicks, tmp_path):
    options = "--target clicked --features user,item,country,user*country"
    done = run(f"--dataset {clicks} {options} --results {tmp_path}")
    record = json.loads(done.stdout)
    assert record["config"]["features"] == "wide"
    assert record["config"]["table"]["wide"] == ["user*country"]
    assert list(record["found"]["cardinalities"]) == ["user", "item", "country", "user*country"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "{}"], "name the column to predict: --target COLUMN"),
        (["--dataset", "{}", "--target", "clicked"], "--features COLUMN,COLUMN"),
        (["--dataset", "{}", "--target", "clickd", "--features", "user"], "did you mean 'clicked'"),
        (
            ["--dataset", "{}", "--target", "clicked", "--features", "user,clicked"],
            "is the target and a feature too",
        ),
        (
            ["--dataset", "ml-100k", "--target", "clicked"],
            "--target: 'clicked' was given with --dataset ml-100k, which is no table",
        ),
        (["--target", "clicked"], "is no table"),
        (["--dataset", "ml-100"], "did you mean 'ml-100k'"),
        (["--dataset", "gone.csv", "--target", "y", "--features", "x"], "gone.csv does not exist"),
    ],
)
def test_a_missing_option_is_an_error_of_one_line(clicks, words, message):
    for command in ("run", "data"):
        if command == "data" and words == ["--target", "clicked"]:
            words = ["--dataset", "ml-100k", *words]
        done = CliRunner().invoke(main, [command, *(word.format(clicks) for word in words)])
        assert done.exit_code == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_data_tells_what_a_table_is(clicks):
    line = f"data --dataset {clicks} --target clicked --features user,item,country,ts --numeric ts"
    done = CliRunner().invoke(main, line.split())
    assert "clicks.csv: 300 rows; target clicked from 0 to 1, mean 0.5" in done.output
    assert "user: user, item: item" in done.output
    assert "distinct values, rounded to two digits" in done.output
