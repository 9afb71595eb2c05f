"""Numbers: the interval, Holm's correction, the summary's row, verdicts and their sentences."""

import math
from dataclasses import replace
from typing import ClassVar

import fake_records as fake
import pandas as pd
import pytest
from made_scores import redrawn

from ue_bench.errors import BenchError
from ue_bench.record.record import parse
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.statistics import compare_two, estimate, holm
from ue_bench.report.evidence.summary import _BYTES, _TRAINING_BYTES, summarise
from ue_bench.report.evidence.verdict import front, front_of_bytes, verdicts
from ue_bench.report.format import (
    bytes_text,
    delta_text,
    interval_text,
    micros_text,
    ratio_text,
)
from ue_bench.report.page.conclusion import sentences


def arm(budget, scores, strategy="unified", **asked):
    return fake.arm(scores, strategy, budget, **asked)


def test_the_interval_is_students_with_the_correction_of_overlapping_splits():
    scores = [1.0, 2.0, 3.0, 4.0, 5.0]
    # t(0.975, 4) = 2.776, s = 1.5811, s / sqrt(5) = 0.7071
    mean, low, high, _ = estimate(redrawn(scores, ratio=0.0))
    assert (mean, low, high) == pytest.approx((3.0, 3 - 1.9632, 3 + 1.9632), abs=1e-4)
    # s sqrt(1 / 5 + 1 / 8) = 0.9014
    mean, low, high, interval_by = estimate(redrawn(scores))
    assert (mean, low, high) == pytest.approx((3.0, 3 - 2.5026, 3 + 2.5026), abs=1e-4)
    assert interval_by == "corrected resampled t"
    assert all(math.isnan(value) for value in estimate(redrawn([0.9]))[1:3])


def test_a_paired_difference_uses_common_seeds():
    own = redrawn({0: 1.0, 1: 2.0, 2: 3.0}, ratio=0.0)
    test = compare_two(own, redrawn({1: 2.5, 2: 3.7, 3: 9.0}, ratio=0.0))  # 0.5 and 0.7
    assert test.n == 2
    assert test.difference == pytest.approx(0.6)
    assert test.p == pytest.approx(
        2 * (0.5 - math.atan(6) / math.pi), abs=1e-9
    )  # t = 6 with one degree of freedom
    assert math.isnan(compare_two(redrawn([1.0]), redrawn([2.0])).p)
    assert compare_two(redrawn([1.0, 2.0]), redrawn([1.0, 2.0])).p == 1.0


def test_holm_is_monotone_and_skips_what_was_not_tested():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, math.nan, 0.01])[::2] == pytest.approx([0.5, 0.02])


def test_a_row_of_the_summary():
    row = summarise(collect(arm(28_032, [0.90, 0.91, 0.92])).kept).iloc[0]
    assert (row["n"], row["lookups"], row["dim"], row["budget"], row["label"]) == (
        3,
        "1",
        16,
        28_032,
        "unified 1×16",
    )
    assert row["test_mse_mean"] == pytest.approx(0.91)
    assert row["test_mse_high"] - row["test_mse_mean"] == pytest.approx(
        4.3027 * 0.01 * math.sqrt(1 / 3 + 1 / 8), abs=1e-5
    )
    assert row["test_interval_by"] == "corrected resampled t"
    assert row["compression"] == pytest.approx(3504 * 16 * 4 / 27_471, abs=1e-3)
    assert len(row["run_ids"].split()) == 3
    assert row["beats_bias"] == False  # noqa: E712 (0.91 against some 0.893)


class Noting(dict):
    """What a run cost, which notes the names that it is asked for."""

    asked: ClassVar = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def __or__(self, other):
        return Noting({**self, **other})


def test_no_cost_that_the_summary_reads_may_be_a_text():
    runs = arm(28_032, [0.90, 0.91, 0.92])
    summarise(collect([replace(run, cost=Noting(run.cost)) for run in runs]).kept)
    assert Noting.asked >= {*_BYTES, *_TRAINING_BYTES, "train_seconds", "latency"}
    for name in Noting.asked:
        text = replace(runs[0], cost=runs[0].cost | {name: "latency"}).to_json()
        with pytest.raises(BenchError, match=f"cost.{name}"):
            parse(text.encode(), "r.json")


def test_total_bytes_are_the_rounded_mean_over_split_seeds():
    row = summarise(collect(arm(None, [0.85, 0.85], "collisionless")).kept).iloc[0]
    vocabulary = int(3504 * 0.93) * 12
    assert row["total_bytes"] == round(3504 * 64 + vocabulary + 17 / 2)


def test_a_split_without_a_test_part_is_judged_on_validation():
    records = arm(28_032, [0.95, 0.96], split="article") + arm(
        28_032, [0.97, 0.98], "per_feature", split="article"
    )
    kept = collect(records).kept
    summary = summarise(kept)
    assert summary["test_mse_mean"].isna().all()
    assert any(
        "validation MSE 0.9625 (n=2)" in line
        for line in sentences(summary, verdicts(kept, summary))
    )


