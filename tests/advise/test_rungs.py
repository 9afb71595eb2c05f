"""Advice whose minutes cannot pay a race on all rows: parts of them, in worlds of a known answer."""

import json

import pytest
from fake_advice import ANCHORS, Killed, World

from ue_bench import advise as room
from ue_bench import record
from ue_bench.advise import fractions, rounds, rungs
from ue_bench.advise.answer_on_part import point_of
from ue_bench.advise.candidates import FORMS, config_of
from ue_bench.advise.extrapolation import extrapolate
from ue_bench.advise.fractions import fractions_of
from ue_bench.advise.rungs import Rungs
from ue_bench.advise.text import WIDTH
from ue_bench.config import RunConfig
from ue_bench.training.all_rows import all_rows
from ue_bench.training.run_data import encoded_of
from ue_bench.training.run_once import run_once

BASE = RunConfig(dataset="planted-additive")
ROWS = 10_000
MEMORY = 20_000  # bytes
MEAN = all_rows(BASE).mean_mse
LONG = 40.0  # seconds of a run on all rows, of which ten minutes pay fifteen


@pytest.fixture
def answer(quick_results, monkeypatch):
    """Answers a question in a world where 600 rows are enough for a part."""
    monkeypatch.setattr(fractions, "LEAST_ROWS", 600)

    def answered(world: World, minutes: float = 10, workers: int = 1, **options: float) -> dict:
        for file in (rounds, rungs):
            monkeypatch.setattr(file, "Workers", world.workers)
        return world.ask(question(minutes, **options), quick_results, workers)

    return answered


def question(minutes: float = 10, latency: float | None = None) -> room.Question:
    return room.Question.of(BASE, MEMORY, latency, minutes, None)


def learns(best: str, power: float = 0.05):
    """One strategy leads on any rows, and errors fall with a power of the rows."""

    def mse(config: RunConfig) -> float:
        return (0.8 + 0.05 * (config.strategy != best)) * config.rows_fraction**-power

    return mse


def world(best: str = "unified", **options: object) -> World:
    anchors = ANCHORS | {"mean": MEAN}
    return World(
        learns(best), anchors=lambda config: anchors, **{"seconds": LONG, "clocked": 3.0, **options}
    )


def test_small_data_has_no_parts():
    assert fractions_of(100_000) == (1.0,)
    assert fractions_of(120_000) == (0.25, 1.0)
    assert fractions_of(2_000_000) == (1 / 64, 1 / 16, 1 / 4, 1.0)


def test_rows_that_the_minutes_pay_for_are_all_used(answer):
    found = answer(world(seconds=1.0))
    assert found["part"] is None
    assert found["best"]["config"]["rows_fraction"] == 1


@pytest.mark.parametrize("best", ["unified", "product_quantization"])
def test_parts_find_the_strategy_that_leads_within_the_time(answer, quick_results, best):
    made = world(best)
    found = answer(made)
    assert found["best"]["strategy"] == best
    assert made.now <= 600
    assert max(made.runs.values()) == 1
    part = found["part"]
    assert part["of"] == ROWS
    assert 0 < part["rows"] < ROWS
    configurations = [step["configurations"] for step in part["race"]]
    assert [step["fraction"] for step in part["race"]] == sorted(
        step["fraction"] for step in part["race"]
    )
    assert configurations[0] > configurations[-1] > 0
    records, _ = record.load(quick_results, found["study"])
    used = {run.config.rows_fraction for run in records if run.phase == "confirm"}
    assert max(used) == part["fraction"]
    (line,) = made.told
    assert "10 minutes cannot pay a race on all 10,000 rows" in line


def test_bytes_and_lines_are_those_on_all_rows(answer):
    found = answer(world())
    best = found["best"]
    sizes = [arm["total_bytes"] for arm in (best, *found["rivals"])]
    assert 0.95 * MEMORY < max(sizes) <= MEMORY
    assert found["part"]["memory"] < 0.9 * MEMORY
    assert best["config"]["rows_fraction"] == 1
    assert found["n_values"] == sum(feature.cardinality for feature in encoded_of(BASE)[1].features)
    scope: dict = {}
    exec(compile(found["python"], "printed", "exec"), scope)
    assert scope["layer"].embedding.num_embeddings == best["rows"]


