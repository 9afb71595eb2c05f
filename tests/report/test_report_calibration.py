"""Verdicts and intervals on draws of a world are counted, and are wrong as often as they may be."""

from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest

from ue_bench.cli import calibration_laws
from ue_bench.config.drawn_worlds import draw_of
from ue_bench.report.evidence.error_rates import Rate, calibrations
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.draw import section_lines

SEEDS = 10
ARM = fake.config(strategy="unified", features="base", budget=3_200, measure="quality")
TWICE = (ARM, replace(ARM, hash_salt=1))
OTHER = replace(ARM, strategy="per_feature", regions="separate", region_rule="equal")


def family(number, *, apart=0.0, spread=0.01):
    """The records of one draw. apart: by which the second of the two equal arms is worse."""
    random = np.random.default_rng(number)
    found = []

    def runs(config, phase, level):
        of_draw = replace(config, dataset=draw_of("planted-small", number))
        for seed in range(SEEDS):
            mse = level + random.normal(0, spread)
            found.append(fake.make(of_draw.with_seed(seed), "calibration", phase, mse=mse))

    for place, arm in enumerate(TWICE):
        runs(arm, "confirm", 0.9 + place * apart)
    for arm, level in ((ARM, 0.9), (OTHER, 1.0)):
        runs(arm, "grid", level)
    return found


def records(families=40, wrong=0):
    """So many families, in the first of which the equal arms differ by far."""
    made = []
    for number in range(1, families + 1):
        made += family(number, apart=0.5 if number <= wrong else 0.0)
    return made


def rates(made):
    (found,) = calibrations(made)
    return {rate.what.split(" of ")[0]: rate for rate in found.rates}, found


@pytest.mark.slow
def test_equal_arms_are_seldom_told_apart_and_intervals_hold_the_truth():
    by_name, found = rates(records())
    assert (found.world, found.families, found.runs) == ("planted-small", 40, 40 * 4 * SEEDS)
    verdict = by_name["families in which a verdict tells the arms apart"]
    test = by_name["families in which a test finds a difference (Holm)"]
    assert verdict.found <= test.found <= 4
    assert by_name["arms left out"].of == 80
    coverage = [rate for rate in found.rates if rate.at_least]
    assert [rate.of for rate in coverage] == [40] * 3
    assert all(rate.found >= 36 for rate in coverage)


def test_wrong_verdicts_are_counted():
    by_name, _ = rates(records(20, wrong=7))
    right, _ = rates(records(20))
    name = "families in which a verdict tells the arms apart"
    assert by_name[name].found >= 7 > right[name].found
    assert by_name["arms left out"].found >= 7 > right["arms left out"].found


def test_intervals_that_miss_are_counted():
    """The level of each draw differs by more than its seeds show."""
    made = []
    for number in range(1, 31):
        level = 0.3 * (number % 2)
        for record in family(number, spread=0.001):
            quality = record.quality | {"test_mse": record.quality["test_mse"] + level}
            made.append(replace(record, quality=quality))
    _, found = rates(made)
    absolute = [rate for rate in found.rates if "intervals of test MSE" in rate.what]
    assert [rate.found for rate in absolute] == [0, 0]
    (gap,) = [rate for rate in found.rates if " less " in rate.what]
    assert gap.found >= 26


def test_holms_correction_is_over_one_family():
    """With 40 families in one correction, hardly any of the seven would be found."""
    made = []
    for number in range(1, 41):
        made += family(number, apart=0.024 if number <= 7 else 0.0)
    by_name, _ = rates(made)
    assert by_name["families in which a test finds a difference (Holm)"].found >= 3


def test_published_draws_must_be_many_and_seldom_wrong():
    faults = list(calibration_laws.faults(records(20, wrong=7)))
    assert faults[0] == "planted-small: 20 draws were searched, and at least 200 must be"
    assert any("tells the arms apart: 7 of 20, 35.0%, and at most 5% may be" in f for f in faults)
    assert list(calibration_laws.faults([])) == []


def test_draws_are_in_no_arm_and_have_a_section():
    evidence = Evidence(records(5))
    assert (evidence.records, evidence.arms.kept) == ([], ())
    assert len(evidence.drawn) == 5 * 4 * SEEDS
    lines = section_lines(evidence, "calibration", "calibration")
    assert "- planted-small: 5 families on as many draws, 200 runs." in lines
    (line,) = [line for line in lines if line.startswith("| arms left out of the set of the best")]
    left_out = rates(evidence.drawn)[0]["arms left out"]
    assert f"| {left_out.found} of 10 |" in line
    assert line.endswith("| at most 5% |")


def test_a_rate_knows_its_interval():
    rate = Rate("", 0, 200, 0.05)
    assert rate.interval == pytest.approx((0.0, 0.0183), abs=1e-4)
    assert rate.is_kept
    assert not Rate("", 11, 200, 0.05).is_kept
    assert not Rate("", 180, 200, 0.93, at_least=True).is_kept
