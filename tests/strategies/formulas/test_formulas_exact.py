"""Methods with a vocabulary against their formulas, written out value by value with numpy; and what compression may cost."""

import copy
import functools
import warnings
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
from ue_bench.strategies.methods.quantized_rows import quantize, steps
from ue_bench.strategies.methods.tt_rec import digits, factors

PROJECTED = ("low_dim_exact", "mixed_dimension", "int8", "int4")
PRUNED = ("magnitude_pruning", "masked_pruning", "pep")
FORMS = [
    (name, regions)
    for name in (*PROJECTED, *PRUNED, "tt_rec", "cce", "product_quantization")
    for regions in STRATEGIES[name].regions
]


def numpy_of(tensor):
    return tensor.detach().numpy()


def digest(text, seed):
    return xxhash.xxh32_intdigest(text.encode(), seed)


def features(sizes):
    """sizes: values and how many of them are seen, a feature."""
    return tuple(
        Feature(f"f{i}", [f"{i}v{n}" for n in range(size)], seen)
        for i, (size, seen) in enumerate(sizes)
    )


def build_near(spec):
    """The strategy at the budget of `spec`, or at the one that its error says works."""
    torch.manual_seed(spec.hash_seed)
    try:
        return build(spec)
    except BudgetError as error:
        return build(replace(spec, budget=error.works))


@st.composite
def specs(draw, name, regions):
    seen = st.integers(0, 60)
    drawn = features(
        [(n + draw(st.integers(1, 3)), n) for n in draw(st.lists(seen, min_size=1, max_size=4))]
    )
    lookups = tuple(draw(st.integers(1, 3)) for _ in drawn)
    dim = draw(st.sampled_from((1, 2, 4, 6, 8, 12)))
    options = (
        {"columns": draw(st.sampled_from([c for c in (1, 2, 3, 4) if dim % c == 0]))}
        if name == "cce"
        else {}
    )
    rule, init = (
        draw(st.sampled_from(("proportional", "sqrt", "equal"))),
        draw(st.sampled_from(("uniform", "normal"))),
    )
    spec = Spec(
        name=name,
        features=drawn,
        lookups=lookups,
        dim=dim,
        budget=None,
        regions=regions,
        region_rule=rule,
        hash_seed=draw(st.integers(0, 9)),
        init=init,
        options=options,
    )
    return replace(spec, budget=max(1, int(spec.exact_table_bytes * draw(st.floats(0.02, 1.1)))))


def codes_of(built):
    """Every value of every feature at least once: int64 [B, F]."""
    most = max(f.cardinality for f in built.spec.features)
    return torch.stack([torch.arange(most) % f.cardinality for f in built.spec.features], dim=1)


def position(built, feature, value):
    seen = list(built.spec.features[feature].values[: built.spec.features[feature].n_seen])
    return seen.index(value) if value in seen else len(seen)


def first_row(built, feature, value):
    """The row of a value's first lookup in a table with all features in order."""
    before = sum(
        n * (f.n_seen + 1)
        for n, f in zip(built.spec.lookups[:feature], built.spec.features[:feature], strict=True)
    )
    return before + built.spec.lookups[feature] * position(built, feature, value)


# ---- the formulas: all numbers of one value of one feature


def projected(rows, built, feature, value):
    """rows: how a feature's trained float rows are served."""
    row, width = (
        rows(numpy_of(built.pools[feature].weight))[position(built, feature, value)],
        built.widths[feature],
    )
    if len(row) == width:
        return row
    shared = built.spec.regions == "multiplexed"
    return (
        row
        @ numpy_of(built.projections[f"width_{width}" if shared else f"feature_{feature}"])[
            : len(row)
        ]
    )


