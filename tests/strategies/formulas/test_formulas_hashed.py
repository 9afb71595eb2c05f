"""Hashed and composed methods against their formulas, written out value by value with numpy and xxhash alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.methods.quotient_remainder import divisor, least_rows
from ue_bench.strategies.regions import separate

REGIONS = ("multiplexed", "separate")


def seed(spec, feature, lookup, number=0):
    name = spec.features[feature].name
    text = f"{name}\x1f{lookup}" if number == 0 else f"{name}\x1f{lookup}\x1f{number}"
    return xxhash.xxh32_intdigest(text.encode(), spec.hash_seed)


def xxh(built, feature, value, lookup, number, size):
    return xxhash.xxh32_intdigest(value.encode(), seed(built.spec, feature, lookup, number)) % size


def numpy_of(parameter):
    return parameter.detach().numpy()


# ---- the formulas: the vector of one lookup of one value


def hashed_rows(built, feature, value, lookup, hashes):
    region = built.regions[feature]
    weight = numpy_of(built.pool.weight)
    return np.stack(
        [
            weight[region.start + xxh(built, feature, value, lookup, k, region.size)]
            for k in range(hashes)
        ]
    )


def multi_hash_sum(built, feature, value, lookup):
    return hashed_rows(built, feature, value, lookup, built.hashes).sum(0)


def multi_hash_mean(built, feature, value, lookup):
    return hashed_rows(built, feature, value, lookup, built.hashes).sum(0) / built.hashes


def compositional(built, feature, value, lookup):
    region = built.regions[feature]
    tables = np.split(numpy_of(built.pool.weight), built.parts)
    return np.concatenate(
        [
            table[region.start + xxh(built, feature, value, lookup, k, region.size)]
            for k, table in enumerate(tables)
        ]
    )


def dense_id(spec, feature, value, lookup):
    """The id within the feature, and the number of its ids."""
    seen = list(spec.features[feature].values[: spec.features[feature].n_seen])
    position = seen.index(value) if value in seen else len(seen)
    return position * spec.lookups[feature] + lookup, (len(seen) + 1) * spec.lookups[feature]


def ids_before(spec, feature):
    """Ids of the features whose names come before this one's."""
    names = [f.name for f in spec.features]
    return sum(dense_id(spec, f, "", 0)[1] for f, name in enumerate(names) if name < names[feature])


