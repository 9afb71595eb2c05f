"""Collisions and load of an index map, beside a count by brute force and beside the formulas."""

import math

import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.registry import static_strategies
from ue_bench.testing import training_rows
from ue_bench.training.collisions import NOT_ROWS, index_map

SIZES = {"a": 300, "b": 120, "c": 7}


def make_features():
    """Features whose last two values do not occur in training."""
    features = []
    for name, size in SIZES.items():
        values = [f"{name}{i}" for i in range(size)]
        counts = [1 + i % 9 for i in range(size - 2)]
        features.append(Feature(name, values, size - 2, counts))
    return tuple(features)


def make(name="unified", regions="multiplexed", rows=100, exact_at_most=0, hash_seed=0):
    spec = Spec(
        name=name,
        features=make_features(),
        lookups=(1, 2, 1),
        dim=8,
        budget=rows * 32 if STRATEGIES[name].has_budget else None,
        regions=regions,
        region_rule="equal" if regions == "separate" else None,
        hash_seed=hash_seed,
        rows=training_rows(make_features()),
    )
    return build(spec, exact_at_most)


def slots_of(strategy, index):
    """Slots of the training values of a feature: by value, a tuple of slots for each lookup."""
    feature = strategy.spec.features[index]
    located = strategy.locate(index, feature.values[: feature.n_seen])
    by_lookup = located.unflatten(1, (strategy.spec.lookups[index], -1)).tolist()
    return [[tuple(slots) for slots in lookups] for lookups in by_lookup]


def free_by_brute_force(strategy, index):
    """Shares free of intra and of inter collisions in any lookup: every pair of values compared."""
    values = slots_of(strategy, index)
    of_others = set()
    for other in range(len(strategy.spec.features)):
        if other != index:
            of_others.update(*slots_of(strategy, other))
    free = {"intra": 0, "inter": 0}
    for position, lookups in enumerate(values):
        rest = values[:position] + values[position + 1 :]
        alone = [
            all(slots != other[lookup] for other in rest) for lookup, slots in enumerate(lookups)
        ]
        free["intra"] += any(alone)
        free["inter"] += any(slots not in of_others for slots in lookups)
    return {kind: count / len(values) for kind, count in free.items()}


@pytest.mark.parametrize(
    ("name", "regions"),
    [("unified", "multiplexed"), ("per_feature", "separate"), ("multi_hash_sum", "multiplexed")],
)
def test_as_counted_by_brute_force(name, regions):
    strategy = make(name, regions)
    diagnosed = index_map(strategy)
    assert diagnosed["why_null"] == {}
    for index, feature in enumerate(strategy.spec.features):
        counted = free_by_brute_force(strategy, index)
        for kind in ("intra", "inter"):
            shares = diagnosed["features"][feature.name][kind]
            assert shares["free_any"] == pytest.approx(counted[kind], abs=1e-6)
            assert max(shares["free"]) <= shares["free_any"] <= sum(shares["free"]) + 1e-6


@pytest.fixture(scope="module", params=["multiplexed", "separate"])
def of_60_seeds(request):
    """Regions, and the features of the hashing trick diagnosed with 60 hash seeds."""
    regions = request.param
    name = {"multiplexed": "unified", "separate": "per_feature"}[regions]
    seeds = range(60)
    return regions, [index_map(make(name, regions, hash_seed=s))["features"] for s in seeds]


@pytest.mark.parametrize("feature", SIZES)
@pytest.mark.parametrize("kind", ["intra", "inter"])
def test_the_hashing_trick_agrees_with_the_formula(of_60_seeds, feature, kind):
    """The mean over the hash seeds is within four standard errors."""
    _, diagnosed = of_60_seeds
    of_kind = [features[feature][kind] for features in diagnosed]
    free = torch.tensor([shares["free"][0] for shares in of_kind])
    free_any = torch.tensor([shares["free_any"] for shares in of_kind])
    for shares, formula in ((free, "formula"), (free_any, "formula_any")):
        error = float(shares.std()) / math.sqrt(len(diagnosed))
        expected = of_kind[0][formula]
        assert float(shares.mean()) == pytest.approx(expected, abs=4 * error + 1e-6), formula


