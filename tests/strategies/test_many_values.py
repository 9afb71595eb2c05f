"""Millions of values are arrays and columns, which find and keep what lists and dictionaries do."""

import tracemalloc

import numpy as np
import polars as pl
import pytest
from saved_models import trained

import ue_bench
from ue_bench.config import RunConfig
from ue_bench.data.text_column import text_column
from ue_bench.features import Feature
from ue_bench.strategies import Spec, key_index, vocabulary
from ue_bench.strategies.key_index import KeyIndex
from ue_bench.strategies.value_frequency import by_frequency
from ue_bench.strategies.vocabulary import Vocabulary
from ue_bench.training import feature_values
from ue_bench.training.saved import save

TEXTS = pl.Series([f"value {number * 7919 % 5_003}" for number in range(5_003)])
ASKED = ["value 3", "", "value 5002", "value 5003", "Zoë", 17, b"value 3", b"\xff\xfe", "value 3"]


def dictionary_of(feature: Feature, asked):
    return Vocabulary(feature).positions(asked)


@pytest.mark.parametrize("asked", [ASKED, ASKED[:5], pl.Series(ASKED[:5]), TEXTS, []])
@pytest.mark.parametrize("n_digests", [None, 2_000, 1])
def test_arrays_find_what_a_dictionary_finds(asked, n_digests, monkeypatch):
    """Texts with equal digests too, of which the world has hardly seen two."""
    feature = Feature("a", TEXTS, 5_003)
    expected = Vocabulary(feature).positions(asked)
    digests = key_index.digests
    if n_digests:
        monkeypatch.setattr(key_index, "digests", lambda texts: digests(texts) % n_digests)
    monkeypatch.setattr(vocabulary, "LARGE", 5_000)
    found = Vocabulary(feature).positions(asked)
    assert found.dtype == np.int64
    assert found.tolist() == expected.tolist()


def test_an_index_makes_no_object_for_a_value():
    texts = pl.Series(np.arange(200_000)).cast(pl.String)
    tracemalloc.start()
    KeyIndex(texts).positions(texts[:1_000], absent=-1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * len(texts)  # numpy's own arrays among them; a dictionary takes 150 and more


def test_the_most_frequent_values_come_first():
    features = (
        Feature("b", ["x", "y", "z"], 3, counts=[2, 5, 1], min_count=2),
        Feature("a", ["u", "v"], 2, counts=[5, 2], min_count=2),
    )
    spec = Spec(name="any", features=features, lookups=(1, 1), dim=4)
    ranked = by_frequency(spec, (0, 1))
    assert list(ranked) == [(1, 0), (0, 1), (1, 1), (0, 0)]  # equals in the order of names
    assert ranked[1] == (0, 1)
    assert list(ranked[2:]) == [(1, 1), (0, 0)]
    assert len(ranked) == 4


def test_a_column_of_texts_is_that_of_its_bytes():
    texts = ["", "Zoë", "a", "", "\U0001f600", "b"]
    joined = np.frombuffer("".join(texts).encode(), np.uint8)
    lengths = [len(text.encode()) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    assert text_column(joined, offsets).to_list() == texts
    torn = offsets.copy()
    torn[2] -= 1  # inside of a character
    with pytest.raises(UnicodeDecodeError):
        text_column(joined, torn)
    broken = joined.copy()
    broken[1] = 0xFF
    with pytest.raises(UnicodeDecodeError):
        text_column(broken, offsets)


def test_a_model_of_many_values_is_the_same_after_it_was_saved(tmp_path, monkeypatch):
    model, config = trained(strategy="collisionless", value_dropout=0.0)
    save(tmp_path / "few", model, config)
    monkeypatch.setattr(feature_values, "MANY", 3)
    monkeypatch.setattr(vocabulary, "LARGE", 3)
    save(tmp_path / "many", model, config)
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
    loaded = ue_bench.load(tmp_path / "many")
    column = loaded.model.strategy.spec.features[0].values.held
    assert isinstance(column, pl.Series)
    assert isinstance(config, RunConfig)
    rows = {"user": ["u1", "nobody"], "item": ["i2", "i1"], "flag": ["0", "1"]}
    few = ue_bench.load(tmp_path / "few").predict(rows)
    assert loaded.predict(rows).tolist() == few.tolist()
