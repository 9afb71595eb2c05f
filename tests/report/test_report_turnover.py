"""The section about the turnover of values: verdicts of errors that were planted."""

from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest
from study_data import study_of

from ue_bench.config.stream_split import STREAM
from ue_bench.report.evidence.arms import collect
from ue_bench.report.figures.sections.one_study import turnover

EXACT = 224_256  # bytes
SEEDS = 8
TURNOVERS = (0, 0.1, 0.3, 1)
# What each table is above the exact rows, by turnover.
ABOVE = {
    "unified": (0.01, 0.0, -0.01, -0.02),
    "hashed_net": (-0.01, -0.01, -0.01, -0.01),
    "robe": (-0.01, -0.01, -0.01, 0.02),
}
ROWS = {"evicting_exact": (0.0, 0.0, 0.0, 0.0), **ABOVE}
REGIONS = dict.fromkeys(ABOVE, "multiplexed") | {"evicting_exact": "exact"}


def records(turnovers=TURNOVERS, split=STREAM):
    found = []
    for number, of_log in enumerate(turnovers):
        for place, (strategy, above) in enumerate(ROWS.items()):
            noise = np.random.default_rng([number, place]).normal(0, 0.0005, SEEDS)
            for seed, of_seed in enumerate(noise - noise.mean()):
                dataset = f"click-world-small@{of_log}"
                asked = {"regions": REGIONS[strategy], "dataset": dataset, "split": split}
                config = fake.config(strategy, seed=seed, budget=EXACT // 16, **asked)
                made = fake.make(config, mse=0.2 + 0.01 * seed + above[number] + of_seed)
                made = replace(made, found=made.found | {"exact_table_bytes": EXACT})
                found.append(fake.with_groups(made))
    return found


@pytest.fixture(scope="module")
def study():
    of_split = records(TURNOVERS[:1], split="global_temporal")
    return study_of(collect(records() + of_split).kept)


@pytest.fixture(scope="module")
def frame(study):
    return turnover.tidy(study)


def test_differences_are_those_that_were_planted(frame):
    frame = frame[frame["view"] == turnover.BESIDE]
    assert len(frame) == len(ABOVE) * len(TURNOVERS)
    for strategy, above in ABOVE.items():
        line = frame[frame["group"].str.startswith(strategy)]
        assert list(line["turnover"]) == list(TURNOVERS)
        assert list(line["difference"]) == pytest.approx(above)
        assert line["against"].str.startswith("evicting_exact").all()
    assert set(frame["tests"]) == {len(ABOVE) * len(TURNOVERS)}


def test_the_turnover_is_told_from_which_on_a_table_is_better(frame):
    told = [line for line in turnover.table(frame) if line.startswith("- ")]
    (always,) = [line for line in told if "at every turnover" in line]
    assert "hashed_net" in always
    (from_some,) = [line for line in told if "from a turnover of 0.3 on" in line]
    assert "unified" in from_some
    assert "(better at 0.3, 1; worse at 0; cannot tell at 0.1)" in from_some
    (never,) = [line for line in told if "not better" in line]
    assert "robe" in never  # it is worse at the highest
    assert "(better at 0, 0.1, 0.3; worse at 1)" in never


def test_the_stream_and_the_split_of_a_log_rank_alike(frame):
    (row,) = frame[frame["view"] == turnover.RANKS].to_dict("records")
    assert (row["turnover"], row["other"], row["arms"]) == (0, "global_temporal", len(ROWS))
    assert row["tau"] == 1
    assert (row["told"], row["reversed"]) == (5, 0)  # of 6 pairs; two tables were planted alike
    (told,) = [line for line in turnover.table(frame) if "agree with τ = 1.00" in line]
    assert "global_temporal" in told


def test_the_figure_has_a_line_for_each_table(frame, study):
    figure = turnover.draw(frame, study)
    (axes,) = [axes for axes in figure.axes if axes.get_visible()]
    assert len(axes.containers) == len(ABOVE)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.1", "0.3", "1"]
    assert axes.get_xlabel() == "turnover of values a day"


def test_one_turnover_makes_no_section():
    assert turnover.tidy(study_of(collect(records(TURNOVERS[:1])).kept)).empty
