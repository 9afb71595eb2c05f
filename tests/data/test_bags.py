"""Multi-valued features: means of the values' vectors on every path, against a loop over rows."""

import copy
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from fuzzing import cases
from hypothesis import strategies as st

from ue_bench.config import RunConfig
from ue_bench.data import encode, multi_valued, split, with_bags
from ue_bench.errors import BenchError
from ue_bench.features import CROSS, Bags, Feature
from ue_bench.strategies import Spec, build
from ue_bench.testing import FEATURES
from ue_bench.training.model import RatingModel
from ue_bench.training.run_data import exact_table_bytes
from ue_bench.training.run_once import run_once
from ue_bench.training.train import Optimizers, Recipe, train_step

SHORT = RunConfig(
    features="user_id,movie_id,genres,user_id*genres",
    multi_valued="genres",
    budget=60_000,
    epochs=2,
    measure="quality",
)


def bags_of(feature):
    return [
        [feature.values[member] for member in feature.bags[bag]] for bag in range(len(feature.bags))
    ]


# ---- texts become bags


def test_texts_are_split_and_numbered_by_first_appearance_those_of_training_first():
    found = with_bags(
        Feature("genres", ("Drama|War", "War", "Action|War", "Action", "War|Drama"), 2, (5, 2)),
        {"genres": "|"},
    )
    assert list(found.values) == ["Drama", "War", "Action"]
    assert (found.n_seen, found.counts, found.cardinality) == (2, [5, 7], 3)
    assert bags_of(found) == [
        ["Drama", "War"],
        ["War"],
        ["Action", "War"],
        ["Action"],
        ["War", "Drama"],
    ]
    assert [found.raw(code) for code in (0, 3)] == [["Drama", "War"], ["Action"]]


def test_values_of_a_bag_count_once_and_the_empty_text_is_the_missing_value():
    found = with_bags(Feature("tags", ("", "a\x1eb\x1ea", "b\x1e"), 3, (1, 1, 1)), {"tags": "\x1e"})
    assert bags_of(found) == [[""], ["a", "b"], ["b", ""]]
    assert (list(found.values), found.counts) == (["", "a", "b"], [2, 1, 2])


def test_each_value_of_a_bag_is_crossed():
    texts = tuple(CROSS.join(pair) for pair in (("7", "a|b"), ("7", "b"), ("9|8", "a")))
    one = with_bags(Feature("user_id*genres", texts, 3), {"genres": "|"})
    assert bags_of(one) == [[f"7{CROSS}a", f"7{CROSS}b"], [f"7{CROSS}b"], [f"9|8{CROSS}a"]]
    both = with_bags(
        Feature("user_id*genres", ("1|2" + CROSS + "a|b",), 1), {"genres": "|", "user_id": "|"}
    )
    assert bags_of(both) == [[f"{user}{CROSS}{genre}" for user in "12" for genre in "ab"]]


def test_other_features_are_left_alone():
    feature = Feature("title", ("a|b", "c" + CROSS + "d"), 2)
    assert with_bags(feature, {"genres": "|"}) is feature
    assert bags_of(with_bags(feature, {"title": "|"}))[1] == ["c" + CROSS + "d"], (
        "one feature is no cross, whatever is in its text"
    )


@cases(fast=60, slow=1000, data=st.data())
def test_splitting_is_that_of_a_loop(data):
    texts = data.draw(st.lists(st.text("ab|é", max_size=6), min_size=1, max_size=8, unique=True))
    n_seen = data.draw(st.integers(0, len(texts)))
    counts = data.draw(st.lists(st.integers(1, 9), min_size=n_seen, max_size=n_seen))
    found = with_bags(Feature("f", texts, n_seen, counts), {"f": "|"})
    wanted = [list(dict.fromkeys(text.split("|"))) for text in texts]
    numbered = {value: None for bag in wanted for value in bag}
    rows = {
        value: sum(c for bag, c in zip(wanted, counts, strict=False) if value in bag)
        for value in numbered
    }
    assert bags_of(found) == wanted
    assert list(found.values) == list(numbered)
    assert found.n_seen == len({value for bag in wanted[:n_seen] for value in bag})
    assert list(found.counts) == [rows[value] for value in list(numbered)[: found.n_seen]]


