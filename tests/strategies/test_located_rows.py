"""Rows are located once and looked up many times, with the vectors and gradients of their values."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import saved_models as made
import torch
from torch.utils.data import DataLoader

import ue_bench
from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Bags
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.testing import FEATURES, training_rows

pytestmark = pytest.mark.usefixtures("one_thread")
N = 300  # more than a Python loop hashes
BAGGED = (
    FEATURES[0],
    replace(FEATURES[1], bags=Bags.of([[0], [1, 2]])),
    replace(FEATURES[2], bags=Bags.of([[0, 1], [2]])),
)


def built(name, regions, features=FEATURES, budget=4_000):
    spec = Spec(
        name=name,
        features=features,
        lookups=(2, 1, 1),
        dim=8,
        budget=budget if STRATEGIES[name].has_budget else None,
        regions=regions,
        region_rule="sqrt",
        rows=training_rows(features),
    )
    torch.manual_seed(3)
    try:
        return build(spec)
    except BudgetError as error:
        return built(name, regions, features, error.works * 3 // 4)


def columns(n=N):
    """Raw values by name, unseen ones among them."""
    values = {}
    for number, feature in enumerate(FEATURES):
        values[feature.name] = [
            feature.values[row * (number + 2) % len(feature.values)] for row in range(n)
        ]
    return values | {"user": [*values["user"][:-1], "nobody"]}


def bagged_columns(n=N):
    items, flags = FEATURES[1].values, FEATURES[2].values
    return {
        "user": columns(n)["user"],
        "item": [[items[(row + more) % 60] for more in range(row % 4)] for row in range(n)],
        "flag": [[flags[0], flags[row % 3]][: 1 + row % 2] for row in range(n)],
    }


def taken(values, numbers):
    return {name: [column[number] for number in numbers] for name, column in values.items()}


def gradients(layer, vectors):
    layer.zero_grad()
    weight = torch.linspace(-1, 1, vectors.numel()).view_as(vectors)
    (vectors * weight).sum().backward()
    return [p.grad.to_dense() for p in layer.parameters() if p.grad is not None]


@pytest.mark.parametrize("bags", [False, True])
@pytest.mark.parametrize(("name", "regions"), made.FORMS)
def test_rows_are_their_values(name, regions, bags):
    """The rows give the same vectors and gradients, in any order and number, and take no hash."""
    layer = built(name, regions, BAGGED if bags else FEATURES)
    values = bagged_columns() if bags else columns()
    rows = layer.rows(values)
    assert len(rows) == N
    expected = layer.from_values(values)
    assert torch.equal(layer.from_rows(rows), expected)
    numbers = [5, 0, 299, 5, 17]
    layer.locate = None  # rows are located no more
    few = layer.from_rows(rows[numbers])
    wanted = gradients(layer, few)
    del layer.locate
    again = layer.from_values(taken(values, numbers))
    assert torch.equal(few, again)
    assert wanted
    for ours, theirs in zip(wanted, gradients(layer, again), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("bags", [False, True])
def test_rows_are_chosen_as_those_of_a_tensor(bags):
    layer = built("unified", "multiplexed", BAGGED if bags else FEATURES)
    rows = layer.rows(bagged_columns() if bags else columns())
    vectors = layer.from_rows(rows).detach()
    mask = torch.arange(N) % 7 == 3
    for index in (
        torch.tensor([3, 3, -1, 0]),
        torch.tensor([2, 9], dtype=torch.int32),
        torch.randperm(N),
        mask,
        mask.numpy(),
        mask.tolist(),
        slice(10, 40, 3),
        slice(None),
        slice(5, 5),
        [7, -2],
        [],
        range(4, 9),
        np.array([1, 2, 250]),
    ):
        plain = vectors[list(index)] if isinstance(index, range) else vectors[index]
        chosen = rows[index]
        assert torch.equal(layer.from_rows(chosen), plain.reshape(-1, vectors.shape[1])), index
        assert len(chosen) == len(layer.from_rows(chosen))
    assert torch.equal(layer.from_rows(rows[::-1]), vectors.flip(0))
    assert torch.equal(layer.from_rows(rows[4]), vectors[4:5])
    assert torch.equal(layer.from_rows(rows[20:90][[3, 1]]), vectors[[23, 21]]), "of a choice too"
    for wrong in ([N], [-N - 1], N, mask[:-1], [0.5], [[1, 2]]):
        with pytest.raises(IndexError):
            rows[wrong]


def test_rows_go_to_a_device():
    layer = built("unified", "multiplexed", BAGGED)
    rows = layer.rows(bagged_columns())
    assert rows.slots.device.type == "cpu"
    there = rows.to("meta")
    assert {there.slots.device.type, *(part.device.type for part in there.spread)} == {"meta"}
    assert layer.to("meta").rows(bagged_columns()).slots.device.type == "cpu", (
        "a worker of a DataLoader has no GPU"
    )


def test_no_rows_have_no_vectors():
    layer = built("unified", "multiplexed", BAGGED)
    rows = layer.rows({name: [] for name in ("user", "item", "flag")})
    assert len(rows) == 0
    assert layer.from_rows(rows).shape == (0, 32)


def test_rows_of_an_older_index_map_are_refused():
    """`cce` clusters between epochs, and a state brings its index map with it."""
    layer = built("cce", "multiplexed")
    before = layer.rows(columns())
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.finish_epoch(0)
    told = r"the layer has changed its index map since .*; locate them again with `rows`"
    with pytest.raises(BenchError, match=told):
        layer.from_rows(before)
    after = layer.rows(columns())
    assert torch.equal(layer.from_rows(after), layer.from_values(columns()))
    layer.load_state_dict(state)
    with pytest.raises(BenchError, match=told):
        layer.from_rows(after)


def test_rows_outlive_a_state_that_does_not_change_the_index_map():
    layer = built("unified", "multiplexed")
    rows = layer.rows(columns())
    layer(torch.zeros(1, 3, dtype=torch.int64))
    layer.load_state_dict(layer.state_dict())
    assert torch.equal(layer.from_rows(rows), layer.from_values(columns()))


def test_rows_of_another_layer_are_refused():
    layer = built("unified", "multiplexed")
    again = built("unified", "multiplexed")
    rows = layer.rows(columns())
    assert torch.equal(again.from_rows(rows), again.from_values(columns())), "one built alike"
    others = [
        built("unified", "separate"),
        built("unified", "multiplexed", budget=2_000),
        built("unified", "multiplexed", FEATURES[::-1]),
        built("multi_hash_sum", "multiplexed"),
        ue_bench.UnifiedEmbedding(125, 8),
    ]
    for other in others:
        with pytest.raises(BenchError, match="from_rows: rows of another layer were given"):
            other.from_rows(rows)
    article = ue_bench.UnifiedEmbedding(125, 8)
    of_article = article.rows(["x"], [1, 2])
    assert article.from_rows(of_article).shape == (1, 16)
    for other in (layer, ue_bench.UnifiedEmbedding(126, 8)):
        with pytest.raises(BenchError, match="from_rows: rows of another layer were given"):
            other.from_rows(of_article)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4, dtype=torch.int64), {"user": ["a"]}, None])
def test_what_was_not_located_is_told(wrong):
    layer = built("unified", "multiplexed")
    with pytest.raises(BenchError, match=r"from_rows: \w+ was given; give what the layer's `rows`"):
        layer.from_rows(wrong)
    with pytest.raises(BenchError, match="from_rows"):
        ue_bench.UnifiedEmbedding(4, 2).from_rows(wrong)


# ---- a DataLoader


class Examples(list):
    """Rows of raw values, as a data set of torch has them."""


def examples(values, targets=None):
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    if targets is None:
        return Examples(rows)
    return Examples(zip(rows, targets, strict=True))


def test_a_batch_of_examples_is_rows():
    layer = built("unified", "multiplexed")
    values = columns(7)
    rows = layer.collate(examples(values))
    assert torch.equal(layer.from_rows(rows), layer.from_values(values))
    numbers = [number / 2 for number in range(7)]
    rows, targets = layer.collate(examples(values | {"other": range(7)}, numbers))
    assert torch.equal(layer.from_rows(rows), layer.from_values(values))
    assert targets.dtype == torch.float32
    assert targets.tolist() == numbers
    _, several = layer.collate(examples(values, [np.array([1, number]) for number in range(7)]))
    assert several.shape == (7, 2)
    _, of_tensors = layer.collate(examples(values, list(torch.arange(7))))
    assert of_tensors.tolist() == list(range(7))


def test_a_cross_is_made_of_the_parts_in_the_examples():
    layer = ue_bench.embedding("unified", {"a": 5, "a*b": 9}, 640, 4)
    rows = layer.collate([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    assert torch.equal(layer.from_rows(rows), layer.from_values([["1", "2"], ["1\x1fx", "2\x1fy"]]))


@pytest.mark.parametrize("bags", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_locates(workers, bags):
    """Batches of more values than a Python loop hashes, in processes that were forked from one in
    which polars has run."""
    layer = built("collisionless", "exact", BAGGED if bags else FEATURES)
    values = bagged_columns() if bags else columns()
    expected = layer.from_values(values)
    loader = DataLoader(
        examples(values, range(N)),
        batch_size=200,
        collate_fn=layer.collate,
        num_workers=workers,
        timeout=300 if workers else 0,
    )
    batches = list(loader)
    assert [len(rows) for rows, _ in batches] == [200, 100]
    assert torch.equal(torch.cat([layer.from_rows(rows) for rows, _ in batches]), expected)
    assert torch.cat([targets for _, targets in batches]).tolist() == list(range(N))


@pytest.mark.parametrize("bags", [False, True])
def test_a_worker_of_a_data_loader_does_without_polars(bags, monkeypatch):
    """It is forked, and polars would wait for threads that a fork does not have."""
    layer = built("unified", "multiplexed", BAGGED if bags else FEATURES)
    values = bagged_columns() if bags else columns()
    expected = layer.from_values(values)

    def refuse(*given, **named):
        raise AssertionError("polars runs in a worker")

    for query in ("lazy", "select", "to_series"):
        monkeypatch.setattr(pl.DataFrame, query, refuse)
    monkeypatch.setattr(pl.Series, "cast", refuse)
    loader = DataLoader(
        examples(values), batch_size=N, collate_fn=layer.collate, num_workers=1, timeout=300
    )
    (rows,) = loader
    assert torch.equal(layer.from_rows(rows), expected)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "collate: no examples were given"),
        (["u1"], "collate: an example is one str; give mappings from column to value, or pairs"),
        ([({"user": "u1"}, 1.0, 2.0)], "an example is one tuple"),
        ([({"user": "u1"}, "x")], "a target is no number"),
        ([("u1", 1.0)], "a row is one str"),
        (
            [{"user": "u", "item": "i", "flag": "f"}, {"user": "u"}],
            "row 2: column 'item' is missing",
        ),
        ([{"user": "u"}], "column 'item' is missing"),
    ],
    ids=lambda given: str(given)[:20],
)
def test_examples_that_are_none_are_told(given, told):
    with pytest.raises(BenchError) as error:
        built("unified", "multiplexed").collate(given)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


# ---- UnifiedEmbedding


def test_the_article_s_layer_hashes_once_too():
    layer = ue_bench.UnifiedEmbedding(97, 5)
    users = columns()["user"]
    rows = layer.rows(users, (0, 7))
    assert torch.equal(layer.from_rows(rows), layer(users, (0, 7)))
    chosen = layer.from_rows(rows[[4, 4, 9]])
    (wanted,) = gradients(layer, layer([users[row] for row in (4, 4, 9)], (0, 7)))
    (ours,) = gradients(layer, chosen)
    assert torch.equal(ours, wanted)
    assert ours.abs().sum() > 0


@pytest.mark.parametrize(("init", "scale"), [("uniform", 0.05), ("uniform", 0.5), ("normal", 0.1)])
def test_it_starts_as_the_pool_of_a_run(init, scale):
    torch.manual_seed(11)
    run = ue_bench.embedding(
        "unified", {"user": 50}, budget=4 * 8 * 97, dim=8, init=init, init_scale=scale
    )
    after_run = torch.rand(1)
    torch.manual_seed(11)
    ours = ue_bench.UnifiedEmbedding(97, 8, init=init, init_scale=scale)
    assert torch.equal(ours.embedding.weight, run.pool.weight)
    assert torch.equal(torch.rand(1), after_run), "and draws nothing else"


def test_it_starts_as_the_layer_that_it_replaces():
    torch.manual_seed(11)
    replaced = torch.nn.Embedding(97, 8)
    torch.manual_seed(11)
    assert torch.equal(ue_bench.UnifiedEmbedding(97, 8).embedding.weight, replaced.weight)
    torch.manual_seed(11)
    by_name = ue_bench.UnifiedEmbedding(97, 8, init="normal", init_scale=1)
    assert torch.equal(by_name.embedding.weight, replaced.weight)
    assert ue_bench.UnifiedEmbedding(97, 8, init="uniform").embedding.weight.abs().max() <= 0.05


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"init": "zeros"}, "unknown init 'zeros'; choose from: normal, uniform"),
        ({"init_scale": 0}, "init_scale: 0 was given; it must be a positive number"),
        ({"init_scale": "small"}, "init_scale: 'small' was given"),
        ({"init_scale": float("nan")}, "init_scale: nan was given"),
    ],
)
def test_initial_values_that_are_none_are_told(given, told):
    with pytest.raises(BenchError, match=told):
        ue_bench.UnifiedEmbedding(4, 2, **given)
    with pytest.raises(BenchError, match=told):
        ue_bench.embedding("unified", {"user": 5}, 640, 8, **given)
