"""What is tried first on data that is like a published world: what led there on validation."""

from dataclasses import replace

import fake_records as fake
import pytest
from fake_advice import World

from ue_bench import advise as room
from ue_bench import record
from ue_bench.advise import rounds
from ue_bench.advise.candidates import FORMS, as_led, find_candidates
from ue_bench.advise.nearest_world import distances_from, kind_of, nearest_world
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.record.packed import PACKED, write_packed
from ue_bench.record.store import pack_compact
from ue_bench.record.world_facts import FEW, WORLD, facts_of, world_facts
from ue_bench.training.run_once import run_once

BASE = RunConfig(dataset="planted-additive")
MEMORY = 20_000
EXACT = 224_256  # bytes of the exact table of the made-up worlds
SIZES = (16, 4)
# By size, the arms of the two worlds in the order of validation.
LED = {
    "a": {
        16: ("robe", "per_feature sqrt", "hashed_net int2", "unified", "collisionless"),
        4: ("collisionless", "unified", "robe", "per_feature sqrt", "hashed_net int2"),
    },
    "b": {
        16: ("collisionless", "per_feature sqrt", "unified", "hashed_net int2", "robe"),
        4: ("hashed_net int2", "robe", "per_feature sqrt", "collisionless", "unified"),
    },
}
DATASETS = {"a": "ml-100k", "b": "baseball"}
FORMS_OF = {
    "robe": {"strategy": "robe", "regions": "multiplexed"},
    "per_feature sqrt": {"strategy": "per_feature", "region_rule": "sqrt"},
    "hashed_net int2": {"strategy": "hashed_net", "regions": "multiplexed", "bits": "int2"},
    "unified": {"strategy": "unified"},
    "collisionless": {"strategy": "collisionless"},
}
# The candidate that each of these arms puts forward.
CANDIDATE = {
    "robe": "robe",
    "per_feature sqrt": "per_feature",
    "hashed_net int2": "hashed_bits",
    "unified": "unified",
    "collisionless": "collisionless",
}


def rarity_of(unseen, rare):
    """Counts of 1,000 scored rows, of which these shares have an unseen or a rare value."""
    few = round(1_000 * rare)
    slices = {"0": 1_000 - round(1_000 * unseen), "1": round(1_000 * unseen)}
    bounds = {"first": 1, "last": 10, "least": 0}
    return {
        "of": "test",
        "unseen": {name: {"n": n, "mse": 1.0} for name, n in slices.items()},
        "deciles": [
            {**bounds, "most": FEW - 1, "n": few, "mse": 1.0},
            {**bounds, "most": FEW, "n": 1_000 - few, "mse": 1.0},
        ],
    }


def planted(name, facts, seeds=2):
    """The runs of one world. Its test scores are in the opposite order of those of validation."""
    for arm, form in FORMS_OF.items():
        for size in SIZES if arm != "collisionless" else (None,):
            budget = EXACT // size if size else None
            # An exact table has one score, which is ahead or behind by the size it is beside.
            place = LED[name][size or 16].index(arm)
            score = 0.8 + 0.01 * place
            if size == 4:
                score = 0.8 + 0.01 * (place - LED[name][4].index("collisionless"))
                score += 0.01 * LED[name][16].index("collisionless")
            for seed in range(seeds):
                asked = fake.config(
                    seed=seed, dataset=DATASETS[name], budget=budget, dim=8, lookups=2, **form
                )
                made = fake.make(asked, "worlds", mse=1.0)
                scores = {"val_mse": score + 0.1 * seed, "test_mse": 2.0 - score}
                n_rows = made.found["n_rows"] | {"train": facts["rows"]}
                yield replace(
                    made,
                    found=made.found
                    | {"n_rows": n_rows, "n_seen": facts["n_seen"], "exact_table_bytes": EXACT},
                    quality=made.quality | scores | {"rarity": facts["rarity"]},
                )


@pytest.fixture(scope="module")
def own():
    """The facts of the table of the question."""
    return Sizes(question()).world


def question(base=BASE, memory=MEMORY):
    return room.Question.of(base, memory, None, 10, None)


def published(folder, like, own):
    """A results folder with both worlds, of which `like` is like the table of the question."""
    near = {
        "rows": own["rows"],
        "n_seen": {"user": round(own["values"])},
        "rarity": rarity_of(own["unseen"], own["rare"]),
    }
    far = {"rows": 10**6, "n_seen": {"user": 10**5}, "rarity": rarity_of(0.9, 1.0)}
    for name in LED:
        for run in planted(name, near if name == like else far):
            record.write(run, folder)
    return folder


def in_order(nearest, memory=MEMORY):
    """The strategies of the candidates, in the order in which they are tried."""
    asked = question(memory=memory)
    candidates = as_led(find_candidates(Sizes(asked), BASE), nearest)
    return [(fit.config.strategy, fit.config.region_rule) for fit in candidates.fits]


@pytest.mark.parametrize("like", ["a", "b"])
@pytest.mark.parametrize(("part", "size"), [(1 / 30, 16), (1 / 9, 16), (1 / 7, 4), (3.0, 4)])
def test_a_table_like_a_world_gets_its_order_of_validation_at_the_nearest_size(
    tmp_path, own, like, part, size
):
    nearest = nearest_world(own, part, published(tmp_path, like, own))
    assert DATASETS[like] in nearest.world
    assert nearest.size == size
    assert nearest.distance < nearest.runner_up_distance
    tried = in_order(nearest, memory=10**6)
    expected = [CANDIDATE[arm] for arm in LED[like][size]]
    assert [strategy for strategy, _ in tried[:5]] == expected
    assert ("per_feature", "sqrt") in tried[:5]


