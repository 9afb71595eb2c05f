"""Distinct integers are numbered, whatever their range and however many there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ue_bench.categories import repeated_texts
from ue_bench.categories.repeated_texts import Repeated, numbered_integers

WHOLE = st.integers(-(2**63), 2**63 - 1)
NARROW = st.integers(-100, 100)
POSITIVE = st.integers(0, 2**64 - 1)


def require_numbered(values):
    before = values.copy()
    distinct, codes = numbered_integers(values)
    assert (values == before).all()
    assert codes.dtype == np.int64
    assert (distinct[codes] == values).all()
    assert len(set(distinct.tolist())) == len(distinct)
    assert set(distinct.tolist()) == set(values.tolist())


@given(st.lists(WHOLE | NARROW, min_size=1, max_size=20), st.sampled_from([1, 10, 200]))
def test_integers_of_any_range(values, repeats):
    require_numbered(np.array(values * repeats, np.int64))


@given(st.lists(POSITIVE, min_size=1, max_size=20), st.sampled_from([1, 200]))
def test_integers_above_those_with_a_sign(values, repeats):
    require_numbered(np.array(values * repeats, np.uint64))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.uint32])
@pytest.mark.parametrize("n", [0, 1, 65, 5_000])
def test_small_types_at_their_limits(dtype, n):
    limits = np.iinfo(dtype)
    draw = np.random.default_rng(0)
    values = draw.integers(limits.min, limits.max, n, dtype, endpoint=True)
    values[:2] = (limits.min, limits.max)[: len(values[:2])]
    require_numbered(values)


@pytest.mark.parametrize("n", [65, 1_025, 20_000])
def test_as_many_distinct_values_as_there_are(n):
    require_numbered(np.random.default_rng(0).permutation(n) * 10**12)


@pytest.mark.parametrize("shared", [2, 300])
def test_values_that_share_a_place_of_the_table(shared):
    """The products of these values with the multiplier differ in their last bits alone."""
    inverse = pow(int(repeated_texts._MULTIPLIER), -1, 2**64)
    few = [product * inverse % 2**64 for product in range(shared)]
    others = [10**15 * number for number in range(500)]
    require_numbered(np.array((few + others) * 5, np.uint64))


def test_a_missing_one_has_the_number_after_the_last():
    values = np.array([5, 9, 5, 9], np.int64)
    distinct, codes = numbered_integers(values, np.array([False, True, False, False]))
    texts = [*map(str, distinct.tolist()), ""]
    assert Repeated(texts, codes).column().to_list() == ["5", "", "5", "9"]
