"""The answer in three sentences: no brackets, no verdict from two seeds, and what needs no table."""

import fake_records as fake
import pytest

from ue_bench.report.evidence.board import boards
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.gist import gist


def told(records, study, of_board=None):
    evidence = Evidence(list(records))
    board = boards(evidence, of_board)[0] if of_board else None
    return gist(*evidence.of(study), evidence.summary, board)


def several(seeds, dataset="ml-100k", gaps=(0.05, 0.05), study="many"):
    """Two strategies at two sizes, at each of which the second one is behind by a gap."""
    for budget, gap in zip((14_016, 28_032), gaps, strict=True):
        for strategy, behind in (("unified", 0.0), ("per_feature", gap)):
            for seed in range(seeds):
                noise = 0.01 * seed + 1e-4 * ((3 * seed + len(strategy)) % 4)
                config = fake.config(strategy, seed=seed, budget=budget, dataset=dataset)
                yield fake.make(config, study, mse=0.8 + behind + noise)


def test_who_is_best_and_at_how_many_sizes():
    best, *_ = told(several(5), "many")
    assert best == "On ml-100k, in study many, unified is the best at all 2 sizes."
    best, *_ = told(several(5, gaps=(0.05, 0.0)), "many")
    assert best == (
        "On ml-100k, in study many, unified is the best at 1 of 2 sizes and at 1 of 2 sizes "
        "several strategies may be the best."
    )


def test_nobody_is_best_where_all_may_be():
    best, *_ = told(several(5, gaps=(0.0, 0.0)), "many")
    assert best.startswith(
        "On ml-100k, in study many, no strategy is shown to be the best alone at any of 2 sizes: "
        "validation prefers "
    )


def test_two_seeds_name_nobody():
    best, *_ = told(several(2), "many")
    assert best == (
        "On ml-100k, in study many, it cannot be told which strategy is best: too few common seeds."
    )


def test_of_several_data_sets_each_has_its_preferred_one():
    records = [*several(5, "flights", (0.0, 0.0)), *several(5, "baseball", (0.0, 0.0))]
    best, *_ = told(records, "many")
    assert best.startswith("In study many, no strategy is shown to be the best alone at any of 4")
    assert " on baseball and " in best
    assert best.endswith(" on flights.")


def test_the_board_says_who_is_first_of_all_forms():
    records = [*several(5), *several(5, study="methods")]
    _, of_all, *_ = told(records, "many", of_board="methods")
    assert of_all == (
        "Of 2 forms in study methods, the lowest error is that of unified at 14 kB and unified at "
        "28 kB."
    )


def test_without_a_board_the_largest_table_is_the_measure():
    exact = fake.make(fake.config("collisionless", regions="exact"), "many", mse=0.75)
    _, unlimited, *_ = told([*several(5), exact], "many")
    assert unlimited.startswith("Without a byte limit, collisionless")
    assert " reaches an MSE of 0.7500 with " in unlimited


def test_models_without_a_table_are_told_with_the_arms_behind_them():
    *_, plain = told(several(5, gaps=(0.2, 0.2)), "many")
    assert plain == (
        "Before any table, try a plain model: 2 of 4 arms do not beat the user and item bias model."
    )


@pytest.mark.parametrize("seeds", [2, 5])
def test_no_sentence_has_brackets(seeds):
    records = [*several(seeds), *several(seeds, study="methods")]
    sentences = told(records, "many", of_board="methods")
    assert len(sentences) <= 3
    assert not any(sign in sentence for sentence in sentences for sign in "[]()")