def test_a_bag_has_a_value():
    with pytest.raises(ValueError, match="at least one value"):
        Bags.of([[1], []])


def test_rows_of_a_data_set_keep_their_values(movielens_100k):
    names = ("movie_id", "genres", "user_id*genres")
    found = encode(
        movielens_100k,
        names,
        split(movielens_100k, "random", 0),
        separators=multi_valued(movielens_100k, names, "genres"),
    )
    plain = encode(movielens_100k, names, split(movielens_100k, "random", 0))
    assert np.array_equal(found.codes, plain.codes)
    genres, crossed = found.features[1:]
    assert genres.cardinality == 19
    assert crossed.cardinality < plain.features[2].cardinality
    for row in range(0, len(found.codes), 997):
        text = movielens_100k.column("genres")[row]
        user = str(movielens_100k.ratings["user_id"][row])
        assert genres.raw(int(found.codes[row, 1])) == text.split("|")
        assert crossed.raw(int(found.codes[row, 2])) == [
            user + CROSS + genre for genre in text.split("|")
        ]
    train = movielens_100k.column("genres").to_numpy()[found.parts == 0]
    counted = {
        value: sum(value in text.split("|") for text in train)
        for value in genres.values[: genres.n_seen]
    }
    assert genres.counts == list(counted.values())


def test_names_are_checked(movielens_100k):
    assert multi_valued(movielens_100k, ("user_id", "user_id*genres"), " genres") == {"genres": "|"}
    with pytest.raises(BenchError, match="did you mean 'genres'"):
        multi_valued(movielens_100k, ("user_id", "genres"), "genre")
    with pytest.raises(BenchError, match="'genres' is given twice"):
        multi_valued(movielens_100k, ("genres",), "genres,genres")
    with pytest.raises(BenchError, match="multi_valued: '' was given; write names separated"):
        multi_valued(movielens_100k, ("genres",), "")


# ---- bags become vectors


@st.composite
def bagged(draw):
    """Features, some of them with bags drawn at random, and rows of codes."""
    n_rows = draw(st.integers(0, 9))
    features = []
    columns = []
    for index, feature in enumerate(FEATURES):
        n_codes = feature.cardinality
        bags = None
        if draw(st.booleans()) or index == 1:
            bags = Bags.of(draw(bags_of_codes(feature.cardinality)))
            n_codes = len(bags)
        features.append(replace(feature, bags=bags))
        code = st.integers(0, n_codes - 1)
        columns.append(draw(st.lists(code, min_size=n_rows, max_size=n_rows)))
    return tuple(features), torch.tensor(columns, dtype=torch.int64).t()


def bags_of_codes(cardinality):
    code = st.integers(0, cardinality - 1)
    bag = st.lists(code, min_size=1, max_size=5, unique=True)
    return st.lists(bag, min_size=1, max_size=6)


class VectorsByLoop:
    """The vector of each single value, located and embedded alone."""

    def __init__(self, strategy, features):
        self.strategy = strategy
        self.features = features
        self.cache = {}

    def vector(self, index, value):
        if (index, value) not in self.cache:
            slots = []
            for other in range(len(self.features)):
                located = value if other == index else "other"
                slots.append(self.strategy.locate(other, [located]))
            vectors = self.strategy.embed(torch.cat(slots, 1)).double()
            widths = list(self.strategy.widths)
            self.cache[index, value] = vectors.split(widths, 1)[index][0]
        return self.cache[index, value]

    def mean(self, index, code):
        """The mean vector of the values behind a code."""
        feature = self.features[index]
        values = [feature.raw(code)] if feature.bags is None else feature.raw(code)
        return sum(self.vector(index, value) for value in values) / len(values)


