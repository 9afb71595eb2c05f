"""GraphHash: which values share a row, what the sum is, and what its pointers cost."""

from dataclasses import replace

import pytest
import torch
import xxhash

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Bags, Feature
from ue_bench.strategies import Spec, build
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.strategies.value_graph import ValueGraph
from ue_bench.strategies.vocabulary import Vocabulary

N = 40
# Even users meet even items alone, odd ones odd items.
PAIRS = [(user, item) for user in range(N) for item in range(N) if (user - item) % 2 == 0]
CODES = torch.tensor(PAIRS)
USER = Feature("user", [f"u{i}" for i in range(N + 1)], N, [N // 2] * N)
ITEM = Feature("item", [f"i{i}" for i in range(N + 1)], N, [N // 2] * N)


SEEN = TrainingRows.of((USER, ITEM), CODES)


def made(name="graph_hash", rows=2, regions="multiplexed", seen=SEEN, **changes):
    """The strategy with so many rows in all, and pointers of one bit for its 80 values."""
    spec = Spec(
        name=name,
        features=(USER, ITEM),
        lookups=(1, 1),
        dim=8,
        budget=32 * rows + 2 * N // 8,
        regions=regions,
        region_rule="equal",
        rows=seen,
    )
    torch.manual_seed(0)
    return build(replace(spec, **changes))


def test_values_that_meet_share_a_row():
    built = made()
    rows = torch.cat([built.locate(0, USER.values[:N]), built.locate(1, ITEM.values[:N])], dim=1)
    assert (rows[0::2] == rows[0, 0]).all()
    assert (rows[1::2] == rows[1, 0]).all()
    assert rows[0, 0] != rows[1, 0]


def test_separate_features_share_no_row_and_keep_their_clusters():
    built = made(rows=4, regions="separate")
    users = built.locate(0, USER.values[:N]).flatten()
    items = built.locate(1, ITEM.values[:N]).flatten()
    assert set(users[0::2].tolist()).isdisjoint(users[1::2].tolist())
    assert set(users.tolist()) == {0, 1}
    assert set(items.tolist()) == {2, 3}


def test_frequent_values_get_the_rows_that_clusters_leave():
    counts = [N // 2] * (N - 2) + [99, 98]
    features = (replace(USER, counts=counts), ITEM)
    built = made(rows=4, features=features, budget=4 * 32 + 2 * 2 * N // 8 + 3)
    users = built.locate(0, USER.values[:N]).flatten().tolist()
    items = built.locate(1, ITEM.values[:N]).flatten().tolist()
    assert len({*users, *items}) == 4
    assert users.count(users[-1]) == users.count(users[-2]) == 1
    assert len(set(users[:-2])) == 2


@pytest.mark.parametrize("name", ["graph_hash", "double_graph_hash"])
def test_vectors_are_sums_of_rows(name):
    built = made(name)
    weight = built.pool.weight.detach()
    values = [*USER.values[:3], "nobody"]
    out = built.embed(torch.cat([built.locate(0, values), built.locate(1, ITEM.values[:4])], 1))
    rows = made().locate(0, values).flatten()
    seed = xxhash.xxh32_intdigest(b"user\x1f0", 0)
    for value, row, vector in zip(values, rows, out, strict=True):
        hashed = xxhash.xxh32_intdigest(value.encode(), seed) % 2
        if value == "nobody":
            assert row == hashed
        expected = weight[row]
        if name == "double_graph_hash":
            expected = expected + weight[hashed]
        assert torch.equal(vector[:8], expected)


def test_each_lookup_has_clusters_of_its_own():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(N, (300, 2), generator=generator)
    rows = TrainingRows.of((USER, ITEM), codes)
    built = made(rows=9, lookups=(2, 1), budget=9 * 32 + 3 * N // 2 + 1, seen=rows)
    first, second = built.locate(0, USER.values[:N]).T
    by_first = {}
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        by_first.setdefault(one, set()).add(other)
    assert any(len(others) > 1 for others in by_first.values())


def test_values_of_a_bag_meet_once_in_a_row():
    bags = Bags.of([[0, 2], [1, 3]])
    items = replace(ITEM, bags=bags)
    codes = torch.tensor([[0, 0], [2, 0], [1, 1], [3, 1]])
    rows = TrainingRows.of((USER, items), codes)
    assert rows.count == 4
    assert rows.owner.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert rows.codes[:, 1].tolist() == [0, 2, 0, 2, 1, 3, 1, 3]
    graph = ValueGraph((USER, items), [Vocabulary(USER), Vocabulary(ITEM)], rows)
    user, item = graph.starts
    assert graph._weights[user, item] == 1, "the row has its user once, whatever its bag has"
    assert graph._weights[item, item + 2] == 2, "both rows have this bag"
    assert graph._weights[item, item + 1] == 0


def test_budgets_and_rows_that_do_not_work():
    with pytest.raises(BudgetError, match="does not pay for 80 pointers and a row") as error:
        made(budget=20)
    made(budget=error.value.works)
    with pytest.raises(BenchError, match="which values meet, and none were given"):
        made(rows=2, seen=None)
