"""Requests to a saved model of a table, from raw values to predictions, and training on rows that
are located once.

The limit is the lookup and the head alone, from the categories that the raw values stand for.
"""

import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from ue_bench.config import RunConfig
from ue_bench.data import Definition, define
from ue_bench.speed.interleaved_timing import Times, require_agreement, time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.strategies import EmbeddingStrategy
from ue_bench.training import saved
from ue_bench.training.predictor import Predictor
from ue_bench.training.run_once import embedding_of, run_once

TITLE = (
    "Requests to a saved model of a table: 12 features (text, whole numbers, fractions, truth "
    "values, dates, missing values), one thread"
)
TABLE = "clicks.parquet"
ROWS = 20_000  # of the table
REQUESTS = 64  # different requests of one row, which take turns
BATCH = 512  # rows of a training step
LIMIT = "lookup and head"
FEW_SECONDS = 0.7e-3  # what a request of one row may take
STEP_SECONDS = 2.7e-3  # what a training step of rows that were located once may take
MUST = {"polars": "<= 1.3"}  # the others become columns of Arrow first
BUDGETS = {"unified": 1_000_000, "collisionless": None}


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for each method and form of the request, and one for a training step."""
    seconds = 6.0
    rows = 10_000
    if quick:
        seconds = 1.0
        rows = 2_000
    frame = made_table(ROWS)
    with tempfile.TemporaryDirectory() as folder:
        frame.write_parquet(Path(folder, TABLE))
        for strategy, budget in BUDGETS.items():
            config = made_config(Path(folder), frame, strategy, budget)
            model = saved_model(Path(folder), config)
            yield one_row(model, frame, seconds)
            yield from many_rows(model, frame.head(rows), seconds)
        yield training_step(embedding_of(config, Path(folder)), frame, seconds)


def made_table(rows: int) -> pl.DataFrame:
    """Return a table of 12 features of all kinds and the target `bought`."""
    draw = np.random.default_rng(0)
    users = draw.zipf(1.3, rows) % 5_000
    items = draw.integers(0, 2_000, rows)
    days = draw.integers(0, 365, rows)
    price = pl.Series(np.round(draw.lognormal(3, 1, rows), 2))
    rating = pl.Series(np.round(draw.normal(3.5, 1, rows), 1))
    coupon = pl.Series([f"coupon {number}" for number in draw.integers(0, 50, rows)])
    depth = pl.Series(draw.integers(0, 9, rows))
    start = date(2024, 1, 1)
    return pl.DataFrame(
        {
            "user": [f"user {number}" for number in users],
            "item": [f"item {number}" for number in items],
            "town": [f"town {number}" for number in draw.integers(0, 300, rows)],
            "browser": draw.choice(["Firefox", "Chrome", "Safari"], rows),
            "age": draw.integers(16, 90, rows),
            "shop": draw.integers(0, 10**9, 400)[draw.integers(0, 400, rows)],
            "price": price,
            "rating": rating.set(pl.Series(draw.random(rows) < 0.2), None),
            "member": draw.random(rows) < 0.3,
            "day": [start + timedelta(days=int(number)) for number in days],
            "coupon": coupon.set(pl.Series(draw.random(rows) < 0.9), None),
            "depth": depth.set(pl.Series(draw.random(rows) < 0.1), None),
            "bought": (items % 7 < 3).astype(np.float32),
        }
    )


def made_config(folder: Path, frame: pl.DataFrame, strategy: str, budget: int | None) -> RunConfig:
    """Return a short run on the table in a folder."""
    features = tuple(name for name in frame.columns if name != "bought")
    definition = Definition(files=TABLE, target="bought", features=features)
    return RunConfig(
        dataset=TABLE,
        table=define(definition, folder),
        features="base",
        strategy=strategy,
        budget=budget,
        epochs=1,
        measure="quality",
    )


def saved_model(folder: Path, config: RunConfig) -> Predictor:
    """Train a model, save it and load it again."""
    place = folder / config.strategy
    run_once(
        config,
        data_dir=folder,
        on_trained=lambda model, _: saved.save(place, model, config),
    )
    return saved.load(place)


def one_row(model: Predictor, frame: pl.DataFrame, seconds: float) -> Line:
    """Time requests of one row, each a mapping from column to a list of one value."""
    requests = []
    for row in frame.select(model.columns).head(REQUESTS).iter_rows(named=True):
        requests.append({name: [value] for name, value in row.items()})
    categories = [model.model.strategy.reader.read(request) for request in requests]
    calls: dict[str, Callable[[], Any]] = {
        "ours": in_turns(model.predict, requests),
        LIMIT: in_turns(partial(limit, model), categories),
    }
    times = time_in_turns(calls, seconds)
    of_few_seconds = times.seconds("ours") / FEW_SECONDS
    return Line(
        what=f"{model.config.strategy}: 1 row",
        value=times.seconds("ours"),
        unit="s",
        beside=times.others("ours"),
        claims=(
            Claim(of_few_seconds, "x 0.7 ms", "<= 1"),
            Claim(times.ratio("ours", LIMIT), f"x the {LIMIT}"),
        ),
    )


def many_rows(model: Predictor, frame: pl.DataFrame, seconds: float) -> Iterator[Line]:
    """Yield a line for each kind of frame with all rows of a request."""
    frame = frame.select(model.columns)
    requests = {
        "polars": frame,
        "pandas": frame.to_pandas(date_as_object=True),
        "lists": frame.to_dict(as_series=False),
    }
    expected = limit(model, model.model.strategy.reader.read(frame))
    for kind, request in requests.items():
        categories = ready(model, request)
        require_agreement(torch.allclose(model.predict(request), expected, atol=1e-5))
        calls: dict[str, Callable[[], Any]] = {
            "ours": partial(model.predict, request),
            LIMIT: partial(limit, model, categories),
        }
        times = time_in_turns(calls, seconds, least=5)
        yield Line(
            what=f"{model.config.strategy}: {len(frame):,} rows, {kind}",
            value=times.seconds("ours"),
            unit="s",
            beside=times.others("ours"),
            claims=(Claim(times.ratio("ours", LIMIT), f"x the {LIMIT}", MUST.get(kind, "")),),
        )


def ready(model: Predictor, request: Any) -> list[Any]:
    """Return the categories of a request, as lists where the request has lists."""
    categories = model.model.strategy.reader.read(request)
    if isinstance(request, dict):
        return [column.to_list() for column in categories]
    return categories


@torch.no_grad()
def limit(model: Predictor, categories: list[Any]) -> torch.Tensor:
    """Return the predictions of ready categories."""
    vectors = model.model.strategy.from_values(categories)
    return model.model.loss.predict(model.model.head(vectors))


def in_turns(call: Callable[[Any], Any], inputs: list[Any]) -> Callable[[], Any]:
    """Return a call that takes the next input each time."""
    turns = cycle(inputs)
    return lambda: call(next(turns))


def training_step(layer: EmbeddingStrategy, frame: pl.DataFrame, seconds: float) -> Line:
    """Time a step of a model with a hidden layer, on raw values and on located rows."""
    head = nn.Sequential(nn.Linear(sum(layer.widths), 64), nn.ReLU(), nn.Linear(64, 1))
    model = nn.ModuleList([layer, head])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    names = [feature.name for feature in layer.spec.features]
    targets = frame["bought"].to_torch()
    rows = layer.rows(frame.select(names))
    indices = list(torch.randperm(len(frame)).split(BATCH)[:-1])

    def step(vectors: torch.Tensor, index: torch.Tensor) -> None:
        loss = nn.functional.mse_loss(head(vectors).squeeze(1), targets[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    batches = []
    for index in indices:
        batch = frame.select(names)[index.numpy()].to_dict(as_series=False)
        batches.append((batch, index))
        require_agreement(torch.equal(layer.from_rows(rows[index]), layer.from_values(batch)))

    def on_values(batch: tuple[dict[str, list[Any]], torch.Tensor]) -> None:
        columns, index = batch
        step(layer.from_values(columns), index)

    def on_rows(index: torch.Tensor) -> None:
        step(layer.from_rows(rows[index]), index)

    raw = "on raw values"
    times: Times = time_in_turns(
        {"ours": in_turns(on_rows, indices), raw: in_turns(on_values, batches)}, seconds
    )
    return Line(
        what=f"a training step of {BATCH} rows, located once",
        value=times.seconds("ours"),
        unit="s",
        beside=times.others("ours"),
        claims=(
            Claim(times.seconds("ours") / STEP_SECONDS, "x 2.7 ms", "<= 1"),
            Claim(times.ratio(raw, "ours"), "x as fast as a step on raw values"),
        ),
    )
