"""A DataLoader over a frame gives located rows and targets, as the layer locates them."""

import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader

import ue_bench
from ue_bench import Collate, FrameDataset, UnifiedEmbedding
from ue_bench.errors import BenchError

FRAME = pl.DataFrame(
    {
        "user": [f"u{i % 7}" for i in range(20)],
        "item": [i % 5 for i in range(20)],
        "tags": [["a", "b"][: i % 3] for i in range(20)],
        "bought": [i % 2 for i in range(20)],
    }
)


def layer():
    return ue_bench.embedding("unified", {"user": 7, "item": 5, "user*item": 35}, 4_000, dim=8)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_loader_over_a_frame(workers):
    embed = layer()
    loader = DataLoader(
        FrameDataset(FRAME),
        batch_size=6,
        collate_fn=Collate(embed, "bought"),
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )
    vectors, targets = [], []
    for rows, labels in loader:
        vectors.append(embed.from_rows(rows))
        targets.append(labels)
    assert [len(part) for part in targets] == [6, 6, 6, 2]
    assert torch.equal(torch.cat(vectors), embed.from_values(FRAME))
    assert torch.equal(torch.cat(targets), torch.tensor(FRAME["bought"].to_list()).float())


def test_shuffled_batches_keep_rows_and_targets_together():
    embed = layer()
    loader = DataLoader(
        FrameDataset(FRAME), batch_size=6, shuffle=True, collate_fn=Collate(embed, "item")
    )
    by_item = {}
    for rows, items in loader:
        for vector, item in zip(embed.from_rows(rows)[:, 8:16], items.tolist(), strict=True):
            by_item.setdefault(item, vector)
            assert torch.equal(by_item[item], vector)
    assert len(by_item) == 5


def test_the_forms_of_a_batch():
    embed = layer()
    wanted = embed.rows(FRAME).slots
    for batch in (FRAME.lazy(), FRAME.to_pandas(), FRAME.to_arrow(), FRAME.to_dicts()):
        rows, targets = Collate(embed, "bought")(batch)
        assert torch.equal(rows.slots, wanted)
        assert targets.dtype == torch.float32
    assert torch.equal(Collate(embed)(FRAME).slots, wanted)
    assert len(FrameDataset(FRAME)) == 20
    assert FrameDataset(FRAME)[3].equals(FRAME[3:4])


def test_a_table_whose_seeds_are_given():
    table = UnifiedEmbedding(97, 4)
    rows = Collate(table, seeds={"user": (0, 1), "user*item": (2,)})(FRAME)
    crossed = [f"{user}\x1f{item}" for user, item in FRAME.select("user", "item").rows()]
    wanted = torch.cat([table(FRAME["user"], (0, 1)), table(crossed, (2,))], 1)
    assert torch.equal(table.from_rows(rows), wanted)
    assert torch.equal(table.embed(rows.slots), wanted)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: FrameDataset(pd.DataFrame({"a": [1]})), "DataFrame was given; give a DataFrame"),
        (lambda: FrameDataset(FRAME.lazy()), "LazyFrame was given"),
        (lambda: Collate(UnifiedEmbedding(9, 4)), "seeds None were given with UnifiedEmbedding"),
        (lambda: Collate(layer(), seeds={"user": (0,)}), "and none with another layer"),
        (lambda: Collate(layer(), "sold")(FRAME), "column 'sold' is missing"),
        (lambda: Collate(layer(), "user")(FRAME), "target 'user'.*give numbers"),
        (lambda: Collate(layer())(FRAME.drop("item")), "column 'item' is missing"),
    ],
)
def test_bad_input_is_one_line(make, line):
    with pytest.raises(BenchError, match=line):
        make()


PAIR = {"user": ["a", "b"], "item": ["x", "y"]}
MISSING = "target 'y': the target of row 2 is missing or not finite; give one finite number"


@pytest.mark.parametrize("make", [dict, pl.DataFrame, pd.DataFrame, pl.LazyFrame])
@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), 1e300])
def test_a_missing_target_is_one_line_in_every_form(make, missing):
    """It became NaN, and the first step on it left no weight that is a number."""
    with pytest.raises(BenchError, match=MISSING):
        Collate(layer(), "y")(make({**PAIR, "y": [1.0, missing]}))


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        ([1.0], r"targets of shape \[1\] were given for 2 rows"),
        ([1.0, 2.0, 3.0], r"targets of shape \[3\] were given for 2 rows"),
        ([[1, 2], [3, 4]], r"targets of shape \[2, 2\] were given for 2 rows"),
        ([[1, 2], [3]], "give numbers, one for each row"),
        (["3", "x"], "give numbers, one for each row"),
    ],
)
def test_targets_are_one_number_a_row(targets, line):
    with pytest.raises(BenchError, match=f"target 'y': .*{line}"):
        Collate(layer(), "y")({**PAIR, "y": targets})


def test_a_missing_target_of_a_row_of_a_list_is_one_line():
    batch = [{"user": "a", "item": "x", "y": 1.0}, {"user": "b", "item": "y", "y": None}]
    with pytest.raises(BenchError, match=MISSING):
        Collate(layer(), "y")(batch)
    table = UnifiedEmbedding(97, 4)
    with pytest.raises(BenchError, match=MISSING):
        Collate(table, "y", seeds={"user": (0,)})(batch)
