"""What the report tells of searches that share out lookups, against planted answers."""

from dataclasses import replace

import fake_records as fake
import numpy as np
import pandas as pd
import pytest
from study_data import study_of

from ue_bench.report.evidence import trials
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.importance import importances
from ue_bench.report.figures.sections.searches import (
    allocation,
    allocation_rule,
    hypervolume,
    lookup_rules,
    second_lookup,
    shared_out,
)
from ue_bench.report.figures.sections.searches import importances as importance


@pytest.fixture(scope="module")
def arms():
    return collect(fake.study_shared_out())


def test_importances_are_those_of_a_known_function():
    values = [{"a": a, "b": b, "c": 1} for a in range(1, 7) for b in range(1, 7)]
    found = importances(values, [3.0 * t["a"] + t["b"] for t in values])
    assert found["c"] == 0
    assert found["a"] == pytest.approx(0.9, abs=0.04)  # 9 parts of the variance to 1
    assert found["b"] == pytest.approx(0.1, abs=0.04)
    assert importances(values, [3.0 * t["a"] + t["b"] for t in values]) == found


def test_each_search_has_its_own_importances(arms):
    few = [record for record in arms.search if record.config.budget == 14_016]
    frame = importance.tidy(study_of(search=few))
    assert set(frame["cell"]) == {
        "12 lookups of 8 (width 96)",
        "18 lookups of 8 (width 144)",
    }  # not of 7: one at a time
    assert frame["importance"].between(0, 1).all()
    assert (frame.groupby("cell")["importance"].sum() <= 1.0001).all()
    wanted = frame.set_index(["cell", "feature"])["wanted"]
    assert (
        wanted["18 lookups of 8 (width 144)", "movie_id"]
        > wanted["18 lookups of 8 (width 144)", "gender"]
    )
    assert len(importance.table(frame)) == 4 + 2
    assert len(importance.draw(frame, study_of()).axes) == 2


def test_the_rule_finds_the_planted_power_and_beats_the_even_allocation(arms):
    frame = allocation_rule.tidy(study_of(search=arms.search))
    held = frame[frame["view"] == "held"]
    assert list(held["budget"]) == [3504, 14_016, 56_064]
    assert held["power"].between(0.15, 0.45).all()
    for rule in ("cardinality", "share"):
        assert (held[f"error_{rule}"] < held["error_even"]).all()
        assert held[f"regret_{rule}"].mean() < held["regret_even"].mean()
    found = frame[frame["view"] == "found"]
    for rule in ("cardinality", "share"):
        assert (
            found.groupby("search")[f"whole_{rule}"].sum()
            == found.groupby("search")["total"].first()
        ).all()
    text = allocation_rule.table(frame)
    assert "give every feature one lookup and share out the others" in text[0]
    assert " evenly;" not in text[0]
    assert len(text) == 1 + 3 + 3
    assert len(allocation_rule.draw(frame, study_of()).axes) == 2


def test_rules_are_apportioned_and_even_at_power_zero():
    cards = {"a": 1000, "b": 10, "c": 1}
    weights = lookup_rules.by_cardinality
    assert lookup_rules.allocation(weights(cards, 0), 9) == {"a": 3, "b": 3, "c": 3}
    assert lookup_rules.allocation(weights(cards, 1), 9) == {"a": 7, "b": 1, "c": 1}
    assert lookup_rules.quotas(weights(cards, 0.5), 6) == pytest.approx(
        [3.6511, 1.2651, 1.0838], abs=1e-3
    )
    wanted = pd.DataFrame({"search": "s", "feature": ["a", "b"], "total": 6, "wanted": [4.0, 2.0]})
    assert lookup_rules.shares(wanted) == {"a": 0.75, "b": 0.25}


def test_one_size_has_no_rule(arms):
    assert allocation_rule.tidy(
        study_of(search=[record for record in arms.search if record.config.budget == 3504])
    ).empty


def test_the_second_lookup_goes_to_the_planted_feature(arms):
    frame = second_lookup.tidy(study_of(arms.kept, arms.search))
    fresh = frame[frame["source"] == second_lookup.FRESH]
    assert len(fresh) == 3 * 6
    assert (fresh["n"] == 5).all()
    for budget, own in fresh.groupby("budget"):
        assert own.loc[own["difference"].idxmin(), "feature"] == "movie_id", budget
    effects = frame[frame["source"] == second_lookup.TRIALS].groupby("feature")["difference"].mean()
    assert effects["movie_id"] < effects["age"] < effects["gender"]
    assert (frame["low"] <= frame["difference"]).all()
    assert "does most for movie_id" in second_lookup.table(frame)[0]
    assert len(second_lookup.draw(frame, study_of()).axes) == 3