def by_a_loop(strategy, features, codes):
    """float64 [B, W]: for every row, the mean vectors of its features."""
    vectors = VectorsByLoop(strategy, features)
    rows = []
    for row in codes.tolist():
        means = [vectors.mean(index, code) for index, code in enumerate(row)]
        rows.append(torch.cat(means))
    if not rows:
        return torch.empty(0, sum(strategy.widths), dtype=torch.float64)
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("name", "exact"), [("unified", 0), ("low_dim_exact", 0), ("hash_embedding", 3), ("int8", 0)]
)
@cases(fast=12, slow=200, given=bagged())
def test_vectors_are_those_of_a_loop_on_every_path(name, exact, given):
    features, codes = given
    with torch.no_grad():
        built = build(
            Spec(
                name=name,
                features=features,
                lookups=(2, 1, 1),
                dim=8,
                budget=1_900 if name == "int8" else 4_000,
            ),
            exact,
        ).eval()
        built.finish_training()
        wanted = by_a_loop(built, features, codes)
        found = built(codes)
        raw = []
        for feature, column in zip(features, codes.t().tolist(), strict=True):
            raw.append([feature.raw(code) for code in column])
        torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=1e-6)
        assert torch.equal(built(codes.int()), found)
        assert torch.equal(built.from_values(raw), found)


FLAGS = (
    FEATURES[0],
    FEATURES[1],
    replace(FEATURES[2], bags=Bags.of([[0], [1], [2], [0, 1], [2, 0, 1]])),
)


def test_raw_values_that_come_twice_or_not_at_all():
    built = build(Spec(name="unified", features=FLAGS, lookups=(2, 1, 1), dim=8, budget=4_000))
    ids = [["u1"] * 3, ["i1é"] * 3]
    given = built.from_values([*ids, [["yes", "no", "yes"], [], ("no", "yes")]])
    assert torch.equal(given, built.from_values([*ids, [["yes", "no"], [""], ["no", "yes"]]]))


@pytest.mark.parametrize("row", ["yes", b"yes", None, 3, ["yes", ["no"]]], ids=repr)
def test_a_row_that_is_no_list_of_values_is_refused(row):
    built = build(Spec(name="unified", features=FLAGS, lookups=(2, 1, 1), dim=8, budget=4_000))
    told = re.escape(f"flag is multi-valued and {row!r} was given; give a list of values")
    with pytest.raises(BenchError, match=told):
        built.from_values([["u1"] * 2, ["i1é"] * 2, [["yes"], row]])


def test_whoever_serves_raw_values_needs_no_bag_of_a_data_set():
    built = build(Spec(name="unified", features=FLAGS, lookups=(2, 1, 1), dim=8, budget=4_000))
    served = build(
        Spec(
            name="unified",
            features=(*FLAGS[:2], replace(FLAGS[2], bags=Bags.of([]))),
            lookups=(2, 1, 1),
            dim=8,
            budget=4_000,
        )
    )
    served.load_state_dict(built.state_dict())
    given = [["u1", "u2"], ["i1é", "new"], [["yes", "no"], ["no", "new"]]]
    assert torch.equal(served.from_values(given), built.from_values(given))
    assert served.from_values([[], [], []]).shape == (0, 32)


def test_bags_are_no_state_and_nothing_that_is_served():
    plain = build(Spec(name="collisionless", features=FEATURES, lookups=(2, 1, 1), dim=8))
    built = build(Spec(name="collisionless", features=FLAGS, lookups=(2, 1, 1), dim=8))
    assert built.state_dict().keys() == plain.state_dict().keys()
    assert built.footprint() == plain.footprint()
    assert built.spec.exact_table_bytes == plain.spec.exact_table_bytes
    codes = torch.tensor([[3, 4, 4], [5, 5, 1]])
    out = built(codes)
    assert torch.equal(copy.deepcopy(built)(codes), out)
    other = build(Spec(name="collisionless", features=FLAGS, lookups=(2, 1, 1), dim=8))
    other(codes)
    other.load_state_dict(built.state_dict())
    assert torch.equal(other(codes), out)


