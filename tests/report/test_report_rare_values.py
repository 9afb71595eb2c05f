"""Where an advantage lies: in rows with unseen values, or in the others."""

from dataclasses import replace

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.unseen_share import share_columns, share_text, unseen_share
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures.sections.every_study import rare_values
from ue_bench.report.page import abstract, conclusion

MSE = {"unified": 0.86, "per_feature": 0.90}
UNSEEN = {"unified": 1.0, "per_feature": 1.1}  # of a fifth of the rows: half of the difference


def runs(strategy, seeds=range(6), old=False, **asked):
    found = []
    for seed in seeds:
        record = fake.make(fake.config(strategy, seed=seed, budget=28_032, **asked))
        mse = MSE[strategy] + 0.001 * seed + 0.0003 * (seed % 2) * (strategy == "unified")
        quality = record.quality | {"test_mse": mse, "rarity": fake.rarity(mse, UNSEEN[strategy])}
        if old:
            del quality["rarity"]
        found.append(replace(record, quality=quality))
    return found


def both(**changes):
    return [*runs("unified", **changes), *runs("per_feature", **changes)]


def test_the_share_of_an_advantage_in_rows_with_unseen_values():
    per_feature, unified = collect(both()).kept
    share = unseen_share(unified, per_feature)
    assert share.rows == pytest.approx(0.2)
    assert share.difference == pytest.approx(0.2 * 0.1 / (0.04 - 0.00015))
    assert unseen_share(per_feature, unified) == pytest.approx(share)
    assert share_text(share_columns(share)) == ("50 % of it in the 20 % of rows with unseen values")
    assert share_text({"unseen_rows": 0.0014, "unseen_share": -0.2}) == (
        "-20 % of it in the 0.1 % of rows with unseen values"
    )


def test_records_without_slices_have_no_share():
    one_old = [*runs("unified"), *runs("per_feature", seeds=range(5))]
    one_old += runs("per_feature", seeds=[5], old=True)
    for records in (both(old=True), one_old):
        per_feature, unified = collect(records).kept
        assert unseen_share(unified, per_feature) is None


def test_the_common_seeds_count():
    per_feature, unified = collect([*runs("unified"), *runs("per_feature", seeds=[0])]).kept
    assert unseen_share(unified, per_feature).difference == pytest.approx(0.2 * 0.1 / 0.04)


def test_compare_says_where_the_difference_lies():
    (row,) = compare(both(), "unified", "per_feature")
    assert row["verdict"] == "better"
    assert row["unseen_share"] == pytest.approx(0.5, abs=0.01)
    assert row["unseen_rows"] == pytest.approx(0.2)
    assert sentence(row).endswith("; 50 % of it in the 20 % of rows with unseen values")
    (old,) = compare(both(old=True), "unified", "per_feature")
    assert old["unseen_share"] is None
    assert "unseen" not in sentence(old)


def test_the_section_has_slices_by_unseen_values_and_by_decile():
    study = study_of(collect(both()).kept)
    frame = rare_values.tidy(study)
    of_unified = frame[frame["label"] == "unified 1×16"]
    assert list(of_unified["slice"]) == ["0", "1", "2+", *map(str, range(1, 11))]
    by_slice = of_unified.set_index(["by", "slice"])
    assert by_slice.loc[("unseen", "1"), "mse"] == pytest.approx(1.0)
    assert by_slice.loc[("unseen", "1"), "share"] == pytest.approx(0.15)
    assert by_slice.loc[("decile", "2"), "mse"] == pytest.approx(1.0)
    assert by_slice.loc[("decile", "2"), "share"] == pytest.approx(0.1)
    sentence_line, _, head, _, first, second = rare_values.table(frame)
    assert "unified 1×16 is significantly better than per_feature 1×16 (proportional) by" in (
        sentence_line
    )
    assert sentence_line.endswith("50 % of it in the 20 % of rows with unseen values.")
    assert "| 0 unseen (80 %) | 1 unseen (15 %) | 2+ unseen (5 %) | decile 1 (0) |" in head
    assert first.startswith("| unified 1×16 ")
    assert "1.1000" in second
    assert rare_values.draw(frame, study).axes


def test_the_section_leaves_out_arms_without_scores_of_slices():
    some_old = study_of(collect([*runs("unified"), *runs("per_feature", old=True)]).kept)
    assert set(rare_values.tidy(some_old)["group"]) == {"unified"}
    assert rare_values.tidy(study_of(collect(both(old=True)).kept)).empty


def test_the_answer_says_where_the_lead_over_the_next_one_lies():
    def answer(records):
        arms = collect(records).kept
        summary = summarise(arms)
        return " ".join(conclusion.sentences(summary, verdicts(arms, summary)))

    lead = ", 50 % of it in the 20 % of rows with unseen values (p"
    assert lead in answer(both())
    assert "unseen" not in answer(both(old=True))


def test_features_that_are_a_stress_carry_no_headline():
    def answers(records):
        arms = collect(records).kept
        summary = summarise(arms)
        found = verdicts(arms, summary)
        return abstract.sentences(summary, found), conclusion.sentences(summary, found)

    stress = both(features="wide")
    short, whole = answers([*both(), *stress])
    assert short[0].startswith("Validation names unified at the one budget")
    assert short[-1] == "The feature set wide, a stress of rare values, is not part of this."
    assert whole[0].startswith(
        "Strategies are compared at 1 budget of other features than wide, which is a stress of "
    )
    assert any(line.startswith("**wide (ml-100k") for line in whole), "its own part stays"
    alone, _ = answers(stress)
    assert alone[0].startswith("Validation names unified"), "alone it has the answer"
    assert not any("stress" in line for line in alone)
