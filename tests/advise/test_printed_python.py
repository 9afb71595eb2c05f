"""The Python that `advise` prints runs as it is, and gives the layer of the measured run."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from ue_bench.training.assembly import make_model, make_spec
from ue_bench.training.run_data import encoded_of

MEMORY = 400_000  # bytes
RUN = 103  # the seeds of the measured run
ROWS = 300
SEVERAL = "tags"  # the feature with several values
FORMS = [(name, regions) for name, entry in STRATEGIES.items() for regions in entry.regions]


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
    several = replace(named, features="user_id,age,genres,genres*age", multi_valued="genres")
    return {
        ("table", False): world(of_table, folder),
        ("table", True): world(replace(of_table, multi_valued=SEVERAL), folder),
        ("named", False): world(named, None),
        ("named", True): world(several, None),
    }


def world(base: RunConfig, folder: Path | None) -> World:
    question = room.Question.of(base, MEMORY, None, 10, folder)
    if folder is not None:
        return World(question, pl.read_csv(folder / "sales.csv", null_values="?").head(50))
    dataset = data.load(base.dataset)
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
        return make_model(config, make_spec(config, encoded.features), 3.0).strategy


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


@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
@pytest.mark.parametrize("kind", ["table", "named"])
@pytest.mark.parametrize(("strategy", "regions"), FORMS)
def test_the_printed_lines_give_the_layer_of_the_run(
    strategy, regions, kind, several, worlds, monkeypatch
):
    world = worlds[kind, several]
    config, sizes = measured(world, strategy, regions)
    of_the_run = of_run(world, config)
    asked = world.question
    if asked.data_dir is not None:  # the command ran in the folder of the table
        monkeypatch.chdir(asked.data_dir)
        asked = replace(asked, data_dir=Path("."))
    text = python(asked, config, sizes.seen, sizes.reader)
    assert max(map(len, text.splitlines())) <= WIDTH
    scope = executed(text)
    layer = scope["layer"]
    codes = torch.from_numpy(encoded_of(config, asked.data_dir)[1].codes[:50].copy()).long()
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
