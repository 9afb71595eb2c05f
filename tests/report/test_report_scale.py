"""The section about the number of values: slopes that are known, and claims that hold or not."""

import math
from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.run_scores import ScoredRows, Scores
from ue_bench.report.evidence.scaling_slopes import slope_of_arms, slope_of_differences
from ue_bench.report.evidence.statistics import compare_two
from ue_bench.report.figures.sections.one_study import scale

ROWS = ScoredRows(are_redrawn=True, ratio=0.0)
EXACT = 224_256  # bytes
SEEDS = 8
A_DECADE = (
    0.004  # MSE that ten times the values add to what the shared table is above the exact one
)
A_DOUBLING = -0.01  # MSE that twice the rows add
APART = 0.02  # of separate tables, more than the shared one


def scores(values):
    return Scores(dict(enumerate(map(float, values))), ROWS)


def test_the_slope_over_arms_is_that_of_least_squares_with_the_noise_of_its_seeds():
    draws = np.random.default_rng(0)
    places = [0.0, 1.0, 3.0]
    own = draws.normal(2.0, 0.1, SEEDS)  # of a seed, which all arms have and no slope
    slopes = draws.normal(0.5, 0.05, SEEDS)
    slope = slope_of_arms([scores(own + slopes * place) for place in places], places)
    assert slope.difference == pytest.approx(slopes.mean())
    assert slope.sd == pytest.approx(slopes.std(ddof=1))
    error = slopes.std(ddof=1) / math.sqrt(SEEDS)
    assert slope.high - slope.difference == pytest.approx(2.3646 * error, rel=1e-3)


def test_the_slope_over_differences_has_the_noise_of_all():
    draws = np.random.default_rng(1)
    exact = scores(np.zeros(SEEDS))
    tests = [compare_two(exact, scores(draws.normal(mean, 0.1, SEEDS))) for mean in (1, 2, 3)]
    slope = slope_of_differences(tests, [3, 4, 5])
    assert slope.difference == pytest.approx((tests[2].difference - tests[0].difference) / 2)
    variance = (tests[0].sd ** 2 + tests[2].sd ** 2) / SEEDS / 4  # the middle one has no weight
    assert slope.sd**2 / slope.n + slope.floor == pytest.approx(variance)
    assert slope.low < 1 < slope.high
    assert slope.p < 0.001


def test_a_difference_without_noise_has_a_slope_without_an_interval():
    exact = scores([0.0])
    tests = [compare_two(exact, scores([mean])) for mean in (1, 2)]
    slope = slope_of_differences(tests, [0, 1])
    assert slope.difference == 1
    assert math.isnan(slope.low)
    with pytest.raises(ValueError, match="places that differ"):
        slope_of_differences(tests, [1, 1])


def records(logs=(1_000, 10_000, 100_000), films=-1):
    """Runs of logs, and of films where separate tables are `films` times as far behind."""
    found = []
    for number, data in enumerate((*logs, "ml-100k")):
        is_log = data != "ml-100k"
        dataset = f"click-world-{data}@0" if is_log else data
        decades = math.log10(data / 1_000) if is_log else 0.0
        forms = [(None, "collisionless", "exact", 0.0)] if is_log else []
        for size in (16, 4) if is_log else (16,):
            above = 0.05 + A_DECADE * decades + A_DOUBLING * math.log2(16 / size)
            apart = APART if is_log else films * APART
            forms.append((size, "hashed_net", "multiplexed", above))
            forms.append((size, "hashed_net", "separate", above + apart))
        for place, (size, strategy, regions, above) in enumerate(forms):
            draws = np.random.default_rng([number, place])
            noise = draws.normal(0, 0.0005, SEEDS)
            noise -= noise.mean()
            budget = EXACT // size if size else None
            rule = "sqrt" if regions == "separate" else None
            asked = {"dataset": dataset, "regions": regions, "region_rule": rule}
            for seed, of_seed in enumerate(noise):
                config = fake.config(strategy, seed=seed, budget=budget, **asked)
                made = fake.make(config, mse=0.8 + 0.01 * seed + above + of_seed)
                found.append(replace(made, found=made.found | {"exact_table_bytes": EXACT}))
    return found


def frame_of(**options):
    return scale.tidy(study_of(collect(records(**options)).kept))


@pytest.fixture(scope="module")
def frame():
    return frame_of()


def test_slopes_are_those_that_were_planted(frame):
    over_values = frame[frame["view"] == scale.VALUES]
    assert len(over_values) == 4  # two forms at two sizes
    assert list(over_values["difference"]) == pytest.approx([A_DECADE] * 4)
    assert over_values["told_apart"].all()
    over_load = frame[frame["view"] == scale.LOAD]
    assert len(over_load) == 3 * 2
    assert list(over_load["difference"]) == pytest.approx([A_DOUBLING] * 6)


def test_slopes_that_are_told_are_named_and_the_others_counted(frame):
    told = "for ten times the values, the MSE above the exact table changes by +0.0040"
    assert sum(told in line for line in scale.table(frame)) == 2  # sizes
    untold = frame[frame["view"] == scale.VALUES].assign(told_apart=False)
    smallest = untold[untold["size"] == 16]
    ends = f"from {smallest['low'].min():+.4f} to {smallest['high'].max():+.4f}"
    lines = scale.table(untold)
    assert lines[0].startswith("- at 1/16, ")
    assert f"is not told to change for 2 of 2 arms, with intervals {ends}." in lines[0]
    without = untold.assign(low=math.nan, high=math.nan)  # as of one seed
    assert scale.table(without)[0].endswith("is not told to change for 2 of 2 arms.")


def test_the_figure_shows_differences_from_the_exact_table(frame):
    excess = frame[frame["view"] == scale.EXCESS]
    assert len(excess) == 3 * 4
    shared = excess[(excess["group"].str.contains("multiplexed")) & (excess["size"] == 16)]
    assert list(shared.sort_values("values")["difference"]) == pytest.approx(
        [0.05, 0.05 + A_DECADE, 0.05 + 2 * A_DECADE]
    )
    figure = scale.draw(frame, study_of(collect(records()).kept))
    shown = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert shown == [f"1/{size} of the exact table, float32" for size in (4, 16)]
    assert "exact table" in figure.get_supylabel()


@pytest.mark.parametrize(
    ("films", "verdict"),
    [
        (1, "which holds at 100,000 values"),
        (-1, "which is reversed at 100,000 values"),
        (0, "which is not told from 0"),
    ],
)
def test_what_films_say_holds_on_the_largest_log_or_not(films, verdict):
    lines = scale.table(frame_of(films=films))
    (claim,) = [line for line in lines if line.startswith("- multiplexed less separate")]
    assert claim.startswith("- multiplexed less separate, float32, at 1/16: ")
    assert " on base (ml-100k," in claim
    assert verdict in claim


def test_the_table_has_each_arm_above_the_exact_one_at_every_number_of_values(frame):
    lines = scale.table(frame)
    head = lines.index(
        "| size | arm | above exact, 1,000 values | above exact, 10,000 values"
        " | above exact, 100,000 values |"
    )
    arms = lines[head + 2 : head + 6]  # two forms at two sizes
    shared = next(arm for arm in arms if arm.startswith("| 1/16 | hashed_net multiplexed"))
    means = [cell.split()[0] for cell in shared.strip("| ").split(" | ")[2:]]
    assert means == ["+0.0500", "+0.0540", "+0.0580"]


def test_two_logs_have_no_section():
    assert frame_of(logs=(1_000, 10_000)).empty
