"""CAFE: the sketch batch by batch against a plain one, and what becomes of hot values."""

from dataclasses import replace

import pytest
import torch

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.strategies.methods.cafe import WAYS

USER = Feature("user", [f"u{i}" for i in range(60)], 60, [*range(60, 0, -1)])
FLAG = Feature("flag", ["no", "yes"], 2, [30, 10])


def made(budget=2_000, lookups=(2, 1), **options):
    spec = Spec(
        name="cafe",
        features=(USER, FLAG),
        lookups=lookups,
        dim=8,
        budget=budget,
        options={"hot_share": 0.4, **options},
    )
    torch.manual_seed(0)
    return build(spec)


def train_on(built, codes, factors):
    out = built(codes)
    (out * factors).sum().backward()


def by_hand(built, batches):
    """The sketch after some batches, one value at a time: (bucket, place) -> key, importance."""
    sketch = {}
    for codes, factors in batches:
        added = {}
        for row, factor in zip(
            codes.tolist(), factors.split(list(built.widths), 1)[0], strict=True
        ):
            place = int(built._place(0, [USER.values[row[0]]])[0])
            added[place] = added.get(place, 0) + float(factor.norm())
        for row, factor in zip(
            codes.tolist(), factors.split(list(built.widths), 1)[1], strict=True
        ):
            place = int(built._place(1, [FLAG.values[row[1]]])[0])
            added[place] = added.get(place, 0) + float(factor.norm())
        absent = {}
        for place, amount in sorted(added.items()):
            bucket, key = divmod(place, 2**32)
            ways = sketch.setdefault(bucket, [[0, 0.0] for _ in range(WAYS)])
            for way in ways:
                if way[0] == key:
                    way[1] += amount
                    break
            else:
                absent.setdefault(bucket, []).append((amount, key))
        for bucket, others in absent.items():
            amount, key = max(others)
            least = min(sketch[bucket], key=lambda way: way[1])
            least[0] = key
            least[1] += amount
    return sketch


def test_the_sketch_keeps_what_has_the_largest_gradients():
    built = made()
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(6):
        codes = torch.stack(
            [torch.randint(60, (20,), generator=generator), torch.randint(2, (20,))], dim=1
        )
        factors = torch.rand(20, sum(built.widths), generator=generator)
        batches.append((codes, factors))
        train_on(built, codes, factors)
    expected = by_hand(built, batches)
    for bucket, ways in expected.items():
        found = {}
        keys = built._seen_keys[bucket].tolist()
        for key, importance in zip(keys, built._seen_importance[bucket].tolist(), strict=True):
            found[key % 2**32] = importance
        for key, importance in ways:
            assert found[key] == pytest.approx(importance, rel=1e-4)


def test_hot_values_own_rows_and_start_from_where_they_were():
    built = made()
    often = torch.tensor([[3, 0], [3, 1], [8, 0]]).repeat(10, 1)
    train_on(built, often, torch.ones(30, sum(built.widths)))
    values = [[*USER.values], [*FLAG.values] * 30]
    before = built.from_values(values).detach()
    located = built.locate(0, USER.values)[:, :2]
    assert (located >= built.first).all(), "nobody is hot yet"
    assert built.finish_epoch(0)
    rows = built.locate(0, USER.values)[:, :2]
    assert (rows[[3, 8]] < built.first).all()
    others = torch.cat([rows[:3], rows[4:8], rows[9:]])
    assert (others >= built.first).all()
    hot = torch.cat([rows[3], rows[8]])
    assert len(hot.unique()) == 4
    assert torch.equal(built.from_values(values), before), "a move changes no vector"
    train_on(built, often, torch.ones(30, sum(built.widths)))
    assert built.finish_epoch(1)
    assert torch.equal(built.locate(0, USER.values)[[3, 8], :2], rows[[3, 8]]), "they stay"


def test_what_is_not_trained_any_more_loses_its_rows():
    built = made(budget=800, hot_epochs=9)
    n_hot = built.n_hot
    assert n_hot < 20
    train_on(built, torch.tensor([[3, 0]]), torch.ones(1, sum(built.widths)))
    built.finish_epoch(0)
    assert (built.locate(0, ["u3"])[:, :2] < built.first).all()
    for epoch in range(1, 6):
        codes = torch.stack([torch.arange(10, 60), torch.arange(50) % 2], dim=1)
        train_on(built, codes, 5 * torch.ones(50, sum(built.widths)))
        built.finish_epoch(epoch)
    assert (built.locate(0, ["u3"])[:, :2] >= built.first).all()
    units = built.units[built.units >= 0]
    assert len(units.unique()) == len(units) <= n_hot, "no row has two owners"


def test_values_move_only_in_the_first_epochs():
    built = made(hot_epochs=1)
    train_on(built, torch.tensor([[3, 0]]), torch.ones(1, sum(built.widths)))
    assert built.finish_epoch(0)
    train_on(built, torch.tensor([[9, 0]]), 9 * torch.ones(1, sum(built.widths)))
    assert not built.finish_epoch(1)
    assert (built.locate(0, ["u9"])[:, :2] >= built.first).all()


def test_the_sketch_is_paid_for():
    built = made()
    assert built.footprint().auxiliary == 12 * WAYS * built.n_hot
    assert built.footprint().vocabulary == 0


@pytest.mark.parametrize(
    ("knob", "value"), [("hot_share", 0.0), ("hot_share", 1.0), ("hot_epochs", -1)]
)
def test_a_bad_knob_is_one_line(knob, value):
    with pytest.raises(BenchError, match=f"knob {knob}="):
        made(**{knob: value})


@pytest.mark.parametrize("budget", [300, 400, 700, 900, 2_000])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_every_feature_has_a_hashed_row(budget, share):
    spec = Spec(
        name="cafe",
        features=(USER, FLAG),
        lookups=(2, 1),
        dim=8,
        budget=budget,
        regions="separate",
        options={"hot_share": share},
    )
    try:
        built = build(spec)
    except BudgetError as error:
        built = build(replace(spec, budget=error.works))
    assert min(region.size for region in built.regions) >= 1
    assert built.regions[-1].end + built.first == built.pool.rows
