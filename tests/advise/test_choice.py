"""Of the answers that validation cannot tell apart, the cheapest to serve is named."""

import random
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from fake_advice import World
from made_scores import redrawn

from ue_bench import advise as room
from ue_bench import record
from ue_bench.advise import rounds
from ue_bench.advise.choice import choose
from ue_bench.advise.contestants import Contestant
from ue_bench.config import RunConfig
from ue_bench.report import build
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.draw import study_data
from ue_bench.report.figures.sections.contents import SECTIONS

SEEDS = 8
BASE = RunConfig(dataset="planted-additive")
MEMORY = 20_000  # bytes


def contestant(
    label: str,
    worse: float = 0.0,
    micros: float | None = 100.0,
    spread: float | None = 2.0,
    total_bytes: int = 10_000,
    vocabulary: int = 0,
    seeds: int = SEEDS,
    noise: float = 0.01,
) -> Contestant:
    """A contestant whose validation MSE is 0.8 + `worse` and noise."""
    rng = random.Random(label)
    val = redrawn([0.8 + worse + rng.gauss(0, noise) for _ in range(seeds)])
    latency = None if micros is None else {"p50_us": micros, "iqr_us": spread, "n": 49}
    cost = {"vocabulary_bytes": vocabulary}
    return Contestant(
        arm=SimpleNamespace(),
        row={"label": label, "total_bytes": total_bytes, "n": seeds},
        served=RunConfig(),
        cost=cost,
        val=val,
        test=val,
        latency=latency,
        latency_from_codes=None,
    )


def test_the_fastest_of_equals_is_named():
    first = contestant("first", micros=300)
    fast = contestant("fast", worse=0.001, micros=100, total_bytes=19_000, vocabulary=9_000)
    slow = contestant("slow", worse=0.001, micros=200, total_bytes=1_000)
    choice = choose([first, slow, fast])
    assert choice.best is fast
    assert choice.order == (fast, slow, first)
    assert (choice.reason, choice.n_equal, choice.n_as_fast) == ("latency", 3, 1)
    assert choice.lowest is first


def test_what_is_significantly_worse_is_not_named_however_fast_it_is():
    first = contestant("first", micros=300)
    worse = contestant("worse", worse=0.1, micros=1, total_bytes=1)
    choice = choose([first, worse])
    assert choice.best is first
    assert (choice.reason, choice.n_equal) == ("validation", 1)


@pytest.mark.parametrize("micros", [96.0, 100.0, 104.0])
def test_of_those_that_are_as_fast_the_smallest_is_named(micros):
    """Up to 5 per cent are no difference."""
    first = contestant("first", micros=100, total_bytes=10_000)
    small = contestant("small", worse=0.001, micros=micros, total_bytes=9_000, vocabulary=9)
    choice = choose([first, small])
    assert choice.best is small
    assert (choice.reason, choice.n_as_fast) == ("bytes", 2)


def test_five_per_cent_count_from_the_fastest():
    """Three in steps of 4 per cent are not all as fast."""
    fastest = contestant("fastest", micros=100)
    second = contestant("second", worse=0.001, micros=104, total_bytes=9_000)
    third = contestant("third", worse=0.002, micros=108.1, total_bytes=100)
    assert choose([fastest, second, third]).best is second


@pytest.mark.parametrize(("spread", "named"), [(85.0, "first"), (90.0, "small")])
def test_latencies_whose_notches_overlap_are_equal(spread, named):
    """A median of 49 calls may be off by 1.57 / 7 of the distance between their quartiles."""
    first = contestant("first", micros=100)
    small = contestant("small", worse=0.001, micros=120, spread=spread, total_bytes=100)
    assert choose([first, small]).best.label == named


def test_of_those_that_are_as_fast_and_as_small_the_one_without_a_vocabulary_is_named():
    first = contestant("first", total_bytes=10_000, vocabulary=5_000)
    none = contestant("none", worse=0.001, total_bytes=10_090)
    choice = choose([first, none])
    assert choice.best is none
    assert choice.reason == "vocabulary"


