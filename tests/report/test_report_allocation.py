"""What the report says of searches for lookups, against planted answers."""

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence import trials
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.importance import importances
from ue_bench.report.figures.sections.searches import allocation, second_lookup
from ue_bench.report.figures.sections.searches import importances as importance


def test_importances_are_those_of_a_known_function():
    values = [{"a": a, "b": b, "c": 1} for a in range(1, 7) for b in range(1, 7)]
    found = importances(values, [3.0 * t["a"] + t["b"] for t in values])
    assert found["c"] == 0
    assert found["a"] == pytest.approx(0.9, abs=0.04)  # 9 parts of the variance to 1
    assert found["b"] == pytest.approx(0.1, abs=0.04)
    assert importances(values, [3.0 * t["a"] + t["b"] for t in values]) == found


def test_a_search_has_importances_where_it_has_enough_trials():
    frame = importance.tidy(study_of(search=list(fake.study_search())))
    assert set(frame["cell"]) == {"unified"}
    assert frame["importance"].between(0, 1).all()
    assert frame["importance"].sum() <= 1.0001
    assert len(importance.table(frame)) == 4 + 1
    assert importance.draw(frame, study_of()).axes
    few = collect(fake.study_search(trials=3))
    assert importance.tidy(study_of(search=few.search)).empty


def test_the_second_lookup_goes_to_the_planted_feature():
    arms = collect(fake.study_second_lookup())
    frame = second_lookup.tidy(study_of(arms.kept))
    assert len(frame) == 3 * 6
    assert (frame["n"] == 5).all()
    for budget, of_size in frame.groupby("budget"):
        assert of_size.loc[of_size["difference"].idxmin(), "feature"] == "movie_id", budget
    assert (frame["low"] <= frame["difference"]).all()
    assert "does most for movie_id" in second_lookup.table(frame)[0]
    assert len(second_lookup.draw(frame, study_of()).axes) == 3
    assert second_lookup.tidy(study_of(arms.kept[:2])).empty


def test_searches_of_earlier_versions_are_read_and_differ_in_what_they_say_of_themselves():
    record = next(fake.study_search())
    keys = set()
    for fact in ({}, {"sampler": "random"}, {"total": 12}):
        told = record.found["trial"] | fact
        asked = fake.make(record.config, "allocation", "search", trial=told)
        keys.add(trials.search_of(asked))
        shows_allocation = "total" not in fact
        assert allocation.tidy(study_of(search=[asked])).empty != shows_allocation
    assert len(keys) == 3
