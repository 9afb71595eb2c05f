"""Hashed and composed methods against their formulas, written out value by value.

The formulas use numpy and xxhash alone.
"""

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


def places(built, feature, value, lookup, count, size):
    """Where the first hashes of a value are in a region of `size` slots."""
    return [xxh(built, feature, value, lookup, k, size) for k in range(count)]


def hashed_rows(built, feature, value, lookup, hashes):
    region = built.regions[feature]
    weight = numpy_of(built.pool.weight)
    numbers = places(built, feature, value, lookup, hashes, region.size)
    return np.stack([weight[region.start + number] for number in numbers])


def multi_hash_sum(built, feature, value, lookup):
    return hashed_rows(built, feature, value, lookup, built.hashes).sum(0)


def multi_hash_mean(built, feature, value, lookup):
    return hashed_rows(built, feature, value, lookup, built.hashes).sum(0) / built.hashes


def compositional(built, feature, value, lookup):
    region = built.regions[feature]
    tables = np.split(numpy_of(built.pool.weight), built.parts)
    numbers = places(built, feature, value, lookup, built.parts, region.size)
    rows = [table[region.start + k] for table, k in zip(tables, numbers, strict=True)]
    return np.concatenate(rows)


def id_counts(spec):
    """The number of ids of each feature."""
    pairs = zip(spec.features, spec.lookups, strict=True)
    return [(len(feature.vocabulary) + 1) * lookups for feature, lookups in pairs]


def dense_id(spec, feature, value, lookup):
    """The id within the feature."""
    whole = spec.features[feature]
    seen = list(whole.vocabulary)
    position = seen.index(value) if value in seen else len(seen)
    return position * spec.lookups[feature] + lookup


def ids_before(spec, feature):
    """Ids of the features whose names come before this one's."""
    before = 0
    for other, count in zip(spec.features, id_counts(spec), strict=True):
        if other.name < spec.features[feature].name:
            before += count
    return before


