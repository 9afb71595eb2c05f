"""Mixed precision: who gets which bits, what they are worth, and what a budget pays for."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.strategies.budget import well_used
from ue_bench.strategies.methods.mixed_precision import LADDER, bits_by_rank
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.value_frequency import by_frequency

USER = Feature(
    "user", [f"u{i}" for i in range(300)], 300, [1000 // (i + 1) + 1 for i in range(300)]
)
ITEM = Feature("item", [f"i{i}" for i in range(90)], 80, [3] * 80)


def spec_of(budget=4_000, **options):
    return Spec(
        name="mixed_precision",
        features=(USER, ITEM),
        lookups=(2, 1),
        dim=8,
        budget=budget,
        regions="exact",
        options=options,
    )


def test_more_frequent_values_have_no_fewer_bits():
    spec = replace(spec_of(2_000), features=(USER,), lookups=(2,))
    ranked = by_frequency(spec, (0,))
    bits = bits_by_rank(spec, ranked, alpha=0.5)
    most_after = 0
    for own_bits in reversed(bits):  # what is left of the budget goes to whom it is enough for
        assert own_bits >= most_after - 1
        most_after = max(most_after, own_bits)
    assert bits[0] > bits[-1]
    alike = bits_by_rank(spec, ranked, alpha=0.0)
    assert max(alike) - min(alike) <= 4, "without a weight, bits are as equal as the budget allows"


def test_a_row_is_in_the_bits_of_its_group():
    torch.manual_seed(0)
    spec = spec_of(1_500)
    built = build(spec)
    bits = dict(
        zip(
            by_frequency(spec, (0, 1)),
            bits_by_rank(spec, by_frequency(spec, (0, 1)), 0.5),
            strict=True,
        )
    )
    pool_of = {pool.few_bits.bits: pool for pool in built.pools}
    start_of = dict(zip(built.n_rows, built.starts, strict=True))
    unseen = built.locate(0, ["no user"])
    assert start_of[8] <= int(unseen[0, 0]) < start_of[8] + pool_of[8].rows
    taken = set()
    vectors = built.eval().from_values([USER.values, [ITEM.values[0]] * 300])
    for position, value in enumerate(USER.values):
        own_bits = bits[0, position]
        slots = built.locate(0, [value])
        if own_bits == 0:
            assert torch.equal(slots, unseen)
            continue
        first = int(slots[0, 0]) - start_of[own_bits]
        assert 0 <= first < pool_of[own_bits].rows
        assert tuple(slots[0].tolist()) not in taken
        taken.add(tuple(slots[0].tolist()))
        rows = pool_of[own_bits](torch.tensor([first, first + 1])).flatten()
        assert torch.equal(vectors[position, :16], rows)
        assert len(rows.unique()) <= 2**own_bits
    assert len(taken) == sum(bits[0, position] > 0 for position in range(300))


@given(share=st.floats(0.001, 1.2), alpha=st.floats(0, 2), dim=st.sampled_from([1, 4, 8]))
@settings(max_examples=30)
def test_a_budget_is_kept_and_used(share, alpha, dim):
    spec = replace(spec_of(alpha=alpha), dim=dim)
    spec = replace(spec, budget=max(1, int(share * spec.exact_table_bytes / 4)))
    try:
        built = build(spec)
    except BudgetError as error:
        built = build(replace(spec, budget=error.works))
    footprint = built.footprint()
    assert well_used(footprint.table + footprint.auxiliary, built.spec.budget)


def test_all_the_memory_it_can_use_is_eight_bits():
    whole = build(spec_of(6_000))
    assert set(whole.n_rows) == {LADDER[-1]}
    with pytest.raises(BudgetError, match="only 5,"):
        build(spec_of(60_000))


def test_values_must_be_counted():
    with pytest.raises(BenchError, match="feature user has 0 counts for 300 training values"):
        build(replace(spec_of(), features=(replace(USER, counts=()), ITEM)))
    with pytest.raises(BenchError, match="its numbers have bits of their own"):
        build(replace(spec_of(), numbers=NumberFormat(name="int4")))
