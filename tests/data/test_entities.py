"""Which features are user and item, what is wrong with a column, and where both are told."""

import json
from dataclasses import replace
from pathlib import Path

import fake_advice
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from table_files import table

from ue_bench import advise, data
from ue_bench.advise import ask, rounds
from ue_bench.advise.text import as_text
from ue_bench.cli import main
from ue_bench.cli.dataset_options import ask as dataset_of
from ue_bench.config import RunConfig
from ue_bench.config.entities import entities_text
from ue_bench.data.table.builtin import TABLES
from ue_bench.data.table.entity_names import IDENTIFIERS, ITEMS, USERS, choose_entities
from ue_bench.errors import BenchError
from ue_bench.study import Grid, Search, Study
from ue_bench.study.plan import Plan
from ue_bench.training.run_once import run_once

ROOT = Path(__file__).parents[2]

# ---- names


@pytest.mark.parametrize(
    "name",
    [
        *("user", "USER", "Users", "user_id", "userId", "userID", "USERID", "userids", "User-ID"),
        *("user key", "user_no", "id_user", "username", "UserUUID", "userIDs", "uid"),
        *("CustomerID", "client_key", "memberId", "visitorid", "account_number", "reader"),
        *("passenger", "reviewerID", "subscriber_hash"),
    ],
)
def test_a_name_of_a_user(name):
    sizes = {"a": 9, "b": 8, name: 2}
    assert choose_entities(None, sizes) == ((name, "a"), ("name", "cardinality"))


@pytest.mark.parametrize(
    "name",
    [
        *("item", "ITEM_ID", "items", "itemId", "product_sku", "ProductKey", "SKU", "movieId"),
        *("movie_key", "ArticleID", "song", "track_id", "books", "ISBN", "ad", "AdID", "ads"),
        *("restaurant_id", "hotel_name", "businesses", "news_id", "asin"),
    ],
)
def test_a_name_of_an_item(name):
    sizes = {"a": 9, "b": 8, name: 2}
    assert choose_entities(None, sizes) == (("a", name), ("cardinality", "name"))


@pytest.mark.parametrize(
    "name",
    [
        *("user_age", "user_agent", "item_category", "movie_genres", "num_items", "no_show"),
        *("paid", "bid", "category_id", "id", "key", "usage", "user2", "user_item", "adult"),
        *("customer_segment", "casino", "piano", "readership", "bookable"),
    ],
)
def test_a_name_of_neither(name):
    sizes = {"a": 9, "b": 8, name: 2}
    assert choose_entities(None, sizes) == (("a", "b"), ("cardinality", "cardinality"))


def test_of_several_names_the_first_word_wins_then_the_most_values():
    sizes = {"city": 999, "customer": 5, "user_name": 50, "user_id": 60, "song": 70, "item": 3}
    assert choose_entities(None, sizes) == (("user_id", "item"), ("name", "name"))


def test_a_list_or_a_rounded_number_is_neither_unless_nothing_else_is_there():
    sizes = {"books": 90, "user": 80, "city": 3}
    found = choose_entities(None, sizes, no_ids={"books", "user"})
    assert found == (("city", "books"), ("cardinality", "cardinality"))
    assert choose_entities(None, {"user_id": 4}) == (
        ("user_id", "user_id"),
        ("name", "cardinality"),
    )
    given = choose_entities(("city", "books"), sizes, no_ids={"books"})
    assert given == (("city", "books"), ("given", "given"))


def test_the_page_about_tables_lists_the_words():
    page = (ROOT / "docs" / "data.md").read_text()
    for title, words in (("user", USERS), ("item", ITEMS), ("may follow", IDENTIFIERS)):
        listed = ", ".join(f"`{word}`" for word in words)
        assert f"\n| {title} | {listed} |\n" in page


# ---- a data set


N = 60


def columns(**more):
    """A table in which the user has a name, and the item has not."""
    rows = range(N)
    frame = {
        "city": [f"c{n % 30}" for n in rows],
        "member_id": [f"m{n % 7}" for n in rows],
        "y": [float(n % 5) for n in rows],
        "ts": list(rows),
    }
    return frame | more


