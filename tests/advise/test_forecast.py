"""What is said before the first run is what the time then buys."""

import re
from dataclasses import replace

import pytest
from fake_advice import Killed, World

from ue_bench import advise as room
from ue_bench.advise import pace as pace_file
from ue_bench.advise import rounds
from ue_bench.advise.forecast import forecast, minutes_for
from ue_bench.advise.pace import Pace, measure_pace
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError

BASE = RunConfig(dataset="planted-additive")
MEMORY = 20_000  # bytes


def question(minutes: float, **options: object) -> room.Question:
    return room.Question.of(replace(BASE, **options), MEMORY, None, minutes, None)


@pytest.fixture
def answer(quick_results, monkeypatch):
    def answered(world: World, minutes: float, workers: int = 1) -> dict:
        monkeypatch.setattr(rounds, "Workers", world.workers)
        return world.ask(question(minutes), quick_results, workers)

    return answered


def by_strategy(config: RunConfig) -> float:
    """Every form has an MSE of its own, so that the race has an end."""
    return 0.8 + len(config.strategy) / 100 + config.dim / 10_000


@pytest.mark.parametrize(
    ("minutes", "seconds", "workers"), [(3, 4.0, 1), (5, 11.0, 2), (10, 3.0, 1), (2, 6.0, 2)]
)
def test_the_time_buys_what_is_said_before(answer, minutes, seconds, workers):
    world = World(by_strategy, seconds=seconds)
    found = answer(world, minutes, workers)
    (line,) = world.told
    said = re.search(r"(\d+) of (\d+) configurations .* best (\d+) on (\d+) fresh seeds", line)
    assert said, line
    raced, candidates, confirmed, seeds = map(int, said.groups())
    not_raced = len(found["left_out"]["time"])
    assert abs(candidates - not_raced - raced) <= 2
    complete = [arm for arm in (found["best"], *found["rivals"]) if arm["n"] >= seeds]
    assert len(complete) >= confirmed
    runs = int(re.search(r"buy about (\d+) runs", line)[1])
    everything = 200  # after so many there is nothing left to do
    assert sum(world.runs.values()) >= min(0.8 * runs, everything)


def test_it_is_said_before_anything_is_trained(answer):
    world = World(by_strategy, most=0)
    with pytest.raises(Killed):
        answer(world, 5)
    assert len(world.told) == 1
    assert not world.runs


@pytest.mark.parametrize("seconds", [5.0, 9.0])
def test_the_time_that_would_try_all_does(answer, seconds):
    world = World(by_strategy, seconds=seconds, most=0)
    with pytest.raises(Killed):
        answer(world, 4)
    match = re.search(r"about --minutes (\d+) would try all", world.told[0])
    assert match, world.told
    world = World(by_strategy, seconds=seconds)
    found = answer(world, float(match[1]))
    assert found["left_out"]["time"] == []
    assert found["best"]["n"] >= 5


def test_a_time_that_is_too_short_is_said_with_one_that_would_do(answer):
    """The number is true: with it, two configurations at least get five fresh seeds."""
    world = World(by_strategy, seconds=11, most=0)
    with pytest.raises(Killed):
        answer(world, 1)
    (line,) = world.told
    assert re.search(r"^1 minute will buy about \d+ runs .*, too few for 2 configurations", line)
    enough = int(re.search(r"about --minutes (\d+) would do", line)[1])
    assert 2 <= enough <= 6
    found = answer(World(by_strategy, seconds=11), enough)
    assert sum(arm["n"] >= 5 for arm in (found["best"], *found["rivals"])) >= 2


def test_a_time_for_nothing_is_refused_before_anything_is_trained(answer):
    world = World(by_strategy, seconds=100)
    with pytest.raises(
        BenchError, match=r"minutes: 0\.5 was given, and one run takes 100 s or more here"
    ) as caught:
        answer(world, 0.5)
    assert not world.runs
    enough = int(re.search(r"at least --minutes (\d+)", str(caught.value))[1])
    assert answer(World(by_strategy, seconds=100), enough)["best"]["n"] >= 5