def test_the_formula_by_hand(of_60_seeds):
    regions, diagnosed = of_60_seeds
    feature = diagnosed[0]["a"]
    rows = 100 if regions == "multiplexed" else feature["rows"]
    inter = (1 - 1 / rows) ** (2 * 118 + 5) if regions == "multiplexed" else 1.0
    assert feature["intra"]["formula"] == pytest.approx((1 - 1 / rows) ** 297, abs=1e-6)
    assert feature["inter"]["formula"] == pytest.approx(inter, abs=1e-6)


def test_the_exact_table_has_no_collisions():
    diagnosed = index_map(make("collisionless", "exact"))
    for feature in diagnosed["features"].values():
        intra = feature["intra"]
        inter = feature["inter"]
        assert set(intra["free"] + inter["free"]) == {1.0}
        assert intra["own_weighted"] == inter["free_any_weighted"] == 1
        assert feature["rows"] is None
        assert intra["formula"] is None
        assert inter["formula"] is None
    load = diagnosed["load"]
    assert load["rows"] == 299 + 2 * 119 + 6
    assert load["values"]["max"] == 1
    rows_of_unseen_values = 4
    assert load["values"]["empty"] == pytest.approx(rows_of_unseen_values / 543, abs=1e-6)
    assert "formula" in diagnosed["why_null"]


def test_load_counts_values_and_training_rows():
    strategy = make(rows=10)
    values = [0] * 10
    training_rows = [0] * 10
    for index, feature in enumerate(strategy.spec.features):
        located = strategy.locate(index, feature.values[: feature.n_seen]).tolist()
        for slots, count in zip(located, feature.counts, strict=True):
            for slot in set(slots):
                values[slot] += 1
                training_rows[slot] += count
    load = index_map(strategy)["load"]
    for quantiles, counted in (
        (load["values"], values),
        (load["training_rows"], training_rows),
    ):
        assert quantiles["max"] == max(counted)
        assert quantiles["mean"] == pytest.approx(sum(counted) / 10)
        assert quantiles["empty"] == 0
        assert quantiles["p50"] in counted


def test_a_value_s_own_share_of_its_row():
    """All values are in one row: each has its share of the training rows."""
    feature = index_map(make("per_feature", "separate", rows=3))["features"]["c"]
    counts = make_features()[2].counts
    share = sum(n * n for n in counts) / sum(counts) ** 2
    assert feature["intra"]["own_weighted"] == pytest.approx(share, abs=1e-6)
    assert feature["intra"]["free_any_weighted"] == 0


FORMS = [(name, regions) for name in static_strategies() for regions in STRATEGIES[name].regions]


@pytest.mark.parametrize(("name", "regions"), FORMS)
def test_every_strategy_can_be_diagnosed(name, regions):
    strategy = make(name, regions, rows=120)
    diagnosed = index_map(strategy)
    for index, (feature, about) in enumerate(diagnosed["features"].items()):
        slots = strategy.locate(index, strategy.spec.features[index].values)
        assert all(0 <= share <= 1 for share in about["intra"]["free"]), feature
        if strategy.one_pool:
            assert 0 <= int(slots.min()) <= int(slots.max()) < diagnosed["load"]["rows"]
            assert [type(module) for module in strategy.modules()].count(Pool) == 1
        hashed = strategy.hashed_rows(index)
        if hashed is not None:
            assert set(slots.flatten().tolist()) <= set(hashed)
    assert strategy.one_pool == (diagnosed["load"] is not None)
    assert strategy.one_pool or diagnosed["why_null"]["inter, load"] == NOT_ROWS
    strategy.finish_training()
    assert index_map(strategy) == diagnosed, "a run diagnoses what is served"


def test_exact_rows_of_few_values_beside_a_method():
    diagnosed = index_map(make(exact_at_most=10))
    few = diagnosed["features"]["c"]
    assert few["intra"]["free_any"] == 1
    assert few["rows"] is None
    many = diagnosed["features"]["a"]
    hashed_rows = 94  # 5 rows are exact, and one is that of unseen values
    assert many["intra"]["formula"] == pytest.approx((1 - 1 / hashed_rows) ** 297, abs=1e-6)
    assert many["inter"] is None
    assert diagnosed["load"] is None