def test_a_table_says_how_each_was_chosen(tmp_path, movielens_100k):
    found = table(tmp_path, columns(), time="ts")
    assert found.entities == ("member_id", "city")
    assert found.entities_chosen == ("name", "cardinality")
    for told in (found.facts, found.describe()):
        assert told["entities"] == ["member_id", "city"]
        assert told["entities_chosen"] == ["name", "cardinality"]
    given = table(tmp_path, columns(), time="ts", entities=("city", "member_id"))
    assert given.entities_chosen == ("given", "given")
    assert movielens_100k.entities_chosen == ("own", "own")
    assert movielens_100k.facts["entities"] == ["user_id", "movie_id"]


def test_a_split_by_user_needs_a_user_that_is_no_guess(tmp_path):
    named = table(tmp_path, columns(), time="ts")
    assert data.split(named, "user_temporal", 0).shape == (N,)
    frame = columns()
    frame["group"] = frame.pop("member_id")
    guessed = table(tmp_path, frame, time="ts")
    assert data.split(guessed, "global_temporal", 0).shape == (N,)
    with pytest.raises(BenchError) as caught:
        data.split(guessed, "user_temporal", 0)
    assert str(caught.value) == (
        "split 'user_temporal': the user of t.parquet is a guess, 'city', made by the number of "
        "values; name the user and the item: --entities USER,ITEM"
    )
    given = table(tmp_path, frame, time="ts", entities=("group", "city"))
    assert data.split(given, "user_temporal", 0).shape == (N,)


def test_built_in_tables_name_their_entities():
    wanted = {
        "criteo": ("C3", "C12"),
        "avazu": ("device_id", "device_ip"),
        "flights": ("flight", "tailnum"),
        "baseball": ("player", "team_season"),
        "babynames": ("name", "year"),
    }
    assert {name: known.definition.entities for name, known in TABLES.items()} == wanted


def test_what_is_told_of_each_choice():
    def told(*chosen):
        return entities_text({"entities": ["a", "b"], "entities_chosen": list(chosen)})

    change = "change: --entities USER,ITEM"
    assert told("given", "given") == "user: a, item: b (given)"
    assert told("name", "name") == f"user: a, item: b (by name); {change}"
    assert told("cardinality", "cardinality") == f"user: a, item: b (guessed); {change}"
    assert told("name", "cardinality") == f"user: a (by name), item: b (guessed); {change}"
    assert told("own", "own") == ""
    assert entities_text({"entities": ["a", "b"]}) == "user: a, item: b"  # an earlier version
    assert entities_text({}) == ""


# ---- warnings


def test_columns_that_say_nothing(tmp_path):
    frame = columns(
        row=list(range(N)),
        few=["", *["x"] * (N - 1)],
        price=[n * 1.37 for n in range(N)],
        shop=["berlin"] * N,
        gone=pl.Series([None] * N, dtype=pl.String),
        tags=[["a", f"b{n % 30}", f"c{n % 29}"] for n in range(N)],
        same=[["a", "b"]] * N,
    )
    frame["ts"] = [7] * N
    found = table(tmp_path, frame, time="ts")
    assert "price" in found.bucketised
    warnings = found.warnings()
    assert [line.split(" ")[:2] for line in warnings] == [
        ["feature", "'row'"],
        ["feature", "'shop'"],
        ["feature", "'gone'"],
        ["feature", "'same'"],
        ["time", "'ts'"],
    ]
    for line, part in zip(
        warnings,
        (
            "is all distinct",
            "is constant ('berlin')",
            "is missing in every row",
            "is constant ('a, b')",
            "is constant: temporal splits follow the order of the file",
        ),
        strict=True,
    ):
        assert part in line
        assert "\n" not in line


def test_ids_of_rows_are_told_in_every_form_of_a_column(tmp_path):
    def warned(values, name="t.parquet", several_values=(), **more):
        frame = {"x": values, "y": [0.0] * len(values)}
        return bool(table(tmp_path, frame, name, **more).warnings(several_values))

    assert warned(["a", "b", "c"])
    assert warned(["a", "b", None])  # no value occurs twice
    assert warned([1, 2, 3])
    assert warned([1.0, 2.0, 30.0])
    assert warned([1, 2, 3], "t.csv")
    assert not warned(["a", "b", "b"])
    assert not warned([1.5, 2.25, 30.125])
    assert not warned([1, 2, 3], numeric=("x",))
    assert not warned([["a"], ["b"], ["c"]])
    assert not warned(["a|b", "b|c", "c"], several_values={"x"})
    assert not warned(["a"])