def test_the_effect_of_a_doubling_is_the_slope(arms):
    """Values that are exactly linear in the logarithms give back the slopes, with no width to the interval."""
    slopes = {
        "user_id": -0.01,
        "movie_id": -0.02,
        "gender": 0.003,
        "age": 0.0,
        "occupation": 0.001,
        "zip": -0.004,
    }
    linear = []
    for record in arms.search:
        value = 0.9 + record.config.init_seed / 10  # a level for each search
        value += sum(slopes[name] * np.log2(n) for name, n in record.found["lookups"].items())
        linear.append(replace(record, quality={"val_mse": value}))
    frame = second_lookup.tidy(study_of(search=linear))
    assert dict(zip(frame["feature"], frame["difference"], strict=True)) == pytest.approx(
        {name: slope - sum(slopes.values()) / 6 for name, slope in slopes.items()}, abs=1e-9
    )
    assert (frame["high"] - frame["low"] < 1e-9).all()


def test_the_best_are_set_beside_the_even_allocation_of_their_own_search(arms):
    frame = shared_out.tidy(study_of(arms.kept, arms.search))
    assert frame["y"].nunique() == 6
    assert (frame.groupby("y")["even"].sum() == 1).all()
    assert (frame.groupby("y")["first"].sum() == 1).all()
    first = frame[frame["first"]]
    assert (first["difference_high"] < 0).all()
    assert first["p_holm"].notna().all()
    mean = frame.set_index(["y", "even"])["mse"]
    row = first.iloc[0]
    assert row["difference"] == pytest.approx(row["mse"] - mean[row["y"], True])
    *lines, _, family = shared_out.table(frame)
    assert len(lines) == 2 + len(frame)
    assert family.startswith("Holm's correction is over 6 tests: ")
    assert family.endswith("Intervals are 95 %: corrected resampled t.")
    assert shared_out.draw(frame, study_of()).axes


def test_searches_of_a_fixed_total_have_figures_of_their_own(arms):
    assert allocation.tidy(study_of(search=arms.search)).empty


def test_a_study_without_such_searches_has_none_of_these():
    other = collect(fake.study_search(trials=3))
    for frame in (
        importance.tidy(study_of(search=other.search)),
        allocation_rule.tidy(study_of(search=other.search)),
        hypervolume.tidy(study_of(search=other.search)),
        second_lookup.tidy(study_of(search=other.search)),
        shared_out.tidy(study_of(other.kept, other.search)),
    ):
        assert frame.empty


@pytest.mark.parametrize(
    ("points", "volumes"),
    [
        (
            [(1, 3), (2, 2), (3, 1)],
            [3, 5, 6],
        ),  # up to (4, 4): 3 x 1, then 2 x 2 less what is there, then 1 x 3
        ([(2, 2), (3, 3), (1, 1)], [4, 4, 9]),  # the second is beaten, the third beats all
        (
            [(5, 1), (1, 4), (2, 2), (2, 2)],
            [0, 0, 4, 4],
        ),  # beyond the reference, on its edge, a new one, the same again
    ],
)
def test_hypervolume_by_hand(points, volumes):
    assert list(hypervolume.hypervolume(np.array(points, float), np.array([4.0, 4.0]))) == volumes


def test_hypervolume_takes_pairs_alone():
    with pytest.raises(ValueError, match="pairs are needed"):
        hypervolume.hypervolume(np.zeros((3, 3)), np.ones(3))


def test_the_front_and_the_curves_of_both_samplers():
    records = list(fake.study_front())
    frame = hypervolume.tidy(study_of(search=records))
    trial, volume = frame[frame["view"] == "trial"], frame[frame["view"] == "volume"]
    assert list(trial["number"]) == [*range(24), *range(24)]
    for sampler, own in trial.groupby("sampler"):
        edge = own[own["front"].astype(bool)].sort_values("bytes")
        assert (edge["mse"].diff().dropna() <= 0).all()
        curve = volume[volume["sampler"] == sampler]
        assert (curve["volume"].diff().dropna() >= 0).all()
    last = volume.groupby("sampler")["volume"].max()
    assert last["tpe"] > last["random"]
    chance = volume[volume["sampler"] == "random"]
    assert (chance["low"] <= chance["volume"] + 1e-12).all()
    assert chance["low"].iloc[-1] == pytest.approx(
        chance["high"].iloc[-1]
    )  # all trials: in any order the same
    assert hypervolume.tidy(study_of(search=records[::-1])).equals(
        frame
    )  # the order is in the records
    assert "after 24 trials" in hypervolume.table(frame)[2]
    assert len(hypervolume.draw(frame, study_of()).axes) == 2


def test_a_search_is_told_apart_by_what_it_held_and_its_sampler():
    keys = {}
    for record in fake.study_front(trials=4):
        keys.setdefault(record.found["trial"]["sampler"], set()).add(trials.search_of(record))
    assert {sampler: len(own) for sampler, own in keys.items()} == {"tpe": 1, "random": 1}
    assert keys["tpe"] != keys["random"]
