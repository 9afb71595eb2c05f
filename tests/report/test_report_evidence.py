"""What a claim needs: enough seeds, searches of known optimism, a verdict on two strategies."""

import json
import math
import random
import statistics
from dataclasses import replace

import fake_records as fake
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fake_records import arm
from made_scores import redrawn
from scipy import stats
from study_data import study_of

from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.pairs import compare_all, differences_of, holm_corrected
from ue_bench.report.evidence.power import SeedNoise
from ue_bench.report.evidence.ranks import ranked
from ue_bench.report.evidence.statistics import compare_two, holm
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.figures.sections.every_study import seeds_needed
from ue_bench.report.figures.sections.searches import optimism
from ue_bench.report.page.prose import refresh


def test_seeds_apart_by_one_amount_are_no_division_by_zero(recwarn):
    own, other = redrawn([0.1, 0.2, 0.3]), redrawn([0.4, 0.5, 0.6])  # equal but for rounding
    test = compare_two(own, other)
    assert (test.n, test.p) == (3, 0.0)
    assert (test.low, test.difference, test.high) == pytest.approx((0.3, 0.3, 0.3))
    assert not recwarn.list


@pytest.mark.parametrize("sd", [0.0005, 0.001, 0.0025, 0.01, 0.02, 0.3])
def test_the_seeds_needed_follow_the_normal_approximation(sd):
    """n is about ((1.96 + 0.84) sd / 0.005)^2, and some two more as the sd is not known."""
    about = ((1.959964 + 0.841621) * sd / 0.005) ** 2
    needed = power.seeds_needed(SeedNoise(sd, floor=0.0))
    if about > power.MOST_SEEDS:
        assert needed is None
    else:
        assert about < needed < about + 4


def test_no_number_of_seeds_gets_below_the_floor():
    """(1.96 + 0.84)^2 (sd^2 / n + floor) = 0.005^2 has no n where the floor alone is more."""
    sd = 0.006
    floor = 0.125 * sd**2
    noise = SeedNoise(sd, floor)
    assert noise.smallest() == pytest.approx((1.959964 + 0.841621) * floor**0.5, rel=1e-5)
    assert noise.smallest() > 0.005
    assert power.seeds_needed(noise) is None
    less = SeedNoise(0.8 * sd, 0.64 * floor)
    needed = power.seeds_needed(less)
    about = 0.64 * sd**2 / ((0.005 / 2.801585) ** 2 - 0.64 * floor)
    assert about < needed < 1.5 * about  # more, as the noise is estimated from the seeds
    assert power.power(less, 0.005, needed - 1) < 0.8 <= power.power(less, 0.005, needed)


def test_power_is_that_of_the_corrected_test():
    """Half of the differences at the critical value are found, and 80 % of those 0.84 beyond."""
    noise = SeedNoise(0.01, 0.125 * 0.01**2)
    error = 0.01 * (1 / 500 + 0.125) ** 0.5
    assert noise.error(500) == pytest.approx(error)
    assert power.power(noise, 1.9647 * error, 500) == pytest.approx(0.5, abs=0.01)
    assert power.power(noise, -2.807 * error, 500) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20, 50, 200])
def test_a_larger_difference_is_never_found_less_often(n):
    """With a NaN among these, a clear difference would pass for one that cannot be told."""
    noise = SeedNoise(1.0, 0.0)
    chances = [power.power(noise, effect, n) for effect in np.logspace(-3, 4, 300)]
    assert np.isfinite(chances).all()
    assert (np.diff(chances) >= -1e-9).all()
    assert chances[-1] == pytest.approx(1)


def test_the_seeds_needed_are_enough_in_a_simulation():
    noise = random.Random(0)
    n = power.seeds_needed(SeedNoise(0.01, 0.0))
    seen = 0
    for _ in range(300):
        apart = [noise.gauss(0.005, 0.01) for _ in range(n)]
        seen += compare_two(redrawn([0.0] * n, ratio=0.0), redrawn(apart, ratio=0.0)).p < 0.05
    assert 0.73 < seen / 300 < 0.87  # 80 %, three standard errors on each side
    for sd in (0.0, 1e-5):
        assert power.seeds_needed(SeedNoise(sd, 0.0)) == 2


