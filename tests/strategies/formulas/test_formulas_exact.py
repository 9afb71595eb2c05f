"""Methods with a vocabulary against their formulas, written out value by value with numpy.

Also what compression may cost.
"""

import copy
import functools
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
from ue_bench.strategies.budget import fill, well_used
from ue_bench.strategies.methods.k_means import k_means
from ue_bench.strategies.methods.pruned_table import SparseTable
from ue_bench.strategies.methods.tt_rec import AT_ONCE, digits, factors
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.packed_codes import packed_bytes

PROJECTED = ("low_dim_exact", "mixed_dimension", "int8", "int4")
PRUNED = ("magnitude_pruning", "masked_pruning", "pep")
QUANTISED = ("product_quantization", "residual_quantization")
NAMES = (*PROJECTED, *PRUNED, "tt_rec", "cce", *QUANTISED)
FORMS = [(name, regions) for name in NAMES for regions in STRATEGIES[name].regions]


def numpy_of(tensor):
    return tensor.detach().numpy()


def digest(text, seed):
    return xxhash.xxh32_intdigest(text.encode(), seed)


def features(sizes):
    """Features of so many values. sizes: of each feature, all values and those that are seen."""
    made = []
    for i, (size, seen) in enumerate(sizes):
        made.append(Feature(f"f{i}", [f"{i}v{n}" for n in range(size)], seen))
    return tuple(made)


def build_near(spec):
    """The strategy at the budget of `spec`, or at the one that its error says works."""
    torch.manual_seed(spec.hash_seed)
    try:
        return build(spec)
    except BudgetError as error:
        return build(replace(spec, budget=error.works))


@st.composite
def specs(draw, name, regions):
    sizes = []
    for seen in draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)):
        sizes.append((seen + draw(st.integers(1, 3)), seen))
    dim = draw(st.sampled_from((1, 2, 4, 6, 8, 12)))
    options = {}
    if name == "cce":
        divisors = [columns for columns in (1, 2, 3, 4) if dim % columns == 0]
        options["columns"] = draw(st.sampled_from(divisors))
    spec = Spec(
        name=name,
        features=features(sizes),
        lookups=tuple(draw(st.integers(1, 3)) for _ in sizes),
        dim=dim,
        regions=regions,
        region_rule=draw(st.sampled_from(("proportional", "sqrt", "equal"))),
        hash_seed=draw(st.integers(0, 9)),
        init=draw(st.sampled_from(("uniform", "normal"))),
        options=options,
    )
    share = draw(st.floats(0.02, 1.1))  # of the exact table
    return replace(spec, budget=max(1, int(spec.exact_table_bytes * share)))


def codes_of(built):
    """Every value of every feature at least once: int64 [B, F]."""
    cardinalities = [feature.cardinality for feature in built.spec.features]
    codes = torch.arange(max(cardinalities))
    return torch.stack([codes % cardinality for cardinality in cardinalities], dim=1)


def position(built, feature, value):
    whole = built.spec.features[feature]
    seen = list(whole.values[: whole.n_seen])
    return seen.index(value) if value in seen else len(seen)


def rows_of(spec):
    """The rows that each feature has in an exact table."""
    pairs = zip(spec.lookups, spec.features, strict=True)
    return [lookups * (feature.n_seen + 1) for lookups, feature in pairs]


def first_row(built, feature, value):
    """The row of a value's first lookup in a table with all features in order."""
    before = sum(rows_of(built.spec)[:feature])
    return before + built.spec.lookups[feature] * position(built, feature, value)


# ---- the formulas: all numbers of one value of one feature


def projected(rows, built, feature, value):
    """rows: how a feature's trained float rows are served."""
    served = rows(numpy_of(built.pools[feature].weight))
    row = served[position(built, feature, value)]
    width = built.widths[feature]
    if len(row) == width:
        return row
    name = f"width_{width}" if built.spec.regions == "multiplexed" else f"feature_{feature}"
    return row @ numpy_of(built.projections[name])[: len(row)]


