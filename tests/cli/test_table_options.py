"""What the rows of a table mean is asked for in the same way by every command that reads one."""

import json

import movielens_files as official
import polars as pl
import pytest
from click.testing import CliRunner

import ue_bench
from ue_bench.cli import main
from ue_bench.cli.table_options import FIELDS, TABLE
from ue_bench.record import load

READERS = ("run", "data", "study", "advise")
SHARED = (*TABLE, *FIELDS, "features", "data_dir")


def parameter(command, name):
    (found,) = [known for known in main.commands[command].params if known.name == name]
    return found


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("command", READERS)
def test_every_command_that_reads_a_table_has_the_option(command, name):
    option = parameter(command, name)
    assert option.opts == [f"--{name.replace('_', '-')}"]
    assert option.help
    if name != "features":  # where a run chooses its features, they are no table's alone
        first = parameter("run", name)
        assert (option.help, str(option.type)) == (first.help, str(first.type))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A table whose tags are texts of several values, with `; ` between."""
    folder = tmp_path_factory.mktemp("shop")
    tags = ("new; sale", "sale", "old; red; sale", "")
    rows = range(240)
    frame = pl.DataFrame(
        {
            "user": [n * 7 % 31 for n in rows],
            "item": [n * 11 % 23 for n in rows],
            "tags": [tags[n % 4] for n in rows],
            "stars": [1 + n * 7 % 31 % 5 for n in rows],
        }
    )
    frame.write_csv(folder / "shop.csv")
    frame.with_columns(pl.col("tags").str.split("; ")).write_parquet(folder / "lists.parquet")
    (folder / "shop.toml").write_text(
        """files = "shop.csv"
