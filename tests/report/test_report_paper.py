"""The paper's own table: the arms in it, the published numbers beside them, and its sentences."""

from itertools import chain

import fake_records as fake
import pytest
from study_data import study_of
from ue_bench.studies.paper import BASE, COMPRESSIONS, EXACT_ROWS, ROWS, STUDY, arms

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.run_scores import scores_of
from ue_bench.report.evidence.statistics import compare_two
from ue_bench.report.figures import style
from ue_bench.report.figures.sections.one_study import paper

EXACT = sum(fake.CARDINALITIES["base"].values()) * 4 * 30
METHODS = {
    "unified": "HashingTrick",
    "per_feature": "HashingTrick",
    "collisionless": "Collisionless",
}
ASKED = {
    name: getattr(BASE, name)
    for name in ("task", "negative_at_most", "positive_at_least", "head", "hidden", "dim")
}
MSE = {
    None: 0.13,
    "sqrt": 0.15,
    "equal": 0.16,
}  # of each way of sizing separate tables, and of the others


def runs(seeds=4, **changes):
    for arm in arms(BASE):
        if arm.strategy not in METHODS:  # an anchor
            continue
        budgets = (
            [EXACT // size for size in COMPRESSIONS] if arm.strategy != "collisionless" else [None]
        )
        for place, budget in enumerate(budgets):
            for seed in range(seeds):
                given = {"region_rule": arm.region_rule} if arm.region_rule else {}
                asked = fake.config(
                    arm.strategy, seed=seed, budget=budget, **{**ASKED, **given, **changes}
                )
                mse = (
                    MSE.get(arm.region_rule, 0.17)
                    + 0.02 * place
                    + 0.001 * seed * (1 + (arm.region_rule is None))
                )
                yield fake.make(asked, "paper", mse=mse, method=METHODS[arm.strategy])


@pytest.fixture(scope="module")
def frame():
    kept = collect(runs()).kept
    return paper.tidy(study_of(kept))


def test_the_budgets_of_the_study_are_the_papers_to_the_byte():
    assert [1_585_800 // size for size in COMPRESSIONS] == [rows * 120 for rows in ROWS]
    assert set(paper.BUDGETS) == set(ROWS)
    assert (paper.EXACT_ROWS, paper.EXACT_ROWS * paper.ROW_BYTES) == (EXACT_ROWS, 1_585_800)
    assert all(
        arm.task == "binary" and arm.head == "dcn"
        for part in (*STUDY.parts, *STUDY.quick)
        for arm in part.arms
    )


def test_each_form_stands_at_its_budget_beside_the_published_number(frame):
    ours = frame[frame["source"] == "here"]
    assert set(ours["panel"]) == {"ml-100k"}
    assert [
        (n, form) for n, form in zip(ours["rows"], ours["regions"], strict=True) if form != "exact"
    ] == [(n, form) for n in ROWS for form in ("separate", "multiplexed")]
    published = frame[frame["panel"] == "ml-1m"]
    assert len(published) == 2 * 7
    assert (
        published.set_index(["source", "rows", "regions"]).loc[
            ("paper", 1365, "multiplexed"), "auc"
        ]
        == 0.82
    )


def test_separate_tables_stand_with_the_rule_that_is_best_on_validation(frame):
    ours = frame[(frame["source"] == "here") & (frame["regions"] == "separate")]
    assert all("(sqrt)" in label for label in ours["label"])


def test_the_gain_is_paired_over_seeds(frame):
    kept = {(arm.label, arm.config["budget"]): arm for arm in collect(runs()).kept}
    row = frame[
        (frame["source"] == "here") & (frame["rows"] == 1365) & (frame["regions"] == "multiplexed")
    ].iloc[0]
    one, other = (
        scores_of(kept[label, int(row["budget"])].runs, "test", "auc")
        for label in ("per_feature 1×30 (sqrt)", "unified 1×30")
    )
    expected = compare_two(one, other)
    assert (row["difference"], row["difference_low"]) == pytest.approx(
        (expected.difference, expected.low)
    )
    assert row["p_holm"] >= expected.p
    assert row["tests"] == 3
    published = frame[
        (frame["source"] == "paper") & (frame["rows"] == 1365) & (frame["regions"] == "multiplexed")
    ].iloc[0]
    assert published["difference"] == pytest.approx(0.8200 - 0.7707)


def test_the_table_says_of_which_data_its_numbers_are(frame):
    lines = paper.table(frame)
    (head,) = [line for line in lines if line.startswith("| budget")]
    assert "our AUC (ml-100k, not comparable with the numbers beside it)" in head
    assert len([line for line in lines if line.startswith("- ")]) == 3
    assert (
        len(
            [
                line
                for line in lines
                if line.startswith(("| 1.6 MB", "| 791 kB", "| 158 kB", "| none"))
            ]
        )
        == 7
    )
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert (
        "| 158 kB (0.10 of the exact table) | one shared table | 0.8200 | 0.8263 | "
        in "\n".join(lines)
    )


def test_on_the_papers_own_data_the_numbers_are_comparable_and_share_a_panel():
    kept = collect(runs(dataset="ml-1m")).kept
    frame = paper.tidy(study_of(kept))
    assert set(frame["panel"]) == {"ml-1m"}
    assert "not comparable" not in "\n".join(paper.table(frame))
    with style.themed():
        figure = paper.draw(frame, study_of())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "ml-1m: the paper, its reproduction, here"
    ]


def test_a_budget_without_runs_is_told_as_missing():
    kept = collect(
        run for run in runs() if run.config.budget in (None, EXACT // COMPRESSIONS[-1])
    ).kept
    lines = paper.table(paper.tidy(study_of(kept)))
    assert next(line for line in lines if line.startswith("| 1.6 MB")).endswith(
        "| – | – | – | – | – |"
    )
    assert len([line for line in lines if line.startswith("- ")]) == 1


@pytest.mark.parametrize(
    "changes", [{"head": "mlp"}, {"negative_at_most": 3.0}, {"split": "user_temporal"}]
)
def test_another_protocol_is_not_in_it(changes):
    kept = collect(runs(seeds=2, **changes)).kept
    assert paper.tidy(study_of(kept)).empty
    both = collect(chain(runs(seeds=2), runs(seeds=2, **changes))).kept
    assert len(paper.tidy(study_of(both))) == 14 + 7


def test_another_method_of_two_forms_is_not_in_it():
    others = [
        fake.make(
            fake.config("robe", seed=seed, budget=EXACT // size, regions=regions, **ASKED),
            "paper",
            mse=0.1,
            method="Robe",
        )
        for size in COMPRESSIONS
        for regions in ("separate", "multiplexed")
        for seed in range(4)
    ]
    kept = collect(chain(runs(), others)).kept
    ours = paper.tidy(study_of(kept)).query("source == 'here'")
    assert len(ours) == 7
    assert not ours["label"].str.contains("robe").any()


def test_ratings_have_no_such_table():
    kept = collect(fake.study_grid(seeds=2)).kept
    assert paper.tidy(study_of(kept)).empty
    assert paper.tidy(study_of()).empty