def rounded(rows, largest):
    steps = np.abs(rows).max(1, keepdims=True).astype(np.float16).astype(np.float32) / np.float32(
        largest
    )
    with warnings.catch_warnings(action="ignore"):
        return np.nan_to_num(np.clip(np.round(rows / steps), -largest, largest)) * steps


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
    owners = np.repeat(
        np.arange(len(built.spec.features)),
        [n * (f.n_seen + 1) for n, f in zip(built.spec.lookups, built.spec.features, strict=True)],
    )
    thresholds = 1 / (1 + np.exp(-numpy_of(built.thresholds)))[owners, None]
    return np.sign(weight) * np.maximum(np.abs(weight) - thresholds, 0)


def pruned_table(built):
    table = trained_table(built)
    kept = np.argsort(-np.abs(table), axis=None)[: built.served.count]
    return np.where(np.isin(np.arange(table.size), kept).reshape(table.shape), table, 0)


def tt_rec(built, feature, value):
    separate, spec, row, rows = built.spec.regions == "separate", built.spec, [], []
    train = built.trains[feature if separate else 0]
    (n1, n2, n3), (d1, d2, d3), (r1, r2) = train.n, train.d, train.ranks
    a, b, c = (numpy_of(core.weight) for core in train.cores)
    a, b, c = a.reshape(n1, d1, r1), b.reshape(n2, r1, d2, r2), c.reshape(n3, r2, d3)
    names = sorted(range(len(spec.features)), key=lambda i: spec.features[i].name)
    before = (
        0
        if separate
        else sum(
            spec.lookups[i] * (spec.features[i].n_seen + 1) for i in names[: names.index(feature)]
        )
    )
    for lookup in range(spec.lookups[feature]):
        row = before + position(built, feature, value) * spec.lookups[feature] + lookup
        rows.append(
            np.einsum("ax,xby,yc->abc", a[row // (n2 * n3)], b[row // n3 % n2], c[row % n3]).ravel()
        )
    return np.concatenate(rows)


def cce(built, feature, value):
    spec, n, seen = built.spec, built.columns, position(built, feature, value)
    (clusters, hashed), region, found = built.split[feature], built.regions[feature], []
    tables = numpy_of(built.pool.weight).reshape(n, 2 * built.pairs, spec.dim // n)[
        :, 2 * region.start :
    ]
    before = sum(
        k * f.n_seen * n
        for k, f in zip(spec.lookups[:feature], spec.features[:feature], strict=True)
    )
    for lookup in range(spec.lookups[feature]):
        for column in range(n):
            seeds = [
                digest(f"f{feature}\x1f{lookup}" + (f"\x1f{k}" if k else ""), spec.hash_seed)
                for k in (column, n + column)
            ]
            if int(built.round):
                seeds[1] = digest(f"round\x1f{int(built.round)}", seeds[1])
            first = digest(value, seeds[0]) % clusters
            if seen < spec.features[feature].n_seen:
                first = int(
                    built.pointers[before + (seen * spec.lookups[feature] + lookup) * n + column]
                )
            second = digest(value, seeds[1]) % hashed
            found.append(tables[column, first] + tables[column, clusters + second])
    return np.concatenate(found)


def product_quantization(built, feature, value):
    """Of the served form: codes are read bit by bit."""
    separate, start = built.spec.regions == "separate", first_row(built, feature, value)
    book = feature if separate else 0
    start = position(built, feature, value) * built.spec.lookups[feature] if separate else start
    centroids, found = numpy_of(built.get_buffer(f"centroids_{book}")), []
    width = int(centroids.shape[1] - 1).bit_length()
    stream = np.unpackbits(numpy_of(built.get_buffer(f"codes_{book}")), bitorder="little")
    for row in range(start, start + built.spec.lookups[feature]):
        for part in range(built.parts):
            at = (row * built.parts + part) * width
            found.append(
                centroids[part, sum(int(bit) << k for k, bit in enumerate(stream[at : at + width]))]
            )
    return np.concatenate(found)


TRAINED = {
    **{name: functools.partial(projected, lambda rows: rows) for name in PROJECTED},
    **{
        name: functools.partial(table_rows, trained_table)
        for name in (*PRUNED, "product_quantization")
    },
    "tt_rec": tt_rec,
    "cce": cce,
}
SERVED = {
    **TRAINED,
    "int8": functools.partial(projected, lambda rows: rounded(rows, 127)),
    "int4": functools.partial(projected, lambda rows: rounded(rows, 7)),
    **{name: functools.partial(table_rows, pruned_table) for name in PRUNED},
}


def expected(formula, built):
    columns = []
    for feature, codes in enumerate(codes_of(built).t().tolist()):
        columns.append(
            np.stack(
                [
                    formula(built, feature, built.spec.features[feature].values[code])
                    for code in codes
                ]
            )
        )
    return np.concatenate(columns, axis=1)


def located(built):
    return torch.cat(
        [
            built.locate(i, [f.values[c] for c in codes_of(built)[:, i].tolist()])
            for i, f in enumerate(built.spec.features)
        ],
        dim=1,
    )


def close(one, other):
    return np.allclose(numpy_of(one), other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("name", "regions"), FORMS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_vectors_follow_the_formula(name, regions, data):
    built = build_near(data.draw(specs(name, regions)))
    footprint = built.footprint()
    assert well_used(footprint.table + footprint.auxiliary, built.spec.budget)
    assert close(built.embed(located(built)), expected(TRAINED[name], built))
    floats = copy.deepcopy(built)
    built.end_training()
    served = built.embed(located(built))
    assert built.training_bytes() == footprint.table + footprint.auxiliary
    if name == "product_quantization":
        assert close(served, expected(product_quantization, built))
    else:
        assert close(served, expected(SERVED[name], floats))
        if name in PRUNED:
            assert close(floats.eval().embed(located(floats)), expected(SERVED[name], floats)), (
                "judged as it is served"
            )


@pytest.mark.parametrize(("name", "regions"), FORMS)
@settings(max_examples=5, deadline=None)
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
    assert all(1 <= count <= limit for count, limit in zip(counts, limits, strict=True))
    assert all(
        count == limit or cost(counts) + size > budget
        for size, count, limit in zip(sizes, counts, limits, strict=True)
    )


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
    if name == "cce" and budget > 1:  # its hashed rows may be as many as there is room for
        build(replace(spec, budget=100_000))
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
        ("int8", {"quantisation_aware": 1}, "must be bool"),
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
    n, d = digits(ids), factors(dim)
    assert ids <= n[0] * n[1] * n[2] <= 2 * ids + 8
    assert d[0] * d[1] * d[2] == dim


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
        assert float(built(torch.arange(4000).unsqueeze(1)).detach().std()) == pytest.approx(
            deviation, rel=0.15
        )


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
    built = build(cce_spec(40_000, regions))
    assert all(clusters >= 125 for clusters, _ in built.split)
    seen = torch.cartesian_prod(torch.arange(50), torch.arange(25))
    before, slots = built(seen), built.slots(seen)
    assert built.end_epoch(0), "the optimizer is of other rows"
    assert not torch.equal(slots, built.slots(seen))
    assert torch.allclose(built(seen), before, atol=1e-7)
    assert not built.end_epoch(2), "two epochs are clustered"


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_fewer_clusters_leave_each_value_its_centroid(regions):
    torch.manual_seed(0)
    built = build(cce_spec(2_000, regions))

    def columns():  # of one feature's values: [values * lookups, columns, 4]
        out = [
            built(torch.tensor([[i, 0] for i in range(50)])),
            built(torch.tensor([[0, i] for i in range(25)])),
        ]
        parts = [out[0][:, :16].reshape(100, 2, 4), out[1][:, 16:].reshape(25, 2, 4)]
        return [part.detach() for part in (parts if regions == "separate" else [torch.cat(parts)])]

    old, hashed = columns(), built.round.clone()
    built.end_epoch(0)
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
    built, slots = build(cce_spec(2_000)), []
    states = []
    for epoch in range(3):
        slots.append(built.slots(codes_of(built)))
        states.append((copy.deepcopy(built.state_dict()), built(codes_of(built))))
        built.end_epoch(epoch)
    assert not torch.equal(slots[0], slots[1])
    assert not torch.equal(slots[1], slots[2])
    for state, vectors in states:
        built.load_state_dict(state)
        assert torch.equal(built(codes_of(built)), vectors)


def test_low_cardinality_features_beside_it_follow_its_new_slots():
    torch.manual_seed(0)
    wrapped = build(cce_spec(4_000), exact_at_most=30)
    before = wrapped.slots(codes_of(wrapped))
    assert wrapped.end_epoch(0)
    assert not torch.equal(wrapped.slots(codes_of(wrapped)), before)
    assert torch.equal(wrapped.embed(located(wrapped)), wrapped(codes_of(wrapped)))


def test_pointers_that_outgrow_a_byte_take_two_only_where_it_pays():
    wide = features([(1_000, 1_000)])
    small = build(
        Spec(name="cce", features=wide, lookups=(1,), dim=16, budget=20_000, regions="multiplexed")
    )
    assert (small.pointers.dtype, small.split[0]) == (torch.uint8, (124, 124))
    middle = build(
        Spec(name="cce", features=wide, lookups=(1,), dim=16, budget=40_000, regions="multiplexed")
    )
    assert (middle.pointers.dtype, middle.split[0][0]) == (torch.uint8, 256)
    large = build(
        Spec(name="cce", features=wide, lookups=(1,), dim=16, budget=60_000, regions="multiplexed")
    )
    assert (large.pointers.dtype, large.split[0]) == (torch.int16, (406, 406))


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


# ---- quantisation


@pytest.mark.parametrize("largest", [127, 7])
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 99), st.floats(1e-2, 1e2))
def test_rounding_costs_at_most_half_a_step(largest, rows, numbers, seed, scale):
    table = torch.randn(rows, numbers, generator=torch.Generator().manual_seed(seed)) * scale
    codes, scales = quantize(table, largest)
    assert codes.abs().max() <= largest
    step = steps(scales, largest)
    assert ((codes * step - table).abs() <= 0.5001 * step).all()
    assert quantize(torch.zeros(1, 3), largest)[0].tolist() == [[0, 0, 0]]


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
    trained = built(codes_of(built)).detach()
    built.end_training()
    assert [name for name, _ in built.named_parameters()] == []
    step = trained.view(-1, 2, 8).abs().amax(2, keepdim=True) / built.largest
    assert ((built(codes_of(built)) - trained).view(-1, 2, 8).abs() <= 0.501 * step).all()


def test_quantisation_aware_training_sees_the_served_numbers():
    aware = build(
        Spec(
            name="int8",
            features=features([(60, 50)]),
            lookups=(1,),
            dim=8,
            budget=510,
            regions="exact",
            options={"quantisation_aware": True},
        )
    )
    out = aware(codes_of(aware))
    out.sum().backward()
    assert torch.equal(aware.pools[0].weight.grad[:50], torch.ones(50, 8)), (
        "the gradient passes the rounding"
    )
    aware.end_training()
    assert torch.allclose(aware(codes_of(aware)), out, atol=1e-7)


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
    trained = built(codes_of(built)).detach().view(-1, 3, built.parts, 8 // built.parts)
    built.end_training()
    served = built(codes_of(built)).view(trained.shape)
    for lookup, book in enumerate((0, 0, 1) if regions == "separate" else (0, 0, 0)):
        centroids = built.get_buffer(f"centroids_{book}")
        for part in range(built.parts):
            nearest = torch.cdist(trained[:, lookup, part], centroids[part]).min(1).values
            assert torch.allclose(
                (trained - served)[:, lookup, part].norm(dim=1), nearest, atol=1e-4
            )


# ---- pruning


@settings(deadline=None)
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
    few, many = SparseTable(1_000, 16, spec), SparseTable(1_000, 16, replace(spec, budget=16_000))
    assert (few.count, few.bits) == (1_000 // 8, None)
    assert (many.count, many.indices) == ((16_000 - 63 * (32 + 4)) // 4, None)


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
    assert not built.end_epoch(0)
    assert built.end_epoch(1)
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
    assert not built.end_epoch(2)


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
