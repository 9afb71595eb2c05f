"""The forecast for all rows: exact where the law holds, and as wide as it has to be."""

import numpy as np
import pytest

from ue_bench.advise.extrapolation import Point, extrapolate

ROWS = 1_000_000
PARTS = (15_000, 60_000, 250_000)


def points(law, noise, random, parts=PARTS, seeds=5):
    """Runs whose noise falls with the root of their rows. noise: of a run on all rows."""
    made = []
    for rows in parts:
        for _ in range(seeds):
            apart = noise * (ROWS / rows) ** 0.5 * random.standard_normal()
            made.append(Point(rows, law(rows / ROWS) * (1 + apart)))
    return made


def test_a_power_law_is_continued():
    given = points(lambda part: 0.7 * part**-0.03, 0, np.random.default_rng(0))
    found = extrapolate(given, ROWS, mean_mse=0.2)
    assert found.mse == pytest.approx(0.14)
    assert found.power == pytest.approx(-0.03)
    assert found.high - found.low < 1e-9


def test_the_interval_has_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        found = extrapolate(points(lambda part: 0.7 * part**-0.03, 0.002, random), ROWS, 1.0)
        inside += found.low <= 0.7 * (1 + 0.002 * random.standard_normal()) <= found.high
    assert 0.93 <= inside / 400 <= 1


def test_errors_that_follow_another_law_make_it_wide():
    def law(part):  # a curve that flattens
        return 0.6 + 0.1 * part**-0.25

    for parts in (PARTS, PARTS[1:], PARTS[:2]):
        found = extrapolate(points(law, 0.0005, np.random.default_rng(2), parts), ROWS, 1.0)
        assert found.low <= law(1) <= found.high, parts


def test_one_part_forecasts_nothing():
    assert extrapolate([Point(1000, 0.7)] * 10, ROWS, 1.0) is None
    assert extrapolate([Point(1000, 0.7), Point(2000, 0.6)], ROWS, 1.0) is None