def test_load_is_kept_and_rows_a_value_are_told():
    asked = question()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fractions, "LEAST_ROWS", 600)
        climbed = Rungs(asked)
        whole = climbed.whole
        rung = climbed.first
        share = whole.share(rung.sizes)
        assert 0.05 < share < 1
        for sized in rung.candidates.fits:
            served = whole.of(sized.config, rung.sizes)
            assert served is not None
            if sized.config.budget is not None:
                assert sized.config.budget / served.budget == pytest.approx(share, rel=0.06)


def test_the_forecast_is_that_of_the_law_that_errors_follow(answer):
    found = answer(world())
    forecast = found["best"]["forecast"]
    assert len(forecast["parts"]) > 1
    assert forecast["low"] < 0.8 < forecast["high"]
    assert forecast["mse"] == pytest.approx(0.8, abs=0.02)


@pytest.mark.slow
def test_the_forecast_for_a_click_log_has_the_truth():
    """The shared table on three parts of two million rows, and on all of them."""
    base = RunConfig(dataset="click-world-medium", task="binary", measure="quality")
    climbed = Rungs(room.Question.of(base.with_seed(1000), 40_000_000, None, 10, None))
    form = config_of(FORMS[1], base)
    points = []
    for fraction in climbed.fractions[:-1]:
        (config,) = climbed.at(fraction).sized([form])
        for seed in (1100, 1101, 1102):
            points.append(point_of(run_once(config.with_seed(seed))))
    whole = climbed.whole
    found = extrapolate(points, whole.rows.n_rows, whole.rows.mean_mse)
    served = whole.of(config, climbed.at(climbed.fractions[-2]).sizes)
    truth = run_once(served.with_seed(1100)).quality["test_mse"]
    assert found.low <= truth <= found.high
    assert found.high - found.low < 0.2 * truth


def test_all_rows_are_used_for_the_last_ones_where_the_time_pays_for_it(answer):
    found = answer(world(seconds=30.0), minutes=20)
    assert found["part"]["fraction"] == 1
    assert found["best"]["forecast"] is None
    assert found["best"]["n"] >= 5
    text = " ".join(room.as_text(found, "results").split())
    assert "All that is quoted ran on all rows." in text


@pytest.mark.slow
def test_the_same_question_again_runs_nothing_and_more_minutes_go_on(answer):
    made = world()
    first = answer(made)
    n_runs = sum(made.runs.values())
    assert answer(made) == first
    assert sum(made.runs.values()) == n_runs
    more = answer(made, minutes=60)
    assert sum(made.runs.values()) > n_runs
    assert made.now <= 3600
    assert max(made.runs.values()) == 1
    assert more["part"]["fraction"] > first["part"]["fraction"]


@pytest.mark.parametrize("after", [1, 20, 45])
def test_an_interrupted_race_goes_on(answer, after):
    made = world(most=after)
    with pytest.raises(Killed):
        answer(made)
    made.most = 10**9
    found = answer(made)
    assert found["best"]["strategy"] == "unified"
    assert sum(n - 1 for n in made.runs.values()) <= 1
    assert made.now <= 600


def test_the_text_says_what_was_left_out(answer):
    found = answer(world("int8"))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    text = room.as_text(found, "results")
    told, _, _ = text.partition("Python:\n")
    assert max(map(len, text.splitlines())) <= WIDTH
    told = " ".join(told.split())
    part = found["part"]
    assert f"Rows left out: of 10,000, the race used {part['race'][0]['rows']:,} for" in told
    assert f"What is quoted ran on {part['rows']:,}, chosen by the values of {part['by']}" in told
    assert "is forecast for all rows" in told
    assert "behind in the race" in told