def test_two_that_are_alike_in_all_are_decided_by_validation():
    first, second = contestant("first"), contestant("second", worse=0.001)
    assert choose([first, second]).best is first


def test_what_was_not_timed_is_not_called_the_fastest():
    first = contestant("first", micros=None)
    timed = contestant("timed", worse=0.001, micros=900, total_bytes=19_000)
    assert choose([first, timed]).best is timed
    untimed = contestant("untimed", worse=0.001, micros=None, total_bytes=10)
    assert choose([first, untimed]).best is untimed  # the smallest of them
    assert choose([contestant("old", spread=None), timed]).best.label == "old"


def test_too_few_seeds_make_nothing_equal():
    """A test on three seeds would hardly find anything, so that the fastest would always win."""
    first = contestant("first", micros=300, seeds=3)
    fast = contestant("fast", worse=0.03, micros=100, seeds=3)
    choice = choose([first, fast])
    assert choice.best is first
    assert choice.n_equal == 1


def test_one_alone_is_named():
    choice = choose([only := contestant("only")])
    assert choice.order == (only,)
    assert choice.reason == "validation"


# ---- in a world


@pytest.fixture
def answer(quick_results, monkeypatch):
    def answered(world: World, **options: object) -> dict:
        monkeypatch.setattr(rounds, "Workers", world.workers)
        given = {"latency": None, "minutes": 10, "data_dir": None, "memory": MEMORY} | options
        return world.ask(room.Question.of(BASE, **given), quick_results)

    return answered


def of_strategy(micros: dict[str, float], otherwise: float):
    return lambda config: micros.get(config.strategy, otherwise)


def test_the_fastest_from_raw_values_is_named_and_the_text_says_so(answer):
    """All are as good. From codes others are faster, which is no reason."""
    world = World(
        mse=lambda config: 0.8,
        micros=of_strategy({"unified": 400.0, "int8": 700.0}, 900.0),
        from_codes=of_strategy({"unified": 50.0, "int8": 40.0}, 10.0),
    )
    found = answer(world)
    assert found["best"]["strategy"] == "unified"
    assert found["best"]["latency"]["p50_us"] == 400
    assert found["best"]["latency"]["source"] == "values"
    assert found["best"]["latency_from_codes"]["p50_us"] == 50
    equals = [rival for rival in found["rivals"] if rival["equal"]]
    assert found["choice"]["n_equal"] == len(equals) + 1 >= 4
    runner_up = found["rivals"][0]
    text = " ".join(room.as_text(found, "results").split())
    assert "a lookup of 256 rows from raw values takes 400 us" in text
    assert "from codes 50.0 us" in text
    assert (
        f"validation cannot tell {len(equals) + 1} of the {len(found['rivals']) + 1} apart" in text
    )
    if found["choice"]["reason"] == "latency":
        micros = runner_up["latency"]["p50_us"]
        assert f"the fastest from raw values: 400 us, and the runner-up {micros:.0f} us" in text
    else:  # smaller tables of the shared form take as long
        assert "as fast from raw values" in text
        assert found["choice"]["n_as_fast"] > 1
    sizes = f"the runner-up is {runner_up['label']} in "
    assert sizes in text
    assert f"and {runner_up['latency']['p50_us']:.0f} us" in text


def test_of_equals_that_are_as_fast_the_smallest_is_named(answer):
    found = answer(World(mse=lambda config: 0.8, micros=lambda config: 300.0))
    equals = [rival for rival in found["rivals"] if rival["equal"]]
    smallest = min(rival["total_bytes"] for rival in equals)
    assert found["best"]["total_bytes"] <= smallest
    assert found["choice"]["reason"] == "bytes"
    assert "it is the smallest of them" in " ".join(room.as_text(found, "results").split())


