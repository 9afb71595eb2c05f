"""Rows that occur several times are found once, each in its place."""

import pytest
import torch

from ue_bench.strategies.distinct_rows import COMPARED, FEWEST, distinct_rows
from ue_bench.strategies.methods.deep_hash import DeepHash
from ue_bench.strategies.spec import Spec
from ue_bench.testing import FEATURES

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("numbers", [1, 2, 5, 2 * COMPARED])
def test_every_row_is_at_its_place(numbers, dtype):
    torch.manual_seed(0)
    some = torch.randint(0, 2**31 - 1, (70, numbers), dtype=dtype)
    rows = some[torch.randint(0, 70, (2 * FEWEST,))]
    distinct, place = distinct_rows(rows)
    assert len(distinct) == len(rows.unique(dim=0))
    assert torch.equal(distinct[place], rows)


@pytest.mark.parametrize("place", [2, COMPARED - 1])
def test_rows_that_differ_only_in_later_numbers_are_left_as_they_are(place):
    rows = torch.ones(FEWEST, 2 * COMPARED, dtype=torch.int64)
    assert distinct_rows(rows) is not None
    rows[5, place] = 7
    assert distinct_rows(rows) is None


def test_few_rows_are_left_as_they_are():
    assert distinct_rows(torch.ones(FEWEST - 1, 2, dtype=torch.int64)) is None


@pytest.mark.parametrize("regions", ["multiplexed", "separate"])
def test_a_network_gives_many_rows_the_vectors_and_gradients_of_few(regions):
    """What repeats is computed once, and its gradients are those of all of its rows."""
    torch.manual_seed(0)
    spec = Spec(
        name="dhe", features=FEATURES, lookups=(2, 1, 1), dim=8, budget=4_000, regions=regions
    )
    layer = DeepHash(spec)
    codes = torch.stack(
        [torch.randint(0, feature.cardinality, (3 * FEWEST,)) for feature in FEATURES], dim=1
    )
    weights = torch.randn(len(codes), sum(layer.widths))
    together = layer(codes)
    (together * weights).sum().backward()
    gradients = [parameter.grad.clone() for parameter in layer.parameters()]
    layer.zero_grad()
    few = FEWEST // 4
    alone = torch.cat([layer(part) for part in codes.split(few)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    (alone * weights).sum().backward()
    for parameter, gradient in zip(layer.parameters(), gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-3)
