"""Effects of bits in a factorial whose effects are planted."""

import fake_records as fake
import numpy as np
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.figures.sections.one_study import bit_effects

BUDGET = 7_008
OF_METHOD = {"robe": 0.0, "hashed_net": 0.03}
OF_REGIONS = {"multiplexed": 0.0, "separate": 0.05}
OF_BITS = {"float32": 0.0, "int4": -0.06}
SEPARATE_IN_FEW = -0.04  # of the 0.05 that separate tables lose, few bits leave 0.01
ROBE_IN_FEW = 0.02


def arms(seeds=12):
    random = np.random.default_rng(0)
    of_seed = 1 + 0.02 * random.standard_normal(seeds)
    records = []
    for method, by_method in OF_METHOD.items():
        for regions, by_regions in OF_REGIONS.items():
            for bits, by_bits in OF_BITS.items():
                scores = of_seed + by_method + by_regions + by_bits
                if bits == "int4":
                    scores = scores + (SEPARATE_IN_FEW if regions == "separate" else 0)
                    scores = scores + (ROBE_IN_FEW if method == "robe" else 0)
                noise = 0.002 * random.standard_normal(seeds)
                rule = "sqrt" if regions == "separate" else None
                records += fake.arm(
                    list(scores + noise - noise.mean()),
                    method,
                    BUDGET,
                    regions=regions,
                    region_rule=rule,
                    bits=bits,
                )
    return collect(records).kept


@pytest.fixture(scope="module")
def frame():
    return bit_effects.tidy(study_of(arms()))


def value(frame, kind, bits, method=""):
    found = frame[(frame["kind"] == kind) & (frame["bits"] == bits) & (frame["method"] == method)]
    assert len(found) == 1
    return found.iloc[0]


def test_effects_are_what_was_planted(frame):
    of_bits = value(frame, bit_effects.OF_BITS, "int4")
    expected = -0.06 + SEPARATE_IN_FEW / 2 + ROBE_IN_FEW / 2
    assert of_bits["difference"] == pytest.approx(expected)
    assert of_bits["low"] < expected < of_bits["high"]
    assert of_bits["told_apart"]
    assert value(frame, bit_effects.OF_FORM, "float32")["difference"] == pytest.approx(-0.05)
    assert value(frame, bit_effects.OF_FORM, "int4")["difference"] == pytest.approx(-0.01)


def test_interactions_are_differences_of_effects(frame):
    of_both = value(frame, bit_effects.OF_BOTH, "int4")
    assert of_both["difference"] == pytest.approx(0.04)
    assert of_both["low"] < 0.04 < of_both["high"]
    of_robe = value(frame, bit_effects.OF_METHOD, "int4", "robe")
    assert of_robe["difference"] == pytest.approx(ROBE_IN_FEW)
    other = value(frame, bit_effects.OF_METHOD, "int4", "hashed_net")
    assert other["difference"] == pytest.approx(-ROBE_IN_FEW)
    assert set(frame["tests"]) == {6}


def test_an_interval_is_that_of_the_contrast_in_each_seed(frame):
    """The correction of overlapping splits is that of two arms."""
    kept = arms()
    by_seed = {}
    for arm in kept:
        signs = {"multiplexed": 1, "separate": -1}, {"int4": 1, "float32": -1}
        sign = signs[0][arm.config["regions"]] * signs[1][arm.config["bits"]] / 2
        for run in arm.runs:
            seed = run.config.split_seed
            by_seed[seed] = by_seed.get(seed, 0) + sign * run.quality["test_mse"]
    values = np.array(list(by_seed.values()))
    row = value(frame, bit_effects.OF_BOTH, "int4")
    assert row["difference"] == pytest.approx(values.mean())
    half = (row["high"] - row["low"]) / 2
    plain = values.std(ddof=1) / np.sqrt(len(values)) * 2.201  # t of 11 degrees of freedom
    assert half > 1.2 * plain


def test_a_method_without_both_forms_in_all_bits_does_not_count():
    kept = [
        arm
        for arm in arms()
        if not (arm.config["strategy"] == "robe" and arm.config["bits"] == "int4")
    ]
    frame = bit_effects.tidy(study_of(kept))
    assert set(frame["cells"]) == {2}
    assert value(frame, bit_effects.OF_BITS, "int4")["difference"] == pytest.approx(-0.08)


def test_the_table_and_the_figure(frame):
    lines = "\n".join(bit_effects.table(frame))
    assert "all, 4 cells" in lines
    assert "Holm's correction is over 6 tests" in lines
    figure = bit_effects.draw(frame, study_of(arms()))
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["bits", "multiplexing"]


def test_floats_alone_have_no_effects():
    floats = [arm for arm in arms() if arm.config["bits"] == "float32"]
    assert bit_effects.tidy(study_of(floats)).empty


def test_sentences_say_what_is_told_and_what_is_not(frame):
    lines = bit_effects.table(frame)
    assert lines[0].endswith(
        "int4 less float32 at the same bytes, mean of all forms: -0.0700 at 7.0 kB (1/32)."
    )
    assert "separate in float32, mean of all methods: -0.0500 at" in lines[1]
    few = value(frame, bit_effects.OF_FORM, "int4")
    assert few["told_apart"] == ("not told from 0" not in lines[2])
    hidden = frame.assign(told_apart=False)
    assert "not told from 0 at 7.0 kB (1/32)." in bit_effects.table(hidden)[0]
