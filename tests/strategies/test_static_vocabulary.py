"""Vocabularies without keys: positions from a static function, in every strategy that has one."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import ue_bench
from ue_bench import RunConfig
from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.pool import make_room
from ue_bench.strategies.static_function import Layout, fill
from ue_bench.strategies.static_vocabulary import StaticVocabulary
from ue_bench.strategies.vocabulary import Vocabulary
from ue_bench.testing import FEATURES, training_rows
from ue_bench.training.resolve import resolve

FORMS = []
for _name, _entry in STRATEGIES.items():
    if _entry.needs_vocabulary and not _entry.dictionary_only:
        FORMS += [(_name, _regions) for _regions in _entry.regions]


def built(name, regions, vocabulary, features=FEATURES, seed=0, budget=5_000, **changes):
    spec = Spec(
        name=name,
        features=features,
        lookups=(2, 1, 1),
        dim=8,
        budget=budget if STRATEGIES[name].has_budget else None,
        regions=regions,
        vocabulary=vocabulary,
        rows=training_rows(features),
        **changes,
    )
    torch.manual_seed(seed)
    try:
        return build(spec)
    except ue_bench.errors.BudgetError as error:
        torch.manual_seed(seed)
        return build(replace(spec, budget=error.works))


@given(n=st.integers(0, 400), bits=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_every_key_finds_its_number(n, bits, seed):
    random = np.random.default_rng(seed)
    layout = Layout.of(n)
    numbers = random.integers(0, 2**bits, n)
    table = None
    while table is None:
        low, high = random.integers(0, 2**32, (2, n))
        places = layout.places(low, high)
        assert n == 0 or (places.min() >= 0 and places.max() < layout.size)
        table = fill(places, numbers, layout.size)
    found = np.bitwise_xor.reduce(table[places], axis=1)
    assert found.tolist() == numbers.tolist()


def test_two_keys_in_the_same_places_have_no_table():
    assert fill(np.array([[0, 1, 2], [0, 1, 2]]), np.array([1, 2]), 3) is None


@pytest.mark.parametrize("n", [0, 1, 2, 3, 61, 943])
@pytest.mark.parametrize("check_bits", [0, 8, 16])
def test_known_values_have_the_positions_of_a_dictionary(n, check_bits):
    feature = Feature("movie", [f"v{i}é" for i in range(n)], n)
    static = StaticVocabulary(feature, check_bits)
    values = [*feature.values]
    assert static.positions(values).tolist() == Vocabulary(feature).positions(values).tolist()
    assert static.size == n
    unseen = static.positions([f"unseen {i}" for i in range(4_000)])
    assert (unseen <= n).all()
    taken = (unseen < n).mean()
    assert taken <= 3 * 2**-check_bits + 0.001


def test_a_value_takes_the_bits_of_its_position_and_its_check():
    feature = Feature("movie", [f"v{i}" for i in range(50_000)], 50_000)
    for check_bits in (0, 8):
        static = StaticVocabulary(feature, check_bits)
        bits = 8 * static.n_bytes / 50_000
        assert bits < 1.25 * (16 + check_bits)
        assert static.floor_bytes == static.n_bytes


@pytest.mark.slow
def test_a_million_values_are_those_of_a_dictionary():
    feature = Feature("movie", [f"value {i}" for i in range(1_000_000)], 1_000_000)
    static = StaticVocabulary(feature, 8)
    assert (static.positions(feature.values) == np.arange(1_000_000)).all()
    assert static.n_bytes < 4.0e6 < Vocabulary(feature).n_bytes / 2


@pytest.mark.parametrize(("name", "regions"), FORMS)
def test_every_strategy_gives_the_vectors_of_the_dictionary(name, regions):
    by_dictionary = built(name, regions, "dictionary")
    static = built(name, regions, "static_function")
    codes = torch.stack([torch.arange(50), torch.arange(50) % 50, torch.arange(50) % 3], 1)
    assert torch.equal(static(codes), by_dictionary(codes))
    footprint = static.footprint()
    of_dictionary = by_dictionary.footprint()
    assert (footprint.table, footprint.auxiliary) == (of_dictionary.table, of_dictionary.auxiliary)
    assert footprint.vocabulary == sum(v.n_bytes for v in static.vocabularies)
    assert footprint.vocabulary_floor == footprint.vocabulary
    assert footprint.vocabulary < of_dictionary.vocabulary


@pytest.mark.parametrize(("name", "regions"), FORMS)
def test_it_is_served_without_a_value(name, regions):
    trained = built(name, regions, "static_function", seed=5).eval()
    trained.finish_epoch(0)
    trained.finish_training()
    features = tuple(trained.to_serve(index) for index in range(len(FEATURES)))
    assert all(feature.n_seen == 0 for feature in features), "no value is held"
    again = built(
        name,
        regions,
        "static_function",
        features,
        seed=6,
        budget=trained.spec.budget,
        unfilled=True,
    )
    again.drop_training_only()
    make_room(again)
    again.load_state_dict(copy.deepcopy(trained.state_dict()))
    columns = [[*FEATURES[0].values[:40], "unseen"], [*FEATURES[1].values[:40], ""], ["no"] * 41]
    assert torch.equal(again.eval().from_values(columns), trained.from_values(columns))


def test_exact_rows_of_few_values_have_it_too():
    layer = ue_bench.embedding(
        "unified",
        {"user": [str(i) for i in range(50)], "flag": ["no", "yes", "yes"]},
        4_000,
        8,
        exact_at_most=3,
        vocabulary="static_function",
    )
    names = [name for name in layer.state_dict() if "vocabular" in name]
    assert sorted(name.rpartition(".")[2] for name in names) == ["table", "tries"]
    assert layer.footprint().vocabulary == layer.vocabularies[0].n_bytes


def test_rare_values_are_unseen():
    features = (replace(FEATURES[0], min_count=50), *FEATURES[1:])
    layer = built("collisionless", "exact", "static_function", features, vocabulary_check=16)
    rare = layer.locate(0, FEATURES[0].values[51:])
    assert (rare == layer.locate_as_unseen(0, ["x"])).float().mean() > 0.98
    assert layer.vocabularies[0].size == 51


@pytest.mark.parametrize("name", ["frequency_threshold", "frequency_double_hash"])
def test_what_needs_the_texts_says_why(name):
    with pytest.raises(BenchError, match=r"vocabulary 'static_function' was given, and .*;"):
        built(name, "multiplexed", "static_function")


def test_where_there_is_no_vocabulary_it_means_nothing():
    plain = RunConfig(budget=9_000)
    static = replace(plain, vocabulary="static_function", vocabulary_check=4)
    assert resolve(static).run_id == resolve(plain).run_id
    exact = RunConfig(strategy="collisionless")
    static = replace(exact, vocabulary="static_function")
    assert resolve(static).run_id != resolve(exact).run_id
    assert resolve(replace(exact, vocabulary_check=4)).run_id == resolve(exact).run_id
    assert resolve(replace(static, vocabulary_check=4)).run_id != resolve(static).run_id


def test_a_saved_model_holds_no_text(tmp_path):
    config = RunConfig(
        dataset="planted-additive",
        strategy="collisionless",
        features="movie_id,user_id",
        vocabulary="static_function",
        epochs=1,
        measure="quality",
    )
    saved = {}

    def keep(model, dataset):
        from ue_bench.training.saved import save

        save(tmp_path / "model", model, config)
        saved["vectors"] = model.strategy.from_values({"movie_id": ["1"], "user_id": ["2"]})

    from ue_bench.training.run_once import run_once

    record = run_once(config, on_trained=keep)
    from safetensors.torch import load_file

    names = list(load_file(tmp_path / "model" / "model.safetensors"))
    assert not [name for name in names if name.startswith("values.")]
    model = ue_bench.load(tmp_path / "model")
    vectors = model.model.strategy.from_values({"movie_id": ["1"], "user_id": ["2"]})
    assert torch.equal(vectors, saved["vectors"])
    assert record.cost["vocabulary_bytes"] == record.cost["vocabulary_floor_bytes"]


def test_another_program_finds_the_positions():
    """What docs/serving.md says, with xxhash and whole numbers alone."""
    feature = Feature("movie", [f"v{i}é" for i in range(300)], 300)
    static = StaticVocabulary(feature, 8)
    n, c, p = static.size, 8, 9
    s, m = static.layout.segment, static.layout.first_segments
    tries = int(static.tries)
    name = "movie\x1fposition\x1f0"
    seeds = []
    for text in (name, f"{name}\x1f1", f"{name}\x1f2"):
        seeds.append(xxhash.xxh32_intdigest(text.encode(), tries))
    stream = int.from_bytes(static.table.numpy().tobytes(), "little")

    def position(value):
        low, high, check = (xxhash.xxh32_intdigest(value.encode(), seed) for seed in seeds)
        a = (high * m * s) >> 32
        number = 0
        for place in (a, (a + s) ^ (low % s), (a + 2 * s) ^ ((low >> 14) % s)):
            number ^= (stream >> (place * (p + c))) % 2 ** (p + c)
        found = number % 2**p
        known = number >> p == check % 2**c and found < n
        return found if known else n

    values = [*feature.values, *(f"unseen {i}" for i in range(300))]
    assert [position(value) for value in values] == static.positions(values).tolist()
