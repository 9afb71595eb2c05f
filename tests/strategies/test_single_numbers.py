"""Methods of single numbers: the same vectors in batches of any size, and few bits by one table."""

from dataclasses import replace

import pytest
import torch

from ue_bench.strategies import build
from ue_bench.strategies.many_rows import MANY
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.testing import StrategyContract


def layer(name, bits, step="pool", **changes):
    contract = type("Of", (StrategyContract,), {"strategy": name})()
    spec = contract.spec(**changes)
    numbers = NumberFormat(name=bits, step=step)
    return build(replace(spec, numbers=numbers, budget=700))


@pytest.mark.parametrize("bits", ["float32", "int4", "int2", "int1", "int3"])
@pytest.mark.parametrize("name", ["hashed_net", "robe"])
def test_many_rows_have_the_vectors_of_few(name, bits):
    built = layer(name, bits).eval()
    built.finish_training()
    codes = torch.stack([torch.arange(3000) % size for size in (120, 60, 3)], dim=1)
    with torch.no_grad():
        whole = built(codes)
        assert whole.numel() > MANY
        parts = torch.cat([built(part) for part in codes.split(7)])
    assert torch.equal(whole, parts)


@pytest.mark.parametrize("step", ["pool", "row"])
@pytest.mark.parametrize("bits", ["int4", "int2", "int1"])
def test_signed_single_numbers_are_the_rounded_ones(bits, step):
    built = layer("hashed_net", bits, step).eval()
    pool = built.pool
    expected = pool.table().detach().flatten()
    built.finish_training()
    assert pool.few_bits.has_singles == (step == "pool")
    for kind in (torch.int32, torch.int64):
        slots = torch.arange(2 * pool.rows, dtype=kind).unsqueeze(1)
        both = torch.stack([expected, -expected], dim=1).flatten()
        assert torch.equal(built.embed(slots).flatten(), both)
    rows = torch.arange(pool.rows)
    assert torch.equal(pool(rows).flatten(), expected)


def test_a_moved_or_loaded_pool_has_new_tables():
    one, other = layer("hashed_net", "int2"), layer("hashed_net", "int2")
    for built in (one, other):
        built.eval().finish_training()
    slots = torch.arange(40).unsqueeze(1)
    before = one.embed(slots)
    other.embed(slots)
    one.pool.few_bits.steps.mul_(2)
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.embed(slots), 2 * before)