def test_a_better_one_that_is_slow_is_named(answer):
    def mse(config: RunConfig) -> float:
        return 0.8 + 0.05 * (config.strategy != "int8")

    found = answer(World(mse, micros=of_strategy({"int8": 5_000.0}, 10.0)))
    assert found["best"]["strategy"] == "int8"
    assert all(rival["strategy"] == "int8" for rival in found["rivals"] if rival["equal"])


def test_a_limit_of_latency_is_about_raw_values(answer):
    """From codes all take 5 us."""
    world = World(lambda config: 0.8, micros=of_strategy({"unified": 90.0}, 300.0))
    found = answer(world, latency=100.0)
    assert found["latency_met"] is True
    assert found["best"]["strategy"] == "unified"
    assert not any(
        rival["meets_latency"] for rival in found["rivals"] if rival["strategy"] != "unified"
    )
    assert answer(world, latency=50.0)["latency_met"] is False


def test_one_that_is_better_on_test_is_told(answer):
    """Validation chooses; what test says is not kept back."""
    found = answer(World(lambda config: 0.8, micros=of_strategy({"unified": 90.0}, 300.0)))
    rival = found["rivals"][0]
    rival["against_best"] |= {
        "told_apart": True,
        "difference": -0.02,
        "low": -0.03,
        "high": -0.01,
        "p_holm": 0.001,
    }
    text = " ".join(room.as_text(found, "results").split())
    assert f"On test rows it is worse than {rival['label']} in" in text


def test_the_front_says_where_the_advice_is_not_on_it(answer):
    """The fastest of equals may be larger and have a higher mean than another one."""
    found = answer(World(lambda config: 0.8, micros=of_strategy({"unified": 90.0}, 300.0)))
    (best,) = [arm for arm in found["front"] if arm["run_ids"] == found["best"]["run_ids"]]
    text = room.as_text(found, "results")
    assert ("but for *" in text) is not best["on_front"]
    best["on_front"] = False
    assert "but for *, the advice" in room.as_text(found, "results")


# ---- the figures

# They show the arms of a comparison. What the other sections show is no arm, or no size of one.
OF_ARMS = {"table_size", "pareto", "latency", "latency_mse", "memory", "training"}


def report_sections(results: Path, name: str) -> dict[str, pd.DataFrame]:
    evidence = Evidence(record.load(results, name)[0])
    study = study_data(evidence, name)
    return {section.name: section.tidy(study) for section in SECTIONS if section.name in OF_ARMS}


@pytest.mark.parametrize("best", ["unified", "int8", "low_dim_exact"])
def test_every_figure_of_arms_contains_what_is_advised(best, answer, quick_results):
    """Whatever its budget, which no other arm may share, and whatever else its strategy has."""

    def mse(config: RunConfig) -> float:
        return 0.8 + 0.05 * (config.strategy != best)

    found = answer(World(mse, micros=lambda config: 100.0 + config.dim))
    assert found["best"]["strategy"] == best
    label, budget = found["best"]["label"], found["best"]["budget"]
    sections = report_sections(quick_results, found["study"])
    for name in OF_ARMS - {"training"}:  # these runs have no history
        frame = sections[name]
        with_label = frame["label"] == label
        if "budget" in frame:
            of_advice = with_label & (frame["budget"] == budget)
        else:
            of_advice = with_label & (frame["total_bytes"] == found["best"]["total_bytes"])
        assert of_advice.any(), name
        for rival in found["rivals"]:
            if rival["latency"] is None:  # for want of time
                continue
            assert (frame["label"] == rival["label"]).any(), (name, rival["label"])
        if "named" in frame:
            assert frame.loc[of_advice, "named"].all(), name


@pytest.mark.slow
def test_the_figures_of_an_advice_are_drawn(answer, quick_results, tmp_path):
    found = answer(World(lambda config: 0.8 + config.dim / 1000))
    outcome = build(quick_results, tmp_path, found["study"])
    drawn = {path.stem for path in outcome.figures}
    assert drawn >= OF_ARMS - {"training"}