def test_the_noise_is_pooled_over_the_pairs_of_one_budget():
    apart = [0.01, -0.01, 0.03]
    records = (
        arm([0.9, 0.9, 0.9])
        + arm([0.9 + d for d in apart], "per_feature")
        + arm([0.8, 0.9, 0.99], budget=14_016)
    )
    records += arm([0.95, 0.95, 0.95], budget=56_064) + arm(
        [0.95, 0.95, 0.95], "per_feature", budget=56_064
    )
    kept = collect(records).kept
    frame = power.tidy(kept, summarise(kept))
    (row,) = frame.to_dict("records")
    assert (row["pairs"], row["n"]) == (2, 3)
    assert row["sd"] == pytest.approx(
        math.sqrt((0.0004 + 0.0) / 2)
    )  # variances 0.0004 and 0, two degrees of freedom each
    assert row["floor"] == pytest.approx(row["sd"] ** 2 / 8)  # 10,000 test rows, 80,000 of training
    (line,) = power.sentences(frame)
    assert line == (
        "base (ml-100k, random split): sd of paired differences 0.0141, no number of seeds shows "
        f"0.005, many show {2.801585 * (row['sd'] ** 2 / 8) ** 0.5:.4f} "
        "(5 %, power 80 %, corrected resampled t); has 3"
    )
    assert ", 7 seeds to see 0.005 (" in power.sentences(frame.assign(needed=7))[0]
    two_studies = pd.concat([frame, frame.assign(study="other")])
    assert power.sentences(two_studies)[1].startswith("base (ml-100k, random split), study other: ")
    assert "| 2 | 0.0141 | no number | 3 | 0.0140 |" in seeds_needed.table(frame)[-1]


def test_one_seed_tells_nothing_of_the_noise():
    kept = collect(arm([0.9]) + arm([0.9], "per_feature")).kept
    assert power.tidy(kept, summarise(kept)).empty
    assert power.of_arms(kept) == [f"seeds needed to see 0.005: {power.EMPTY}"]


def searched(vals, fresh, bias=0.9, **asked):
    """Trials of one dropout each, with their validation MSE; then some of them on fresh seeds."""
    for number, (dropout, val) in enumerate(vals.items()):
        config = fake.config(budget=28_032, dropout=dropout, **asked)
        facts = fake.trial_facts(number, ["dropout"])
        yield told(fake.make(config, phase="search", trial=facts), val, 0.9)
    for dropout, scores in fresh.items():
        for seed, val in enumerate(scores, start=100):
            yield told(
                fake.make(
                    fake.config(budget=28_032, seed=seed, dropout=dropout, **asked), phase="confirm"
                ),
                val,
                bias,
            )


def told(record, val, bias):
    anchors = {"bias": {"val_mse": bias, "test_mse": None}}
    return replace(record, quality=record.quality | {"val_mse": val, "anchors": anchors})


def test_optimism_is_the_search_score_less_the_confirmed_one():
    vals = {0.1: 0.80, 0.2: 0.82, 0.3: 0.85, 0.4: 0.86}
    fresh = {
        0.1: [0.83, 0.85],
        0.2: [0.85, 0.87],
        0.4: [0.7, 0.7],
    }  # the winner, the next one, and a rival that the search had tried
    arms = collect(searched(vals, fresh, bias=0.92))
    (row,) = optimism.tidy(study_of(arms.kept, arms.search)).to_dict("records")
    assert (row["trials"], row["trial_seeds"], row["n"], row["budget"]) == (4, 1, 2, 28_032)
    assert (row["searched"], row["confirmed"]) == pytest.approx((0.80, 0.84))
    assert row["optimism"] == pytest.approx(-0.04)
    assert row["optimism_high"] - row["optimism"] == pytest.approx(
        12.7062 * 0.01 * (1 + 2 / 8) ** 0.5, abs=1e-5
    )  # t(0.975, 1); standard error 0.01, times the correction for two seeds of 1 in 8 rows
    assert row["above_bias"] == pytest.approx(-0.02)  # the fresh rows were harder by 0.02
    lines = optimism.table(optimism.tidy(study_of(arms.kept, arms.search)))
    assert lines[0].startswith(
        "Mean optimism over 1 searches: -0.0400, above the bias model -0.0200, of the test MSE"
    )
    assert "The search's score was the better one in 1. No winner was run beside" in lines[0]
    assert "| 28 kB | 4 × 1 | 0.8000 | 0.8400 (2) | -0.0400 [" in lines[-3]
    assert lines[-1] == "Intervals are 95 %: corrected resampled t."


def test_a_search_that_nothing_confirms_has_no_row():
    arms = collect(searched({0.1: 0.8, 0.3: 0.85}, {0.2: [0.9, 0.9]}))
    assert optimism.tidy(study_of(arms.kept, arms.search)).empty


