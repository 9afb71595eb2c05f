"""The answer in three sentences: no brackets, no verdict from two seeds, and what needs no table."""

from dataclasses import replace

import fake_records as fake
import pandas as pd
import pytest

from ue_bench.errors import BenchError
from ue_bench.report.evidence.board import boards
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.draw import section_gist
from ue_bench.report.figures.sections.one_study import recipe, variance, why
from ue_bench.report.figures.sections.searches import optimism, second_lookup
from ue_bench.report.page.gist import gist
from ue_bench.report.page.prose import refresh

MANY = "Study many compares per_feature and unified on ml-100k"


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
    assert best == f"{MANY}: unified is the best at all 2 sizes."
    best, *_ = told(several(5, gaps=(0.05, 0.0)), "many")
    assert best == (
        f"{MANY}: unified is the best at 1 of 2 sizes and at 1 of 2 sizes none is shown to be."
    )


def test_nobody_is_best_where_all_may_be():
    best, *_ = told(several(5, gaps=(0.0, 0.0)), "many")
    assert best.startswith(
        f"{MANY}; none is shown to be the best alone at any of 2 sizes, and validation prefers "
    )


def test_two_seeds_name_nobody():
    best, *_ = told(several(2), "many")
    assert best == f"{MANY}; which is best cannot be told: too few common seeds."


def test_of_several_data_sets_each_has_its_preferred_one():
    records = [*several(5, "flights", (0.0, 0.0)), *several(5, "baseball", (0.0, 0.0))]
    best, *_ = told(records, "many")
    assert best.startswith(f"{MANY[:-11]}; none is shown to be the best alone at any of 4")
    assert " on baseball and " in best
    assert best.endswith(" on flights.")


def test_the_board_says_who_is_first_of_all_forms():
    records = [*several(5), *several(5, study="methods")]
    _, of_all, *_ = told(records, "many", of_board="methods")
    assert of_all == (
        "Of 2 forms in study methods, the lowest error is that of unified at 14 kB and unified at "
        "28 kB."
    )


def test_a_form_that_keeps_no_budget_is_none_of_those_that_are_ranked():
    exact = [
        fake.make(fake.config("collisionless", regions="exact", seed=seed), "methods", mse=0.75)
        for seed in range(5)
    ]
    records = [*several(5), *several(5, study="methods"), *exact]
    (board,) = boards(Evidence(records), "methods")
    assert len(board.standings) == 3
    _, of_all, *_ = told(records, "many", of_board="methods")
    assert of_all.startswith("Of 2 forms in study methods, the lowest error is that of unified")


def test_without_a_board_the_largest_table_is_the_measure():
    exact = fake.make(fake.config("collisionless", regions="exact"), "many", mse=0.75)
    _, unlimited, *_ = told([*several(5), exact], "many")
    assert unlimited.startswith("Without a byte limit, collisionless")
    assert " reaches an MSE of 0.7500 with " in unlimited


def test_errors_of_several_data_sets_have_no_least():
    records = [*several(5), *several(5, "flights")]
    for dataset in ("ml-100k", "flights"):
        config = fake.config("collisionless", regions="exact", dataset=dataset)
        records.append(fake.make(config, "many", mse=0.75))
    assert not any("Without a byte limit" in sentence for sentence in told(records, "many"))


def test_the_table_without_a_limit_is_chosen_on_validation():
    records = list(several(5))
    for strategy, val, test in (("collisionless", 0.70, 0.76), ("low_dim_exact", 0.71, 0.75)):
        config = fake.config(strategy, regions="exact")
        record = fake.make(config, "many", mse=test)
        records.append(replace(record, quality=record.quality | {"val_mse": val}))
    _, unlimited, *_ = told(records, "many")
    assert unlimited.startswith("Without a byte limit, collisionless")
    assert " reaches an MSE of 0.7600 with " in unlimited


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


def with_two_heads(reverse=False):
    """Three strategies under two heads, in the same order or in the opposite one."""
    for head, sign in (("mlp", 1), ("dot", -1 if reverse else 1)):
        for place, strategy in enumerate(("unified", "per_feature", "robe")):
            for seed in range(8):
                noise = 0.01 * seed + 1e-4 * ((3 * seed + place) % 4)
                config = fake.config(strategy, seed=seed, budget=14_016, head=head)
                yield fake.make(config, "heads", mse=0.8 + sign * 0.05 * place + noise)


