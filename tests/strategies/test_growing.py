"""Strategies that take in the values of a stream: who owns which rows, and what starts anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.strategies.arrived import Arrived
from ue_bench.strategies.methods.zero_collision import FREE

USER = Feature("user", [f"u{n}" for n in range(60)], 3, [3, 2, 1])
FLAG = Feature("flag", ["no", "yes"], 2, [4, 2])
LOOKUPS = (2, 1)
OF_UNSEEN = 3  # rows


def made(name, budget, features=(USER, FLAG), **options):
    spec = Spec(
        name=name,
        features=features,
        lookups=LOOKUPS,
        dim=4,
        budget=budget,
        grows=True,
        options=options,
    )
    spec = replace(spec, regions="exact" if "exact" in name else "multiplexed")
    torch.manual_seed(0)
    return build(spec)


def arrive(built, block, users, flags=None):
    """Show the strategy a block with these rows of users, by code and count."""
    flags = flags or {0: 1}
    codes = tuple(np.array(sorted(values), np.int64) for values in (users, flags))
    counts = tuple(
        np.array([values[code] for code in sorted(values)], np.int64) for values in (users, flags)
    )
    return built.observe(Arrived(block, codes, counts))


def vectors_of(built, feature, values):
    """What the rows of values hold, as far as they have any."""
    slots = built.locate(feature, values)
    return built.pool(slots.clamp_min(0)) * (slots >= 0).unsqueeze(-1)


def rows_of(built):
    """The rows of each (feature, code) that has some of its own."""
    found = {}
    for index, feature in enumerate((USER, FLAG)):
        unseen = built.locate_as_unseen(index, feature.values[:1])[0].tolist()
        for code, rows in enumerate(built.locate(index, feature.values).tolist()):
            if rows != unseen:
                found[index, code] = rows
    return found


def test_values_get_rows_as_they_arrive():
    built = made("growing_exact", None)
    assert set(rows_of(built)) == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)}
    before = built.live_rows()
    assert before == 3 * 2 + 2 + OF_UNSEEN
    assert arrive(built, 1, {5: 1, 7: 2}) is None, "nobody lost a row"
    owners = rows_of(built)
    assert {(0, 5), (0, 7)} <= set(owners)
    assert built.live_rows() == before + 4
    every = [row for rows in owners.values() for row in rows]
    assert len(every) == len(set(every))
    texts = sum(len(USER.values[code]) for code in (0, 1, 2, 5, 7)) + len("noyes")
    assert built.footprint().vocabulary == texts + 4 * 7


def test_the_oldest_values_give_way_and_their_rows_start_anew():
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 * 3 + 2))  # for three users and both flags
    assert built.live_rows() == built.pool.rows
    assert arrive(built, 1, {0: 1, 1: 1}, {0: 1, 1: 1}) is None
    before = rows_of(built)
    reset = arrive(built, 2, {9: 1}, {0: 1, 1: 1})
    after = rows_of(built)
    assert (0, 2) not in after, "it was seen longest ago"
    assert after[0, 9] != before[0, 0]
    assert sorted(after[0, 9]) == sorted(before[0, 2]) == reset.rows.tolist()
    reset = arrive(built, 3, {2: 1, 10: 3}, {0: 1, 1: 1})
    assert {(0, 10), (0, 2)} <= set(rows_of(built))
    assert len(reset.rows) == 4


def test_a_row_that_waits_for_blocks_starts_anew_with_its_next_owner():
    """A flag takes one of the two rows of a user, and another flag the other one later."""
    flags = Feature("flag", ["no", "yes", "maybe", "never"], 2, [4, 2])
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 * 3 + 2), (USER, flags))
    lost = built.locate(0, ["u2"])[0].tolist()
    reset = arrive(built, 1, {0: 1, 1: 1}, {0: 1, 1: 1, 2: 1})
    first = built.locate(1, ["maybe"])[0].tolist()
    assert reset.rows.tolist() == first
    assert len(built.free) == 1, "the other row waits"
    reset = arrive(built, 2, {0: 1, 1: 1}, {0: 1, 1: 1, 2: 1, 3: 1})
    second = built.locate(1, ["never"])[0].tolist()
    assert sorted(first + second) == sorted(lost)
    assert reset is not None
    assert reset.rows.tolist() == second


@pytest.mark.parametrize("evict", ["age", "frequency"])
def test_nobody_gives_way_for_a_newcomer_that_needs_more_rows_than_come_free(evict):
    features = (Feature("user", USER.values, 1, [9]), Feature("flag", FLAG.values, 2, [1, 50]))
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 + 2), features, evict=evict)
    before = rows_of(built)
    # the first flag alone is away, and has one row where a user needs two
    assert arrive(built, 1, {0: 1, 1: 3}, {1: 1}) is None
    assert rows_of(built) == before
    assert built.free == []
    codes = torch.tensor([[0, 0], [1, 1]])
    vectors = built.eval()(codes)
    assert torch.equal(vectors, built.from_values({"user": ["u0", "u1"], "flag": ["no", "yes"]}))


def test_a_newcomer_of_few_rows_takes_the_place_that_helped_no_other_one():
    """Three users come, and the one flag that is away has room for none of them."""
    flags = Feature("flag", ["no", "yes", "maybe"], 2, [1, 50])
    features = (Feature("user", USER.values, 1, [9]), flags)
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 + 2), features)
    lost = built.locate(1, ["no"])[0].tolist()
    reset = arrive(built, 1, {0: 1, 1: 3, 2: 3, 3: 3}, {1: 1, 2: 1})
    assert built.locate(1, ["maybe"])[0].tolist() == lost == reset.rows.tolist()
    assert built.locate_as_unseen(0, ["u1"]).equal(built.locate(0, ["u1"]))


def test_rare_values_give_way_to_more_frequent_ones_alone():
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 * 3 + 2), evict="frequency")
    assert arrive(built, 1, {0: 1, 1: 1, 2: 1}, {0: 1, 1: 1}) is None
    assert arrive(built, 2, {9: 1}, {0: 1, 1: 1}) is None, "it is rarer than the rarest"
    assert (0, 9) not in rows_of(built)
    assert arrive(built, 3, {9: 4}, {0: 1, 1: 1}) is not None
    owners = rows_of(built)
    assert (0, 9) in owners
    assert (0, 2) not in owners


def test_nobody_gives_way_where_nobody_may():
    built = made("evicting_exact", 16 * (OF_UNSEEN + 2 * 3 + 2), evict="never")
    before = rows_of(built)
    assert arrive(built, 9, {20: 50}) is None
    assert rows_of(built) == before


def test_rows_follow_the_vocabulary_once_training_has_ended():
    built = made("evicting_exact", 16 * 20)
    arrive(built, 1, {30: 1, 8: 2})
    values = [[*USER.values[:9], "u30", "nobody"], ["no", "yes", "?"]]
    vectors = [built.pool(built.locate(index, own)) for index, own in enumerate(values)]
    built.finish_training()
    for index, (own, before) in enumerate(zip(values, vectors, strict=True)):
        assert torch.equal(built.pool(built.locate(index, own)), before)
    served = built.to_serve(0)
    assert served.vocabulary == ["u0", "u1", "u2", "u8", "u30"]
    again = replace(built.spec, features=(served, built.to_serve(1)), unfilled=True, options={})
    loaded = build(again)
    for index, own in enumerate(values):
        assert torch.equal(loaded.locate(index, own), built.locate(index, own))


def test_frequent_values_take_the_rows_of_rarer_owners():
    built = made("frequency_threshold", 16 * 20, frequent_share=0.5)
    waiting = len(built.waiting[0])
    assert built.live_rows() == 20 - waiting
    assert set(built.owned[0]) == {0, 1, 2}
    arrive(built, 1, {40: 1})
    assert 40 in built.owned[0], "there was room"
    arrive(built, 2, dict.fromkeys(range(20, 30), 9))
    counts = built.seen.counts[0]
    least = min(counts[code] for code in built.owned[0])
    others = [counts[code] for code in range(60) if code not in built.owned[0]]
    assert max(others) <= least
    hashed_from = built.rest[0].start
    for first in built.owned[0].values():
        assert first + 1 < hashed_from
    taken = [first + k for first in built.owned[0].values() for k in range(2)]
    taken += list(built.owned[1].values())
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("name", ["frequency_threshold", "frequency_double_hash"])
def test_owned_rows_follow_the_counts_once_training_has_ended(name):
    """Counts are all that a saved model has to give values their rows."""
    built = made(name, 16 * 24, frequent_share=0.6)
    arrive(built, 1, {40: 1, 41: 7})
    arrive(built, 2, dict.fromkeys(range(20, 24), 9), {1: 3})
    values = [list(USER.values[:45]), ["no", "yes", "?"]]
    vectors = [vectors_of(built, index, own) for index, own in enumerate(values)]
    order = [built.owned[0][code] for code in sorted(built.owned[0])]
    assert order != sorted(order), "values that arrived late were more frequent"
    built.finish_training()
    for index, (own, before) in enumerate(zip(values, vectors, strict=True)):
        assert torch.equal(vectors_of(built, index, own), before)
    served = tuple(built.to_serve(index) for index in range(2))
    options = {"frequent_share": 0.6}
    loaded = build(replace(built.spec, features=served, unfilled=True, options=options))
    for index, own in enumerate(values):
        assert torch.equal(loaded.locate(index, own), built.locate(index, own))
    assert loaded.live_rows() == built.live_rows()


def test_expired_keys_give_way():
    built = made("zero_collision", 24 * 6, probes=6, expires=2)
    arrive(built, 1, dict.fromkeys(range(10, 20), 1), {0: 1, 1: 1})
    assert (built.keys != FREE).all(), "all rows are owned"
    keys = set(built.keys.tolist())
    assert arrive(built, 2, {40: 1}) is None, "nothing has expired"
    assert set(built.keys.tolist()) == keys
    reset = arrive(built, 6, {41: 1})
    assert reset is not None
    row = built.locate(0, ["u41"])[0]
    assert set(reset.rows.tolist()) <= set(row.tolist())
    assert len(set(built.keys.tolist()) - keys) == len(reset.rows)


@pytest.mark.parametrize("name", ["growing_exact", "evicting_exact"])
def test_values_below_min_count_wait(name):
    features = tuple(replace(feature, min_count=3) for feature in (USER, FLAG))
    built = made(name, None if name == "growing_exact" else 16 * 30, features)
    assert (0, 0) in rows_of(built)
    assert (0, 1) not in rows_of(built)
    arrive(built, 1, {1: 1})
    assert (0, 1) in rows_of(built), "two rows before and one now"
