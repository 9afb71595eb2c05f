"""The section that compares recipes, on records whose answer is known."""

import random

import fake_records as fake
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.draw import study_data
from ue_bench.report.figures.sections.one_study import recipe

RULES = ("proportional", "sqrt", "equal")


def under(setting, levels, seeds=5, **changes):
    """Separate tables by three rules, with those levels of MSE, under one recipe."""
    for rule, level in zip(RULES, levels, strict=True):
        for seed in range(seeds):
            config = fake.config(
                "per_feature",
                seed=seed,
                budget=14_016,
                measure="quality",
                region_rule=rule,
                **changes,
            )
            noise = random.Random(seed).gauss(0, 0.01)
            noise += random.Random(config.run_id).gauss(0, 0.0005)
            found = {"setting": setting} if setting else {}
            yield fake.make(config, "fake", mse=0.9 + level + noise, **found)


def frame_of(*records):
    arms = collect([record for group in records for record in group])
    assert not arms.refused  # arms under different recipes are no arms of one comparison
    return recipe.tidy(study_of(arms.kept))


def test_a_conclusion_survives_where_every_recipe_keeps_its_order():
    frame = frame_of(
        under("", (0, 0.01, 0.03)),
        under("half the rate", (0, 0.02, 0.03), lr=0.002),
        under("no dropout", (0.01, 0, 0.03), dropout=0.0),
    )
    by_setting = frame.set_index("setting")
    assert by_setting.loc["half the rate", ["tau", "kept", "conclusions"]].tolist() == [1, 3, 3]
    reversed_row = by_setting.loc["no dropout"]
    assert (reversed_row["kept"], reversed_row["reversed"]) == (2, 1)
    assert reversed_row["tau"] < 1
    first, second, *_ = recipe.table(frame)
    assert "2 of 3 conclusions keep their order under all of 2 changed recipes" in first
    assert "1 do not" in second
    assert "the ranking changes most with no dropout" in second
    assert "1 pairs are told apart in opposite order" in second


def test_vectors_of_another_size_have_the_same_twins():
    frame = frame_of(under("", (0, 0.01, 0.03)), under("vectors of 32", (0, 0.01, 0.03), dim=32))
    assert frame[["setting", "arms", "tau"]].values.tolist() == [["vectors of 32", 3, 1.0]]


def test_one_recipe_is_no_comparison():
    assert frame_of(under("", (0, 0.01, 0.03))).empty


def test_other_sections_show_the_usual_recipe_alone():
    records = [*under("", (0, 0.01, 0.03)), *under("half the rate", (0, 0.02, 0.03), lr=0.002)]
    study = study_data(Evidence(records), "fake")
    assert set(study.summary["setting"]) == {""}
    assert {arm.comparison.setting for arm in study.arms} == {""}
    assert {arm.comparison.setting for arm in study.every_arm} == {"", "half the rate"}
    assert "half the rate" in set(recipe.tidy(study)["setting"])


def test_the_figure_has_a_line_for_each_changed_recipe():
    frame = frame_of(
        under("", (0, 0.01, 0.03)),
        under("half the rate", (0, 0.02, 0.03), lr=0.002),
        under("no dropout", (0.01, 0, 0.03), dropout=0.0),
    )
    (axes,) = recipe.draw(frame, study_of()).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["half the rate", "no dropout"]
