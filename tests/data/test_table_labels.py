"""Targets of two texts, and test files of one's own."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from table_files import table

import ue_bench
from ue_bench import data
from ue_bench.cli import main
from ue_bench.cli.dataset_options import ask
from ue_bench.data import Definition
from ue_bench.data.splitting import TEST, TRAIN, VALIDATION
from ue_bench.errors import BenchError
from ue_bench.record import load
from ue_bench.report.evidence.comparison import comparison_of

# ---- targets of two texts


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize(
    ("target", "positive", "wanted"),
    [
        (["yes", "no", None, "yes"], "yes", [1, 0, 1]),
        ([" >50K", " <=50K", " <=50K"], " >50K", [1, 0, 0]),
        (["a", "b", "c", "a"], "a", [1, 0, 0, 1]),
        ([1, 2, None, 2], "2", [0, 1, 1]),
        ([True, False, None], "false", [0, 1]),
    ],
)
def test_the_positive_value_is_1_and_every_other_one_0(tmp_path, name, target, positive, wanted):
    found = table(tmp_path, {"x": ["v"] * len(target), "y": target}, name, positive=positive)
    assert found.target.tolist() == wanted
    assert found.target.dtype == np.float32
    assert found.left_out == target.count(None)
    assert f"target y (1 is {positive!r}) from 0 to 1" in found.headline(found.describe())
    assert found.describe()["target"]["positive"] == positive


@pytest.mark.parametrize(
    ("target", "positive"),
    [
        (pl.Series(["yes", "no", None], dtype=pl.Categorical), "yes"),
        (pl.Series(["yes", "no", None], dtype=pl.Enum(["no", "yes"])), "yes"),
        ([1.0, 2.0, float("nan")], "1"),
        ([0.5, 2.0, None], "0.5"),
    ],
)
def test_the_positive_value_of_columns_that_have_a_type(tmp_path, target, positive):
    found = table(tmp_path, {"x": ["a", "b", "c"], "y": target}, positive=positive)
    assert found.target.tolist() == [1, 0]
    assert found.column("x").to_list() == ["a", "b"]


def test_a_category_may_hold_numbers_and_truth(tmp_path):
    target = pl.Series(["1", "0", None, "true"], dtype=pl.Categorical)
    assert table(tmp_path, {"x": ["v"] * 4, "y": target}).target.tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize(
    ("target", "more", "message"),
    [
        (["no", "yes"], {}, r"row 1: target 'y' is text: 'no', 'yes'; .* \(--positive VALUE, in"),
        ([None, "b", "a"], {}, r"row 2: target 'y' is text: 'b', 'a'; .* positive = \"a\"\)"),
        (list("abcdefg"), {}, "is text: 'a', 'b', 'c', 'd', 'e' and others;"),
        (["1", "b"], {}, "row 2: y is 'b', which is no number"),
        (
            ["no", "yes"],
            {"positive": "Yes"},
            "no row with the positive value 'Yes'; its values are 'no', 'yes'",
        ),
        (list("abcdefg"), {"positive": "h"}, "its values are 'a', 'b', 'c', 'd', 'e' and others"),
    ],
)
def test_targets_of_texts_that_are_refused(tmp_path, name, target, more, message):
    with pytest.raises(BenchError, match=message) as caught:
        table(tmp_path, {"x": ["v"] * len(target), "y": target}, name, **more)
    assert "\n" not in str(caught.value)


def test_a_target_without_texts_has_no_positive_value(tmp_path):
    with pytest.raises(BenchError, match=r"holds List.*; a positive value is text, a number or a"):
        table(tmp_path, {"x": ["a"], "y": [["a"]]}, positive="a")


def test_the_rules_of_a_frame_whose_target_is_text():
    frame = pl.DataFrame({"x": [1.0, 2.5, 3.0], "y": ["yes", None, "no"]})
    definition = Definition("t.parquet", "y", ("x",), positive="yes")
    assert ue_bench.rules_of(frame, definition)["x"].kind == "whole"


# ---- the task and the record


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    """A training file and a test file whose target is text; `new` is a value of the test alone."""
    folder = tmp_path_factory.mktemp("census")
    rng = np.random.default_rng(0)
    for name, n, job in (("train.csv", 360, "old"), ("test.csv", 90, "new")):
        user = rng.integers(0, 20, n)
        frame = pl.DataFrame(
            {
                "user": user,
                "job": [job if k % 5 == 0 else f"job {k % 7}" for k in range(n)],
                "when": rng.permutation(n) + (1000 if job == "new" else 0),
                "income": np.where(user + rng.integers(0, 9, n) > 12, ">50K", "<=50K"),
            }
        )
        frame.write_csv(folder / name)
    text = 'files = "train.csv"\ntest_files = "test.csv"\ntarget = "income"\npositive = ">50K"\n'
    (folder / "t.toml").write_text(text + 'features = ["user", "job"]\ntime = "when"\n')
    return folder


OPTIONS = ["--target", "income", "--features", "user,job", "--positive", ">50K", "--time", "when"]
SHORT = ["--budget", "1kB", "--epochs", "2", "--measure", "quality", "--json"]


def run(census, results, *options):
    line = ["run", "--dataset", str(census / "train.csv"), *OPTIONS, *options, *SHORT]
    return CliRunner().invoke(main, [*line, "--results", str(results)])


def test_a_positive_value_makes_the_task_binary_and_is_recorded(census, tmp_path):
    record = json.loads(run(census, tmp_path).stdout)
    assert record["config"]["task"] == "binary"
    assert record["config"]["table"]["positive"] == ">50K"
    assert 0 < record["quality"]["test_log_loss"] < 1
    of_numbers = json.loads(run(census, tmp_path, "--task", "regression").stdout)
    assert of_numbers["config"]["task"] == "regression"
    assert of_numbers["run_id"] != record["run_id"]
    found, _ = load(tmp_path, "run")
    tasks = {comparison_of(entry).task for entry in found}
    assert tasks == {"binary: 1 is '>50K'", "regression: 1 is '>50K'"}


def test_options_and_a_toml_file_ask_for_the_same_test_files(census, tmp_path):
    by_options = json.loads(run(census, tmp_path, "--test-files", str(census / "test.csv")).stdout)
    line = ["run", "--dataset", str(census / "t.toml"), *SHORT, "--results", str(tmp_path)]
    by_file = json.loads(CliRunner().invoke(main, line).stdout)
    assert by_file["run_id"] == by_options["run_id"]
    assert by_file["config"]["table"]["test_files"] == "test.csv"
    assert by_file["config"]["split"] == "random"
    assert by_file["found"]["test_rows"] == 90
    assert by_file["quality"]["slices"]["of"] == "test"
    records, _ = load(tmp_path, "run")
    assert [comparison_of(record).dataset for record in records] == ["train.csv tested on test.csv"]
    plain = CliRunner().invoke(main, [*line[:-3], "--results", str(tmp_path)])
    assert "random split, tested on test.csv" in plain.stdout


def test_the_rows_of_test_files_are_the_test_part_of_every_split(census):
    choice = ask(str(census / "t.toml"), None, None, {})
    found = data.load("t", choice.data_dir, choice.fields["table"])
    assert "450 rows, 90 of them in test files" in found.headline(found.describe())
    for name in ("random", "user_temporal", "global_temporal"):
        parts = data.split(found, name, 3)
        assert np.array_equal(parts == TEST, found.is_test)
        assert (parts == TEST).sum() == 90
        others = (parts == TRAIN).sum(), (parts == VALIDATION).sum()
        assert sum(others) == 360
        if name != "user_temporal":
            assert others == (320, 40)
    last = data.split(found, "global_temporal", 0) == VALIDATION
    first = data.split(found, "global_temporal", 0) == TRAIN
    assert found.times[last].min() > found.times[first].max()
    users = found.coded("user").codes
    of_users = data.split(found, "user_temporal", 0)
    for user in np.unique(users):
        mine = users == user
        n = int((mine & ~found.is_test).sum())
        assert (of_users[mine] == VALIDATION).sum() == max(1, int(n / 9 + 0.5))
        latest = found.times[mine & (of_users == TRAIN)].max()
        assert found.times[mine & (of_users == VALIDATION)].min() > latest
    parts = data.split(found, "random", 3)
    assert np.array_equal(parts, data.split(found, "random", 3))
    assert not np.array_equal(parts, data.split(found, "random", 4))


def test_a_value_of_the_test_files_alone_is_unseen(census):
    choice = ask(str(census / "t.toml"), None, None, {})
    found = data.load("t", choice.data_dir, choice.fields["table"])
    encoded = data.encode(found, ("user", "job"), data.split(found, "random", 0))
    job = encoded.features[1]
    assert "new" in list(job.values)[job.n_seen :]
    assert "old" in list(job.values)[: job.n_seen]


def test_the_split_of_the_article_has_no_test_part(tmp_path):
    for name in ("train.csv", "test.csv"):
        frame = {"user_id": [1, 2], "t": [1, 2], "y": [1.0, 2.0]}
        pl.DataFrame(frame).write_csv(tmp_path / name)
    definition = Definition("train.csv", "y", ("user_id",), time="t", test_files="test.csv")
    found = data.load("t", tmp_path, data.define(definition, tmp_path))
    with pytest.raises(BenchError, match="'article' has no test part, and test_files were given"):
        data.split(found, "article", 0)


def test_test_files_are_left_out_of_the_others(tmp_path):
    for name in ("a", "b", "c"):
        pl.DataFrame({"y": [1.0, 2.0], "x": [name, name]}).write_csv(tmp_path / f"{name}.csv")

    def loaded(files, test_files):
        definition = Definition(files, "y", ("x",), test_files=test_files)
        return data.load("t", tmp_path, data.define(definition, tmp_path))

    found = loaded("*.csv", "b.csv")
    assert found.column("x").to_list() == ["a", "a", "c", "c", "b", "b"]
    assert found.is_test.tolist() == [False] * 4 + [True] * 2
    assert loaded("a.csv", ("c.csv", "b.csv")).column("x").to_list() == ["a", "a", *"bbcc"]
    checksums = {loaded("a.csv", names).checksum for names in (None, "b.csv", "c.csv", "[bc].csv")}
    assert len(checksums) == 4
    for files, test_files, message in (
        ("a.csv", "?.csv", "all its files are test files"),
        ("a.csv", "gone.csv", "gone.csv does not exist"),
    ):
        with pytest.raises(BenchError, match=message):
            loaded(files, test_files)
    (tmp_path / "b.csv").write_text("y,x\n,b\n")
    with pytest.raises(BenchError, match="no row of its test_files has a value of y"):
        loaded("a.csv", "b.csv")
    (tmp_path / "b.csv").write_text("y,z\n1,b\n")
    with pytest.raises(BenchError, match=r"b.csv: not the columns of a.csv \(x, z\)"):
        loaded("a.csv", "b.csv")


def test_a_table_without_these_has_the_definition_that_it_had(tmp_path):
    """So that no id of a run changes."""
    definition = Definition.from_dict({"files": "t.csv", "target": "y", "features": ["x"]})
    assert definition.to_dict() == {"files": "t.csv", "target": "y", "features": ["x"]}


def test_these_options_belong_to_a_table(census):
    for option, value in (("--positive", "x"), ("--test-files", "t.csv")):
        for dataset in ("ml-100k", str(census / "t.toml")):
            line = ["data", "--dataset", dataset, option, value]
            done = CliRunner().invoke(main, line)
            assert done.exit_code == 2
            assert f"{option}: {value!r} was given with --dataset" in done.stderr
        done = CliRunner().invoke(main, ["study", "table_size", option, value])
        assert f"{option} needs a table; give its path with --dataset" in done.stderr