def test_one_trial_alone_chose_nothing():
    arms = collect(searched({0.1: 0.8}, {0.1: [0.9, 0.9]}))
    assert optimism.tidy(study_of(arms.kept, arms.search)).empty


WELL, ILL = [0.90, 0.91, 0.89, 0.90], [0.951, 0.958, 0.941, 0.949]


def test_a_difference_that_is_seen_is_told():
    records = (
        arm(WELL)
        + arm(ILL, "per_feature", region_rule="sqrt")
        + arm([0.99, 0.98, 0.99, 0.99], "per_feature", region_rule="equal")
    )
    (row,) = compare(records, "unified", "per_feature")
    assert (row["one"], row["other"], row["budget"], row["n"]) == (
        "unified 1×16",
        "per_feature 1×16 (sqrt)",
        28_032,
        4,
    )
    assert row["difference"] == pytest.approx(-0.04975)
    assert (row["verdict"], row["needed"]) == ("better", None)
    assert compare(records, "per_feature 1×16 (equal)", "unified 1×16")[0]["verdict"] == "worse"
    line = sentence(row)
    assert line.startswith(
        "base (ml-100k, random split), study fake, 28 kB: "
        "unified 1×16 against per_feature 1×16 (sqrt): -0.0498 [-0.05"
    )
    where = "20 % of it in the 20 % of rows with unseen values"
    assert line.endswith(f"test MSE (corrected resampled t): better (p < 0.001); {where}")
    assert row["power"] > 0.8


def test_what_cannot_be_told_needs_more_seeds():
    records = arm([0.90, 0.92, 0.91]) + arm([0.91, 0.90, 0.93], "per_feature")
    (row,) = compare(records, "unified", "per_feature")
    assert row["verdict"] == "cannot tell"
    assert (row["needed"], row["needed_for"]) == (None, 0.005)
    assert sentence(row).endswith("cannot tell with 3 seeds, and no number of seeds shows 0.0050")
    quiet = arm([0.900, 0.901, 0.902]) + arm([0.901, 0.900, 0.904], "per_feature")
    (row,) = compare(quiet, "unified", "per_feature")
    sd = math.sqrt(7 / 3) / 1000  # of 0.001, -0.001, 0.002
    noise = SeedNoise(sd, sd**2 / 8)
    assert row["needed"] == power.seeds_needed(noise, 0.005)
    assert sentence(row).endswith(
        f"cannot tell with 3 seeds, needs about {row['needed']} to see 0.0050"
    )


def test_a_rejection_without_power_is_no_verdict():
    """t = 3.1 with 4 degrees of freedom rejects at 5 %, and finds such a difference in 6 of 10."""
    errors = [-0.01, -0.005, 0.0, 0.005, 0.01]
    scale = np.std(errors, ddof=1) * (1 / 5 + 1 / 8) ** 0.5
    records = arm([0.9] * 5)
    records += arm([0.9 + 3.1 * scale + error for error in errors], "per_feature")
    (row,) = compare(records, "unified", "per_feature")
    assert row["p"] == pytest.approx(2 * stats.t.sf(3.1, 4))
    assert row["p"] < 0.05
    assert row["power"] < 0.8
    assert row["verdict"] == "cannot tell"
    percent = int(100 * row["power"])  # rounded up, 79.9 % would be the power that is asked for
    assert f"(p = 0.036, but a power of {percent} % only), needs about " in sentence(row)


def test_seeds_that_would_have_seen_it_are_called_enough():
    base = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95]
    near = [0.9001, 0.9099, 0.9201, 0.9299, 0.9401, 0.9499]
    (row,) = compare(arm(base) + arm(near, "per_feature"), "unified", "per_feature")
    assert sentence(row).endswith("cannot tell with 6 seeds, enough to see 0.0050")


def test_each_budget_has_a_line_and_holm_counts_them():
    records = []
    for budget in (14_016, 28_032):
        records += arm(WELL, budget=budget) + arm(ILL, "per_feature", budget=budget)
    records += arm(WELL, "collisionless", None)
    rows = compare(records, "unified", "per_feature")
    assert [row["budget"] for row in rows] == [14_016, 28_032]
    assert [row["p_holm"] for row in rows] == pytest.approx([2 * row["p"] for row in rows])
    free = compare(records, "per_feature", "collisionless")  # no budget: at each of the other's
    assert [(row["budget"], row["verdict"]) for row in free] == [
        (14_016, "worse"),
        (28_032, "worse"),
    ]