def test_a_question_with_records_is_told_what_is_left(answer):
    answer(World(by_strategy), 2)
    world = World(by_strategy)
    world.now = 1000.0
    world.pace = None  # its records say how long a run takes
    answer(world, 10)
    (line,) = world.told
    assert re.fullmatch(r"8(\.\d)? minutes are left, which are about \d+ more runs .*", line), line
    again = World(by_strategy)
    again.pace = None
    answer(again, 2)
    assert again.told == []  # the time is spent: the records answer


def test_forecast_grows_with_the_time_and_the_workers():
    before = forecast(1, 5.0, 27, 1)
    for seconds in range(10, 4000, 10):
        bought = forecast(seconds, 5.0, 27, 1)
        assert bought.runs >= before.runs
        assert bought.raced >= before.raced
        assert bought.raced <= 27
        assert bought.confirmed <= 4
        assert bought.seeds <= 5
        before = bought
    assert (before.raced, before.confirmed, before.seeds) == (27, 4, 5)
    assert forecast(300, 5.0, 27, 2).raced > forecast(300, 5.0, 27, 1).raced


@pytest.mark.parametrize("candidates", [1, 2, 3, 27])
def test_the_minutes_that_would_do_do(candidates):
    for everything in (False, True):
        minutes = minutes_for(7.0, candidates, 1, everything=everything)
        bought = forecast(60 * minutes, 7.0, candidates, 1)
        assert bought.seeds == 5
        assert bought.confirmed >= min(2, candidates)
        if everything:
            assert bought.raced == candidates


# ---- the measurement


def test_the_pace_follows_rows_epochs_and_the_time_of_reading(monkeypatch):
    """Steps and evaluations of known length: no clock decides here."""
    asked = question(10, epochs=4)
    sizes = Sizes(asked)
    config = replace(asked.base, strategy="unified", budget=4_000, regions="multiplexed")
    seconds = 0.0

    def lasts(length: float):
        def call(*_: object) -> None:
            nonlocal seconds
            seconds += length

        return call

    def measured(config: RunConfig, loading: float) -> Pace:
        return measure_pace(asked, sizes, config, loading, lambda: seconds)

    monkeypatch.setattr(pace_file, "train_step", lasts(0.1))
    monkeypatch.setattr(pace_file, "outputs", lasts(0.5))
    steps = -(-sizes.sample.n_train // config.batch_size)
    epoch = 0.1 * steps + 0.5  # with an evaluation of half a second
    pace = measured(config, 3.0)
    assert seconds < 5
    start = 3.0 + pace_file.OVERHEAD
    assert pace.shortest == pytest.approx(start + 2 * epoch)
    assert pace.usual == pytest.approx(start + 4 * pace_file.OTHERS * epoch)
    long = measured(replace(config, epochs=40), 3.0)
    assert long.usual == pytest.approx(start + 25 * pace_file.OTHERS * epoch)
    assert measured(config, 13.0).usual == pytest.approx(pace.usual + 10)


def test_a_mean_counts_the_moments_in_which_a_busy_machine_does_something_else():
    lengths = iter([9.0, 0.1, 0.1, 0.1, 0.7] * 2)  # the first call fills caches
    seconds = 0.0

    def call() -> None:
        nonlocal seconds
        seconds += next(lengths)

    assert pace_file.mean_seconds(call, 0.9, lambda: seconds) == pytest.approx(0.25)


@pytest.mark.parametrize("batch_size", [512, None])
def test_the_pace_is_measured_on_a_few_rows(batch_size):
    asked = question(10, batch_size=batch_size)
    sizes = Sizes(asked)
    assert len(sizes.sample.train) == (batch_size or sizes.sample.n_train)
    assert len(sizes.sample.val) == min(sizes.sample.n_val, 16_384)
    config = replace(asked.base, budget=4_000, regions="multiplexed")
    pace = measure_pace(asked, sizes, config, 0.0)
    assert pace_file.OVERHEAD < pace.shortest < pace.usual
