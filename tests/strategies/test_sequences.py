"""Padded sequences equal a loop over their lists."""

import polars as pl
import pytest
import torch

import ue_bench
from ue_bench import SequenceEmbedding, UnifiedEmbedding
from ue_bench.errors import BenchError

LISTS = [["a", "b", "a"], [], ["c"], ["d", "e", "f", "g"]]
WEIGHTS = [[0.5, 2.0, 1.0], [], [0.0], [1.0, -1.0, 3.0, 0.25]]


def layers():
    torch.manual_seed(0)
    yield UnifiedEmbedding(37, 4), {"seeds": (3, 7)}
    yield ue_bench.embedding("hash_embedding", {"tag": 30}, budget=2_000, dim=8), {}


def vectors_of(layer, values):
    if isinstance(layer, UnifiedEmbedding):
        return layer(values, (3, 7))
    return layer.from_values({"tag": values})


def looped(layer, mode, weights=None):
    pooled = []
    for number, values in enumerate(LISTS):
        if not values:
            pooled.append(torch.zeros(8))
            continue
        vectors = vectors_of(layer, values)
        if mode == "max":
            pooled.append(vectors.amax(0))
            continue
        shares = torch.tensor(weights[number]) if weights else torch.ones(len(values))
        total = (vectors * shares.unsqueeze(1)).sum(0)
        pooled.append(total / (shares.sum() or 1) if mode == "mean" else total)
    return torch.stack(pooled)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_pooling_equals_a_loop(mode):
    for layer, given in layers():
        sequence = SequenceEmbedding(layer, mode, **given)
        for lists in (LISTS, pl.Series(LISTS)):
            torch.testing.assert_close(sequence(*sequence.pad(lists)), looped(layer, mode))


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_weights(mode):
    for layer, given in layers():
        sequence = SequenceEmbedding(layer, mode, **given)
        got = sequence(*sequence.pad(LISTS, WEIGHTS))
        torch.testing.assert_close(got, looped(layer, mode, WEIGHTS))


def test_the_last_values_count():
    table = UnifiedEmbedding(37, 4)
    short = SequenceEmbedding(table, "sum", seeds=(0,), most=2)
    whole = SequenceEmbedding(table, "sum", seeds=(0,))
    padded = short.pad(LISTS, WEIGHTS)
    assert padded.slots.shape == (4, 2, 1)
    cut = whole.pad([row[-2:] for row in LISTS], [row[-2:] for row in WEIGHTS])
    assert torch.equal(short(*padded), whole(*cut))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_padding_trains_nothing(mode):
    table = UnifiedEmbedding(37, 4)
    sequence = SequenceEmbedding(table, mode, seeds=(0,))
    padded = sequence.pad([["a"], ["a", "b", "c"], []])
    sequence(*padded).square().sum().backward()
    touched = table.embedding.weight.grad.abs().sum(1).nonzero().flatten()
    assert set(touched.tolist()) == set(table.rows(["a", "b", "c"], (0,)).slots.flatten().tolist())


def test_batches_of_nothing():
    sequence = SequenceEmbedding(UnifiedEmbedding(37, 4), "max", seeds=(0,))
    assert torch.equal(sequence(*sequence.pad([[], []])), torch.zeros(2, 4))
    assert sequence(*sequence.pad([])).shape == (0, 4)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_sequences_are_exported(mode):
    sequence = SequenceEmbedding(UnifiedEmbedding(37, 4), mode, seeds=(0, 1)).eval()
    padded = sequence.pad(LISTS)
    rows, longest = torch.export.Dim("rows"), torch.export.Dim("longest")
    shapes = ({0: rows, 1: longest}, {0: rows, 1: longest})
    program = torch.export.export(sequence, tuple(padded[:2]), dynamic_shapes=shapes).module()
    for lists in (LISTS, [["x"] * 9, ["y"]]):
        other = sequence.pad(lists)
        assert torch.equal(program(*other[:2]), sequence(*other))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda table: SequenceEmbedding(table, "median", seeds=(0,)), "unknown mode 'median'"),
        (lambda table: SequenceEmbedding(table), "give seeds with a UnifiedEmbedding"),
        (lambda table: SequenceEmbedding(table, seeds=()), "give seeds with a UnifiedEmbedding"),
        (lambda table: SequenceEmbedding(table, seeds=(0,), most=0), "a whole number from 1 on"),
        (lambda table: SequenceEmbedding(table, seeds=(0,), most=1.5), "a whole number from 1 on"),
        (
            lambda table: SequenceEmbedding(table, seeds=(0,)).pad([["a"]], [[float("nan")]]),
            "a weight is no finite",
        ),
        (
            lambda table: SequenceEmbedding(table, seeds=(0,)).pad([["a"]], [[1e39]]),
            "a weight is no finite",
        ),
        (lambda table: SequenceEmbedding(torch.nn.Linear(1, 1)), "Linear was given"),
        (
            lambda table: SequenceEmbedding(
                ue_bench.embedding("unified", {"a": 9, "b": 9}, budget=640, dim=8)
            ),
            "features 'a', 'b'",
        ),
        (lambda table: SequenceEmbedding(table, seeds=(0,)).pad(["abc"]), "row 1 is 'abc'"),
        (lambda table: SequenceEmbedding(table, seeds=(0,)).pad([["a"], 5]), "row 2 is 5"),
        (
            lambda table: SequenceEmbedding(table, seeds=(0,)).pad([["a"]], [[1, 2]]),
            "one weight for each value",
        ),
    ],
)
def test_bad_input_is_one_line(make, line):
    with pytest.raises(BenchError, match=line):
        make(UnifiedEmbedding(37, 4))


def test_weights_of_a_maximum_are_refused():
    sequence = SequenceEmbedding(UnifiedEmbedding(37, 4), "max", seeds=(0,))
    with pytest.raises(BenchError, match="give sum or mean"):
        sequence(*sequence.pad(LISTS, WEIGHTS))
