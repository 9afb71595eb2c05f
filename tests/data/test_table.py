"""Any table as a data set: targets, times, files, and what a definition may say."""

import gzip
import subprocess
import sys
from datetime import date

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from table_files import movielens_as_table, table

from ue_bench import data
from ue_bench.cli import main
from ue_bench.data import Definition
from ue_bench.data.table import file_reader
from ue_bench.data.table.definition import crosses_of
from ue_bench.data.table.entity_names import choose_entities
from ue_bench.errors import BenchError

# ---- target, time, rows


def test_rows_without_a_target_are_left_out_and_told(tmp_path):
    found = table(tmp_path, {"x": ["a", "b", "c", "d"], "y": [1.0, None, float("nan"), 0.5]})
    assert found.column("x").to_list() == ["a", "d"]
    assert found.target.tolist() == [1, 0.5]
    assert found.facts["left_out"] == found.describe()["left_out"] == 2
    assert "2 without a target left out" in found.headline(found.describe())


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ([True, None, False], [1, 0]),
        ([3, None, -1], [3, -1]),
        (["1.5", "", "true", "False", "NaN"], [1.5, 1, 0]),
    ],
)
def test_a_target_of_each_kind(tmp_path, target, wanted):
    assert table(tmp_path, {"x": ["a"] * len(target), "y": target}).target.tolist() == wanted


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([1.0, float("inf")], r"t.parquet, row 2: y is inf, which is no finite number"),
        ([1.0, 1e39], r"row 2: y is 1e\+39, which is no finite number of 32 bits"),
        (["1", "2", "x"], "row 3: y is 'x', which is no number"),
        ([[1.0]], "target 'y' holds List"),
        ([None, None], "none of its 2 rows has a value of y"),
        (pl.Series([], dtype=pl.Float64), "it has no rows"),
    ],
)
def test_a_target_that_cannot_be_predicted(tmp_path, target, message):
    with pytest.raises(BenchError, match=message):
        table(tmp_path, {"x": ["a"] * len(target), "y": target})


def test_the_row_told_is_that_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(file_reader, "ROWS", 3)
    for name, last in (("1.parquet", "5"), ("2.parquet", "bad")):
        pl.DataFrame({"x": ["a"] * 8, "y": ["1"] * 7 + [last]}).write_parquet(tmp_path / name)
    with pytest.raises(BenchError, match=r"2.parquet, row 8: y is 'bad'"):
        data.load("?.parquet", tmp_path, Definition("?.parquet", "y", ("x",)).to_dict())


@pytest.mark.parametrize(
    "times",
    [
        [30, 10, 20],
        [date(2024, 3, 1), date(2024, 1, 1), date(2024, 2, 1)],
        ["2024-03-01", "2024-01-01", "2024-02-01"],
        ["2024-01-01 10:00:03.5", "2024-01-01 10:00:03", "2024-01-01 10:00:03.25"],
        ["-1", "-30", "-3"],
        [30.0, 10.0, 20.0],
        ["2024-01-01T10:07", "2024-01-01T09:00", "2024-01-01T09:01"],
        ["2024-01-01T10:07:00Z", "2024-01-01T09:00:00Z", "2024-01-01T09:01:00Z"],
    ],
)
def test_times_order_the_rows(tmp_path, times):
    found = table(tmp_path, {"x": list("abc"), "y": [1.0, 2.0, 3.0], "ts": times}, time="ts")
    assert np.argsort(found.times).tolist() == [1, 2, 0]
    assert found.times.dtype == np.int64


def test_times_that_are_missing_matter_to_a_temporal_split_alone(tmp_path):
    rows = {"x": list("ab") * 20, "y": [1.0] * 40}
    found = table(tmp_path, rows | {"ts": [None, *range(39)]}, time="ts")
    assert data.split(found, "random", 0).shape == (40,)
    assert found.describe()["rows_without_time"] == 1
    with pytest.raises(BenchError, match="1 rows have no ts"):
        data.split(found, "global_temporal", 0)
    for name in ("user_temporal", "global_temporal"):
        with pytest.raises(BenchError, match="has no time, which a temporal split needs"):
            data.split(table(tmp_path, rows), name, 0)
    with pytest.raises(BenchError, match="'article' is defined by MovieLens's user_id"):
        data.split(found, "article", 0)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ["2024-01-01", "12"],
            "row 1: time 'ts' is '2024-01-01', but a whole number in other rows",
        ),
        (["x", "y"], "neither a whole"),
        ([1.5, 2.0], "row 1: ts is 1.5, which is no whole number"),
        ([True, False], "holds Boolean"),
    ],
)
def test_times_that_are_none(tmp_path, times, message):
    with pytest.raises(BenchError, match=message):
        table(tmp_path, {"x": ["a", "b"], "y": [1.0, 2.0], "ts": times}, time="ts")