def test_an_arm_over_its_budget_meets_no_other_there():
    exact = []
    for record in arm(WELL, "collisionless", budget=28_032):
        exact.append(replace(record, cost=record.cost | {"table_bytes": 662_000}))
    records = arm(WELL) + arm(ILL, "per_feature")
    with pytest.raises(BenchError, match="unknown strategy or arm 'collisionless'"):
        compare(records + exact, "collisionless", "unified")
    unlimited = arm(WELL, "collisionless", None)
    rows = compare(records + exact + unlimited, "collisionless", "unified")
    assert [row["budget"] for row in rows] == [28_032]
    assert rows[0]["one"] == "collisionless 16"


def test_an_arm_may_be_named_with_an_x(tmp_path):
    """A keyboard has no ×; a name that has an x of its own is left alone."""
    runs = arm(WELL) + arm(ILL, "per_feature") + arm(ILL, "my2x8") + arm(WELL, "my2×8")
    fake.write_all(tmp_path, iter(runs))
    for one, other, labels in (
        ("unified 1x16", "per_feature 1x16 (proportional)", "unified 1×16 against per_feature 1×"),
        ("unified 1×16", "per_feature", "unified 1×16 against per_feature 1×16 (proportional)"),
        ("my2x8", "unified 1x16", "my2x8 1×16 (proportional) against unified 1×16"),
        ("my2×8", "unified", "my2×8 1×16 (proportional) against unified 1×16"),
    ):
        done = CliRunner().invoke(main, ["compare", one, other, "--results", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert labels in done.output
    done = CliRunner().invoke(main, ["compare", "unified", "x1x6", "--results", str(tmp_path)])
    assert "unknown strategy or arm 'x1x6'" in done.output


def test_one_seed_is_no_verdict():
    (row,) = compare(arm([0.9]) + arm([0.95], "per_feature"), "unified", "per_feature")
    assert (row["verdict"], row["p"], row["low"]) == ("cannot tell", None, None)
    assert sentence(row).endswith(
        "-0.0500 test MSE (corrected resampled t): cannot tell with 1 seed, needs at least 3"
    )


def test_names_that_cannot_be_compared():
    records = arm([0.9, 0.91]) + arm([0.9, 0.91], "per_feature", budget=14_016)
    unknown = r"unknown strategy or arm 'unifid' \(did you mean 'unified'\?\); choose from: "
    with pytest.raises(BenchError, match=f"{unknown}per_feature, "):
        compare(records, "unifid", "per_feature")
    with pytest.raises(BenchError, match="'unified' and 'per_feature' never meet"):
        compare(records, "unified", "per_feature")
    with pytest.raises(BenchError, match="never meet"):
        compare(records, "unified", "unified")
    with pytest.raises(BenchError, match="choose from: none"):
        compare([], "unified", "per_feature")


def test_the_command_compares(tmp_path):
    fake.write_all(tmp_path, iter(arm(WELL) + arm(ILL, "per_feature")))
    words = ["compare", "unified", "per_feature", "--results", str(tmp_path)]
    line, family = CliRunner().invoke(main, words).output.splitlines()
    assert line.startswith("base (ml-100k")
    assert family.startswith("Holm's correction is over 1 test: ")
    (row,) = json.loads(CliRunner().invoke(main, [*words, "--study", "fake", "--json"]).output)
    assert (row["verdict"], row["study"]) == ("better", "fake")
    done = CliRunner().invoke(main, ["compare", "unified", "gone", "--results", str(tmp_path)])
    assert done.exit_code == 2
    assert "unknown strategy or arm 'gone'" in done.output


def test_every_kind_of_block_is_made_from_records():
    runs = arm([0.85, 0.86, 0.87]) + arm([0.90, 0.91, 0.93], "per_feature")
    runs += arm([0.86, 0.86, 0.88], head="dcn") + arm([0.91, 0.90, 0.93], "per_feature", head="dcn")
    runs += arm([0.80, 0.81, 0.82], "robe") + arm([0.80, 0.81, 0.82], "robe", head="dcn")
    evidence = Evidence(runs)
    made = {}
    for words in (
        "abstract fake",
        "answer fake base",
        "table fake",
        "compare fake unified per_feature",
        "section fake power",
        "sentences fake heads",
    ):
        block = f"<!-- ue-bench: {words} -->\nstale\n<!-- end -->"
        made[words] = refresh(f"before\n{block}\nafter", evidence)
        assert made[words].startswith(f"before\n<!-- ue-bench: {words} -->\n")
        assert made[words].endswith("\n<!-- end -->\nafter")
        assert "stale" not in made[words]
        assert refresh(made[words], evidence) == made[words]
    assert "unified 1×16 against per_feature 1×16" in made["compare fake unified per_feature"]
    assert "0.8600" in made["table fake"]
    assert "| 3 |" in made["section fake power"]
    assert "rank correlation" in made["sentences fake heads"]
    assert "|" not in made["sentences fake heads"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("answers fake", "unknown block of generated prose 'answers' (did you mean 'answer'?)"),
        ("abstract gone", "the block 'abstract gone' names what no record has"),
        ("compare gone unified per_feature", "names what no record has"),
        ("section fake powers", "unknown section 'powers' (did you mean 'power'?)"),
        ("section gone power", "names what no record has"),
    ],
)
def test_a_block_that_cannot_be_made_is_one_line(words, told):
    with pytest.raises(BenchError) as caught:
        refresh(f"<!-- ue-bench: {words} -->\n<!-- end -->", Evidence(arm([0.85, 0.86])))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 14])
