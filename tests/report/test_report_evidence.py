"""What a claim needs: enough seeds, searches of known optimism, a verdict on two strategies."""

import json
import math
import random
import statistics
from dataclasses import replace

import fake_records as fake
import pandas as pd
import pytest
from click.testing import CliRunner
from fake_records import arm
from study_data import study_of

from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.pairs import compare_all, holm_within
from ue_bench.report.evidence.ranks import ranked
from ue_bench.report.evidence.statistics import holm, paired
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.figures.sections.every_study import seeds_needed
from ue_bench.report.figures.sections.searches import optimism
from ue_bench.report.page.prose import refresh


def test_seeds_apart_by_one_amount_are_no_division_by_zero(recwarn):
    test = paired({0: 0.1, 1: 0.2, 2: 0.3}, {0: 0.4, 1: 0.5, 2: 0.6})  # equal but for rounding
    assert (test.n, test.p) == (3, 0.0)
    assert (test.low, test.difference, test.high) == pytest.approx((0.3, 0.3, 0.3))
    assert not recwarn.list


@pytest.mark.parametrize("sd", [0.0005, 0.001, 0.0025, 0.01, 0.02, 0.3])
def test_the_seeds_needed_follow_the_normal_approximation(sd):
    """n is about ((1.96 + 0.84) sd / 0.005)^2, and some two more as the sd is not known."""
    about = ((1.959964 + 0.841621) * sd / 0.005) ** 2
    assert about < power.seeds_needed(sd) < about + 4


def test_the_seeds_needed_are_enough_in_a_simulation():
    noise = random.Random(0)
    n = power.seeds_needed(0.01)
    seen = 0
    for _ in range(300):
        apart = {seed: noise.gauss(0.005, 0.01) for seed in range(n)}
        seen += paired(dict.fromkeys(apart, 0.0), apart).p < 0.05
    assert 0.73 < seen / 300 < 0.87  # 80 %, three standard errors on each side
    assert power.seeds_needed(0.0) == power.seeds_needed(1e-5) == 2


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
    (line,) = power.sentences(frame)
    assert line == (
        "base (ml-100k, random split): sd of paired differences 0.0141, "
        f"{row['needed']} seeds to see 0.005 (5 %, power 80 %); has 3"
    )
    two_studies = pd.concat([frame, frame.assign(study="other")])
    assert power.sentences(two_studies)[1].startswith("base (ml-100k, random split), study other: ")
    assert seeds_needed.table(frame)[-1].endswith(f"| 2 | 0.0141 | {row['needed']} | 3 |")


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
        12.7062 * 0.01, abs=1e-5
    )  # t(0.975, 1); standard error 0.01
    assert row["above_bias"] == pytest.approx(-0.02)  # the fresh rows were harder by 0.02
    lines = optimism.table(optimism.tidy(study_of(arms.kept, arms.search)))
    assert lines[0].startswith(
        "Mean optimism over 1 searches: -0.0400, above the bias model -0.0200, of the test MSE"
    )
    assert "The search's score was the better one in 1. No winner was run beside" in lines[0]
    assert "| 28 kB | 4 × 1 | 0.8000 | 0.8400 (2) | -0.0400 [" in lines[-1]


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
        "unified 1×16 against per_feature 1×16 (sqrt): -0.0497 [-0.05"
    )
    assert line.endswith("test MSE: better (p < 0.001)")


def test_what_cannot_be_told_needs_more_seeds():
    records = arm([0.90, 0.92, 0.91]) + arm([0.91, 0.90, 0.93], "per_feature")
    (row,) = compare(records, "unified", "per_feature")
    sd = math.sqrt(13 / 3) / 100  # of -0.01, 0.02, -0.02
    assert row["verdict"] == "cannot tell"
    assert row["needed"] == power.seeds_needed(sd, 0.005)
    assert sentence(row).endswith(
        f"cannot tell with 3 seeds, needs about {row['needed']} to see 0.0050"
    )


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


def test_one_seed_is_no_verdict():
    (row,) = compare(arm([0.9]) + arm([0.95], "per_feature"), "unified", "per_feature")
    assert (row["verdict"], row["p"], row["low"]) == ("cannot tell", None, None)
    assert sentence(row).endswith("-0.0500 test MSE: cannot tell with 1 seed, needs at least 2")


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
    assert CliRunner().invoke(main, words).output.count("\n") == 1
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
    needed = [power.seeds_needed(0.005 * 1.2**k, alpha=alpha) for k in range(-40, 24)]
    assert needed == sorted(needed)
    assert needed[0] <= 3
    assert 20_000 < needed[-1] < 100_000


def test_rivals_are_compared_with_the_best_as_one_family():
    best = dict(enumerate(WELL))
    worse = dict(enumerate(ILL))
    near = dict(enumerate([0.90, 0.92, 0.88, 0.91]))
    lone = {0: 0.95}
    frame = compare_all(best, [worse, near, lone])
    assert list(frame["n"]) == [4, 4, 1]
    assert list(frame["difference"]) == pytest.approx([0.04975, 0.0025, 0.05])
    tested = holm([paired(best, worse).p, paired(best, near).p])  # one seed is no test
    assert list(frame["p_holm"])[:2] == pytest.approx(tested)
    assert list(frame["told_apart"]) == [True, False, False]
    noise = statistics.stdev([0.0, 0.01, -0.01, 0.01])
    assert frame.loc[1, "needed"] == power.seeds_needed(noise, 0.005, 0.05 / 3)
    assert frame.loc[1, "needed_for"] == 0.005
    assert frame.loc[[0, 2], "needed"].isna().all()
    assert frame.loc[[0, 2], "needed_for"].isna().all()


def test_no_rivals_are_an_empty_frame():
    assert compare_all(dict(enumerate(WELL)), []).empty


def test_holm_is_within_each_family():
    frame = pd.DataFrame({"p": [0.01, 0.04, 0.03, None], "panel": ["a", "b", "b", "b"]})
    assert list(holm_within(frame, "panel"))[:3] == pytest.approx([0.01, 0.06, 0.06])
    assert math.isnan(holm_within(frame, ["panel"])[3])


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
