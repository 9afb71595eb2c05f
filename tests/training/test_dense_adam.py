"""Adam of the dense parameters: torch's own results to the bit, and its state."""

import pytest
import torch
from torch import nn

from ue_bench.training.dense_adam import DenseAdam

RULES = {
    "adam": (torch.optim.Adam, False, 0.0),
    "adam with decay": (torch.optim.Adam, False, 0.02),
    "adamw": (torch.optim.AdamW, True, 0.02),
}


def weights_after(steps, optimizer_of, dtype=torch.float32):
    """A small network after some steps, of which every third leaves one layer without gradient."""
    torch.manual_seed(0)
    network = nn.ModuleList([nn.Linear(7, 5), nn.Linear(5, 3), nn.Linear(3, 1)]).to(dtype)
    optimizer = optimizer_of(network.parameters())
    for step in range(steps):
        optimizer.zero_grad()
        x = network[0](torch.randn(16, 7, dtype=dtype)).relu()
        x = network[1](x) if step % 3 else x[:, :3]
        network[2](x).square().mean().backward()
        optimizer.step()
    return list(network.parameters()), optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", RULES)
def test_it_moves_weights_as_torch_does_to_the_bit(rule, dtype):
    theirs, decoupled, decay = RULES[rule]
    expected, reference = weights_after(
        50, lambda w: theirs(w, lr=0.01, weight_decay=decay, fused=True), dtype
    )
    weights, optimizer = weights_after(50, lambda w: DenseAdam(w, 0.01, decay, decoupled), dtype)
    for ours, torchs in zip(weights, expected, strict=True):
        assert torch.equal(ours, torchs)
        for name, value in reference.state[torchs].items():
            assert torch.equal(optimizer.state[ours][name], value), name


def test_each_thing_that_may_be_chosen_changes_the_weights():
    plain, _ = weights_after(9, lambda w: DenseAdam(w, 0.01))
    for options in ({"lr": 0.02}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}):
        other, _ = weights_after(9, lambda w, o=options: DenseAdam(w, **{"lr": 0.01, **o}))
        assert not torch.equal(plain[0], other[0]), options


def test_gradients_are_dropped():
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    DenseAdam([weight], 0.1).zero_grad()
    assert weight.grad is None


def test_a_weight_without_gradient_keeps_its_value_and_its_steps():
    weight = nn.Parameter(torch.ones(2))
    untouched = nn.Parameter(torch.ones(2))
    optimizer = DenseAdam([weight, untouched], 0.1, weight_decay=0.5)
    weight.grad = torch.ones(2)
    optimizer.step()
    assert untouched.tolist() == [1, 1]
    assert optimizer.state[untouched]["step"] == 0
    assert optimizer.state[weight]["step"] == 1
