"""The check of published records proves equal effort: enough trials on enough seeds, and wide ranges."""

from dataclasses import replace

import fake_searches as fake
import pytest

from ue_bench.cli import effort_laws
from ue_bench.report.evidence.arms import collect
from ue_bench.study import Between

WHERE = "base (ml-100k, random split), after the search, on fresh seeds, study searched: "


def faults(*searches, score=fake.score):
    return list(effort_laws.faults(collect(fake.study(*searches, score=score))))


@pytest.fixture(scope="module")
def alike():
    return fake.study(*fake.searches())


def test_searches_that_keep_the_laws_have_no_fault(alike):
    assert list(effort_laws.faults(collect(alike))) == []
    assert effort_laws.unproven(alike) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trials": 23}, "it has 23 trials, and at least 24 must be tried"),
        ({"trial_seeds": 2}, "its trials have 2 seeds, and at least 3 are needed"),
        (
            {"startup": 13},
            "13 of its trials are drawn at random, and at least 50% of 24 must be guided",
        ),
    ],
)
def test_too_little_effort_is_a_fault_though_all_have_as_much(change, told):
    found = faults(*fake.searches(**change))
    forms = ("per_feature separate equal", "unified multiplexed")
    assert len(found) == 4
    assert {found[0], found[-1]} == {f"{WHERE}search of {form} at 14 kB: {told}" for form in forms}


def test_a_search_that_is_unlike_the_others_is_a_fault():
    unified, *separate = fake.searches()
    (fault,) = faults(replace(unified, batch=3), *separate)
    assert fault == (
        f"{WHERE}search of unified multiplexed at 14 kB: "
        "its search has the trials of a batch 3, the others have 4"
    )


def test_every_rule_has_a_search_of_its_own():
    unified, first, second, _ = fake.searches()
    (fault,) = faults(unified, first, second)
    assert fault == f"{WHERE}per_feature at 14 kB: no search under the rule equal"


def test_the_trials_run_on_seeds_of_design(alike):
    def moved(record):
        facts = record.found.get("trial")
        if facts is None:
            return record
        facts = facts | {"seeds": [0, 1, 2]}
        return replace(record, found=record.found | {"trial": facts})

    found = list(effort_laws.faults(collect([moved(record) for record in alike])))
    assert any(
        "its trials ran on seed 0, and seeds below 1000 are quoted" in line for line in found
    )


def test_a_form_that_seldom_works_has_enough_with_as_many_failures():
    def score(config):
        return None if config.strategy == "per_feature" else fake.score(config)

    assert faults(*fake.searches(), score=score) == []


def test_a_range_on_whose_end_too_many_winners_lie_is_a_fault():
    """All four forms are best with as little dropout as there may be."""
    space = {"dropout": Between(0.2, 0.9), "dim": fake.SPACE["dim"]}
    found = faults(*fake.searches(space=space), score=lambda config: 0.9 + config.dropout)
    assert found[-1] == (
        "study searched: 4 of 4 winners of searches have dropout at an end of 0.2 to 0.9, and at most "
        "10% may; make the range wider"
    )


def test_studies_whose_trials_are_of_an_earlier_version_are_named(alike):
    (first, *_) = [record for record in alike if record.phase == "search"]
    earlier = replace(first, found={}, study="old")
    assert effort_laws.unproven([*alike, earlier]) == ["old"]
