"""Layers take the values that their tables hold, by rules that are public."""

from datetime import date

import polars as pl
import pytest
import torch

import ue_bench
from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.data import Definition
from ue_bench.errors import BenchError
from ue_bench.training.saved import save

pytestmark = pytest.mark.usefixtures("one_thread")
N = 300
NAMES = ("shop", "price", "new", "day", "town")
TOML = """
files = "t.parquet"
target = "y"
features = ["shop", "price", "new", "day", "town", "tags"]
multi_valued = "tags"
"""


def rows():
    return pl.DataFrame(
        {
            "shop": [None if i % 17 == 0 else float(i % 40) for i in range(N)],
            "price": [0.37 * i for i in range(N)],
            "new": [i % 3 == 0 for i in range(N)],
            "day": [date(2024, 1, 1 + i % 28) for i in range(N)],
            "town": [None if i % 11 == 0 else f"t{i % 23}é" for i in range(N)],
            "y": [float(i % 5) for i in range(N)],
        }
    )


def layer_of_run(folder):
    rows().write_parquet(folder / "t.parquet")
    table = data.define(Definition("t.parquet", "y", NAMES), folder)
    config = RunConfig(dataset="t.parquet", table=table, features="base", budget=3_000, dim=8)
    return ue_bench.embedding_of(config, folder)


def test_the_layer_of_a_table_reads_the_values_of_the_table(tmp_path):
    """Alone and together, from a frame, a mapping and a list of rows."""
    layer = layer_of_run(tmp_path)
    assert dict(layer.reader.rules) == dict(
        data.load("t", tmp_path, {"files": "t.parquet", "target": "y", "features": [*NAMES]}).rules
    )
    frame = rows().drop("y")
    vectors = layer.from_values(frame)
    assert vectors.shape == (N, 40)
    alone = [layer.from_values(row) for row in frame.head(40).iter_rows(named=True)]
    assert torch.equal(torch.cat(alone), vectors[:40])
    assert torch.equal(layer.from_values(frame.to_dict(as_series=False)), vectors)
    assert torch.equal(layer.from_rows(layer.collate(frame.head(7).to_dicts())), vectors[:7])


def test_a_layer_that_is_built_by_hand_reads_by_the_same_rules(tmp_path):
    of_run = layer_of_run(tmp_path)
    frame = rows()
    rules = ue_bench.rules_of(frame, Definition("t.parquet", "y", NAMES))
    kinds = {name: rule.kind for name, rule in rules.items()}
    assert kinds == {
        "shop": "whole",
        "price": "number",
        "new": "text",
        "day": "date",
        "town": "text",
    }
    for given in (rules, kinds, of_run.reader.rules):
        torch.manual_seed(0)
        layer = ue_bench.embedding(
            "collisionless", {name: frame[name] for name in NAMES}, dim=8, rules=given
        )
        assert [v.size for v in layer.vocabularies] == [
            len(set(column)) for column in ue_bench.texts(frame, rules)
        ]
        seen = layer.rows(frame).slots
        assert torch.equal(
            seen, layer.rows(ue_bench.texts(frame, rules).to_dict(as_series=False)).slots
        )
        unseen = torch.tensor([v.size for v in layer.vocabularies])
        starts = torch.tensor(layer.starts)
        assert (seen < starts + unseen).all(), "every value is one of training"
    with pytest.raises(BenchError, match=r"unknown rule for column 'pric' \(did you mean 'price'"):
        ue_bench.embedding("unified", {"price": 5}, 640, 8, rules={"pric": "number"})
    with pytest.raises(BenchError, match="unknown kind of rule for column 'price', 'float'"):
        ue_bench.embedding("unified", {"price": 5}, 640, 8, rules={"price": "float"})
    few = ue_bench.embedding("unified", {"price": 5}, 640, 8, rules=rules)
    assert few.from_values({"price": [1.234, None]}).shape == (2, 8)


def test_texts_of_whatever_says_how(tmp_path):
    """Kinds by name, rules, a definition, a file, a layer and a saved model say the same."""
    layer = layer_of_run(tmp_path)
    frame = rows().with_columns(other=pl.lit(1), tags=pl.lit("a|b"))
    definition = Definition("t.parquet", "y", NAMES)
    expected = ue_bench.texts(frame, ue_bench.rules_of(frame, definition))
    assert expected.columns == list(NAMES), "other columns are left out"
    assert expected.row(17) == ("", "6.3", "false", "2024-01-18", "t17é")
    (tmp_path / "t.toml").write_text(TOML)
    from_file = ue_bench.texts(frame, tmp_path / "t.toml")
    assert from_file["tags"].to_list() == [["a", "b"]] * N
    kinds = {"shop": "whole", "price": "number", "new": "text", "day": "date", "town": "text"}
    for given in (kinds, definition, layer):
        assert ue_bench.texts(frame, given).equals(expected), given
    assert from_file.drop("tags").equals(expected)
    assert ue_bench.texts(frame, layer.reader.rules).equals(expected)


def test_texts_of_a_saved_model(tmp_path):
    layer_of_run(tmp_path)
    table = data.define(Definition("t.parquet", "y", NAMES), tmp_path)
    config = RunConfig(
        dataset="t.parquet",
        table=table,
        features="base",
        budget=3_000,
        dim=8,
        epochs=1,
        measure="quality",
    )
    folder = tmp_path / "model"
    ue_bench.run_once(
        config,
        data_dir=tmp_path,
        on_trained=lambda model, _: save(folder, model, config),
    )
    model = ue_bench.load(folder)
    frame = rows()
    expected = ue_bench.texts(frame, model.model.strategy.reader.rules)
    assert ue_bench.texts(frame, model).equals(expected)


def test_texts_of_values_without_a_rule_are_categories():
    layer = ue_bench.embedding("unified", {"user": 5, "user*item": 9}, 640, 8)
    frame = {"user": [1, b"2", "x"], "item": ["a", "b", "c"]}
    assert ue_bench.texts(frame, layer).to_dict(as_series=False) == {
        "user": ["1", "2", "x"],
        "item": ["a", "b", "c"],
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (3, "texts: a definition is one int; give a mapping"),
        ("no.toml", "no.toml cannot be read"),
        ({"a": "float"}, "unknown kind of rule for column 'a', 'float'"),
        ({"b": "text"}, "column 'b' is missing"),
    ],
)
def test_what_says_nothing_is_told(given, told):
    with pytest.raises(BenchError) as error:
        ue_bench.texts({"a": [1.5]}, given)
    assert told in str(error.value)
