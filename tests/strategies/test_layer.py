"""UnifiedEmbedding is the article's layer to the last bit, for all kinds of values, and faster."""

import copy
import pickle
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from literal import LiteralLayer

from ue_bench import UnifiedEmbedding

SEEDS = (0, 1, 4_294_967_295)


@pytest.fixture
def layers():
    torch.manual_seed(0)
    ours, literal = UnifiedEmbedding(97, 5), LiteralLayer(97, 5)
    literal.load_state_dict(ours.state_dict(), strict=False)
    literal.embedding.load_state_dict(ours.embedding.state_dict())
    return ours, literal


WORDS = [f"user_{i}" for i in range(300)] + ["", "é", "日本", "x" * 5_000, " a ", "\x1f"]
KINDS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "numpy object": lambda v: np.array(v, dtype=object),
    "polars": pl.Series,
    "polars categorical": lambda v: pl.Series(v, dtype=pl.Categorical),
    "pandas": pd.Series,
    "pandas object": lambda v: pd.Series(v, dtype=object),
    "pandas categorical": lambda v: pd.Series(v).astype("category"),
    "bytes": lambda v: [word.encode() for word in v],
    "bytes numpy": lambda v: np.array([word.encode() for word in v], dtype=object),
    "bytes polars": lambda v: pl.Series([word.encode() for word in v]),
    "mixed": lambda v: [word.encode() if i % 2 else word for i, word in enumerate(v)],
}


@pytest.mark.parametrize("n", [1, 7, len(WORDS)])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_literal_layer_bit_by_bit(layers, kind, n):
    ours, literal = layers
    words = WORDS[-n:]
    assert torch.equal(ours(KINDS[kind](words), SEEDS), literal(words, SEEDS))


@pytest.mark.parametrize("n", [3, 500])
@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        np.array,
        lambda v: np.array(v, dtype=np.uint8 if len(v) < 9 else np.uint64),
        pl.Series,
        pd.Series,
        lambda v: pd.Series(v, dtype="Int64"),
        torch.tensor,
        lambda v: [*v[:-1], np.int16(v[-1])],
    ],
)
def test_an_int_hashes_as_its_decimal_text(layers, kind, n):
    ours, literal = layers
    assert torch.equal(
        ours(kind(list(range(n))), SEEDS), literal([str(i) for i in range(n)], SEEDS)
    )


def test_negative_and_huge_ints(layers):
    ours, literal = layers
    numbers = [-5, 10**30, 2**63, -(2**64)] * 50
    assert torch.equal(ours(numbers, SEEDS), literal([str(i) for i in numbers], SEEDS))


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=200),
    st.integers(1, 10**7),
)
def test_equals_the_literal_layer_for_any_text(words, size):
    ours = UnifiedEmbedding(min(size, 1000), 2)
    literal = LiteralLayer(min(size, 1000), 2)
    literal.embedding = ours.embedding
    assert torch.equal(ours(words, (0, 7)), literal(words, (0, 7)))


@pytest.mark.parametrize(
    "empty",
    [[], (), np.array([], dtype=str), pl.Series([], dtype=pl.String), pd.Series([], dtype=str)],
)
def test_an_empty_batch(layers, empty):
    assert layers[0](empty, SEEDS).shape == (0, 15)


@pytest.mark.parametrize("n", [1, 300])
@pytest.mark.parametrize(
    "value",
    [None, float("nan"), 1.0, True, np.float32(2), np.bool_(True), ["a"], {}, pd.NA, object()],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize(
    "kind", [list, lambda v: pd.Series(v, dtype=object), lambda v: np.fromiter(v, dtype=object)]
)
def test_what_is_no_category_raises(layers, kind, value, n):
    with pytest.raises(TypeError, match="str, bytes or int"):
        layers[0](kind(["a"] * n + [value]), SEEDS)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5]),
        pl.Series([1.5]),
        pd.Series([1.5]),
        pl.Series(["a", None]),
        pd.Series(["a", None]),
        pl.Series([True]),
        pd.Series([1, None], dtype="Int64"),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        "abc",
        b"abc",
        5,
        None,
        {"a"},
        np.array([["a"]]),
        torch.tensor([1.0]),
    ],
    ids=lambda v: f"{type(v).__name__}-{getattr(v, 'dtype', '')}",
)
def test_what_is_no_column_of_categories_raises(layers, values):
    with pytest.raises(TypeError, match=r"str, bytes or int|one-dimensional"):
        layers[0](values, SEEDS)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_xxh32_does_not_take_raises(layers, seed):
    with pytest.raises(ValueError, match="seed"):
        layers[0](["a"], (seed,))


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (-1, 3)])
def test_a_table_of_no_size_raises(size):
    with pytest.raises(ValueError, match="at least 1"):
        UnifiedEmbedding(*size)


def test_it_is_a_torch_module(layers):
    ours, literal = layers
    words = ["a", "b", "a"]
    ours(words, (0, 1)).square().sum().backward()
    literal(words, (0, 1)).square().sum().backward()
    assert torch.equal(ours.embedding.weight.grad, literal.embedding.weight.grad)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(twin(words, (0, 1)), ours(words, (0, 1)))
    other = UnifiedEmbedding(97, 5)
    other.load_state_dict(ours.state_dict())
    assert torch.equal(other(words, (0, 1)), ours(words, (0, 1)))
    assert ours.to("meta")(words, (0, 1)).device.type == "meta"
    assert UnifiedEmbedding(4, 3, dtype=torch.float64)(words, (0,)).dtype == torch.float64


@pytest.mark.alone
def test_it_is_many_times_as_fast_as_the_loop():
    """4,096 values and 2 lookups on one thread, best of several in one process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours, literal = UnifiedEmbedding(1000, 10), LiteralLayer(1000, 10)
    words = [str(i * 7919) for i in range(4096)]

    def best(layer, times):
        spent = []
        for _ in range(times):
            start = time.perf_counter()
            layer(words, (0, 1))
            spent.append(time.perf_counter() - start)
        return min(spent)

    best(ours, 20)
    ratio = best(literal, 5) / best(ours, 200)
    torch.set_num_threads(threads)
    print(f"ratio {ratio:.0f}")
    assert ratio >= 7  # a tenth of the 75 and more of an idle machine
