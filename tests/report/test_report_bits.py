"""The section about few bits: what is compared with what, which bits validation names, the figure."""

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.figures.sections.one_study import bits, forms

BASES = [1.0, 1.02, 0.99, 1.01, 1.0, 0.98, 1.03, 1.0, 1.01, 0.99, 1.0, 1.02]
# By form, budget and bits: above the base of the seed.
SCORES = {
    ("multiplexed", 7_008, "float32"): 0.10,
    ("multiplexed", 7_008, "int8"): 0.04,
    ("multiplexed", 7_008, "int2"): 0.01,
    ("multiplexed", 28_032, "float32"): 0.041,
    ("multiplexed", 28_032, "int8"): 0.03,
    ("multiplexed", 28_032, "int2"): 0.032,
    ("separate", 7_008, "float32"): 0.14,
    ("separate", 7_008, "int2"): 0.012,
}


@pytest.fixture(scope="module")
def arms():
    records = []
    for number, ((regions, budget, name), above) in enumerate(SCORES.items()):
        scores = []
        for seed, base in enumerate(BASES):  # the noise of an arm has no mean
            scores.append(base + above + 0.001 * ((-1) ** (seed // (1 + number % 3))))
        rule = "sqrt" if regions == "separate" else None
        records += fake.arm(
            scores, "hashed_net", budget, regions=regions, region_rule=rule, bits=name
        )
    return collect(records).kept


@pytest.fixture(scope="module")
def frame(arms):
    return bits.tidy(study_of(arms))


def test_every_bits_is_compared_with_floats_at_the_same_bytes(frame):
    same = frame[frame["than"] == "the same bytes"].set_index(["form", "budget", "bits"])
    for (regions, budget, name), above in SCORES.items():
        if name == "float32":
            continue
        expected = above - SCORES[regions, budget, "float32"]
        row = same.loc[f"hashed_net {regions}", budget, name]
        assert row["difference"] == pytest.approx(expected)
        assert row["difference_low"] < expected < row["difference_high"]
    assert same.loc["hashed_net multiplexed", 7_008, "int2"]["told_apart"]


def test_eight_bits_are_compared_with_floats_at_four_times_the_bytes(frame):
    larger = frame[frame["than"] == "four times the bytes"]
    assert list(larger["budget"]) == [7_008]
    assert larger["difference"].iloc[0] == pytest.approx(0.04 - 0.041)
    lines = "\n".join(bits.table(frame))
    assert "It is in 1 of 1 cases." in lines


def test_validation_names_the_bits_of_a_form(frame):
    named = frame[frame["named"]].set_index(["form", "budget"])["bits"]
    assert len(named) == 3
    lines = bits.table(frame)
    for budget, of_budget in named.groupby("budget"):
        title = frame[frame["budget"] == budget]["title"].iloc[0]
        sentence = next(line for line in lines if f"at {title}, of {len(of_budget)} form" in line)
        for name, count in of_budget.value_counts().items():
            assert f"{name} for {count}" in sentence
    for form, _ in named.index:
        row = next(line for line in lines if line.startswith(f"| {form} |"))
        assert row.count("**") == 2


def test_the_figure_has_a_panel_for_each_budget(arms, frame):
    figure = bits.draw(frame, study_of(arms))
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title()[:6] for axes in panels] == ["7.0 kB", "28 kB "]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["32", "8", "2"]


def test_forms_are_compared_within_the_same_bits(arms):
    pairs = forms.tidy(study_of(arms))
    found = {row["strategy"]: row["difference"] for row in pairs.to_dict("records")}
    assert found["hashed_net"] == pytest.approx(0.10 - 0.14)
    assert found["hashed_net int2"] == pytest.approx(0.01 - 0.012)


def test_without_several_bits_there_is_nothing_to_show(arms):
    floats = [arm for arm in arms if arm.config["bits"] == "float32"]
    assert bits.tidy(study_of(floats)).empty