def test_an_id_of_rows_is_no_guess(tmp_path):
    frame = columns(row=list(range(N)))
    found = table(tmp_path, frame, features=("row", "city", "member_id"), time="ts")
    assert found.entities == ("member_id", "city")


def test_times_that_are_missing_everywhere(tmp_path):
    found = table(tmp_path, columns(ts=pl.Series([None] * N, dtype=pl.Int64)), time="ts")
    assert found.warnings() == ("time 'ts' is missing in every row; name another column, or none",)


# ---- lists


def test_data_counts_the_values_of_lists(tmp_path):
    tags = [[f"t{n % 3}", f"t{n % 5}", "t0"] for n in range(N)]
    pl.DataFrame(columns(tags=tags)).write_parquet(tmp_path / "t.parquet")
    line = f"data --dataset {tmp_path}/t.parquet --target y --features city,tags"
    shown = CliRunner().invoke(main, line.split())
    (tags_line,) = (line for line in shown.stdout.splitlines() if line.startswith("  tags"))
    assert " ".join(tags_line.split()) == "tags 5 distinct values, in 15 distinct lists"
    told = json.loads(CliRunner().invoke(main, [*line.split(), "--json"]).stdout)
    assert told["features"] == {"city": 30, "tags": 5}
    assert told["lists"] == {"tags": 15}