def test_the_variant_is_chosen_on_validation_and_compared_on_test():
    good = arm(28_032, [0.90, 0.91, 0.92, 0.93])
    chosen = arm(28_032, [0.921, 0.929, 0.941, 0.949], "per_feature", region_rule="equal")
    worse = arm(28_032, [0.98, 0.99, 1.00, 1.01], "per_feature", region_rule="sqrt")
    kept = collect(good + chosen + worse).kept
    summary = summarise(kept)
    found = verdicts(kept, summary)
    assert list(found["label"]) == ["unified 1×16", "per_feature 1×16 (equal)"]
    assert found.loc[1, "difference"] == pytest.approx(0.02)
    assert found.loc[1, "told_apart"]
    assert list(found["among_best"]) == [True, False]
    text = "\n".join(sentences(summary, found))
    assert "28 kB (1/8): validation names **unified 1×16**, test MSE 0.9150 [" in text
    assert (
        "; it is alone in the set of the best; told apart from it: per_feature 1×16 (equal)" in text
    )
    assert "Holm's correction is over 1 test: all others against the one that validation" in text


def test_overlapping_arms_cannot_be_told_apart():
    kept = collect(
        arm(28_032, [0.90, 0.92, 0.91]) + arm(28_032, [0.91, 0.90, 0.93], "per_feature")
    ).kept
    summary = summarise(kept)
    found = verdicts(kept, summary)
    assert not found["told_apart"].any()
    assert any(
        "in the set of the best with per_feature" in line for line in sentences(summary, found)
    )


def test_one_seed_gives_no_claim():
    kept = collect(arm(28_032, [0.90]) + arm(28_032, [0.99], "per_feature")).kept
    summary = summarise(kept)
    assert any(
        "not judged (too few common seeds): per_feature" in line
        for line in sentences(summary, verdicts(kept, summary))
    )


def test_the_pareto_front_by_hand():
    records = arm(14_000, [0.95, 0.95]) + arm(28_000, [0.96, 0.96]) + arm(56_000, [0.90, 0.90])
    summary = summarise(collect(records).kept)
    frame = summary.assign(mse=summary["test_mse_mean"])
    assert list(front(frame)[frame.sort_values("budget").index]) == [True, False, True]


def test_arms_equal_in_size_and_error_are_on_the_front_together():
    rows = pd.DataFrame(
        [
            ["one", 14_000, 0.93],
            ["another", 14_000, 0.93],
            ["as large", 14_000, 0.94],
            ["as good", 15_000, 0.93],
            ["behind", 28_000, 0.95],
            ["as far behind", 28_000, 0.95],
            ["without a size", None, 0.93],
            ["without an error", 14_000, float("nan")],
        ],
        columns=["label", "total_bytes", "mse"],
    ).assign(world="one")
    for kind in ("float64", "Float64"):
        for drawn in (rows, rows[::-1]):
            on_front = front(drawn.astype({"total_bytes": kind}), within=["world"])
            assert set(drawn.loc[on_front, "label"]) == {"one", "another"}


def test_what_an_arm_leaves_of_its_budget_does_not_make_it_smaller():
    rows = pd.DataFrame(
        [
            ["lean", 14_000, 13_000, 13_000, 0.93],
            ["better", 14_000, 14_000, 14_000, 0.90],
            ["with a dictionary", 14_000, 13_900, 20_000, 0.89],
            ["exact", None, 30_000, 36_000, 0.88],
            ["large and worse", 56_000, 56_000, 56_000, 0.885],
        ],
        columns=["label", "budget", "table_bytes", "total_bytes", "mse"],
    )
    rows = rows.assign(auxiliary_bytes=0, world="one").astype({"budget": "Int64"})
    on_front = front_of_bytes(rows, within=["world"])
    assert list(rows.loc[on_front, "label"]) == ["better", "with a dictionary", "exact"]
    assert front(rows, within=["world"])[0]  # of fewer bytes than any other


def test_numbers_are_written_for_people():
    assert [bytes_text(n) for n in (512, 7008, 9_999, 28_032, 999_600, 4_457_024)] == [
        "512 B",
        "7.0 kB",
        "10 kB",
        "28 kB",
        "1.0 MB",
        "4.5 MB",
    ]
    assert [ratio_text(n, 224_256) for n in (28_032, 27_471, 224_256, 70_000, 448_512)] == [
        "1/8",
        "1/8",
        "1/1",
        "1/3.2",
        "2.0x",
    ]
    assert interval_text(0.899, 0.8951, 0.9029) == "0.8990 [0.8951, 0.9029]"
    assert interval_text(0.899, math.nan, math.nan) == "0.8990"
    assert [micros_text(value) for value in (8.214, 75.03, 1234.5, None)] == [
        "8.21",
        "75.0",
        "1234",
        "–",
    ]


def test_a_difference_has_its_sign_and_its_interval_where_there_is_one():
    assert delta_text(0.0206, -0.0102, 0.0514) == "+0.0206 [-0.0102, +0.0514]"
    assert delta_text(-0.0206, math.nan, math.nan) == "-0.0206"
    assert delta_text(None, None, None) == "–"


def test_sizes_are_parts_of_one_exact_table_where_widths_differ():
    """That of 16 numbers a feature, whatever the arms' own widths are."""
    narrow = arm(7_008, [0.9, 0.91], lookups=2, dim=8)
    wide = arm(7_008, [0.9, 0.91], strategy="hashed_net", lookups=4, dim=8)
    usual = 4 * 16 * sum(narrow[0].found["cardinalities"].values())
    assert narrow[0].found["exact_table_bytes"] == usual
    assert wide[0].found["exact_table_bytes"] == 2 * usual
    assert set(summarise(collect(wide).kept)["exact_table_bytes"]) == {2 * usual}
    both = summarise(collect([*narrow, *wide]).kept)
    assert set(both["exact_table_bytes"]) == {usual}
    widest = both[both["strategy"] == "hashed_net"].iloc[0]
    paid = widest["table_bytes"] + widest["auxiliary_bytes"]
    assert widest["compression"] == round(usual / paid, 3)