def test_an_index_map_that_changes_between_epochs_holds_for_bags():
    built = build(Spec(name="cce", features=FLAGS, lookups=(2, 1, 1), dim=8, budget=4_000))
    codes = torch.tensor([[3, 4, 4], [5, 5, 3]])
    built(codes)
    assert built.finish_epoch(0)
    torch.testing.assert_close(
        built(codes).double(), by_a_loop(built, FLAGS, codes), atol=1e-6, rtol=1e-6
    )


def test_no_row_of_the_table_is_touched_but_the_bags_own():
    """An optimizer that moves only the rows of a batch must not see rows that only fill it up."""
    torch.manual_seed(0)  # of some initial values, no unit of so small a head is active
    built = build(Spec(name="collisionless", features=FLAGS, lookups=(1, 1, 1), dim=8, sparse=True))
    model = RatingModel(strategy=built, head="mlp", hidden=4, dropout=0.0, rating_bias=3.0)
    slots_read = []
    recipe = Recipe(
        optimizer="sparse_adam",
        lr=0.1,
        weight_decay=0.0,
        batch_size=2,
        epochs=1,
        patience=None,
        evals_per_epoch=1,
        stop_above=None,
        average_epochs=0.0,
        seed=0,
    )
    optimizers = Optimizers(model, recipe)

    def read(slots):
        slots_read.append(set(slots.flatten().tolist()))
        return torch.nn.functional.embedding(slots, built.pool.weight, sparse=True)

    built.pool.reader = read
    before = built.pool.weight.detach().clone()
    codes = torch.tensor([[3, 4, 3], [5, 5, 2]])
    train_step(model, optimizers, codes, torch.tensor([1.0, 2.0]))
    own = [
        built.locate(i, values).flatten().tolist()
        for i, values in enumerate((["u3", "u5"], ["i4é", "i5é"], ["no", "yes", ""]))
    ]
    moved = (built.pool.weight.detach() != before).any(1).nonzero().flatten().tolist()
    assert set(moved) == slots_read[0] == {slot for slots in own for slot in slots}


# ---- runs


@pytest.mark.slow
def test_a_run_repeats_and_both_paths_of_gradients_agree():
    first, again = run_once(SHORT), run_once(replace(SHORT, multi_valued=" genres"))
    assert first.quality == again.quality
    assert first.run_id == again.run_id
    assert first.config.multi_valued == "genres"
    assert first.found["cardinalities"]["genres"] == 19
    sparse = run_once(replace(SHORT, optimizer_path="sparse"))
    assert sparse.quality["test_mse"] == pytest.approx(first.quality["test_mse"], abs=1e-3)
    assert first.quality["test_mse"] < first.quality["anchors"]["mean"]["test_mse"]


def test_the_record_counts_single_values_and_times_lists():
    asked = replace(
        SHORT,
        features="user_id,genres",
        budget=20_000,
        epochs=1,
        measure="all",
        diagnose=True,
        strategy="per_feature",
    )
    record = run_once(asked)
    assert record.found["exact_table_bytes"] == (943 + 19) * 16 * 4 == exact_table_bytes(asked)
    assert (
        record.found["diagnostics"]["features"]["genres"]["values"]
        == record.found["n_seen"]["genres"]
        <= 19
    )
    assert {entry["source"] for entry in record.cost["latency"]} == {"codes", "values"}
    exact = run_once(
        replace(asked, strategy="collisionless", budget=None, diagnose=False, measure="latency")
    )
    assert exact.cost["table_bytes"] == sum(n + 1 for n in exact.found["n_seen"].values()) * 64
