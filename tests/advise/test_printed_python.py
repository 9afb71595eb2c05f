"""The Python that `advise` prints runs as it is, and gives the layer of the measured run."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import movielens_files as official
import numpy as np
import polars as pl
import pytest
import torch

from ue_bench import RunConfig, data, embedding_of
from ue_bench import advise as room
from ue_bench.advise.candidates import Form, config_of
from ue_bench.advise.lines import WIDTH, python
from ue_bench.advise.sizes import Sized, Sizes
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES, EmbeddingStrategy
from ue_bench.strategies.registry import static_strategies
from ue_bench.training.assembly import make_model
from ue_bench.training.run_data import encoded_of, spec_of

MEMORY = 400_000  # bytes
RUN = 103  # the seeds of the measured run
ROWS = 300
SEVERAL = "tags"  # the feature with several values
# Each strategy on all data, with its own regions; with the others on one table. What a table shows of a strategy, a data
# set with a name seldom adds to: of those the slow tests try each, the others two.
CASES = [
    *product(static_strategies(), ["table"], [False, True], [0]),
    *(
        pytest.param(*case, marks=[] if case[0] in ("unified", "cce") else pytest.mark.slow)
        for case in product(static_strategies(), ["named"], [False, True], [0])
    ),
    *(
        (name, "table", False, 1)
        for name in static_strategies()
        if len(STRATEGIES[name].regions) > 1
    ),
]


@dataclass(frozen=True)
class World:
    """A question's data. raw: rows as a request has them. names: of the raw columns."""

    question: room.Question
    raw: pl.DataFrame


def table(folder: Path) -> RunConfig:
    """Write a table with every kind of column, and return the question about it."""
    rows = range(ROWS)
    frame = pl.DataFrame(
        {
            "user": [n * 7919 % 41 for n in rows],
            "item": [f"item {n * 31 % 17}" for n in rows],
            "price": [(n * 37 % 23) / 7 for n in rows],
            "zip": [None if n % 19 == 0 else 1000 + n * 13 % 29 for n in rows],
            "day": [f"2024-03-{1 + n % 20:02d}" for n in rows],
            "new": [n % 3 == 0 for n in rows],
            "tags": ["|".join("abcdef"[n % 5 : n % 5 + 1 + n % 2]) for n in rows],
            "rating": [1 + n * 17 % 9 / 2 for n in rows],
        }
    )
    frame.write_csv(folder / "sales.csv", null_value="?")
    definition = data.Definition(
        files="sales.csv",
        target="rating",
        features=("user", "item", "price", "zip", "day", "new", "tags"),
        wide=("user*price", "user*tags"),
        missing=("?",),
    )
    return RunConfig(dataset="sales.csv", table=data.define(definition, folder), features="wide")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Mapping[tuple[str, bool], World]:
    """A table and a named data set, each with one value a row and with several."""
    folder = tmp_path_factory.mktemp("table")
    of_table = table(folder)
    named = RunConfig(dataset="planted-additive", features="user_id,movie_id,age,user_id*age")
    several = replace(
        named,
        dataset="ml-100k",
        features="user_id,age,genres,genres*age",
        multi_valued="genres",
    )
    files = official.write_folder(tmp_path_factory.mktemp("movielens"), "ml-100k")
    return {
        ("table", False): world(of_table, folder),
        ("table", True): world(replace(of_table, multi_valued=SEVERAL), folder),
        ("named", False): world(named, None),
        ("named", True): world(several, files),
    }


def world(base: RunConfig, folder: Path | None) -> World:
    question = room.Question.of(base, MEMORY, None, 10, folder)
    if base.table is not None and folder is not None:
        return World(question, pl.read_csv(folder / "sales.csv", null_values="?").head(50))
    dataset = data.load(base.dataset, folder)
    columns = [dataset.column(name).head(50) for name in dataset.features]
    return World(question, pl.DataFrame(columns))


def measured(world: World, strategy: str, regions: str) -> tuple[RunConfig, Sizes]:
    """The run of a strategy that is measured, and what its question knows of the data."""
    sizes = Sizes(world.question)
    for lookups, dim in ((2, 4), (1, 8)):
        form = Form(strategy, lookups, dim, regions=regions)
        sized = sizes.fit(config_of(form, world.question.base))
        if isinstance(sized, Sized):
            return sized.config.with_seed(RUN), sizes
    raise AssertionError(f"{strategy}: {sized}")


def of_run(world: World, config: RunConfig) -> EmbeddingStrategy:
    """The strategy of a run before its first step, with a state of the generator of its own."""
    _, encoded = encoded_of(config, world.question.data_dir)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        return make_model(config, spec_of(config, encoded), 0.7).strategy


