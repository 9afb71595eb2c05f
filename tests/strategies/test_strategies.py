"""Index maps: rows are where the formula says, regions are sized by their rule, exact rows are
exact, all bytes are counted."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from ue_bench.config.number_bits import BITS
from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.hashing import lookup_seed
from ue_bench.strategies import STRATEGIES, Spec, build, regions_of
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.regions import RULES, separate
from ue_bench.strategies.registry import static_strategies
from ue_bench.testing import training_rows

FEATURES = (
    Feature("user", [f"u{i}" for i in range(900)], 800),
    Feature("item", [f"{i}" for i in range(90)], 90),
    Feature("sex", ["F", "M"], 2),
)


def spec(name="unified", budget=64 * 100, **changes):
    regions = regions_of(name, None)
    return Spec(
        **{
            "name": name,
            "features": FEATURES,
            "lookups": (2, 1, 1),
            "dim": 16,
            "budget": budget,
            "regions": regions,
            **changes,
        }
    )


def xxh(value, seed, size):
    return xxhash.xxh32_intdigest(value.encode(), seed) % size


@pytest.mark.parametrize("name", ["unified", "per_feature"])
def test_slots_and_vectors_follow_the_formula(name):
    built = build(spec(name))
    codes = torch.tensor([[0, 5, 1], [899, 89, 0], [13, 13, 1]])
    weight = built.pool.weight.detach().numpy()
    for row, vector in zip(codes.tolist(), built(codes).detach().numpy(), strict=True):
        expected = []
        for index, code in enumerate(row):
            region = built.regions[index]
            for lookup in range((2, 1, 1)[index]):
                seed = xxhash.xxh32_intdigest(f"{FEATURES[index].name}\x1f{lookup}".encode(), 0)
                expected.append(
                    weight[region.start + xxh(FEATURES[index].values[code], seed, region.size)]
                )
        assert np.array_equal(np.concatenate(expected), vector)


def test_explicit_seeds_are_used_as_given():
    seeds = {"user": [0, 1], "item": [2], "sex": [3]}
    built = build(spec(hash_seeds=seeds))
    assert built.locate(0, ["u7"]).tolist() == [[xxh("u7", 0, 100), xxh("u7", 1, 100)]]
    with pytest.raises(BenchError, match="1 seeds were given for user, which has 2 lookups"):
        build(spec(hash_seeds={"user": [0]})).locate(0, ["u7"])


def test_a_lookup_has_a_seed_of_its_own():
    seeds = {
        lookup_seed(name, lookup, run)
        for name in ("a", "b")
        for lookup in range(3)
        for run in range(3)
    }
    assert len(seeds) == 18


@given(
    st.integers(1, 5000),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
    st.sampled_from(sorted(RULES)),
)
def test_separate_regions_fill_the_pool_without_overlap(spare, cardinalities, rule):
    slots = len(cardinalities) + spare
    regions = separate(slots, cardinalities, rule)
    assert regions[0].start == 0
    assert all(a.start + a.size == b.start for a, b in pairwise(regions))
    assert regions[-1].start + regions[-1].size == slots
    weights = [RULES[rule](c) for c in cardinalities]
    for region, weight in zip(regions, weights, strict=True):
        assert region.size >= 1
        assert abs(region.size - 1 - spare * weight / sum(weights)) <= 1


def test_rules_by_hand():
    sizes = {rule: [r.size for r in separate(103, [81, 16, 3], rule)] for rule in RULES}
    assert sizes["proportional"] == [82, 17, 4]
    assert sizes["equal"] == [35, 34, 34]
    # 100 * (9, 4, 1.732) / 14.732 = 61.1, 27.2, 11.8
    assert sizes["sqrt"] == [61 + 1, 27 + 1, 12 + 1]


def test_exact_rows_are_shared_by_nobody_but_the_unseen():
    built = build(spec("collisionless", budget=None))
    seen = built.locate(0, FEATURES[0].values[:800])
    assert len(torch.unique(seen)) == 1600
    unseen = built.locate(0, [*FEATURES[0].values[800:], "new"])
    assert len(torch.unique(unseen, dim=0)) == 1
    assert not set(unseen.flatten().tolist()) & set(seen.flatten().tolist())
    footprint = built.footprint()
    assert footprint.table == ((800 + 1) * 2 + 91 + 3) * 64
    values = [*FEATURES[0].values[:800], *FEATURES[1].values, *FEATURES[2].values]
    assert footprint.vocabulary == sum(len(v.encode()) + 4 for v in values)
    assert footprint.vocabulary_floor == 1040 + 117 + 3  # 1.3 bytes a value, rounded up


def test_low_cardinality_features_get_exact_rows_in_every_strategy():
    for name in ("unified", "per_feature"):
        built = build(spec(name), exact_at_most=2)
        footprint = built.footprint()
        assert footprint.table == 6400
        assert footprint.vocabulary == 2 * (1 + 4)
        assert built.widths == (32, 16, 16)
        rows = built(torch.tensor([[3, 4, 0], [3, 4, 1]]))
        assert torch.equal(rows[0, :48], rows[1, :48])
        assert not torch.equal(rows[0, 48:], rows[1, 48:])
    with pytest.raises(BenchError, match="leave nothing"):
        build(spec(), exact_at_most=1000)


@pytest.mark.parametrize("bits", list(BITS))
def test_exact_rows_of_low_cardinality_features_are_paid_for_in_any_bits(bits):
    asked = replace(spec(), numbers=NumberFormat(name=bits))
    footprint = build(asked, exact_at_most=2).footprint()
    assert 0.9 * asked.budget <= footprint.table + footprint.auxiliary <= asked.budget


@pytest.mark.parametrize(
    ("name", "budget", "told", "works"),
    [
        (
            "per_feature",
            128,
            "pays for 2 of the 3 rows of 16 numbers needed (one a feature); "
            "raise it to at least 192",
            192,
        ),
        (
            "unified",
            63,
            "pays for 0 of the 1 row of 16 numbers needed; raise it to at least 64",
            64,
        ),
        ("unified", 100, "only 64 of them can be used", 128),
    ],
)
def test_a_budget_that_does_not_work_names_one_that_does(name, budget, told, works):
    with pytest.raises(BenchError) as error:
        build(spec(name, budget))
    assert told in str(error.value)
    assert str(works) in str(error.value)
    build(spec(name, works))


@pytest.mark.parametrize("name", [n for n in static_strategies() if not STRATEGIES[n].has_budget])
def test_a_strategy_that_keeps_no_budget_takes_none(name):
    used = build(spec(name, budget=None)).footprint()
    with pytest.raises(BenchError) as error:
        build(spec(name, 1_000), exact_at_most=2)
    assert str(error.value) == (
        f"{name}: a budget of 1,000 bytes was given; this strategy keeps none: its table takes "
        f"{used.table + used.auxiliary:,} bytes at every budget; leave the budget out"
    )


def test_unknown_names_and_regions_are_told():
    with pytest.raises(BenchError, match="did you mean 'unified'"):
        build(Spec(name="unifed", features=FEATURES, lookups=(1, 1, 1), dim=16, budget=6400))
    with pytest.raises(BenchError, match="it has multiplexed"):
        regions_of("unified", "separate")
    with pytest.raises(BenchError, match="needs a budget"):
        build(spec(budget=None))


def test_state_of_another_index_map_is_not_mixed_with_cached_slots():
    built = build(spec())
    codes = torch.tensor([[0, 0, 0]])
    before = built(codes)
    built.load_state_dict(built.state_dict())
    assert built._slots is None
    assert torch.equal(built(codes), before)


@pytest.mark.parametrize("lookups", [(1, 1, 1), (2, 2, 2), (2, 1, 1), (2, 4, 6), (1, 3, 2)])
@pytest.mark.parametrize("name", ["unified", "hashed_net"])
def test_a_batch_gets_the_slots_that_its_values_are_located_at(name, lookups):
    """For any numbers of slots and rows, batch after batch, and for any strides of codes."""
    built = build(spec(name, lookups=lookups, dim=6, regions="multiplexed"))
    for rows in (3, 3, 0, 700, 1, 3):
        columns = torch.stack([torch.randint(f.cardinality, (rows,)) for f in FEATURES])
        located = [
            built.locate(i, [f.values[code] for code in columns[i].tolist()])
            for i, f in enumerate(FEATURES)
        ]
        expected = torch.cat(located, dim=1)
        assert torch.equal(built.slots(columns.t()), expected)
        assert torch.equal(built.slots(columns.t().contiguous()), expected)


def test_sparse_gradients_hold_only_the_rows_touched():
    built = build(spec(sparse=True))
    built(torch.tensor([[0, 0, 0]])).sum().backward()
    assert built.pool.weight.grad.is_sparse
    assert built.sparse_pools() == [built.pool]
    assert build(spec()).sparse_pools() == []


CAPPED = tuple(Feature(name, range(n), 0) for name, n in (("a", 1000), ("b", 2), ("c", 3)))


def capped(name, budget, **changes):
    options = {"options": {"hashes": 3}} if name.startswith("multi_hash") else {}
    fields = {"lookups": (1, 2, 1), "regions": "separate", "region_rule": "equal", **options}
    return Spec(name=name, dim=8, budget=budget, **{"features": CAPPED} | fields | changes)


@pytest.mark.parametrize(
    ("name", "per_lookup"),
    [("per_feature", 1), ("multi_hash_sum", 3), ("compositional", 1), ("hashed_net", 8)],
)
def test_no_separate_region_has_more_slots_than_its_feature_can_use(name, per_lookup):
    sizes = [region.size for region in build(capped(name, 8_000)).regions]
    assert sizes[1:] == [2 * 2 * per_lookup, 3 * per_lookup]
    slots = 8_000 // 4 if name == "hashed_net" else 8_000 // 32
    assert sizes[0] == slots - sum(sizes[1:]), "the others share what is over"
    uncapped = [region.size for region in build(capped(name, 8_000, region_cap="none")).regions]
    assert max(uncapped) - min(uncapped) <= 1, "as tables were before there was a cap"


def test_at_the_size_of_the_exact_table_every_region_is_full_under_every_rule():
    for rule in RULES:
        spec = capped("per_feature", None, region_rule=rule)
        built = build(replace(spec, budget=spec.exact_table_bytes))
        assert [region.size for region in built.regions] == [1000, 4, 3]


@pytest.mark.parametrize("name", [n for n, e in STRATEGIES.items() if "separate" in e.regions])
def test_a_budget_that_no_region_can_use_is_told_the_largest_that_works(name):
    features = tuple(Feature(f"f{n}", [str(i) for i in range(n)], n, [1] * n) for n in (40, 2, 3))
    spec = capped(name, 10**8, options={}, features=features, rows=training_rows(features))
    if name == "dhe":  # a network of any width can be used
        assert build(replace(spec, budget=10**6)).footprint().auxiliary <= 10**6
        return
    with pytest.raises(BudgetError, match="lower it to") as error:
        build(spec)
    footprint = build(replace(spec, budget=error.value.works)).footprint()
    assert footprint.table + footprint.auxiliary == error.value.works