# ---- files


def test_pieces_of_any_size_give_the_same_rows(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    frame = {
        "y": rng.normal(size=400),
        "x": rng.integers(0, 90, 400),
        "z": [[None, "b", "c"][n] for n in rng.integers(0, 3, 400)],
    }
    for name in ("t.csv", "t.parquet"):
        whole = table(tmp_path, frame, name)
        monkeypatch.setattr(file_reader, "ROWS", 7)
        monkeypatch.setattr(file_reader, "BLOCK", 200)
        parts = table(tmp_path, frame, name)
        monkeypatch.undo()
        assert [parts.column(n).to_list() for n in "xz"] == [
            whole.column(n).to_list() for n in "xz"
        ]
        assert np.array_equal(parts.target, whole.target)
        assert parts.missing == whole.missing == {"x": 0, "z": frame["z"].count(None)}


def test_files_of_a_pattern_follow_each_other_by_name(tmp_path):
    for number in (2, 10, 1):
        pl.DataFrame({"y": [float(number)] * 2, "x": [f"v{number}", "v"]}).write_csv(
            tmp_path / f"part-{number:02}.csv"
        )
    (tmp_path / "part-99.csv").mkdir()
    definition = Definition("part-*.csv", "y", ("x",))
    found = data.load("part-*.csv", tmp_path, data.define(definition, tmp_path))
    assert found.column("x").to_list() == ["v1", "v", "v2", "v", "v10", "v"]
    before = found.checksum
    (tmp_path / "part-01.csv").rename(tmp_path / "part-03.csv")
    assert data.load("part-*.csv", tmp_path, definition.to_dict()).checksum != before
    (tmp_path / "part-04.csv").write_text("y,z\n1,a\n")
    with pytest.raises(BenchError, match=r"part-04.csv: not the columns of part-02.csv \(x, z\)"):
        data.define(definition, tmp_path)


def test_one_kind_of_values_in_a_column_of_several_files(tmp_path):
    for name, values in (("1.parquet", [1, 2]), ("2.parquet", ["a", "b"])):
        pl.DataFrame({"y": [1.0, 2.0], "x": values}).write_parquet(tmp_path / name)
    with pytest.raises(
        BenchError, match=r"2.parquet: column 'x' holds String, but Int64 in 1.parquet"
    ):
        data.load("?.parquet", tmp_path, Definition("?.parquet", "y", ("x",)).to_dict())


def test_a_gzipped_csv_file(tmp_path):
    text = b"x,y\na,1\nb,2\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    asked = Definition("t.csv.gz", "y", ("x",)).to_dict()
    assert data.load("t.csv.gz", tmp_path, asked).column("x").to_list() == ["a", "b"]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text)[:-9])
    with pytest.raises(BenchError, match=r"t\.csv\.gz: "):
        data.load("t.csv.gz", tmp_path, asked)


@pytest.mark.parametrize("name", ["t.tsv", "T.TSV.GZ"])
def test_a_file_with_tabs(tmp_path, name):
    text = b'x\ty\na,b\t1\n"c\td"\t2\n'
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    found = data.load(name, tmp_path, Definition(name, "y", ("x",)).to_dict())
    assert found.column("x").to_list() == ["a,b", "c\td"]
    assert found.target.tolist() == [1, 2]