def rounded(bits, best_step, served, rows):
    """Rows in few bits, with a step for each that follows from its mean magnitude."""
    magnitudes = torch.from_numpy(rows).abs().mean(1, keepdim=True).clamp_min(0.05 / 1000)
    steps = best_step * magnitudes
    if served:
        steps = steps.bfloat16().float()
    codes = np.clip(np.floor(rows / steps.numpy()), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (codes + np.float32(0.5)) * steps.numpy()


def table_rows(table, built, feature, value):
    """table: how the trained table is served."""
    start = first_row(built, feature, value)
    return table(built)[start : start + built.spec.lookups[feature]].ravel()


def trained_table(built):
    weight = numpy_of(built.pool.weight)
    if built.spec.name == "masked_pruning":
        return weight * numpy_of(built.mask)
    if built.spec.name != "pep":
        return weight
    owners = np.repeat(np.arange(len(built.spec.features)), rows_of(built.spec))
    thresholds = 1 / (1 + np.exp(-numpy_of(built.thresholds)))[owners, None]
    return np.sign(weight) * np.maximum(np.abs(weight) - thresholds, 0)


def pruned_table(built):
    table = trained_table(built)
    kept = np.argsort(-np.abs(table), axis=None)[: built.served.count]
    is_kept = np.isin(np.arange(table.size), kept).reshape(table.shape)
    return np.where(is_kept, table, 0)


def tt_rec(built, feature, value):
    spec = built.spec
    is_separate = spec.regions == "separate"
    train = built.trains[feature if is_separate else 0]
    n1, n2, n3 = train.n
    d1, d2, d3 = train.d
    r1, r2 = train.ranks
    weights = [numpy_of(core.weight) for core in train.cores]
    a = weights[0].reshape(n1, d1, r1)
    b = weights[1].reshape(n2, r1, d2, r2)
    c = weights[2].reshape(n3, r2, d3)
    before = 0
    if not is_separate:
        for other, rows in zip(spec.features, rows_of(spec), strict=True):
            if other.name < spec.features[feature].name:
                before += rows
    vectors = []
    for lookup in range(spec.lookups[feature]):
        row = before + position(built, feature, value) * spec.lookups[feature] + lookup
        cores = a[row // (n2 * n3)], b[row // n3 % n2], c[row % n3]
        vectors.append(np.einsum("ax,xby,yc->abc", *cores).ravel())
    return np.concatenate(vectors)


def cce(built, feature, value):
    spec = built.spec
    n = built.columns
    lookups = spec.lookups[feature]
    whole = spec.features[feature]
    clusters, hashed = built.split[feature]
    weight = numpy_of(built.pool.weight).reshape(n, 2 * built.pairs, spec.dim // n)
    tables = weight[:, 2 * built.regions[feature].start :]
    seen = position(built, feature, value)
    before = 0  # pointers of the features before
    for count, other in zip(spec.lookups[:feature], spec.features[:feature], strict=True):
        before += count * other.n_seen * n
    parts = []
    for lookup in range(lookups):
        for column in range(n):
            number = f"\x1f{column}" if column else ""
            first_seed = digest(f"{whole.name}\x1f{lookup}{number}", spec.hash_seed)
            second_seed = digest(f"{whole.name}\x1f{lookup}\x1f{n + column}", spec.hash_seed)
            if int(built.round):
                second_seed = digest(f"round\x1f{int(built.round)}", second_seed)
            first = digest(value, first_seed) % clusters
            if seen < whole.n_seen:
                place = before + (seen * lookups + lookup) * n + column
                first = int(built.pointers.at(torch.tensor(place)))
            second = digest(value, second_seed) % hashed
            parts.append(tables[column, first] + tables[column, clusters + second])
    return np.concatenate(parts)


def quantised(built, feature, value):
    """The served form, whose codes are read bit by bit."""
    lookups = built.spec.lookups[feature]
    if built.spec.regions == "separate":
        book = feature
        start = position(built, feature, value) * lookups
    else:
        book = 0
        start = first_row(built, feature, value)
    centroids = numpy_of(built.get_buffer(f"centroids_{book}"))
    width = int(centroids.shape[1] - 1).bit_length()
    stream = np.unpackbits(numpy_of(built.get_buffer(f"codes_{book}")), bitorder="little")
    rows = []
    for row in range(start, start + lookups):
        chosen = []
        for number in range(built.codes_each):
            first = (row * built.codes_each + number) * width
            bits = stream[first : first + width]
            code = sum(int(bit) << k for k, bit in enumerate(bits))
            chosen.append(centroids[number, code])
        if built.spec.name == "residual_quantization":
            rows.append(np.sum(chosen, axis=0))
        else:
            rows.append(np.concatenate(chosen))
    return np.concatenate(rows)


TRAINED = {
    **{name: functools.partial(projected, lambda rows: rows) for name in PROJECTED},
    "int8": functools.partial(projected, functools.partial(rounded, 8, 0.03864, False)),
    "int4": functools.partial(projected, functools.partial(rounded, 4, 0.4201, False)),
    **{name: functools.partial(table_rows, trained_table) for name in (*PRUNED, *QUANTISED)},
    "tt_rec": tt_rec,
    "cce": cce,
}
SERVED = {
    **TRAINED,
    "int8": functools.partial(projected, functools.partial(rounded, 8, 0.03864, True)),
    "int4": functools.partial(projected, functools.partial(rounded, 4, 0.4201, True)),
    **{name: functools.partial(table_rows, pruned_table) for name in PRUNED},
}


def values_of(built):
    """The values of `codes_of`, a list for each feature."""
    columns = []
    for feature, codes in zip(built.spec.features, codes_of(built).t().tolist(), strict=True):
        columns.append([feature.values[code] for code in codes])
    return columns


def expected(formula, built):
    columns = []
    for feature, values in enumerate(values_of(built)):
        columns.append(np.stack([formula(built, feature, value) for value in values]))
    return np.concatenate(columns, axis=1)


def located(built):
    slots = [built.locate(feature, values) for feature, values in enumerate(values_of(built))]
    return torch.cat(slots, dim=1)


def close(one, other):
    return np.allclose(numpy_of(one), other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("name", "regions"), FORMS)
@settings(max_examples=15)
@given(data=st.data())
def test_vectors_follow_the_formula(name, regions, data):
    built = build_near(data.draw(specs(name, regions)))
    footprint = built.footprint()
    assert well_used(footprint.table + footprint.auxiliary, built.spec.budget)
    assert close(built.embed(located(built)), expected(TRAINED[name], built))
    floats = copy.deepcopy(built)
    built.finish_training()
    served = built.embed(located(built))
    assert built.training_bytes() == footprint.table + footprint.auxiliary
    if name in QUANTISED:
        assert close(served, expected(quantised, built))
    else:
        assert close(served, expected(SERVED[name], floats))
        if name in PRUNED:
            assert close(floats.eval().embed(located(floats)), expected(SERVED[name], floats)), (
                "judged as it is served"
            )


@pytest.mark.parametrize(("name", "regions"), FORMS)
@settings(max_examples=5)
@given(data=st.data())
def test_gradient_reaches_every_parameter(name, regions, data):
    built = build_near(data.draw(specs(name, regions)))
    out = built.embed(located(built))
    (out * torch.randn(out.shape)).sum().backward()
    for parameter, values in built.named_parameters():
        assert values.grad is not None, parameter
        assert values.grad.abs().sum() > 0, parameter


# ---- budgets


@given(
    st.lists(
        st.tuples(st.integers(1, 2000), st.integers(1, 32), st.floats(0.1, 1)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 200_000),
)
def test_fill_keeps_the_budget_and_leaves_nothing_that_fits(parts, budget):
    sizes, limits, shares = zip(*parts, strict=True)

    def cost(counts):
        return sum(size * count for size, count in zip(sizes, counts, strict=True))

    counts = fill(budget, limits, shares, sizes, cost)
    if sum(sizes) > budget:
        assert counts is None
        return
    assert cost(counts) <= budget
    for size, count, limit in zip(sizes, counts, limits, strict=True):
        assert 1 <= count <= limit
        assert count == limit or cost(counts) + size > budget


def test_fill_by_hand():
    def cost(counts):
        return 100 * counts[0] + 10 * counts[1] + counts[2]

    assert fill(355, (9, 9, 9), (1, 1, 1), (100, 10, 1), cost) == [3, 5, 5]
    assert fill(255, (9, 9, 9), (1, 2, 4), (100, 10, 1), cost) == [2, 4, 9]


@pytest.mark.parametrize(("name", "regions"), FORMS)
@pytest.mark.parametrize("budget", [1, 100_000_000])
def test_a_budget_that_cannot_work_names_one_that_does(name, regions, budget):
    spec = Spec(
        name=name,
        features=features([(40, 30), (9, 9), (3, 2)]),
        lookups=(1, 2, 1),
        dim=8,
        budget=budget,
        regions=regions,
    )
    if (name, regions) == ("cce", "multiplexed") and budget > 1:
        build(replace(spec, budget=100_000))  # shared rows may be as many as there is room for
        return
    with pytest.raises(BudgetError) as error:
        build(spec)
    assert f"{error.value.works:,}" in str(error.value)
    build(replace(spec, budget=error.value.works))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("mixed_dimension", {"alpha": -0.5}, "from 0 to 2"),
        ("cce", {"columns": 3}, "a divisor of the 8 numbers"),
        ("cce", {"columns": 0}, "a divisor of the 8 numbers"),
        ("cce", {"cluster_epochs": -1}, "from 0 to 255"),
        ("masked_pruning", {"prune_epoch": 0}, "at least 1"),
        ("pep", {"threshold": 0}, "between 0 and 1"),
        ("pep", {"threshold": 1.0}, "between 0 and 1"),
        ("int8", {"quantisation_aware": 1}, "unknown knob of int8"),
    ],
)
def test_a_bad_knob_is_told(name, options, told):
    with pytest.raises(BenchError, match=told):
        build(
            Spec(
                name=name,
                features=features([(40, 30), (9, 9)]),
                lookups=(1, 2),
                dim=8,
                budget=1_200,
                regions=STRATEGIES[name].regions[0],
                options=options,
            )
        )


@given(st.integers(1, 200_000), st.integers(1, 64))
def test_digits_and_factors_cover_all_rows_and_numbers(ids, dim):
    assert ids <= math.prod(digits(ids)) <= 2 * ids + 8
    assert math.prod(factors(dim)) == dim


def test_a_train_starts_with_rows_of_the_scale_asked_for():
    for init, deviation in (("uniform", 0.05 / 3**0.5), ("normal", 0.05)):
        torch.manual_seed(0)
        built = build(
            Spec(
                name="tt_rec",
                features=features([(4000, 4000)]),
                lookups=(1,),
                dim=16,
                budget=40_000,
                regions="multiplexed",
                init=init,
            )
        )
        vectors = built(torch.arange(4000).unsqueeze(1)).detach()
        assert float(vectors.std()) == pytest.approx(deviation, rel=0.15)


@pytest.mark.parametrize(("bits", "budget"), [("float32", 40_000), ("int4", 12_000)])
def test_rows_and_gradients_of_a_train_are_those_of_one_id_at_a_time(bits, budget):
    """A batch of 3, 400 and 4,000 of 4,000 ids goes another way each: by ids, pairs, and all rows."""
    spec = Spec(
        name="tt_rec",
        features=features([(4000, 4000)]),
        lookups=(1,),
        dim=8,
        budget=budget,
        regions="multiplexed",
        numbers=NumberFormat(name=bits),
    )
    torch.manual_seed(0)
    train = build(spec).trains[0]
    n1, n2, n3 = train.n
    assert 3 < n1 * n2 < 400 < n1 * n2 * n3 / AT_ONCE < 4000
    one_by_one = torch.cat([train(torch.tensor([[number]])) for number in range(4000)]).detach()
    for count in (3, 400, 4000):
        ids = torch.randperm(4000)[:count].unsqueeze(1)
        rows = train(ids)
        torch.testing.assert_close(rows, one_by_one[ids.flatten()], rtol=1e-5, atol=1e-7)
        toward = torch.randn(rows.shape)
        rows.backward(toward)
        found = [core.weight.grad.clone() for core in train.cores]
        train.zero_grad()
        for number, direction in zip(ids, toward, strict=True):
            train(number.unsqueeze(0)).backward(direction.unsqueeze(0))
        for core, gradient in zip(train.cores, found, strict=True):
            torch.testing.assert_close(gradient, core.weight.grad, rtol=1e-3, atol=1e-5)
        train.zero_grad()


# ---- cce


def cce_spec(budget, regions="multiplexed", **changes):
    spec = Spec(
        name="cce",
        features=features([(60, 50), (30, 25)]),
        lookups=(2, 1),
        dim=8,
        budget=budget,
        regions=regions,
        options={"columns": 2, "cluster_epochs": 2},
    )
    return replace(spec, **changes)


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_enough_clusters_keep_the_function(regions):
    torch.manual_seed(0)
    budget, enough = {"multiplexed": (40_000, [125, 125]), "separate": (9_851, [100, 25])}[regions]
    built = build(cce_spec(budget, regions))
    for (clusters, _), values in zip(built.split, enough, strict=True):
        assert clusters >= values
    seen = torch.cartesian_prod(torch.arange(50), torch.arange(25))
    before = built(seen)
    slots = built.slots(seen)
    assert built.finish_epoch(0), "the optimizer is of other rows"
    assert not torch.equal(slots, built.slots(seen))
    assert torch.allclose(built(seen), before, atol=1e-7)
    assert not built.finish_epoch(2), "two epochs are clustered"


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_fewer_clusters_leave_each_value_its_centroid(regions):
    torch.manual_seed(0)
    built = build(cce_spec(2_000, regions))

    def columns():
        """Vectors of one feature's values, column by column: [values * lookups, columns, 4]."""
        first = built(torch.tensor([[i, 0] for i in range(50)]))[:, :16].reshape(100, 2, 4)
        second = built(torch.tensor([[0, i] for i in range(25)]))[:, 16:].reshape(25, 2, 4)
        groups = [first, second] if regions == "separate" else [torch.cat([first, second])]
        return [group.detach() for group in groups]

    old = columns()
    hashed = built.round.clone()
    built.finish_epoch(0)
    new = columns()
    assert built.round == hashed + 1
    for group, (was, now) in enumerate(zip(old, new, strict=True)):
        for column in range(2):
            distinct, owner = now[:, column].unique(dim=0, return_inverse=True)
            assert len(distinct) <= built.split[group][0]
            means = torch.stack([was[owner == k, column].mean(0) for k in range(len(distinct))])
            assert torch.allclose(distinct, means, atol=1e-6)
    assert close(built.embed(located(built)), expected(cce, built)), (
        "the formula holds with the fresh hash"
    )


def test_every_round_hashes_afresh_and_a_state_restores_its_own():
    torch.manual_seed(0)
    built = build(cce_spec(2_000))
    slots = []
    states = []
    for epoch in range(3):
        slots.append(built.slots(codes_of(built)))
        states.append((copy.deepcopy(built.state_dict()), built(codes_of(built))))
        built.finish_epoch(epoch)
    assert not torch.equal(slots[0], slots[1])
    assert not torch.equal(slots[1], slots[2])
    for state, vectors in states:
        built.load_state_dict(state)
        assert torch.equal(built(codes_of(built)), vectors)


def test_low_cardinality_features_beside_it_follow_its_new_slots():
    torch.manual_seed(0)
    wrapped = build(cce_spec(4_000), exact_at_most=30)
    before = wrapped.slots(codes_of(wrapped))
    assert wrapped.finish_epoch(0)
    assert not torch.equal(wrapped.slots(codes_of(wrapped)), before)
    assert torch.equal(wrapped.embed(located(wrapped)), wrapped(codes_of(wrapped)))


def test_a_pointer_has_the_bits_that_pay():
    """Those with the most clusters: a bit more would take the rows that it could point at."""
    spec = Spec(
        name="cce", features=features([(1_000, 1_000)]), lookups=(1,), dim=16, budget=20_000
    )
    n_pointers = 4 * 1_000
    for budget in (20_000, 36_800, 60_000):
        built = build(replace(spec, budget=budget))
        bits = built.pointers.bits
        found = built.split[0].clusters
        assert found <= 2**bits
        assert built.pointers.packed.nbytes == packed_bytes(n_pointers, bits)
        for other in range(1, 12):
            pairs = (budget - 1 - packed_bytes(n_pointers, other)) // (2 * 4 * 16)
            clusters = min(2**other, pairs)
            assert clusters < found or (clusters == found and other >= bits)


def test_k_means_finds_clear_clusters_and_follows_torchs_seed():
    torch.manual_seed(0)
    points = torch.randn(60, 3) * 0.01 + torch.tensor([[0.0], [1.0], [5.0]]).repeat(20, 1)
    centroids, nearest = k_means(points, 3)
    assert sorted(centroids.mean(1).round().tolist()) == [0, 1, 5]
    assert torch.allclose(centroids[nearest], points, atol=0.1)
    noise = torch.rand(500, 2)
    torch.manual_seed(1)
    first = k_means(noise, 20)
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(first, k_means(noise, 20), strict=True))


# ---- few bits


@pytest.mark.parametrize(("name", "works"), [("int8", 1_020), ("int4", 612)])
def test_rows_of_full_width_have_no_projection(name, works):
    built = build(
        Spec(
            name=name,
            features=features([(60, 50), (60, 50)]),
            lookups=(1, 1),
            dim=8,
            budget=works,
            regions="exact",
        )
    )
    assert list(built.projections) == []
    weight = built.pools[0].weight.detach()
    out = built(codes_of(built))
    out.sum().backward()
    assert torch.equal(built.pools[0].weight.grad[:50], torch.ones(50, 8)), (
        "the gradient passes the rounding"
    )
    trained = built.eval()(codes_of(built)).detach()
    built.finish_training()
    assert [name for name, _ in built.named_parameters()] == []
    assert torch.equal(built(codes_of(built)), trained)
    steps = built.pools[0].few_bits.steps.float().unsqueeze(1)
    within = weight.abs() <= steps * 2 ** (built.spec.numbers.bits - 1)
    assert within.float().mean() > 0.9
    errors = (built.pools[0](torch.arange(51)) - weight).abs()
    assert (errors <= 0.5001 * steps)[within].all()


# ---- product quantisation


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_every_part_is_served_by_its_nearest_centroid(regions):
    torch.manual_seed(0)
    built = build(
        Spec(
            name="product_quantization",
            features=features([(200, 150), (90, 80)]),
            lookups=(2, 1),
            dim=8,
            budget=3_000,
            regions=regions,
        )
    )
    trained = built(codes_of(built)).detach().view(-1, 3, built.codes_each, 8 // built.codes_each)
    built.finish_training()
    served = built(codes_of(built)).view(trained.shape)
    books = (0, 0, 1) if regions == "separate" else (0, 0, 0)
    for lookup, book in enumerate(books):
        centroids = built.get_buffer(f"centroids_{book}")
        for part in range(built.codes_each):
            nearest = torch.cdist(trained[:, lookup, part], centroids[part]).min(1).values
            distance = (trained - served)[:, lookup, part].norm(dim=1)
            assert torch.allclose(distance, nearest, atol=1e-4)


def test_every_stage_is_nearest_to_what_is_left():
    torch.manual_seed(0)
    built = build(
        Spec(
            name="residual_quantization",
            features=features([(200, 150), (90, 80)]),
            lookups=(1, 1),
            dim=8,
            budget=2_500,
        )
    )
    assert built.codes_each > 1
    left = built.pool.weight.detach().clone()
    built.finish_training()
    errors = [float(left.norm())]
    codes = built._codes(0, torch.arange(len(left)))
    for stage in range(built.codes_each):
        centroids = built.centroids_0[stage]
        nearest = torch.cdist(left, centroids).min(1).values
        left = left - centroids[codes[:, stage]]
        assert torch.allclose(left.norm(dim=1), nearest, atol=1e-4)
        errors.append(float(left.norm()))
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("name", QUANTISED)
def test_frequent_rows_are_closer_to_what_was_trained_where_they_count_more(name):
    torch.manual_seed(0)
    counts = [1_000] * 20 + [1] * 180
    feature = Feature("f0", [f"v{n}" for n in range(200)], 200, counts)
    errors = {}
    for by_frequency in (False, True):
        torch.manual_seed(1)
        built = build(
            Spec(
                name=name,
                features=(feature,),
                lookups=(1,),
                dim=8,
                budget=900,
                options={"by_frequency": by_frequency},
            )
        )
        trained = built.pool.weight.detach()[:20].clone()
        built.finish_training()
        errors[by_frequency] = float((built(torch.arange(20).unsqueeze(1)) - trained).norm())
    assert errors[True] < 0.8 * errors[False]


# ---- pruning


@given(st.integers(1, 70), st.integers(1, 20), st.floats(0.05, 1.2), st.integers(0, 99))
def test_a_sparse_table_keeps_the_largest_numbers(rows, numbers, share, seed):
    torch.manual_seed(seed)
    table = torch.randn(rows, numbers)
    spec = Spec(
        name="magnitude_pruning",
        features=(),
        lookups=(),
        dim=numbers,
        budget=max(8, int(share * 4 * table.numel())),
    )
    try:
        sparse = SparseTable(rows, numbers, spec)
    except BudgetError as error:
        sparse = SparseTable(rows, numbers, replace(spec, budget=error.works))
    sparse.keep(table)
    served = sparse(torch.arange(rows))
    kept = served != 0
    assert torch.equal(served[kept], table[kept])
    assert int(kept.sum()) == sparse.count
    assert kept.all() or table[kept].abs().min() >= table[~kept].abs().max()
    assert torch.equal(sparse(torch.arange(rows).view(1, -1, 1)).flatten(), served.flatten()), (
        "slots of any shape"
    )


def test_few_numbers_are_kept_by_index_and_many_by_bitmap():
    spec = Spec(name="magnitude_pruning", features=(), lookups=(), dim=16, budget=1_000)
    few = SparseTable(1_000, 16, spec)
    assert few.count == 1_000 // 8
    assert few.bits is None
    many = SparseTable(1_000, 16, replace(spec, budget=16_000))
    assert many.count == (16_000 - 63 * (32 + 4)) // 4
    assert many.indices is None


def test_masked_numbers_stay_zero_and_the_others_are_trained_on():
    torch.manual_seed(0)
    built = build(
        Spec(
            name="masked_pruning",
            features=features([(60, 50), (9, 9)]),
            lookups=(1, 1),
            dim=8,
            budget=800,
            regions="exact",
            options={"prune_epoch": 2},
        )
    )
    assert not built.finish_epoch(0)
    assert built.finish_epoch(1)
    assert int(built.mask.sum()) == built.served.count
    before = built.pool.weight.detach().clone()
    optimizer = torch.optim.Adam(built.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        built(codes_of(built)).square().sum().backward()
        optimizer.step()
    after = built.pool.weight.detach()
    assert (after[~built.mask] == 0).all()
    assert not torch.equal(after, before)
    assert not built.finish_epoch(2)


def test_thresholds_are_learned_a_feature():
    torch.manual_seed(0)
    built = build(
        Spec(
            name="pep",
            features=features([(60, 50), (9, 9)]),
            lookups=(1, 1),
            dim=8,
            budget=800,
            regions="exact",
        )
    )
    assert built.thresholds.sigmoid().tolist() == pytest.approx([0.025, 0.025])
    built(codes_of(built))[:, :8].square().sum().backward()
    assert built.thresholds.grad[0] != 0
    assert built.thresholds.grad[1] == 0