@pytest.mark.parametrize(
    ("reverse", "order"), [(False, "all are in the same order"), (True, "3 are in opposite order")]
)
def test_a_section_says_what_it_says_in_one_sentence(reverse, order):
    said = section_gist(Evidence(list(with_two_heads(reverse))), "heads", "heads")
    assert said == f"Of 3 times that two of the heads mlp and dot tell two arms apart, {order}."


def test_a_document_takes_the_sentence():
    evidence = Evidence(list(with_two_heads()))
    text = "<!-- ue-bench: gist heads heads -->\nold\n<!-- end -->\n"
    assert "all are in the same order." in refresh(text, evidence)
    with pytest.raises(BenchError, match="unknown section 'memory'"):
        refresh(text.replace("heads heads", "heads memory"), evidence)
    with pytest.raises(BenchError, match="names what no record has"):
        refresh(text.replace("heads heads", "other heads"), evidence)


def of_seeds(**shares):
    names = dict(
        zip(("hash", "init", "batch", "bias", "rest", "together"), variance.PARTS, strict=True)
    )
    parts = [names[name] for name in shares]
    return pd.DataFrame(
        {"panel": "base", "arm": "unified", "seed": parts, "share": shares.values()}
    )


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (
            {
                "hash": 0.02,
                "init": 0.05,
                "batch": 0.03,
                "bias": 0.45,
                "rest": 0.35,
                "together": 0.1,
            },
            "the split makes 80 %; beside it, no seed makes more than 5 %",
        ),
        (
            {"hash": 0.05, "init": 0.45, "batch": 0.05, "bias": 0.3, "rest": 0.1, "together": 0.05},
            "the init makes 45 %; beside it, no seed makes more than 40 %",
        ),
        (
            {"hash": 0.1, "init": 0.1, "batch": 0.05, "bias": 0.2, "rest": 0.1, "together": 0.45},
            "the split makes 30 %; beside it, no seed makes more than 10 %",
        ),
    ],
    ids=["split", "init", "interaction"],
)
def test_the_split_is_one_seed_and_an_interaction_none(shares, said):
    assert f"Of the variance by seeds, {said} by itself." == variance.gist(of_seeds(**shares))


def test_what_searches_promise_is_the_mean_of_those_that_promise_too_much():
    searches = pd.DataFrame({"optimism": [-0.001, 0.005], "gain": [None, None]})
    assert optimism.gist(searches) == (
        "What a search sees is too good in 1 of 2 searches, by 0.0010 on average there."
    )
    assert optimism.gist(searches.assign(optimism=0.001)) == (
        "What a search sees is too good in 0 of 2 searches."
    )


def test_a_size_counts_once_whichever_strategies_earn_a_lookup_there():
    of_two = pd.DataFrame(
        {
            "panel": "base",
            "budget": 14_016,
            "feature": ["user_id", "user_id"],
            "told_apart": True,
            "difference": [-0.1, -0.2],
        }
    )
    assert second_lookup.gist(of_two) == (
        "The second lookup is earned by user_id at 1 of 1 table sizes, and by no other feature."
    )


def test_conclusions_that_a_recipe_cannot_try_are_told():
    frame = pd.DataFrame(
        {
            "panel": "base",
            "setting": ["slow", "narrow"],
            "conclusions": [2, 1],
            "survive_all": "a over b; a over c",
            "fail_somewhere": "",
        }
    )
    assert recipe.gist(frame) == (
        "2 of 2 conclusions keep their order under all of 2 changed recipes that have both arms "
        "(not all have them under narrow)."
    )
    assert recipe.gist(frame.assign(conclusions=2)).endswith(
        "2 changed recipes that have both arms."
    )


def test_what_the_error_goes_with_is_counted_at_equal_budgets():
    frame = pd.DataFrame(
        {
            "view": "mse",
            "panel": ["base", "wide"],
            "head": "mlp",
            "rho": 0.5,
            "rho_foreign": 0.6,
            "agree": [3.0, 2.0],
            "pairs": [4.0, 2.0],
        }
    )
    assert why.gist(frame).endswith("has the lower error in 75 % to 100 % of the pairs (6).")
    assert why.gist(frame.assign(pairs=0.0)).startswith("No two arms have one budget")
