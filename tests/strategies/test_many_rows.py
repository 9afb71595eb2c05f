"""Rows that are copied and added up as wider numbers are those of a plain gather, to the bit."""

import pytest
import torch

from ue_bench.strategies.many_rows import (
    MANY,
    SOME,
    TrainedRows,
    added_up,
    adds_up_faster,
    is_narrow,
    read_rows,
    write_rows,
)
from ue_bench.strategies.pool import gather


def drawn(width, count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(width)
    table = torch.randn(97, width, generator=generator)
    if not dtype.is_floating_point:
        table = (table * 1e6).to(dtype)
    return table, torch.randint(97, (count,), generator=generator)


@pytest.mark.parametrize("count", [0, 1, SOME, MANY])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.int64])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
def test_rows_are_those_of_a_plain_gather(width, dtype, count):
    table, rows = drawn(width, count, dtype)
    for kind in (torch.int32, torch.int64):
        read = read_rows(table, rows.to(kind))
        assert read.dtype == dtype
        assert torch.equal(read, table[rows])


def test_a_part_of_a_table_is_read_from_where_it_begins():
    table, rows = drawn(4, 50)
    part = table[13:]
    assert torch.equal(read_rows(part, rows % len(part)), part[rows % len(part)])
    every_second = table[:, ::2]
    assert not is_narrow(every_second)
    assert torch.equal(read_rows(every_second, rows), every_second[rows])


@pytest.mark.parametrize("width", [2, 4, 8])
def test_a_table_may_begin_anywhere_in_its_memory(width):
    """As a parameter that was cut out of a vector of all parameters does."""
    plain, rows = drawn(width, MANY)
    memory = torch.zeros(3 + plain.numel())
    table = memory[3:].view_as(plain).copy_(plain)
    assert not is_narrow(table)
    assert torch.equal(read_rows(table, rows), plain[rows])
    assert torch.equal(gather(table, rows), plain[rows])
    upstream = torch.randn(3 + rows.numel() * width)
    found = []
    for weight in (plain.clone().requires_grad_(), table.detach().requires_grad_()):
        vectors = gather(weight, rows)
        # the gradient of the vectors begins anywhere, too
        (torch.cat([torch.ones(3), vectors.flatten()]) * upstream).sum().backward()
        found.append(weight.grad)
    assert torch.equal(*found)


@pytest.mark.parametrize("of_table", [0, 3])
@pytest.mark.parametrize("of_numbers", [0, 5])
def test_rows_are_written_wherever_their_memory_begins(of_table, of_numbers):
    order = torch.randperm(2 * MANY)[:MANY]
    table = torch.zeros(of_table + 8 * MANY)[of_table:].view(2 * MANY, 4)
    numbers = torch.randn(of_numbers + 4 * MANY)[of_numbers:].view(MANY, 4)
    write_rows(table, order, numbers)
    assert torch.equal(table[order], numbers)
    assert int(table.any(1).sum()) == MANY


@pytest.mark.parametrize(
    ("width", "count"), [(2, 3 * SOME), (4, 3 * SOME), (8, MANY), (5, 4 * MANY), (16, MANY)]
)
def test_gradients_are_added_up_in_the_same_order(width, count):
    table, rows = drawn(width, count)  # each row often
    assert adds_up_faster(table, rows)
    upstream = torch.randn(count, width)
    found = []
    for read in (TrainedRows.apply, lambda weight, rows: weight.index_select(0, rows), gather):
        weight = table.clone().requires_grad_()
        vectors = read(weight, rows)
        assert torch.equal(vectors, table[rows])
        vectors.backward(upstream)
        found.append(weight.grad)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_other_widths_and_few_rows_take_the_gather_of_torch():
    for width, count in ((1, 16 * MANY), (3, SOME), (16, SOME), (4, SOME - 1)):
        assert not adds_up_faster(*drawn(width, count))


@pytest.mark.parametrize("width", [1, 2, 3, 6, 8])
def test_no_rows_add_up_to_nothing(width):
    none = torch.empty(0, dtype=torch.int64)
    assert torch.equal(added_up(torch.empty(0, width), none, (5, width)), torch.zeros(5, width))