GOOD = b"x,y\na,1\nb,2\n"
UTF_16 = "it begins as text in UTF-16 does; the text must be in UTF-8"
FAULTS = {
    "empty": ("t.csv", b"", "Empty CSV file"),
    "no rows": ("t.csv", b"x,y\n", "it has no rows"),
    "no such column": ("t.csv", b"xx,y\na,1\n", "unknown column of t.csv 'x' .did you mean 'xx'"),
    "twice": ("t.csv", b"x,x,y\na,b,1\n", "two columns are named 'x'"),
    "torn": ("t.csv", GOOD + b"c\n", "row 4 has 1 values, but there are 2 columns: 'c'"),
    "too many": ("t.csv", GOOD + b"c,3,4\n", "row 4 has 3 values"),
    "no text": ("t.csv", b"x,y\n\xff\xfe,1\n", "UTF8.*must be in UTF-8"),
    "utf-16": ("t.csv", GOOD.decode().encode("utf-16"), UTF_16),
    "utf-16 of the other order": ("t.csv", b"\xfe\xff" + GOOD.decode().encode("utf-16-be"), UTF_16),
    "utf-16, packed": ("t.csv.gz", gzip.compress(GOOD.decode().encode("utf-16")), UTF_16),
    "utf-16, tabs": ("t.tsv", "x\ty\na\t1\n".encode("utf-16"), UTF_16),
    "utf-16, json": ("t.jsonl", '{"x": "a", "y": 1}'.encode("utf-16"), UTF_16),
    "semicolons": (
        "t.csv",
        b"x;y\na;1\n",
        "its first line is one column, 'x;y'; values are separated by commas in a .csv file",
    ),
    "commas": ("t.tsv", GOOD, "its first line is one column, 'x,y'"),
    "no parquet": ("t.parquet", GOOD, "not a parquet file"),
    "empty parquet": ("t.parquet", b"", "0 bytes"),
    "other kind": (
        "t.xlsx",
        GOOD,
        r"must end in .csv, .tsv, .jsonl, .ndjson \(also .gz, .zst, .bz2\), .parquet, .arrow",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_is_no_table(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    outcome = CliRunner().invoke(
        main, ["data", "--dataset", str(tmp_path / name), "--target", "y", "--features", "x"]
    )
    assert outcome.exit_code == 2
    assert len(outcome.stderr.splitlines()) == 1
    with pytest.raises(BenchError, match=message):
        data.load(name, tmp_path, data.define(Definition(name, "y", ("x",)), tmp_path))


def test_places_without_a_table(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name, message in (
        ("none.csv", "does not exist"),
        ("folder.csv", "is a folder without a table"),
        ("*.parquet", "no file matches"),
    ):
        with pytest.raises(BenchError, match=message):
            data.define(Definition(name, "y", ("x",)), tmp_path)
    with pytest.raises(BenchError, match="no folder"):
        data.define(Definition("a.csv", "y", ("x",)), tmp_path / "gone")


# ---- what a table is


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": []}, "no feature was given"),
        ({"features": ["x", "x"]}, "'x' is given twice"),
        ({"features": ["x", "y"]}, "is the target and a feature too"),
        ({"features": ["a*b"]}, "cannot be a feature"),
        ({"features": "x"}, "features is 'x'; it must be a list of names"),
        ({"target": 3}, "it must be text"),
        ({"entities": ["x"]}, "1 entities were given"),
        ({"entities": ["x", "zz"]}, "unknown feature 'zz'"),
        ({"numeric": ["q"]}, "unknown feature 'q'"),
        ({"wide": ["x"]}, "a cross of different features"),
        ({"wide": ["x*x"]}, "a cross of different features"),
        ({"wide": ["x*q"]}, "unknown feature in 'x\\*q' 'q'"),
        ({"files": "../b.csv"}, "inside it"),
        ({"files": "/b.csv"}, "inside it"),
        ({"files": "a/../../b.csv"}, "inside it"),
        ({"files": "a\\b.csv"}, "inside it"),
        ({"files": ["a.csv", "../b.csv"]}, "files '../b.csv' must be"),
        ({"files": ["a.csv", "a.csv"]}, "the name in files 'a.csv' is given twice"),
        ({"files": []}, "files is empty"),
        ({"files": [3]}, "must be a list of names"),
        ({"test_files": "../b.csv"}, "test_files '../b.csv' must be"),
        ({"positive": 3}, "it must be text"),
        ({"featurs": ["x"]}, "did you mean 'features'"),
        ({"target": None}, "it must be text"),
    ],
)
def test_a_definition_is_strict(changes, message):
    with pytest.raises(BenchError, match=message):
        Definition.from_dict({"files": "t.csv", "target": "y", "features": ["x", "z"]} | changes)


def test_a_definition_has_one_form():
    given = {
        "files": "t.csv",
        "target": "y",
        "features": ["x", "z"],
        "numeric": ["z", "x"],
        "wide": [],
        "entities": ["z", "x"],
    }
    once = Definition.from_dict(given).to_dict()
    assert once == given | {"numeric": ["x", "z"]}
    assert Definition.from_dict(once).to_dict() == once
    assert Definition("t.csv", "y", ("x",)).to_dict() == {
        "files": "t.csv",
        "target": "y",
        "features": ["x"],
    }


def test_entities_and_crosses_follow_the_number_of_values():
    cardinalities = {"a": 5, "b": 90, "c": 7, "d": 90, "e": 400}
    for no_ids, wanted in (({"e"}, ("b", "d")), ((), ("b", "e"))):
        assert choose_entities(None, cardinalities, no_ids=no_ids).features == wanted
        assert choose_entities(None, cardinalities, row_ids=no_ids).features == wanted
    few = choose_entities(None, {"a": 5, "e": 400, "f": 9}, no_ids={"a", "e"})
    assert few.features == ("f", "e")
    assert few.chosen == ("cardinality", "cardinality")
    assert choose_entities(None, {"a": 5}, no_ids={"a"}).features == ("a", "a")
    assert crosses_of(cardinalities, ("b", "d")) == ("b*c", "b*e", "d*c", "d*e")
    assert crosses_of({"a": 5, "b": 6}, ("a", "b")) == ("a*b",)
    assert crosses_of({"a": 5, "b": 6, "c": 1}, ("a", "b")) == ("a*c", "b*c")
    assert crosses_of({"a": 5}, ("a", "a")) == ()


def test_a_single_feature_is_user_and_item(tmp_path):
    rng = np.random.default_rng(0)
    found = table(tmp_path, {"x": rng.integers(0, 5, 200), "y": rng.normal(size=200)})
    assert found.entities == ("x", "x")
    assert found.wide == found.base == ("x",)
    encoded = data.encode(found, ("x",), data.split(found, "random", 0))
    assert np.array_equal(encoded.user, encoded.item)


def test_rows_are_encoded_and_split_as_movielens_is(tmp_path, movielens_100k):
    """ML-100K written as a table and read again gives the same codes and splits."""
    names = ("user_id", "movie_id", "gender", "zip_code")
    as_table = movielens_as_table(tmp_path, movielens_100k, names)
    assert as_table.entities == ("user_id", "movie_id")
    for split in ("random", "user_temporal", "global_temporal"):
        parts = data.split(movielens_100k, split, 3)
        # `user_temporal` numbers users in another order, but ties within a user stay as they are
        assert np.array_equal(parts, data.split(as_table, split, 3))
        features = (*names, "user_id*gender")
        wanted = data.encode(movielens_100k, features, parts)
        encoded = data.encode(as_table, features, parts)
        for field in ("codes", "ratings", "parts", "user", "item", "user_seen", "item_seen"):
            assert np.array_equal(getattr(encoded, field), getattr(wanted, field))
        for feature, wanted_feature in zip(encoded.features, wanted.features, strict=True):
            assert list(feature.values) == list(wanted_feature.values)


LOAD_LARGE = """
import sys
from pathlib import Path

import msgspec
import polars
import pyarrow.csv
import torch

from ue_bench import data
from ue_bench.training.peak_memory import PeakMemory

definition = data.Definition(sys.argv[2], "y", ("user", "item", "city")).to_dict()
with PeakMemory(torch.device("cpu")) as memory:
    loaded = data.load("large", Path(sys.argv[1]), definition)
print(loaded.n_rows, memory.n_bytes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["large.csv", "large.jsonl"])
def test_a_large_file_of_text_is_read_a_piece_at_a_time(tmp_path, name):
    """A million rows, 90 MB of text: the process grows by far less, and most of that is codes."""
    rng = np.random.default_rng(0)
    n = 1_000_000
    with (tmp_path / name).open("wb") as file:
        for part in range(10):
            rows = n // 10
            frame = pl.DataFrame(
                {
                    "y": rng.integers(0, 2, rows),
                    "user": rng.integers(0, 50_000, rows),
                    "item": rng.integers(0, 5_000, rows),
                    "city": [f"city of {k}" for k in rng.integers(0, 300, rows)],
                    "unused": ["x" * 50] * rows,
                }
            )
            if name.endswith("csv"):
                frame.write_csv(file, include_header=part == 0)
            else:
                frame.write_ndjson(file)
    command = [sys.executable, "-c", LOAD_LARGE, str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, grown = map(int, done.stdout.split())
    size = (tmp_path / name).stat().st_size
    assert rows == n
    assert size > 70e6
    assert grown < 300e6, f"{grown:,} bytes for a file of {size:,}"
