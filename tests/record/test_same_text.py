"""Equal values have one text, whatever the order of their names, and other values have another."""

import math

import pytest

from ue_bench.record.same_text import same_text


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ({"b": 1, "a": {"d": 2, "c": [3]}}, {"a": {"c": [3], "d": 2}, "b": 1}),
        ([(1, 2), None], [[1, 2], None]),
        ({"name": "\ud800", "a": 1}, {"a": 1, "name": "\ud800"}),
        ({1: 2, 0: 1}, {0: 1, 1: 2}),
        (10**40, 10**40),
        (math.nan, None),
    ],
)
def test_equal_values_have_one_text(value, other):
    assert same_text(value) == same_text(other)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": "1"}, {"a": 1}),
        ([1, 2], [2, 1]),
        (0.1, 0.1 + 1e-17 * 4),
        ({"a": "ä"}, {"a": "a\u0308"}),
    ],
)
def test_other_values_have_another(value, other):
    assert same_text(value) != same_text(other)
