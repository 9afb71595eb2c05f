"""Values and counts that are columns answer as Python's lists do."""

import numpy as np
import polars as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_bench.features import Counts, Feature
from ue_bench.strategies.vocabulary import Vocabulary, forgetting

TEXTS = st.lists(st.text(max_size=3), min_size=1, max_size=300, unique=True)


@settings(max_examples=60)
@given(TEXTS, st.lists(st.text(max_size=3), max_size=400), st.integers(1, 3), st.data())
def test_a_vocabulary_of_a_column_has_the_positions_of_one_of_a_list(known, asked, least, drawn):
    n_seen = drawn.draw(st.integers(0, len(known)))
    counts = drawn.draw(st.lists(st.integers(1, 3), min_size=n_seen, max_size=n_seen))
    of_list = Vocabulary(Feature("x", known, n_seen, counts, min_count=least))
    column = pl.Series(known, dtype=pl.String)
    in_array = Counts(np.array(counts, np.int64))
    of_column = Vocabulary(Feature("x", column, n_seen, in_array, min_count=least))
    assert (of_column.size, of_column.n_bytes) == (of_list.size, of_list.n_bytes)
    asked = asked + known
    expected = of_list.positions(asked).tolist()
    for values in (asked, pl.Series(asked, dtype=pl.String)):
        found = of_column.positions(values)
        assert found.dtype == np.int64
        assert found.tolist() == expected
    with forgetting([of_column]):
        assert set(of_column.positions(column).tolist()) == {of_list.size}


def test_many_values_at_once_need_no_dictionary():
    column = pl.Series(range(1_000)).cast(pl.String)
    vocabulary = Vocabulary(Feature("x", column, 900))
    assert vocabulary.positions(column).tolist() == [*range(900), *[900] * 100]
    assert "_position" not in vars(vocabulary)
    assert vocabulary.positions(["3"]).tolist() == [3]


def test_counts_are_pythons_numbers_when_they_are_read():
    counts = Counts(np.array([3, 1, 2], np.int64))
    assert counts == [3, 1, 2]
    assert counts != [3, 1]
    assert {type(count) for count in (*counts, counts[0], max(counts))} == {int}
    assert counts[1:] == [1, 2]
    assert isinstance(counts[1:], Counts)
    assert bool(counts)
    assert not Counts(np.empty(0, np.int64))
    assert np.asarray(counts) is counts.numbers
    assert np.array(counts, copy=True) is not counts.numbers
    assert torch.tensor(counts).tolist() == [3, 1, 2]
    assert repr(counts) == "[3, 1, 2]"