def quotient_remainder(built, feature, value, lookup):
    spec, index = built.spec, dense_id(built.spec, feature, value, lookup)[0]
    table = feature if spec.regions == "separate" else 0
    c = built.divisors[table]
    n = [dense_id(spec, f, "", 0)[1] for f in range(len(spec.features))]
    n = n if spec.regions == "separate" else [sum(n)]
    index += 0 if spec.regions == "separate" else ids_before(spec, feature)
    start = sum(math.ceil(n[t] / built.divisors[t]) + built.divisors[t] for t in range(table))
    weight = numpy_of(built.pool.weight)
    return weight[start + index // c], weight[start + math.ceil(n[table] / c) + index % c]


def qr_multiply(*key):
    quotient, remainder = quotient_remainder(*key)
    return quotient * remainder


def qr_add(*key):
    return sum(quotient_remainder(*key))


def qr_concat(*key):
    return np.concatenate(quotient_remainder(*key))


def hash_embedding(built, feature, value, lookup):
    buckets = built.buckets[feature]
    bucket = buckets.start + xxh(built, feature, value, lookup, built.hashes, buckets.size)
    weights = numpy_of(built.importance)[bucket]
    return weights @ hashed_rows(built, feature, value, lookup, built.hashes)


def hashed_net(built, feature, value, lookup):
    region, pool = built.regions[feature], numpy_of(built.pool.weight)[:, 0]
    u = np.array(
        [xxh(built, feature, value, lookup, j, 2 * region.size) for j in range(built.spec.dim)]
    )
    return (-1.0) ** (u % 2) * pool[region.start + u // 2]


def robe(built, feature, value, lookup):
    region, pool, dim = built.regions[feature], numpy_of(built.pool.weight)[:, 0], built.spec.dim
    z = min(built.options["block"], dim)
    mine = pool[region.start : region.start + region.size]
    starts = [xxh(built, feature, value, lookup, j, region.size) for j in range(math.ceil(dim / z))]
    return np.concatenate(
        [[mine[(start + i) % region.size] for i in range(z)] for start in starts]
    )[:dim]


def dhe(built, feature, value, lookup):
    k, table = built.hashes, feature if built.spec.regions == "separate" else 0
    z = np.array(
        [2 * xxh(built, feature, value, lookup, j, 10**6) / (10**6 - 1) - 1 for j in range(k)]
    )
    w1, b1, w2, b2 = (numpy_of(p) for p in built.networks[table].parameters())
    hidden = w1 @ z + b1
    return w2 @ (hidden / (1 + np.exp(-hidden))) + b2


def frequency_double_hash(built, feature, value, lookup):
    spec, weight = built.spec, numpy_of(built.pool.weight)
    total = len(weight)
    members = [feature] if spec.regions == "separate" else range(len(spec.features))
    sizes = (
        [total]
        if spec.regions == "multiplexed"
        else [
            r.size
            for r in separate(total, [f.cardinality for f in spec.features], spec.region_rule)
        ]
    )
    size = sizes[feature if spec.regions == "separate" else 0]
    start = sum(sizes[:feature]) if spec.regions == "separate" else 0
    free, owners = min(int(built.options["frequent_share"] * size), size - 1), []
    ranked = sorted(
        (-n, spec.features[f].name, i, f)
        for f in members
        for i, n in enumerate(spec.features[f].counts)
    )
    for _, _, i, f in ranked:
        if len(owners) + spec.lookups[f] <= free:
            owners += [(f, spec.features[f].values[i], number) for number in range(spec.lookups[f])]
    if (feature, value, lookup) in owners:
        return weight[start + owners.index((feature, value, lookup))]
    taken = len(owners)
    return sum(
        weight[start + taken + xxh(built, feature, value, lookup, k, size - taken)]
        for k in range(2)
    )


def memcom(built, feature, value, lookup):
    index = ids_before(built.spec, feature) + dense_id(built.spec, feature, value, lookup)[0]
    vector = numpy_of(built.multiplier)[index] * hashed_rows(built, feature, value, lookup, 1)[0]
    return vector if built.bias is None else vector + numpy_of(built.bias)[index]


FORMULAS = (
    multi_hash_sum,
    multi_hash_mean,
    compositional,
    qr_multiply,
    qr_add,
    qr_concat,
    hash_embedding,
    hashed_net,
    robe,
    dhe,
    frequency_double_hash,
    memcom,
)
KNOBS = {
    "multi_hash_sum": {"hashes": st.integers(1, 4)},
    "multi_hash_mean": {"hashes": st.integers(1, 4)},
    "compositional": {"parts": st.sampled_from((1, 2, 4))},
    "hash_embedding": {"hashes": st.integers(1, 4)},
    "robe": {"block": st.integers(1, 20)},
    "dhe": {"hashes": st.integers(1, 40)},
    "frequency_double_hash": {"frequent_share": st.floats(0, 1)},
    "memcom": {"bias": st.booleans()},
}


@st.composite
def specs(draw, name, regions):
    """A random specification of small size, its budget any number of bytes."""
    features = []
    for label in draw(st.permutations(["user", "item", "é"]))[: draw(st.integers(1, 3))]:
        values = draw(st.lists(st.text(max_size=3), min_size=1, max_size=30, unique=True))
        n_seen = draw(st.integers(1, len(values)))
        counts = draw(st.lists(st.integers(1, 9), min_size=n_seen, max_size=n_seen))
        features.append(Feature(label, values, n_seen, counts))
    lookups = tuple(draw(st.integers(1, 3)) for _ in features)
    rule = (
        draw(st.sampled_from(("proportional", "sqrt", "equal"))) if regions == "separate" else None
    )
    options = {knob: draw(values) for knob, values in KNOBS.get(name, {}).items()}
    dim, budget = 4 * draw(st.integers(1, 4)), draw(st.integers(1, 6_000))
    return Spec(
        name=name,
        features=tuple(features),
        lookups=lookups,
        dim=dim,
        budget=budget,
        regions=regions,
        region_rule=rule,
        hash_seed=draw(st.integers(0, 2**32 - 1)),
        options=options,
    )


def build_or_adjust(spec, exact_at_most=0):
    """The strategy at its budget, or at the one that the error says works: it must."""
    try:
        return build(spec, exact_at_most)
    except BudgetError as error:
        return build(replace(spec, budget=error.works), exact_at_most)


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_vectors_follow_the_formula_and_gradients_arrive(formula, regions, data):
    spec = data.draw(specs(formula.__name__, regions))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    built = build_or_adjust(spec)
    with torch.no_grad():  # so that weights which start equal can be told apart
        for parameter in built.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    columns = [[*feature.values, "a value of no data set"] for feature in spec.features]
    rows = max(map(len, columns))
    columns = [[column[i % len(column)] for i in range(rows)] for column in columns]
    out = built.embed(
        torch.cat([built.locate(f, column) for f, column in enumerate(columns)], dim=1)
    )
    expected = [
        np.concatenate(
            [
                formula(built, f, value, k)
                for f, value in enumerate(row)
                for k in range(spec.lookups[f])
            ]
        )
        for row in zip(*columns, strict=True)
    ]
    np.testing.assert_allclose(out.detach().numpy(), np.array(expected), rtol=1e-4, atol=1e-5)
    (out * torch.randn(out.shape)).sum().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_error_states_the_nearest_budget_that_works(formula, regions, data):
    spec = data.draw(specs(formula.__name__, regions))
    try:
        built = build(spec)
    except BudgetError as error:
        built = build(replace(spec, budget=error.works))
        for budget in range(spec.budget + 1, error.works):  # none between is any better
            with pytest.raises(BudgetError):
                build(replace(spec, budget=budget))
    used = built.footprint()
    assert 0.9 * built.spec.budget <= used.table + used.auxiliary <= built.spec.budget


def test_every_hashed_method_has_its_formula_here():
    assert {f.__name__ for f in FORMULAS} <= set(STRATEGIES)


# ---- the methods' own choices


@given(st.integers(1, 3_000), st.data())
def test_quotient_and_remainder_tables_use_any_number_of_rows(n, data):
    rows = data.draw(st.integers(least_rows(n), n + 1))
    used = data.draw(st.floats(0, 1))
    c = divisor(n, rows, used)
    taken = [math.ceil(n / k) + k for k in range(1, c + 1)]
    assert used * rows <= taken[-1] <= rows
    assert not any(used * rows <= t <= rows for t in taken[:-1])
    assert len({(i // c, i % c) for i in range(n)}) == n
    assert least_rows(n) == min(math.ceil(n / k) + k for k in range(1, n + 1))


@given(
    st.lists(
        st.tuples(st.integers(1, 99), st.integers(1, 9), st.integers(0, 40)), min_size=1, max_size=6
    ),
    st.integers(0, 200),
)
def test_separate_regions_keep_to_their_limits(sizes, spare):
    cardinalities, least, more = (list(column) for column in zip(*sizes, strict=True))
    most = [low + extra for low, extra in zip(least, more, strict=True)]
    slots = sum(least) + spare
    regions = separate(slots, cardinalities, "proportional", least, most)
    assert all(low <= r.size <= high for low, r, high in zip(least, regions, most, strict=True))
    assert sum(r.size for r in regions) == min(slots, sum(most))


USER = Feature("user", [f"u{i}" for i in range(40)], 40, [*range(40, 0, -1)])
FLAG = Feature("flag", ["no", "yes"], 2, [30, 10])


def spec_of(name, budget, regions="multiplexed", lookups=(1, 1), dim=8, **options):
    return Spec(
        name=name,
        features=(USER, FLAG),
        lookups=lookups,
        dim=dim,
        budget=budget,
        regions=regions,
        region_rule="proportional",
        options=options,
    )


def test_a_budget_that_quotient_and_remainder_cannot_use_is_told():
    with pytest.raises(BudgetError, match="lower it to 1,440") as error:  # 41 + 3 ids and a row
        build(spec_of("qr_add", 9_000))
    build(spec_of("qr_add", error.value.works))


def test_the_smaller_table_of_a_product_starts_around_one():
    for rows in (14, 40):
        built = build(spec_of("qr_multiply", 32 * rows))
        q, c = built.quotients[0], built.divisors[0]
        near_one = (built.pool.weight.detach().mean(1) > 0.5).tolist()
        assert near_one == ([False] * q + [True] * c if c <= q else [True] * q + [False] * c)


def test_more_frequent_rows_than_values_leave_the_rest_to_hashing():
    built = build(spec_of("frequency_double_hash", 32 * 200, frequent_share=0.9))
    assert (len(built.owned[0]), len(built.owned[1])) == (40, 2)
    assert built.rest[0].size == 200 - 42
    assert built.footprint().vocabulary == sum(len(v) + 4 for v in (*USER.values, *FLAG.values))
    shared = build(spec_of("frequency_double_hash", 32 * 9, lookups=(2, 1), frequent_share=0.6))
    assert list(shared.owned[0]) == [0, 1]
    assert list(shared.owned[1]) == [0]  # the third user needs two rows and one is left
    with pytest.raises(BenchError, match="feature user has 0 counts for 40 training values"):
        build(
            replace(
                spec_of("frequency_double_hash", 3200), features=(replace(USER, counts=()), FLAG)
            )
        )


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("name", [formula.__name__ for formula in FORMULAS])
def test_features_of_few_values_may_have_exact_rows(name, regions):
    for budget in (97, 700, 1_400):
        built = build_or_adjust(spec_of(name, budget, regions), exact_at_most=2)
        assert built(torch.tensor([[0, 0], [39, 1]])).shape == (2, 16)
        assert built.exact.footprint().table == 96


def test_multipliers_that_do_not_fit_are_told():
    with pytest.raises(
        BudgetError, match="beside 176 bytes of other numbers; raise it to at least 208"
    ):
        build(spec_of("memcom", 170))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("multi_hash_sum", {"hashes": 0}, "knob hashes=0 was given; it must be at least 1"),
        ("multi_hash_sum", {"combine": "mean"}, "it is 'sum' in this strategy"),
        (
            "compositional",
            {"parts": 3},
            "knob parts=3 was given; it must be a divisor of the 8 numbers per lookup",
        ),
        ("compositional", {"parts": -2}, "a divisor of the 8"),
        ("hash_embedding", {"hashes": 0}, "at least 1"),
        ("robe", {"block": 0}, "at least 1"),
        ("dhe", {"hashes": 0}, "at least 1"),
        ("frequency_double_hash", {"frequent_share": 1.5}, "between 0 and 1"),
        ("memcom", {"bias": 1}, "must be bool"),
    ],
)
def test_a_bad_knob_is_one_line(name, options, told):
    with pytest.raises(BenchError, match=told):
        build(spec_of(name, 3_200, **options))


def test_an_odd_width_cannot_be_two_rows():
    with pytest.raises(BenchError, match="7 numbers per lookup were given"):
        build(spec_of("qr_concat", 3_200, dim=7))
