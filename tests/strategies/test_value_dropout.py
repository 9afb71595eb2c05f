"""Training reads some values as unseen ones, rare ones most often, and a vocabulary leaves out
values that are too rare."""

from dataclasses import replace

import pytest
import torch

from ue_bench import embedding
from ue_bench.errors import BenchError
from ue_bench.features import Bags, Feature
from ue_bench.strategies import Spec, build

COUNTS = (1, 2, 4, 100)
FEATURES = (
    Feature("a", ["a0", "a1", "a2", "a3", "new"], 4, COUNTS),
    Feature("b", ["b0", "b1"], 2, (50, 57)),
)


def spec(name="collisionless", **changes):
    budget = None if name == "collisionless" else 640
    regions = "exact" if name == "collisionless" else "multiplexed"
    fields = {"features": FEATURES, "lookups": (2, 1), "dim": 4, "budget": budget}
    return Spec(name=name, **fields | {"regions": regions} | changes)


def rows_of(value, count=20_000):
    return torch.tensor([[value, 0]]).repeat(count, 1)


@pytest.mark.parametrize("value_dropout", [0.5, 1.0, 4.0])
def test_a_value_is_read_as_unseen_as_often_as_its_count_says(value_dropout):
    torch.manual_seed(0)
    built = build(spec(value_dropout=value_dropout))
    unseen = built.locate(0, ["new"])
    for value, count in enumerate(COUNTS):
        slots = built.slots(rows_of(value))[:, :2]
        dropped = (slots == unseen).all(1)
        known = (slots == built.locate(0, [FEATURES[0].values[value]])).all(1)
        assert (dropped | known).all(), "both lookups of a value are dropped together"
        expected = value_dropout / (value_dropout + count)
        assert float(dropped.double().mean()) == pytest.approx(expected, abs=0.015)


def test_features_are_dropped_one_by_one():
    torch.manual_seed(0)
    built = build(spec(value_dropout=50.0))
    slots = built.slots(rows_of(3))
    first = slots[:, 0] == int(built.locate(0, ["new"])[0, 0])
    second = slots[:, 2] == int(built.locate(1, ["new"])[0, 0])
    both = float((first & second).double().mean())
    assert both == pytest.approx(50 / 150 * 50 / 100, abs=0.02)


def test_only_training_drops_and_only_where_there_is_a_vocabulary():
    state = torch.random.get_rng_state()
    codes = torch.tensor([[0, 1], [4, 0]])
    dropping = build(spec(value_dropout=1e9)).eval()
    assert torch.equal(dropping.slots(codes), build(spec()).slots(codes))
    hashed = build(spec("unified", value_dropout=1e9))
    torch.random.set_rng_state(state)
    assert torch.equal(hashed.slots(codes), build(spec("unified")).eval().slots(codes))
    torch.random.set_rng_state(state)
    build(spec("unified", value_dropout=1e9, unfilled=True)).slots(codes)
    assert torch.equal(torch.random.get_rng_state(), state), "a hash draws nothing"


def test_a_seed_decides_what_is_dropped():
    built = build(spec(value_dropout=3.0))
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(built.slots(rows_of(1, 100)))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("value_dropout", "trained"), [(0.0, False), (1.0, True)], ids=["without", "with"]
)
def test_only_with_it_the_unseen_row_gets_a_gradient(value_dropout, trained):
    torch.manual_seed(0)
    built = build(spec(value_dropout=value_dropout))
    built(torch.cartesian_prod(torch.arange(4), torch.arange(2)).repeat(20, 1)).sum().backward()
    unseen = built.locate(0, ["new"])[0]
    assert bool(built.pool.weight.grad[unseen].abs().sum() > 0) == trained


def test_single_values_of_a_bag_are_dropped():
    torch.manual_seed(0)
    bagged = replace(FEATURES[0], bags=Bags.of([[0, 3], [3]]))
    built = build(spec(features=(bagged, FEATURES[1]), value_dropout=1.0))
    means = built(torch.zeros(4_000, 2, dtype=torch.int64))[:, :4].detach()
    with torch.no_grad():
        row = {name: built.pool(built.locate(0, [name]))[0, 0] for name in ("a0", "a3", "new")}
    dropped = torch.isclose(means, (row["new"] + row["a3"]) / 2, atol=1e-6).all(1)
    assert float(dropped.double().mean()) == pytest.approx(0.5 * 100 / 101, abs=0.03)


def test_rare_values_are_no_part_of_a_vocabulary_and_cost_nothing():
    whole = build(spec()).footprint()
    features = tuple(replace(feature, min_count=3) for feature in FEATURES)
    built = build(spec(features=features))
    assert torch.equal(built.locate(0, ["a0", "a1"]), built.locate(0, ["new", "newer"]))
    assert len(built.locate(0, ["a2", "a3", "new"]).unique()) == 6
    saved = built.footprint()
    assert whole.vocabulary - saved.vocabulary == 2 * (len("a0") + 4)
    assert whole.table - saved.table == 2 * 2 * 4 * 4, "two lookups of two values"
    served = replace(features[0], counts=()).vocabulary
    assert list(served) == ["a0", "a1", "a2", "a3"], "without counts all are kept"
    assert list(built.to_serve(0).values[:2]) == ["a2", "a3"]


def test_a_layer_takes_both():
    rows = {"a": ["x", "x", "x", "y"]}
    layer = embedding("collisionless", rows, dim=4, min_count=2, value_dropout=2.0)
    assert torch.equal(layer.locate(0, ["y"]), layer.locate(0, ["z"]))
    assert layer.spec.value_dropout == 2.0
    for wrong in ({"min_count": 0}, {"value_dropout": -1}, {"value_dropout": "x"}):
        with pytest.raises(BenchError, match="was given"):
            embedding("collisionless", rows, dim=4, **wrong)