target = "stars"
features = ["user", "item", "tags"]
multi_valued = { tags = "; " }
task = "binary"
positive_at_least = 4
negative_at_most = 2
"""
    )
    return folder


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("data"), "ml-100k")


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def table(folder, name="shop.csv"):
    columns = ("--target", "stars", "--features", "user,item,tags")
    return ("--dataset", folder / name, *columns)


BINARY = ("--task", "binary", "--positive-at-least", "4", "--negative-at-most", "2")


def test_data_describes_labels_and_features_of_several_values(shop):
    asked = (*table(shop), "--multi-valued", "tags=; ", *BINARY)
    told = json.loads(invoke("data", *asked, "--json").stdout)
    assert told["features"]["tags"] == 5  # new, sale, old, red and none
    assert told["texts"] == {"tags": {"separator": "; ", "distinct": 4}}
    stars = pl.read_csv(shop / "shop.csv")["stars"]
    positive, negative = int((stars >= 4).sum()), int((stars <= 2).sum())
    dropped = 240 - positive - negative
    assert told["labels"] == {"positive": positive, "negative": negative, "dropped": dropped}
    text = invoke("data", *asked).stdout
    assert "5 distinct values" in text
    assert ", in 4 distinct texts with '; ' between" in text
    assert f"labels: {positive} of 1, {negative} of 0; {dropped} rows between the bounds" in text
    assert (
        invoke("data", "--dataset", shop / "shop.toml").stdout.splitlines()[1:]
        == (text.splitlines()[1:])
    )


def test_data_describes_a_named_data_set_too(movielens):
    told = invoke("data", "--data-dir", movielens, "--multi-valued", "genres", *BINARY, "--json")
    described = json.loads(told.stdout)
    assert described["texts"]["genres"]["separator"] == "|"
    assert described["features"]["genres"] < described["texts"]["genres"]["distinct"]
    assert sum(described["labels"].values()) == described["ratings"]


RUN = ("--budget", "2kB", "--dim", "4", "--epochs", "1", "--measure", "quality", "--json")


def test_a_separator_is_in_the_record_the_id_the_model_and_the_report(shop, tmp_path):
    ids = {}
    for text in ("tags=; ", "tags=;", " tags=; "):
        model = tmp_path / f"model{len(ids)}"
        options = ("--multi-valued", text, "--save", model, "--results", tmp_path / "results")
        done = invoke("run", *table(shop), *options, *RUN)
        record = json.loads(done.stdout)
        ids[text] = record["run_id"]
        assert record["config"]["multi_valued"] == text.lstrip()
        saved = json.loads((model / "config.json").read_text())
        assert saved["separators"] == {"tags": text.lstrip().removeprefix("tags=")}
    assert ids["tags=; "] == ids[" tags=; "] != ids["tags=;"]
    by_text = json.loads(
        invoke("run", "--dataset", shop / "shop.toml", "--task", "binary", *RUN).stdout
    )
    assert by_text["config"]["multi_valued"] == "tags=; "
    assert by_text["found"]["cardinalities"]["tags"] == 5
    assert invoke("report", "--results", tmp_path / "results").exit_code == 0
    page = (tmp_path / "results" / "report" / "report.html").read_text()
    assert "base (tags=; multi-valued)" in page


def test_texts_with_a_separator_are_the_lists_of_a_file(shop):
    """The two runs differ in nothing but the form of the file."""
    of_text = invoke("run", *table(shop), "--multi-valued", "tags=; ", *RUN)
    of_lists = invoke("run", *table(shop, "lists.parquet"), *RUN)
    scores = [json.loads(done.stdout)["quality"]["test_mse"] for done in (of_text, of_lists)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--multi-valued", "tags"), "no value of 'tags' has '|' in it"),
        (("--multi-valued", "tags=:"), "no value of 'tags' has ':' in it"),
        (("--multi-valued", "tags="), "multi_valued: 'tags=' was given; write names"),
        (("--multi-valued", "tag=;"), "unknown multi-valued feature 'tag' (did you mean 'tags'?)"),
        (("--positive-at-least", "4"), "4 was given with task 'regression', which has no labels"),
        (("--task", "binary"), "the target holds 1, 2, 3, 4, 5, not 0 and 1 alone"),
        (("--task", "labels"), "unknown task 'labels'"),
    ],
)
def test_an_option_without_effect_is_one_line(shop, asked, message):
    for command in ("data", "run"):
        done = invoke(command, *table(shop), *asked, *(RUN if command == "run" else ()))
        assert done.exit_code == 2
        (line,) = done.stderr.splitlines()
        assert message in line


def test_lists_need_no_separator(shop):
    done = invoke("data", *table(shop, "lists.parquet"), "--multi-valued", "tags=;")
    assert "'tags' holds lists, which always are several values; leave it out" in done.stderr


@pytest.mark.parametrize("name", [*FIELDS, *TABLE])
def test_a_study_needs_the_data_set_that_an_option_is_about(name):
    flag = f"--{name.replace('_', '-')}"
    value = "4" if name in ("negative_at_most", "positive_at_least") else "binary"
    done = invoke("study", "table_size", flag, value)
    assert done.exit_code == 2
    assert f"{flag} needs a " in done.stderr
    assert "with --dataset" in done.stderr


@pytest.mark.parametrize("command", ["data", "study table_size"])
def test_features_that_define_no_table_are_refused(command, shop):
    for dataset, why in (("ml-100k", "is no table"), (shop / "shop.toml", "has these in the file")):
        done = invoke(*command.split(), "--dataset", dataset, "--features", "user")
        assert done.exit_code == 2
        assert f"--features: 'user' was given with --dataset {dataset}, which {why}" in done.stderr


def test_who_is_user_and_item_can_be_said_beside_a_toml_file(shop):
    plain, chosen = (
        json.loads(invoke("data", "--dataset", shop / "shop.toml", "--json", *words).stdout)
        for words in ((), ("--entities", "item, user"))
    )
    assert plain["entities"] == ["user", "item"]
    assert chosen["entities"] == ["item", "user"]
    assert chosen["entities_chosen"] == ["given", "given"]
    assert chosen["features"] == plain["features"]
    run = json.loads(
        invoke("run", "--dataset", shop / "shop.toml", "--entities", "item,user", *RUN).stdout
    )
    assert run["config"]["table"]["entities"] == ["item", "user"]
    assert run["found"]["entities"] == ["item", "user"]
    other = invoke("data", "--dataset", shop / "shop.toml", "--entities", "item,nobody")
    assert other.exit_code == 2
    assert "nobody" in other.stderr


@pytest.mark.slow
def test_a_study_runs_with_the_options_of_its_table(shop, tmp_path, monkeypatch):
    text = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(budget=2_000, dim=4, epochs=1, patience=None)
STUDY = Study("does it take them?", (Grid((ARM,), seeds=1),), latency=False)
"""
    (tmp_path / "mine.py").write_text(text)
    options = ("--multi-valued", "tags=; ", *BINARY, "--results", tmp_path / "results")
    done = invoke("study", tmp_path / "mine.py", *table(shop), *options)
    assert done.exit_code == 0, done.stderr
    (record,) = load(tmp_path / "results", "mine")[0]
    config = record.config
    assert (config.multi_valued, config.task) == ("tags=; ", "binary")
    assert (config.negative_at_most, config.positive_at_least) == (2, 4)


def test_a_cross_with_spaces_is_the_one_without(movielens, tmp_path):
    """The run has the same id, the same rows of the table and the same scores."""
    records = []
    for cross in ("user_id*movie_id", " user_id * movie_id "):
        given = ("--features", f"age,{cross}", "--lookups", f"{cross.strip()}=2")
        place = ("--data-dir", movielens, "--results", tmp_path / str(len(records)))
        records.append(json.loads(invoke("run", *given, *place, *RUN).stdout))
    plain, spaced = records
    assert spaced["run_id"] == plain["run_id"]
    assert spaced["config"] == plain["config"]
    assert spaced["quality"]["test_mse"] == plain["quality"]["test_mse"]
    assert list(spaced["found"]["cardinalities"]) == ["age", "user_id*movie_id"]


def test_a_table_with_spaces_in_a_cross_is_the_one_without(shop, tmp_path):
    ids = set()
    for cross in ("user*item", "user * item"):
        asked = ("--target", "stars", "--features", f"user,item,{cross}", *RUN)
        done = invoke("run", "--dataset", shop / "shop.csv", *asked, "--results", tmp_path)
        record = json.loads(done.stdout)
        ids.add(record["run_id"])
        assert record["config"]["table"]["wide"] == ["user*item"]
    assert len(ids) == 1


def test_the_texts_of_a_frame_follow_the_separator_of_the_file(shop):
    frame = pl.read_csv(shop / "shop.csv")
    texts = ue_bench.texts(frame, shop / "shop.toml")
    assert texts["tags"].to_list()[:3] == [["new", "sale"], ["sale"], ["old", "red", "sale"]]