def test_the_other_candidates_follow_as_they_stood(tmp_path, own):
    nearest = nearest_world(own, 1 / 16, published(tmp_path, "a", own))
    usual = in_order(None, memory=10**6)
    tried = in_order(nearest, memory=10**6)
    assert len(tried) == len(FORMS)
    assert sorted(tried, key=str) == sorted(usual, key=str)
    # Another shape of what led is no kind of its own, and waits.
    assert tried[5:] == [form for place, form in enumerate(usual) if place not in (0, 1, 2, 5, 10)]


def test_without_records_the_order_is_the_usual_one_and_nothing_is_said(
    tmp_path, own, quick_results, monkeypatch
):
    assert nearest_world(own, 0.1, tmp_path / "nowhere") is None
    assert nearest_world(own, 0.1, tmp_path) is None
    world = World(lambda config: 0.8)
    monkeypatch.setattr(rounds, "Workers", world.workers)
    found = world.ask(question(), quick_results)
    assert found["nearest"] is None
    assert "Tried first" not in room.as_text(found, "results")


def test_the_answer_names_the_world_and_its_figures(tmp_path, own, quick_results, monkeypatch):
    folder = published(tmp_path, "b", own)
    world = World(lambda config: 0.8, seconds=6.0, published=folder)
    monkeypatch.setattr(rounds, "Workers", world.workers)
    found = world.ask(question(), quick_results)
    nearest = found["nearest"]
    assert nearest["world"] == "base (baseball, random split)"
    # At 1/4; the exact table, which was fourth there, does not fit.
    assert nearest["first"] == [
        "hashed_bits 4×8",
        "robe 2×8",
        "per_feature 2×8 (sqrt)",
        "unified 2×8",
    ]
    text = " ".join(room.as_text(found, "results").split())
    assert "Tried first: hashed_bits 4×8, robe 2×8, per_feature 2×8 (sqrt), unified 2×8." in text
    assert "validation at 1/4 of the exact table in base (baseball, random split)" in text
    assert f"rows a value {own['rows_a_value']:,.1f} and " in text
    assert "standard deviations away, and base (ml-100k, random split)" in text


@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("a", {"unified", "robe", "per_feature"}),
        ("b", {"hashed_bits", "robe", "per_feature"}),
        (None, {"hashed_bits", "unified", "hashed_net"}),
    ],
)
def test_the_time_goes_to_what_led_first(tmp_path, own, quick_results, monkeypatch, like, expected):
    """There is time for three candidates, and the exact table does not fit."""
    folder = published(tmp_path, like, own) if like else tmp_path
    world = World(lambda config: 0.8, seconds=11.0, published=folder)
    monkeypatch.setattr(rounds, "Workers", world.workers)
    asked = replace(question(), minutes=2)
    world.ask(asked, quick_results)
    runs, _ = record.load_runs(quick_results, asked.name)
    raced = {run.config.strategy for run in runs if run.phase == "search"}
    assert raced == expected


def test_a_stream_has_no_world(tmp_path, own, quick_results, monkeypatch):
    folder = published(tmp_path, "a", own)
    world = World(lambda config: 0.8, published=folder)
    monkeypatch.setattr(rounds, "Workers", world.workers)
    asked = question(replace(BASE, split="stream"))
    assert world.ask(asked, quick_results)["nearest"] is None


def test_compact_records_say_the_same_and_old_ones_nothing(tmp_path, own):
    whole = published(tmp_path / "whole", "a", own)
    pack_compact(whole, "worlds", tmp_path / "compact")
    expected = nearest_world(own, 0.1, whole)
    assert nearest_world(own, 0.1, tmp_path / "compact") == expected
    old = []
    for run in record.load_runs(tmp_path / "compact", "worlds")[0]:
        found = {name: run.found[name] for name in run.found if name not in (WORLD, "n_seen")}
        old.append(replace(run, found=found))
    (tmp_path / "old" / "worlds").mkdir(parents=True)
    write_packed(old, tmp_path / "old" / "worlds" / PACKED)
    assert record.load_runs(tmp_path / "old", "worlds")[1] == []
    assert nearest_world(own, 0.1, tmp_path / "old") is None


def test_one_world_is_no_nearest_one(tmp_path, own):
    near = {"rows": 100, "n_seen": {"user": 9}, "rarity": rarity_of(0.1, 0.1)}
    for run in planted("a", near):
        record.write(run, tmp_path)
    assert nearest_world(own, 0.1, tmp_path) is None


def test_a_distance_is_in_standard_deviations_over_the_worlds():
    def facts(per_value, unseen):
        return world_facts({"x": 100}, 100 * per_value, rarity_of(unseen, 0.5))

    worlds = [facts(10, 0.1), facts(1_000, 0.3), facts(100, 0.2)]
    # log10 of rows a value: 1, 3 and 2, whose standard deviation is 1; unseen: .1.
    assert distances_from(facts(100, 0.2), worlds) == pytest.approx([2**0.5, 2**0.5, 0])
    assert distances_from(facts(1_000, 0.1), worlds)[0] == pytest.approx(2)
    assert distances_from(worlds[0], [worlds[1], worlds[1]]) == []  # nothing tells them apart


def test_the_table_of_a_question_is_described_as_a_record_describes_it(own):
    run = run_once(replace(BASE, strategy="unified", budget=4_000, epochs=1, measure="quality"))
    assert facts_of(run) == own


def test_a_kind_is_what_is_served():
    bits = RunConfig(strategy="hashed_bits", regions="multiplexed", region_rule=None)
    same = replace(bits, strategy="hashed_net", bits="int2", lookups=4, dim=2)
    assert kind_of(bits) == kind_of(same)
    assert kind_of(bits) != kind_of(replace(same, bits="float32"))
