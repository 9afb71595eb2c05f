"""Rows are combined as torch combines them, to the last bit, and so are their gradients."""

import pytest
import torch

from ue_bench.strategies.parts import added, multiplied


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
@pytest.mark.parametrize("numbers", [1, 8, 32])
@pytest.mark.parametrize(("combine", "reduce"), [(added, torch.sum), (multiplied, torch.prod)])
def test_numbers_and_gradients_are_those_of_torch(combine, reduce, parts, numbers):
    torch.manual_seed(0)
    rows = torch.randn(64, 3, parts, numbers, requires_grad=True)
    weights = torch.randn(64, 3, numbers)
    combined = combine(rows)
    assert torch.equal(combined, reduce(rows, 2))
    (gradient,) = torch.autograd.grad((combined * weights).sum(), rows)
    (expected,) = torch.autograd.grad((reduce(rows, 2) * weights).sum(), rows)
    torch.testing.assert_close(gradient, expected)
