"""A table as a TOML file, and every study on it."""

import json
import re
from dataclasses import replace

import movielens_files as official
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from fake_workers import quick_workers, result

from ue_bench import data
from ue_bench.cli import main
from ue_bench.cli.dataset_options import ask
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import load
from ue_bench.study import Grid, Search, Study, find, local_executor
from ue_bench.study.plan import Plan
from ue_bench.training.resolve import resolve

TOML = """
files = "clicks.parquet"
target = "clicked"
features = ["user", "item", "country", "hour"]
entities = ["user", "item"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clicks")
    rng = np.random.default_rng(0)
    n = 600
    pl.DataFrame(
        {
            "user": rng.integers(0, 40, n),
            "item": rng.integers(0, 25, n),
            "country": rng.choice(["de", "fr", "it"], n),
            "hour": rng.integers(0, 24, n),
            "clicked": rng.integers(0, 2, n),
            "ts": rng.permutation(n),
        }
    ).write_parquet(folder / "clicks.parquet")
    (folder / "clicks.toml").write_text(TOML)
    return folder


def asked(folder, text=TOML):
    path = folder / "other.toml"
    path.write_text(text)
    return ask(str(path), None, None, {})


RUN = "--budget 2kB --epochs 1 --measure quality --json"


def run_record(dataset, options, results):
    """The record of a short run, as the command prints it."""
    line = f"run --dataset {dataset} {options} {RUN} --results {results}"
    return json.loads(CliRunner().invoke(main, line.split()).stdout)


def test_a_toml_file_and_options_ask_for_the_same(folder, tmp_path):
    options = "--target clicked --features user,item,country,hour --entities user,item"
    by_file = run_record(folder / "clicks.toml", "", tmp_path)
    by_options = run_record(folder / "clicks.parquet", options, tmp_path)
    assert by_file["run_id"] == by_options["run_id"]


def test_an_option_wins_over_the_file_and_features_choose_of_its_own(folder, tmp_path):
    record = run_record(folder / "clicks.toml", "--features user,user*hour", tmp_path)
    assert record["config"]["features"] == "user,user*hour"
    assert record["config"]["table"]["features"] == ["user", "item", "country", "hour"]


def test_a_toml_file_may_name_the_data_its_folder_and_its_checksum(folder, tmp_path):
    found = asked(
        folder,
        TOML + 'name = "clicks of june"\nwide = ["user*hour"]\nnumeric = ["hour"]\ntime = "ts"',
    )
    assert found.fields["dataset"] == "clicks of june"
    assert found.data_dir == folder
    assert found.fields["table"]["wide"] == ["user*hour"]
    checksum = found.fields["table"]["checksum"]
    elsewhere = ask(str(folder / "clicks.toml"), None, None, {})
    assert elsewhere.fields["table"]["checksum"] == checksum
    (tmp_path / "set.toml").write_text(TOML + f'checksum = "{checksum}"')
    assert ask(str(tmp_path / "set.toml"), folder, None, {}).data_dir == folder
    with pytest.raises(BenchError, match=r"its content is sha256:.* but sha256:0 was asked for"):
        asked(folder, TOML + 'checksum = "sha256:0"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files = ", "cannot be read: "),
        (TOML + "targett = 1", "unknown key of .*other.toml 'targett' .did you mean 'target'"),
        (TOML + 'name = "ml-100k"', "not the name of another data set"),
        (TOML + 'name = "a/b"', "text without a slash"),
        (TOML.replace('"clicks.parquet"', "3"), "files is 3; it must be the path"),
        (TOML.replace('"clicks.parquet"', '"gone.csv"'), "gone.csv does not exist"),
        (TOML.replace('target = "clicked"', ""), "target is missing"),
        ("target = " + "[" * 100_000, "recursion depth"),
        (f"a{'.a' * 200_000} = 1", "a key has more than 100 parts"),
        (f"# {'x' * 2**20}", "more than 1,048,576"),
        (TOML.replace('target = "clicked"', 'target = "clickd"'), "did you mean 'clicked'"),
    ],
)
def test_a_bad_toml_file_is_one_line(folder, text, message):
    with pytest.raises(BenchError, match=message) as caught:
        asked(folder, text)
    assert "\n" not in str(caught.value)


def test_a_toml_file_and_the_options_of_a_table_do_not_go_together(folder):
    for command in ("run", "data"):
        done = CliRunner().invoke(
            main, [command, "--dataset", str(folder / "clicks.toml"), "--target", "ts"]
        )
        assert done.exit_code == 2
        assert "--target: 'ts' was given with --dataset" in done.stderr
    done = CliRunner().invoke(main, ["study", "table_size", "--target", "ts"])
    assert done.exit_code == 2
    assert "--target needs a table; give its path with --dataset" in done.stderr


def test_a_run_needs_the_checksum(folder):
    table = {"files": "clicks.parquet", "target": "clicked", "features": ["user"]}
    with pytest.raises(BenchError, match="the table has no checksum"):
        resolve(RunConfig(dataset="clicks.parquet", table=table))


# ---- studies


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "heads",
        "optimizer_path",
        "paper",
        "splits",
        "table_size",
        "variance",
        "why",
        pytest.param("lookup_allocation", marks=pytest.mark.slow),
        pytest.param("methods", marks=pytest.mark.slow),
    ],
)
def test_every_study_asks_for_runs_that_a_table_can_have(
    folder, tmp_path, monkeypatch, capsys, name
):
    """Each configuration names features and lookups that the table has.

    The workers take no time, and the searches are short.
    """
    monkeypatch.setattr(local_executor, "Workers", quick_workers(result))
    at = ask(str(folder / "clicks.toml"), None, None, {})
    plan = Plan(name, find(name), dataset=at.fields, data_dir=at.data_dir)
    plan.parts = tuple(
        replace(part, trials=2) if isinstance(part, Search) else part for part in plan.parts
    )
    executor = local_executor.LocalExecutor(plan, tmp_path)
    executor.run()
    loaded = data.load(at.fields["dataset"], at.data_dir, at.fields["table"])
    assert executor.ledger.wanted
    for config in executor.ledger.wanted.values():
        assert config.table == at.fields["table"]
        features = loaded.feature_names(config.features)
        assert not isinstance(config.lookups, dict) or set(config.lookups) <= set(features)
        assert config.split == "random"  # there is no time
    message = capsys.readouterr().err
    left_out = ("user_temporal", "global_temporal", "article") if name == "splits" else ()
    assert message.count("left out") == len(left_out)
    assert all(f"left out, the {split} split: " in message for split in left_out)


def test_a_study_of_one_split_that_cannot_be_had_is_one_line(folder, tmp_path):
    done = CliRunner().invoke(
        main,
        ["study", "article", "--dataset", str(folder / "clicks.toml"), "--results", str(tmp_path)],
    )
    assert done.exit_code == 2
    assert done.stderr.splitlines()[1:] == [
        "Error: article: the split 'article' is defined by MovieLens's user_id, "
        "which clicks.parquet lacks; choose another split"
    ]
    done = CliRunner().invoke(
        main, ["study", "known-answer", "--dataset", str(folder / "clicks.toml")]
    )
    assert (
        "its answers are known on its own data sets alone; leave --dataset clicks.parquet out"
        in done.stderr
    )


def test_a_study_runs_on_a_table_and_is_reported(folder, tmp_path, monkeypatch):
    exact = RunConfig(strategy="collisionless", epochs=1, patience=None)
    arms = (
        exact,
        replace(exact, strategy="unified"),
        replace(exact, strategy="unified", split="global_temporal"),
    )
    monkeypatch.setattr(
        "ue_bench.study.find",
        lambda name: Study("does it run?", (Grid(arms, (2,), seeds=2),), latency=False),
    )
    toml = folder / "clicks.toml"
    line = f"study tiny --dataset {toml} --results {tmp_path} --json".split()
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.stderr
    assert "4 runs made, 0 were ready, 0 failed" in done.stderr
    assert "left out, the global_temporal split" in done.stderr
    assert "0 runs made, 4 were ready" in CliRunner().invoke(main, line).stderr
    records, _ = load(tmp_path, "tiny")
    assert str(folder) not in records[0].to_json()
    assert CliRunner().invoke(main, ["report", "--results", str(tmp_path)]).exit_code == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "clicks.parquet from file" in page
    assert "predicted: clicked, user: user, item: item" in page
    assert "rating" not in page[
        page.index("<main>") : page.index('id="strategies"')
    ].lower().replace("rating head", "")


# ---- labels: the study of the paper has bounds for ratings in stars, which a table has not


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """A table whose target is no label: whole numbers from 0 to 9."""
    folder = tmp_path_factory.mktemp("prices")
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(0, n, 400) for name, n in (("user", 150), ("item", 120))}
    pl.DataFrame({**columns, "price": np.arange(400) % 10}).write_parquet(folder / "prices.parquet")
    text = 'files = "prices.parquet"\ntarget = "price"\nfeatures = ["user", "item"]\n'
    (folder / "prices.toml").write_text(text)
    (folder / "dear.toml").write_text(text + 'task = "binary"\npositive_at_least = 7\n')
    frame = pl.DataFrame({**columns, "price": ["dear" if n % 3 else "cheap" for n in range(400)]})
    frame.write_csv(folder / "texts.csv")
    of_texts = text.replace("prices.parquet", "texts.csv")
    (folder / "texts.toml").write_text(of_texts + 'positive = "dear"\n')
    (folder / "numbers.toml").write_text(text + 'task = "regression"\n')
    return folder


def labels_of(name, path, **options):
    """The labels of all runs of a study on a table."""
    at = ask(str(path), None, None, options)
    plan = Plan(name, find(name), dataset=at.fields, data_dir=at.data_dir)
    labels = set()
    for stage in plan.stages({}):
        for config in stage.configs.values():
            labels.add((config.task, config.negative_at_most, config.positive_at_least))
    return labels


def test_a_study_of_labels_takes_those_of_the_table(folder, prices):
    assert labels_of("paper", folder / "clicks.toml") == {("binary", None, None)}
    assert labels_of("paper", prices / "dear.toml") == {("binary", None, 7)}
    assert labels_of("paper", prices / "texts.toml") == {("binary", None, None)}
    asked = labels_of("paper", prices / "dear.toml", positive_at_least=3.0, negative_at_most=1.0)
    assert asked == {("binary", 1, 3)}
    assert labels_of("optimizer_path", prices / "dear.toml") == {("binary", None, 7)}
    assert labels_of("optimizer_path", prices / "prices.toml") == {("regression", None, None)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "prices.toml",
            "paper: task: 'binary' was given and the target holds 0, 1, 2, .*not 0 and",
        ),
        ("numbers.toml", "paper: its runs predict labels, and task 'regression' was asked for"),
    ],
)
def test_a_study_of_labels_is_refused_on_a_table_without(prices, tmp_path, name, message):
    words = ["study", "paper", "--dataset", prices / name, "--results", tmp_path]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 2
    _, error = done.stderr.splitlines()
    assert re.match(f"Error: {message}", error)
    assert "--positive-at-least" in error


def test_ratings_in_stars_keep_the_bounds_of_the_study(tmp_path_factory):
    place = official.write_folder(tmp_path_factory.mktemp("stars"), "ml-100k")
    bounds = {}
    for options in ({}, {"positive_at_least": 3.0}):
        fields = {"dataset": "ml-100k", **options}
        plan = Plan("paper", find("paper"), dataset=fields, data_dir=place)
        config = plan.adapt(find("paper").parts[0].arms[0], 0)
        bounds[len(options)] = (config.negative_at_most, config.positive_at_least)
    assert bounds == {0: (2, 4), 1: (None, 3)}


def test_what_the_runs_of_a_study_need_is_refused_before_the_first(folder, tmp_path):
    words = ["study", "table_size", "--dataset", folder / "clicks.toml", "--results", tmp_path]
    done = CliRunner().invoke(main, [*map(str, words), "--multi-valued", "contry"])
    assert done.exit_code == 2
    assert "table_size: unknown multi-valued feature 'contry' (did you mean 'country'?)" in (
        done.stderr
    )
    assert list(tmp_path.rglob("*.json")) == []


# ---- what is between the values of a feature


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('multi_valued = "tags=;"', "tags=;"),
        ('multi_valued = { tags = ";" }', "tags=;"),
        ('multi_valued = { tags = "|", user = ", " }', "tags,user=, "),
    ],
)
def test_a_toml_file_says_what_is_between_values(prices, line, text):
    path = prices / "other.toml"
    path.write_text((prices / "prices.toml").read_text() + line + "\n")
    assert ask(str(path), None, None, {}).fields["multi_valued"] == text
    option = ask(str(path), None, None, {"multi_valued": "tags"})
    assert option.fields["multi_valued"] == "tags"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("multi_valued = { tags = 3 }", "it must be text, such as 'tags=;', or texts by name"),
        ("multi_valued = 3", "multi_valued: 3 was given; it must be text"),
        ('multi_valued = { tags = "" }', "multi_valued: 'tags=' was given; write names"),
        ('multi_valued = { "a=b" = ";" }', "a name has no comma and no equals sign"),
    ],
)
def test_a_separator_that_is_none_is_one_line(prices, line, message):
    path = prices / "other.toml"
    path.write_text((prices / "prices.toml").read_text() + line + "\n")
    with pytest.raises(BenchError, match=message):
        ask(str(path), None, None, {})