def quotient_remainder(built, feature, value, lookup):
    spec = built.spec
    index = dense_id(spec, feature, value, lookup)
    counts = id_counts(spec)
    table = feature
    if spec.regions != "separate":
        index += ids_before(spec, feature)
        counts = [sum(counts)]
        table = 0
    quotients = [math.ceil(n / c) for n, c in zip(counts, built.divisors, strict=True)]
    start = sum(quotients[:table]) + sum(built.divisors[:table])
    c = built.divisors[table]
    weight = numpy_of(built.pool.weight)
    return weight[start + index // c], weight[start + quotients[table] + index % c]


def qr_multiply(built, feature, value, lookup):
    quotient, remainder = quotient_remainder(built, feature, value, lookup)
    table = feature if built.spec.regions == "separate" else 0
    if built.divisors[table] <= built.quotients[table]:
        return quotient * (1 + remainder)
    return (1 + quotient) * remainder


def qr_add(*key):
    return sum(quotient_remainder(*key))


def qr_concat(*key):
    return np.concatenate(quotient_remainder(*key))


def hash_embedding(built, feature, value, lookup):
    buckets = built.buckets[feature]
    bucket = buckets.start + xxh(built, feature, value, lookup, built.hashes, buckets.size)
    weights = 1 + numpy_of(built.importance.weight)[bucket]
    return weights @ hashed_rows(built, feature, value, lookup, built.hashes)


def hashed_net(built, feature, value, lookup):
    region = built.regions[feature]
    pool = numpy_of(built.pool.weight)[:, 0]
    u = np.array(places(built, feature, value, lookup, built.spec.dim, 2 * region.size))
    return (-1.0) ** (u % 2) * pool[region.start + u // 2]


def robe(built, feature, value, lookup):
    region = built.regions[feature]
    dim = built.spec.dim
    z = min(built.options["block"], dim)
    array = numpy_of(built.pool.weight)[region.start : region.end, 0]
    numbers = []
    for start in places(built, feature, value, lookup, math.ceil(dim / z), region.size):
        numbers += [array[(start + i) % region.size] for i in range(z)]
    return np.array(numbers[:dim])


def dhe(built, feature, value, lookup):
    table = feature if built.spec.regions == "separate" else 0
    hashes = places(built, feature, value, lookup, built.hashes, 10**6)
    z = 2 * np.array(hashes) / (10**6 - 1) - 1
    w1, b1, w2, b2 = (numpy_of(p) for p in built.networks[table].parameters())
    hidden = w1 @ z + b1
    return w2 @ (hidden / (1 + np.exp(-hidden))) + b2


def frequency_double_hash(built, feature, value, lookup):
    return frequent_rows(built, feature, value, lookup, 2)


def frequency_threshold(built, feature, value, lookup):
    return frequent_rows(built, feature, value, lookup, 1)


def frequent_rows(built, feature, value, lookup, hashes):
    spec = built.spec
    weight = numpy_of(built.pool.weight)
    members = range(len(spec.features))
    start = 0
    size = len(weight)
    if spec.regions == "separate":
        members = [feature]
        cardinalities = [f.cardinality for f in spec.features]
        most = [hashes * n * own for n, own in zip(cardinalities, spec.lookups, strict=True)]
        region = separate(len(weight), cardinalities, spec.region_rule, most=most)[feature]
        start = region.start
        size = region.size
    free = min(int(built.options["frequent_share"] * size), size - 1)
    ranked = []
    for f in members:
        for position, count in enumerate(spec.features[f].counts):
            ranked.append((-count, spec.features[f].name, position, f))
    owners = []
    for _, _, position, f in sorted(ranked):
        if len(owners) + spec.lookups[f] <= free:
            owner = spec.features[f].values[position]
            owners += [(f, owner, number) for number in range(spec.lookups[f])]
    if (feature, value, lookup) in owners:
        return weight[start + owners.index((feature, value, lookup))]
    taken = len(owners)
    hashed = places(built, feature, value, lookup, hashes, size - taken)
    return sum(weight[start + taken + place] for place in hashed)


def zero_collision(built, feature, value, lookup):
    """Value by value, in the order of frequency; a key is the value itself."""
    spec = built.spec
    region = built.regions[feature]
    members = [feature] if spec.regions == "separate" else range(len(spec.features))
    ranked = []
    for f in members:
        for position, count in enumerate(spec.features[f].counts):
            ranked.append((-count, spec.features[f].name, position, f))
    owners = {}
    for _, _, position, f in sorted(ranked):
        for number in range(spec.lookups[f]):
            key = (f, spec.features[f].values[position], number)
            for probe in range(built.options["probes"]):
                place = (places(built, *key, 3, region.size)[0] + probe) % region.size
                if place not in owners:
                    owners[place] = key
                    break
    row = places(built, feature, value, lookup, 3, region.size)[0]
    for probe in reversed(range(built.options["probes"])):
        place = (places(built, feature, value, lookup, 3, region.size)[0] + probe) % region.size
        if owners.get(place) == (feature, value, lookup):
            row = place
    return numpy_of(built.pool.weight)[region.start + row]


def cafe(built, feature, value, lookup):
    """Before the first epoch ends, when nobody is hot."""
    region = built.regions[feature]
    (row,) = places(built, feature, value, lookup, 1, region.size)
    return numpy_of(built.pool.weight)[built.first + region.start + row]


def memcom(built, feature, value, lookup):
    index = ids_before(built.spec, feature) + dense_id(built.spec, feature, value, lookup)
    of_id = numpy_of(built.of_ids.weight)[index]
    vector = (1 + of_id[0]) * hashed_rows(built, feature, value, lookup, 1)[0]
    return vector + of_id[1] if built.options["bias"] else vector


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
    frequency_threshold,
    zero_collision,
    cafe,
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
    "frequency_threshold": {"frequent_share": st.floats(0, 1)},
    "zero_collision": {"probes": st.integers(1, 5)},
    "cafe": {"hot_share": st.floats(0.05, 0.9)},
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
    rule = None
    if regions == "separate":
        rule = draw(st.sampled_from(("proportional", "sqrt", "equal")))
    options = {knob: draw(values) for knob, values in KNOBS.get(name, {}).items()}
    return Spec(
        name=name,
        features=tuple(features),
        lookups=lookups,
        dim=4 * draw(st.integers(1, 4)),
        budget=draw(st.integers(1, 6_000)),
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
@settings(max_examples=40)
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
    located = [built.locate(index, column) for index, column in enumerate(columns)]
    out = built.embed(torch.cat(located, dim=1))
    expected = []
    for row in zip(*columns, strict=True):
        vectors = []
        for index, value in enumerate(row):
            for lookup in range(spec.lookups[index]):
                vectors.append(formula(built, index, value, lookup))
        expected.append(np.concatenate(vectors))
    np.testing.assert_allclose(out.detach().numpy(), np.array(expected), rtol=1e-4, atol=1e-5)
    (out * torch.randn(out.shape)).sum().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
@given(data=st.data())
@settings(max_examples=15)
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


@pytest.mark.parametrize("rows", [14, 40])
def test_a_product_starts_near_the_rows_of_its_larger_table(rows):
    built = build(spec_of("qr_multiply", 32 * rows))
    codes = torch.arange(40)
    cardinalities = torch.tensor([feature.cardinality for feature in built.spec.features])
    slots = built.slots(codes.unsqueeze(1) % cardinalities)
    quotient, remainder = built.pool(slots).unflatten(1, (-1, 2)).unbind(2)
    larger = quotient if built.divisors[0] <= built.quotients[0] else remainder
    assert torch.allclose(built.embed(slots), larger.flatten(1), atol=0.05 * 0.05)


def test_with_enough_rows_no_two_known_values_share_one():
    budget = 100 * (32 + 8)
    built = build(spec_of("zero_collision", budget, probes=64))
    assert built.footprint().auxiliary == 8 * built.pool.rows
    rows = [built.locate(index, feature.values) for index, feature in enumerate((USER, FLAG))]
    assert len(torch.cat(rows).unique()) == 42
    hashed = build(spec_of("unified", budget))
    rows = [hashed.locate(index, feature.values) for index, feature in enumerate((USER, FLAG))]
    assert len(torch.cat(rows).unique()) < 42
    few = build(spec_of("zero_collision", 20 * (32 + 8), probes=64))
    frequent = few.locate(0, USER.values[:15]).flatten()
    assert len(frequent.unique()) == 15, "the most frequent values have rows of their own"


def test_more_frequent_rows_than_values_leave_the_rest_to_hashing():
    built = build(spec_of("frequency_double_hash", 32 * 200, frequent_share=0.9))
    assert (len(built.owned[0]), len(built.owned[1])) == (40, 2)
    assert built.rest[0].size == 200 - 42
    assert built.footprint().vocabulary == sum(len(v) + 4 for v in (*USER.values, *FLAG.values))
    shared = build(spec_of("frequency_double_hash", 32 * 9, lookups=(2, 1), frequent_share=0.6))
    assert list(shared.owned[0]) == [0, 1]
    assert list(shared.owned[1]) == [0]  # the third user needs two rows and one is left
    uncounted = replace(
        spec_of("frequency_double_hash", 3200), features=(replace(USER, counts=()), FLAG)
    )
    with pytest.raises(BenchError, match="feature user has 0 counts for 40 training values"):
        build(uncounted)


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
        ("multi_hash_sum", {"hashes": 0}, "knob hashes=0 was given; it must be from 1 to 65,536"),
        ("multi_hash_sum", {"combine": "mean"}, "it is 'sum' in this strategy"),
        (
            "compositional",
            {"parts": 3},
            "knob parts=3 was given; it must be a divisor of the 8 numbers per lookup",
        ),
        ("compositional", {"parts": -2}, "a divisor of the 8"),
        ("hash_embedding", {"hashes": 0}, "from 1 to 65,536"),
        ("robe", {"block": 0}, "at least 1"),
        ("dhe", {"hashes": 0}, "from 1 to 65,536"),
        ("frequency_double_hash", {"frequent_share": 1.5}, "between 0 and 1"),
        ("zero_collision", {"probes": 0}, "from 1 to 1,024"),
        ("memcom", {"bias": 1}, "must be bool"),
    ],
)
def test_a_bad_knob_is_one_line(name, options, told):
    with pytest.raises(BenchError, match=told):
        build(spec_of(name, 3_200, **options))


def test_an_odd_width_cannot_be_two_rows():
    with pytest.raises(BenchError, match="7 numbers per lookup were given"):
        build(spec_of("qr_concat", 3_200, dim=7))