def test_more_noise_never_needs_fewer_seeds(alpha):
    """From no noise to 60 times the difference; scipy's noncentral t is NaN in parts of it."""
    noises = [SeedNoise(0.005 * 1.2**k, floor=0.0) for k in range(-40, 24)]
    needed = [power.seeds_needed(noise, alpha=alpha) for noise in noises]
    known = [n for n in needed if n is not None]
    assert known == sorted(known)
    assert known[0] <= 3
    assert power.MOST_SEEDS / 2 < known[-1] <= power.MOST_SEEDS
    assert needed[len(known) :] == [None] * (len(needed) - len(known))


def test_rivals_are_compared_with_the_best_as_one_family():
    best = redrawn(WELL)
    worse = redrawn(ILL)
    near = redrawn([0.90, 0.92, 0.88, 0.91])
    lone = redrawn([0.95])
    frame = compare_all(best, [worse, near, lone])
    assert list(frame["n"]) == [4, 4, 1]
    assert list(frame["difference"]) == pytest.approx([0.04975, 0.0025, 0.05])
    tested = holm([compare_two(best, worse).p, compare_two(best, near).p])  # one seed is no test
    assert list(frame["tests"]) == [2, 2, 2]
    assert list(frame["p_holm"])[:2] == pytest.approx(tested)
    assert list(frame["told_apart"]) == [True, False, False]
    sd = statistics.stdev([0.0, 0.01, -0.01, 0.01])
    assert frame.loc[1, ["sd", "floor"]].tolist() == pytest.approx([sd, sd**2 / 8])
    assert frame.loc[1, "needed_for"] == 0.005
    assert frame["needed"].isna().all()  # no number of seeds shows 0.005 with this noise
    assert frame.loc[[0, 2], "needed_for"].isna().all()


def test_no_rivals_are_an_empty_frame():
    assert compare_all(redrawn(WELL), []).empty


def test_holm_is_within_each_family():
    pairs = [(redrawn(WELL), redrawn(ILL))] * 3 + [(redrawn([0.9]), redrawn([0.95]))]
    tests = differences_of(pairs).assign(panel=["a", "b", "b", "b"])
    frame = holm_corrected(tests.assign(p=[0.01, 0.04, 0.03, math.nan]), "panel")
    assert list(frame["p_holm"])[:3] == pytest.approx([0.01, 0.06, 0.06])
    assert math.isnan(frame["p_holm"][3])
    assert list(frame["tests"]) == [1, 2, 2, 2]
    assert list(frame["told_apart"]) == [True, False, False, False]


def test_strategies_are_ranked_at_each_budget_of_a_large_comparison():
    few = [*fake.many_strategies(count=6)]
    assert ranked(summarise(collect(few).kept)).empty
    many = [*fake.many_strategies(count=7), *arm([0.8, 0.8, 0.8], "collisionless", None)]
    free = [replace(record, study="many") for record in many if record.study == "fake"]
    frame = ranked(summarise(collect([*many[:-3], *free]).kept))
    assert frame.groupby("budget")["rank"].apply(list).to_dict() == {
        budget: [1, 2, 3, 4, 5, 6, 7] for budget in (14_016, 28_032, 56_064)
    }
    assert frame.loc[frame["budget"].isna(), "rank"].isna().all()