def executed(text: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(54321)
        exec(compile(text, "printed", "exec"), scope)
    return scope


def require_equal(layer: EmbeddingStrategy, strategy: EmbeddingStrategy) -> None:
    """Equal initial values to the bit, equal bytes, and equal slots of the training values."""
    numbers = strategy.state_dict()
    assert layer.state_dict().keys() == numbers.keys()
    for name, tensor in layer.state_dict().items():
        assert torch.equal(tensor, numbers[name]), name
    assert layer.footprint() == strategy.footprint()
    for index, feature in enumerate(strategy.spec.features):
        training = feature.values[: feature.n_seen]
        assert torch.equal(layer.locate(index, training), strategy.locate(index, training))


@pytest.mark.parametrize(("strategy", "kind", "several", "place"), CASES)
def test_the_printed_lines_give_the_layer_of_the_run(
    strategy, kind, several, place, worlds, monkeypatch
):
    world = worlds[kind, several]
    regions = STRATEGIES[strategy].regions[place]
    config, sizes = measured(world, strategy, regions)
    # in training, codes of a run are read as unseen at times
    of_the_run = of_run(world, replace(config, value_dropout=0.0))
    asked = world.question
    if asked.data_dir is not None:  # the command ran in the folder of the table
        monkeypatch.chdir(asked.data_dir)
        asked = replace(asked, data_dir=Path("."))
    text = python(asked, config, sizes.seen, sizes.reader)
    assert max(map(len, text.splitlines())) <= WIDTH
    scope = executed(text)
    layer = scope["layer"]
    encoded = encoded_of(config, asked.data_dir)[1]
    place_of_row = np.argsort(
        np.argsort(encoded.parts_in_file, kind="stable")
    )  # by row of the file
    codes = torch.from_numpy(encoded.codes[place_of_row[:50]]).long()
    expected = of_the_run(codes)
    if strategy == "unified" and not several:
        assert "embedding_of" not in text
        weight = layer.embedding.weight
        assert torch.equal(weight, of_the_run.pool.weight)
        assert weight.nbytes == of_the_run.footprint().total
        for index, feature in enumerate(of_the_run.spec.features):
            training = feature.values[: feature.n_seen]
            rows = of_the_run.locate(index, training)
            own = scope["seeds"][feature.name]
            vectors = layer(training, own)
            assert torch.equal(vectors, of_the_run.pool(rows).flatten(1))
        assert torch.equal(scope["vectors"](world.raw), expected)
        return
    require_equal(layer, of_the_run)
    assert torch.equal(layer.from_values(world.raw), expected)


# ---- tables: folders, checksums, kinds of files


def printed(world: World, folder: Path | None, strategy: str, regions: str) -> str:
    """The lines of a command that was given the table as a file in `folder`."""
    config, sizes = measured(world, strategy, regions)
    return python(replace(world.question, data_dir=folder), config, sizes.seen, sizes.reader)


@pytest.mark.parametrize("given", [".", "data", "absolute"])
def test_the_folder_of_a_table_is_the_one_that_was_given(given, tmp_path, monkeypatch):
    """A relative one holds where the command ran."""
    folder = tmp_path if given == "." else tmp_path / "data"
    folder.mkdir(exist_ok=True)
    of_table = world(table(folder), folder)
    monkeypatch.chdir(tmp_path)
    text = printed(of_table, folder if given == "absolute" else Path(given), "int8", "exact")
    assert ("Path(" in text) is (given != ".")
    require_equal(executed(text)["layer"], of_run(of_table, measured(of_table, "int8", "exact")[0]))


def test_rows_that_changed_are_refused_and_taken_without_the_checksum(tmp_path, monkeypatch):
    """The lines hold the checksum of the measured rows; without it they take those of today."""
    of_table = world(table(tmp_path), tmp_path)
    monkeypatch.chdir(tmp_path)
    text = printed(of_table, Path("."), "collisionless", "exact")
    lines = text.splitlines()
    place = lines.index("        'checksum': (")
    without = "\n".join([*lines[:place], *lines[place + 4 :]])
    layer = executed(text)["layer"]
    require_equal(executed(without)["layer"], layer)

    file = tmp_path / "sales.csv"
    rows = file.read_text().splitlines()
    more = [rows[1].replace("item ", f"a new item {n} ") for n in range(99)]
    file.write_text("\n".join([*rows, *more]) + "\n")
    with pytest.raises(BenchError, match="has changed since"):
        executed(text)
    tomorrow = executed(without)["layer"]
    assert tomorrow.footprint().total > layer.footprint().total


def test_a_table_without_a_checksum_is_taken_as_it_is(tmp_path):
    config = replace(table(tmp_path), budget=2_000)
    named = dict(config.table)
    del named["checksum"]
    layer = embedding_of(replace(config, table=named), tmp_path)
    require_equal(embedding_of(config, tmp_path), layer)
    with pytest.raises(BenchError, match="no folder"):
        embedding_of(replace(config, table=named), tmp_path / "elsewhere")


def test_a_table_of_many_columns_with_long_names_is_printed_in_80_columns(tmp_path, monkeypatch):
    names = [f"a rather long name of column {number}, " for number in range(12)]
    names = [name.replace(",", "").strip() for name in names]
    frame = {name: [f"{n % 5}" for n in range(90)] for name in names}
    pl.DataFrame(frame | {"y": [n % 7 for n in range(90)]}).write_parquet(tmp_path / "t.parquet")
    definition = data.Definition(files="t.parquet", target="y", features=tuple(names))
    base = RunConfig(dataset="t.parquet", table=data.define(definition, tmp_path))
    asked = World(room.Question.of(base, MEMORY, None, 10, tmp_path), pl.DataFrame())
    monkeypatch.chdir(tmp_path)
    for strategy, regions in (("unified", "multiplexed"), ("int8", "exact")):
        text = printed(asked, Path("."), strategy, regions)
        assert max(map(len, text.splitlines())) <= WIDTH
        config = measured(asked, strategy, regions)[0]
        layer = executed(text)["layer"]
        of_the_run = of_run(asked, config)
        if strategy == "unified":
            assert torch.equal(layer.embedding.weight, of_the_run.pool.weight)
        else:
            require_equal(layer, of_the_run)


@pytest.mark.parametrize("rows", ["pandas", "list", "one row", "columns"])
def test_the_vectors_of_raw_rows_in_any_form(rows, worlds, monkeypatch):
    """The shared table reads raw rows by the rules of the table, and makes crosses itself."""
    of_table = worlds["table", False]
    monkeypatch.chdir(of_table.question.data_dir)
    scope = executed(printed(of_table, Path("."), "unified", "multiplexed"))
    expected = scope["vectors"](of_table.raw)
    raw = of_table.raw
    given: Any = {
        "pandas": lambda: raw.to_pandas(),
        "list": lambda: raw.to_dicts(),
        "one row": lambda: raw.to_dicts()[3],
        "columns": lambda: raw.to_dict(as_series=False),
    }[rows]()
    if rows == "one row":
        expected = expected[3:4]
    assert torch.equal(scope["vectors"](given), expected)


def test_the_lines_leave_the_generator_of_an_embedding_of_alone(worlds):
    """Only the shared table, which is a layer like any, draws from torch's own generator."""
    named = worlds["named", False]
    config, sizes = measured(named, "int8", "exact")
    text = python(named.question, config, sizes.seen, sizes.reader)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        expected = torch.rand(3)
        torch.manual_seed(1)
        exec(compile(text, "printed", "exec"), {})
        assert torch.equal(torch.rand(3), expected)


def test_the_printed_lines_run_in_a_fresh_interpreter(worlds, tmp_path):
    of_table = worlds["table", False]
    folder = of_table.question.data_dir
    text = printed(of_table, Path("."), "unified", "multiplexed")
    shown = "row = {'user': 7, 'item': 'item 3', 'price': 2.5, 'zip': None, 'day': '2024-03-02'}\n"
    shown += "print(*vectors({**row, 'new': True, 'tags': 'a'}).shape)"
    (tmp_path / "lines.py").write_text(f"{text}\n{shown}")
    done = subprocess.run(
        [sys.executable, tmp_path / "lines.py"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    config = measured(of_table, "unified", "multiplexed")[0]
    assert done.stdout.split() == ["1", str(9 * config.lookups * config.dim)]


def test_the_rule_of_labels_is_in_the_lines(tmp_path, monkeypatch):
    """The rule of the labels decides which rows train, and so the values of an exact table."""
    base = replace(table(tmp_path), task="binary", negative_at_most=2.0, positive_at_least=4.0)
    of_labels = world(base, tmp_path)
    monkeypatch.chdir(tmp_path)
    text = printed(of_labels, Path("."), "collisionless", "exact")
    config = measured(of_labels, "collisionless", "exact")[0]
    require_equal(executed(text)["layer"], of_run(of_labels, config))
    assert "negative_at_most=2.0" in text