def test_a_run_and_the_description_count_alike(tmp_path):
    tags = [[], ["b"], ["b", "a", "b"], ["c"]] * (N // 4)
    found = table(tmp_path, columns(tags=tags), features=("tags",))
    parts = data.split(found, "random", 0)
    (feature,) = data.encode(found, ("tags",), parts, separators=found.separators).features
    assert found.describe()["features"] == {"tags": feature.cardinality} == {"tags": 4}


# ---- commands


@pytest.fixture
def odd(tmp_path):
    """A table with a row id, a constant time and a guessed item, and how a command names it."""
    rng = np.random.default_rng(0)
    n = 300
    pl.DataFrame(
        {
            "member_id": rng.integers(0, 20, n),
            "city": rng.integers(0, 15, n),
            "row": np.arange(n),
            "y": rng.integers(0, 2, n),
            "ts": np.zeros(n, np.int64),
        }
    ).write_csv(tmp_path / "odd.csv")
    path = tmp_path / "odd.csv"
    return f"--dataset {path} --target y --features member_id,city,row --time ts"


CHOICE = "user: member_id (by name), item: city (guessed); change: --entities USER,ITEM"


def require_warnings(stderr):
    warnings = [line for line in stderr.splitlines() if line.startswith("warning: ")]
    assert [line.split("'")[1] for line in warnings] == ["row", "ts"]


def test_data_tells_the_choice_and_warns(odd):
    done = CliRunner().invoke(main, f"data {odd}".split())
    assert f"  {CHOICE}\n" in done.stdout
    require_warnings(done.stderr)
    given = CliRunner().invoke(main, f"data {odd} --entities city,member_id".split())
    assert "  user: city, item: member_id (given)\n" in given.stdout
    movielens = CliRunner().invoke(main, ["data", "--dataset", "planted-noise"])
    assert "--entities" not in movielens.output


def test_run_tells_the_choice_and_warns_and_records_both(odd, tmp_path):
    line = f"run {odd} --budget 2kB --epochs 1 --measure quality --results {tmp_path}"
    done = CliRunner().invoke(main, line.split())
    assert f"  {CHOICE}\n" in done.stdout
    require_warnings(done.stderr)
    record = json.loads(CliRunner().invoke(main, [*line.split(), "--json"]).stdout)
    assert record["found"]["entities"] == ["member_id", "city"]
    assert record["found"]["entities_chosen"] == ["name", "cardinality"]
    assert [line.split("'")[1] for line in record["found"]["warnings"]] == ["row", "ts"]
    report = CliRunner().invoke(main, ["report", "--results", str(tmp_path)])
    assert report.exit_code == 0, report.output
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"predicted: y, {CHOICE}" in page
    assert "warnings about the data: odd.csv: feature 'row'" in page.replace("&#x27;", "'")


def test_a_run_by_user_on_a_guess_is_refused(odd):
    line = f"run {odd.replace('member_id,', '')} --split user_temporal --budget 2kB"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "the user of odd.csv is a guess, 'city'" in done.stderr
    assert "--entities USER,ITEM" in done.stderr


@pytest.mark.parametrize("of_its_own", [False, True])
def test_a_study_of_several_processes_warns_once(odd, tmp_path, monkeypatch, of_its_own):
    """of_its_own: the study's own configurations name the table."""
    exact = RunConfig(strategy="collisionless", epochs=1, patience=None)
    words = f"study tiny --workers 2 --results {tmp_path}".split()
    if of_its_own:
        chosen = dataset_of(
            str(tmp_path / "odd.csv"), None, "member_id,city,row", {"target": "y", "time": "ts"}
        )
        exact = replace(exact, **chosen.fields)
        words += ["--data-dir", str(tmp_path)]
    else:
        words += odd.split()
    arms = (exact, replace(exact, strategy="unified"))
    study = Study("does it run?", (Grid(arms, (2,), seeds=2),), latency=False)
    monkeypatch.setattr("ue_bench.study.find", lambda name: study)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    require_warnings(done.stderr)
    assert done.stderr.count(f"odd.csv: {CHOICE}\n") == 1


def test_a_study_that_only_searches_warns_too(odd, tmp_path):
    columns = "member_id,city,row"
    chosen = dataset_of(str(tmp_path / "odd.csv"), None, columns, {"target": "y", "time": "ts"})
    search = Search(RunConfig(strategy="unified"), {"dim": (4, 8)}, trials=2)
    study = Study("does it warn?", (search,))
    plan = Plan("tiny", study, dataset=chosen.fields, data_dir=chosen.data_dir)
    choice, *warnings = plan.remarks()
    assert choice == f"odd.csv: {CHOICE}"
    require_warnings("\n".join(warnings))
    assert Plan("tiny", study).remarks() == ()  # MovieLens


def test_advice_tells_the_choice_and_warns(odd, tmp_path, monkeypatch, capsys):
    chosen = dataset_of(
        str(tmp_path / "odd.csv"), None, "member_id,city,row", {"target": "y", "time": "ts"}
    )
    world = fake_advice.World(lambda config: 0.8)
    monkeypatch.setattr(rounds, "Workers", world.workers)
    question = advise.Question.of(RunConfig(**chosen.fields), 20_000, None, 10, chosen.data_dir)
    answer = ask.advise(question, tmp_path, 1, world.clock)
    require_warnings(capsys.readouterr().err)
    assert CHOICE in " ".join(as_text(answer, "results").split())
    told = json.loads(json.dumps(answer))
    assert told["entities"] == ["member_id", "city"]
    assert told["entities_chosen"] == ["name", "cardinality"]
    assert len(told["warnings"]) == 2


def test_a_run_knows_which_texts_are_several_values(tmp_path):
    """Texts of several values, each once, are no ids of rows."""
    rows = range(200)
    tags = [f"a{n}|b{n % 7}" for n in rows]
    pl.DataFrame({"user": [n % 9 for n in rows], "tags": tags, "y": [0.5] * 200}).write_csv(
        tmp_path / "t.csv"
    )
    chosen = dataset_of(str(tmp_path / "t.csv"), None, "user,tags", {"target": "y"})
    config = RunConfig(**chosen.fields, budget=2_000, epochs=1, measure="latency")
    assert len(run_once(config, data_dir=tmp_path).found["warnings"]) == 1
    bags = replace(config, multi_valued="tags")
    assert run_once(bags, data_dir=tmp_path).found["warnings"] == []
    (tmp_path / "t.toml").write_text(
        'files = "t.csv"\ntarget = "y"\nfeatures = ["user", "tags"]\nmulti_valued = "tags"\n'
    )
    line = f"data --dataset {tmp_path}/t.toml --json"
    assert json.loads(CliRunner().invoke(main, line.split()).stdout)["warnings"] == []
