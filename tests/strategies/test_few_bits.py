"""Pools in few bits: how codes lie in bytes, what they are worth, and how training learns them."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ue_bench
from ue_bench import RunConfig, UnifiedEmbedding, embedding
from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Pool, Spec, build
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.packed_codes import MOST_BITS, pack, packed_bytes, read
from ue_bench.strategies.registry import static_strategies
from ue_bench.testing import FEATURES, training_rows
from ue_bench.training.resolve import resolve

CODES = [name for name, bits in BITS.items() if bits <= 8]


def spec(name="unified", **changes):
    numbers = NumberFormat(**changes.pop("numbers", {"name": "int4"}))
    made = Spec(
        name=name, features=FEATURES, lookups=(2, 1, 1), dim=8, budget=4_000, numbers=numbers
    )
    return replace(made, **changes)


def pool(rows=40, numbers=8, ends=None, **fields):
    torch.manual_seed(0)
    return Pool(rows, spec(numbers=fields), numbers, ends=ends)


def by_hand(few_bits, row, number, row_starts=()):
    """The served number, read bit by bit from the bytes."""
    bits = few_bits.format.bits
    stream = np.unpackbits(few_bits.codes.numpy(), bitorder="little")
    first = (row * few_bits.numbers + number) * bits
    code = sum(int(bit) << k for k, bit in enumerate(stream[first : first + bits]))
    step = 0
    if few_bits.by_row:
        step = row
    elif len(few_bits.steps) > 1:
        step = sum(row >= start for start in row_starts[1:])
    return (code + 0.5 - 2 ** (bits - 1)) * float(few_bits.steps[step])


@given(st.integers(1, MOST_BITS), st.lists(st.integers(0, 2**MOST_BITS - 1), max_size=60))
def test_packed_codes_are_read_again(bits, codes):
    codes = torch.tensor([code % 2**bits for code in codes], dtype=torch.int64)
    packed = pack(codes, bits)
    assert len(packed) == packed_bytes(len(codes), bits)
    assert read(packed, torch.arange(len(codes)), bits).tolist() == codes.tolist()


@given(
    name=st.sampled_from(list(BITS)),
    step=st.sampled_from(["pool", "region", "row"]),
    numbers=st.integers(1, 20),
    regions=st.integers(1, 6),
    n_bytes=st.integers(-9, 900),
)
def test_the_largest_pool_in_so_many_bytes(name, step, numbers, regions, n_bytes):
    numbers_of = NumberFormat(name=name, step=step)
    rows = numbers_of.rows_within(n_bytes, numbers, regions)
    assert rows == 0 or numbers_of.pool_bytes(rows, numbers, regions) <= n_bytes
    assert numbers_of.pool_bytes(rows + 1, numbers, regions) > n_bytes


@pytest.mark.parametrize("step", ["pool", "region", "row"])
@pytest.mark.parametrize("numbers", [1, 3, 8, 12, 16])
@pytest.mark.parametrize("name", CODES)
def test_a_row_is_what_its_bits_say(name, numbers, step):
    made = pool(40, numbers, ends=[7, 40], name=name, step=step)
    rows = torch.tensor([[0, 39], [6, 7], [20, 20]])
    trained = made.eval()(rows).detach()
    made.keep_served()
    made.weight = None
    served = made(rows)
    assert torch.allclose(served, trained, atol=1e-6)
    expected = []
    for row in rows.flatten().tolist():
        expected.append([by_hand(made.few_bits, row, n, (0, 7)) for n in range(numbers)])
    assert np.allclose(served.view(-1, numbers), expected, atol=1e-6)
    assert torch.equal(made(rows.int()), served)
    assert len(made.few_bits.steps) == {"pool": 1, "region": 2, "row": 40}[step]


def test_one_bit_is_the_sign_times_the_mean_magnitude():
    made = pool(name="int1", rule="mean")
    weight = made.weight.detach()
    expected = torch.where(weight >= 0, 1.0, -1.0) * weight.abs().mean()
    assert torch.allclose(made(torch.arange(40)), expected)


@pytest.mark.parametrize(("bits", "best"), [(1, 2.0), (2, 1.248), (3, 0.7344), (4, 0.4201)])
def test_the_step_from_the_mean_magnitude_has_the_least_error_for_normal_numbers(bits, best):
    weights = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    errors = {}
    for factor in (0.9, 0.97, 1.0, 1.03, 1.1):
        step = factor * best * weights.abs().mean()
        codes = (weights / step).floor().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        errors[factor] = ((codes + 0.5) * step - weights).square().mean()
    assert min(errors, key=errors.get) in (0.97, 1.0, 1.03)


@pytest.mark.parametrize("rows", [1, 300])  # fewer and more reads than rows
def test_gradients_of_weights_and_steps(rows):
    made = pool(name="int3")
    slots = torch.randint(40, (rows,), generator=torch.Generator().manual_seed(1))
    factors = torch.randn(rows, 8, generator=torch.Generator().manual_seed(2))
    (made(slots) * factors).sum().backward()
    expected = torch.zeros(40, 8).index_add(0, slots, factors)
    assert torch.allclose(made.weight.grad, expected, atol=1e-5), "straight through"
    step = float(made.few_bits.log_steps.detach().exp())
    scaled = made.weight.detach()[slots] / step
    codes = scaled.floor().clamp(-4, 3) + 0.5
    slopes = torch.where(scaled.abs() <= 4, codes - scaled, codes)
    of_log = (slopes * factors).sum() * step
    assert torch.allclose(made.few_bits.log_steps.grad, of_log, rtol=1e-4)


def test_a_learned_step_follows_the_loss():
    made = pool(name="int2")
    target = 3 * made.weight.detach()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    slots = torch.arange(40)
    first = (made(slots) - target).square().mean()
    for _ in range(400):
        optimizer.zero_grad()
        loss = (made(slots) - target).square().mean()
        loss.backward()
        optimizer.step()
    best = float(target.abs().mean()) * 1.248  # where the numbers are normal; these are uniform
    assert loss < 0.3 * first
    assert 0.5 < float(made.few_bits.log_steps.detach().exp()) / best < 2


def test_stochastic_rounding_is_right_on_average():
    made = pool(name="int4", rule="mean", rounding="stochastic")
    slots = torch.arange(40)
    mean = torch.stack([made(slots).detach() for _ in range(3_000)]).mean(0)
    step = float(made.few_bits._fitted(made.weight))
    inner = made.weight.detach().abs() < 7 * step
    assert torch.allclose(mean[inner], made.weight.detach()[inner], atol=0.05 * step)
    made.eval()
    assert torch.equal(made(slots), made(slots)), "what is served does not vary"


def test_a_warm_up_trains_floats_and_is_judged_as_served():
    built = build(spec(numbers={"name": "int2", "warm_up": 2}))
    codes = torch.arange(40).unsqueeze(1) % torch.tensor([40, 40, 3])
    slots = built.slots(codes)
    as_float = built.pool.weight[slots].flatten(1)
    assert torch.equal(built(codes), as_float)
    assert len(built.eval()(codes).unique()) <= 4
    built.train()
    assert not built.finish_epoch(0)
    assert torch.equal(built(codes), as_float)
    with torch.no_grad():
        built.pool.weight.mul_(5)
    built.finish_epoch(1)
    assert len(built(codes).unique()) <= 4
    steps = built.pool.few_bits.log_steps.exp()
    assert torch.allclose(steps, 1.248 * built.pool.weight.abs().mean()), "it starts from here"


def test_a_warm_up_of_all_epochs_rounds_after_training():
    built = build(spec(numbers={"name": "int4", "warm_up": 99}))
    built.finish_epoch(0)
    judged = built.eval()(torch.zeros(1, 3, dtype=torch.int64)).detach()
    built.finish_training()
    assert torch.allclose(built(torch.zeros(1, 3, dtype=torch.int64)), judged)


def test_float16_takes_half_the_bytes():
    built = build(spec(numbers={"name": "float16"}))
    assert built.footprint().table == built.pool.rows * 8 * 2
    codes = torch.zeros(2, 3, dtype=torch.int64)
    judged = built.eval()(codes).detach()
    built.finish_training()
    assert torch.equal(built(codes), judged)
    assert built.training_bytes() == built.footprint().table


def test_eight_times_the_rows_for_the_same_bytes():
    floats = build(spec(numbers={}))
    four = build(spec())
    assert floats.pool.rows == 4_000 // 32
    assert four.pool.rows == (4_000 - 4) // 4
    assert four.footprint().table == four.pool.rows * 4
    assert four.footprint().auxiliary == 4, "the step"
    assert four.spec.exact_table_bytes == floats.spec.exact_table_bytes


def test_a_sparse_pool_learns_the_same():
    outs = {}
    for sparse in (False, True):
        torch.manual_seed(0)
        built = build(spec(sparse=sparse))
        codes = torch.tensor([[3, 4, 1], [3, 9, 2]])
        built(codes).square().sum().backward()
        gradient = built.pool.weight.grad
        outs[sparse] = gradient.to_dense() if gradient.is_sparse else gradient
    assert torch.allclose(outs[True], outs[False], atol=1e-6)


@pytest.mark.parametrize("name", static_strategies())
def test_what_cannot_have_few_bits_says_why(name):
    entry = STRATEGIES[name]
    if not entry.float_only:
        return
    with pytest.raises(BenchError, match=r"bits 'int4' were given, and .*; choose float32"):
        build(spec(name, regions=entry.regions[0]))


def test_the_old_names_are_formats_of_exact_rows():
    for name in ("int8", "int4"):
        plain = RunConfig(strategy=name, budget=40_000)
        assert resolve(replace(plain, bits=name, bits_step="row")) == resolve(plain)
        assert ue_bench.embedding_of(plain).spec.numbers == NumberFormat(
            name=name, step="row", rule="mean"
        )
        with pytest.raises(BenchError, match=f"bits 'int2' was given; it is '{name}'"):
            resolve(replace(plain, bits="int2"))


def test_floats_have_one_id_whatever_their_step():
    plain = RunConfig(budget=9_000)
    assert resolve(replace(plain, bits_step="row", bits_warm_up=3)).run_id == resolve(plain).run_id
    assert resolve(replace(plain, bits="int4")).run_id != resolve(plain).run_id
    assert "bits" not in resolve(plain).without_defaults()


@pytest.mark.parametrize(
    ("given_bits", "name"), [(4, "int4"), ("4", "int4"), ("float16", "float16")]
)
def test_bits_are_read_as_a_number_or_a_name(given_bits, name):
    assert parse_bits(given_bits) == name


def test_unknown_bits_are_one_line():
    with pytest.raises(BenchError, match="unknown bits '5'"):
        parse_bits(5)
    with pytest.raises(BenchError, match="bits_warm_up: -1 was given"):
        embedding("unified", {"user": 30}, 800, bits=4, bits_warm_up=-1)
    with pytest.raises(BenchError, match="unknown bits step 'colum'"):
        embedding("unified", {"user": 30}, 800, bits=4, bits_step="colum")


def test_the_layer_alone_is_packed():
    torch.manual_seed(0)
    layer = UnifiedEmbedding(1_000, 8, bits=4)
    values = [str(i) for i in range(50)]
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    target = torch.randn(50, 16)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (layer(values, (0, 1)) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    trained = layer.eval()(values, (0, 1)).detach()
    layer.pack()
    assert torch.allclose(layer(values, (0, 1)), trained, atol=1e-6)
    assert not list(layer.parameters())
    assert sum(tensor.nbytes for tensor in layer.state_dict().values()) == 1_000 * 8 // 2 + 4
    again = UnifiedEmbedding(1_000, 8, bits=4)
    again.pack()
    again.load_state_dict(copy.deepcopy(layer.state_dict()))
    assert torch.equal(again(values, (0, 1)), layer(values, (0, 1)))
    with pytest.raises(BenchError, match="is served as it is"):
        UnifiedEmbedding(10, 8).pack()


def test_a_numpy_reader_needs_a_few_lines():
    """What docs/serving.md says of the bytes."""
    made = pool(64, 16, name="int4")
    expected = made.eval()(torch.arange(64)).detach()
    made.keep_served()
    codes = made.few_bits.codes.numpy().reshape(64, 8)
    halves = np.stack([codes & 15, codes >> 4], axis=2).reshape(64, 16)
    values = (halves + np.float32(0.5) - 8) * made.few_bits.steps.numpy()
    assert np.allclose(values, expected, atol=1e-6)


@given(data=st.data())
@settings(max_examples=150)
def test_any_strategy_in_any_bits_works_at_the_budget_that_its_error_names(data):
    names = [name for name in static_strategies() if not STRATEGIES[name].float_only]
    name = data.draw(st.sampled_from(names))
    entry = STRATEGIES[name]
    features = []
    for number in range(data.draw(st.integers(1, 3))):
        values = [str(value) for value in range(data.draw(st.integers(1, 60)))]
        features.append(Feature(f"f{number}", values, len(values), [2] * len(values)))
    numbers = {} if entry.numbers else {"name": data.draw(st.sampled_from(list(BITS)))}
    if numbers:
        numbers["step"] = data.draw(st.sampled_from(["pool", "region", "row"]))
    asked = Spec(
        name=name,
        features=tuple(features),
        lookups=tuple(data.draw(st.integers(1, 3)) for _ in features),
        dim=data.draw(st.sampled_from([2, 4, 8])),
        budget=data.draw(st.integers(30, 9_000)) if entry.has_budget else None,
        regions=data.draw(st.sampled_from(entry.regions)),
        region_rule=data.draw(st.sampled_from(["proportional", "sqrt", "equal"])),
        numbers=NumberFormat(**numbers),
        options={"columns": 2} if name == "cce" else {},
        rows=training_rows(features),
    )
    try:
        built = build(asked)
    except BudgetError as error:
        built = build(replace(asked, budget=error.works))
    built.eval()
    columns = [["0", "no such value"]] * len(features)
    vectors = built.from_values(columns).detach()
    built.finish_training()
    assert torch.allclose(built.from_values(columns), vectors, atol=1e-6)


@pytest.mark.parametrize("bits", list(BITS))
def test_the_whole_table_is_what_calls_return_before_and_after_training(bits):
    made = pool(64, 4, name=bits).eval()
    rows = torch.arange(64)
    before = made.table().detach().clone()
    assert torch.equal(before, made(rows))
    made.keep_served()
    assert torch.equal(made.table(), before)
