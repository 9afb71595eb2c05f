"""The luck of a search is noise of what the search found: how much, and in which tests it counts."""

from dataclasses import replace

import fake_records as fake
import fake_searches
import numpy as np
import pytest
from made_scores import fixed

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.best_set import best_set
from ue_bench.report.evidence.joint_noise import joint_noise
from ue_bench.report.evidence.search_luck import luck
from ue_bench.report.evidence.statistics import LUCK, compare_two, estimate
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.evidence.trials import Trial


def trial(number, val_mse, **scores):
    config = fake.config(dim=number)
    record = fake.make(config, "s", "search", mse=val_mse, trial={"number": number})
    return Trial("search", (replace(record, quality={"val_mse": val_mse, **scores}),))


def trials(scores):
    return [trial(number, score) for number, score in enumerate(scores, start=1)]


def drawn_variance(default, others, draws=200_000):
    """The variance of the best of the default and of as many draws as there are others."""
    random = np.random.default_rng(0)
    best = random.choice(others, (draws, len(others))).min(1)
    return np.minimum(best, default).var()


@pytest.mark.parametrize(
    "scores",
    [
        [1.00, 0.95, 0.90, 0.97, 0.93],  # the default is worse than all
        [0.94, 0.95, 0.90, 0.97, 0.93],  # it is between
        [0.92, 0.90, 0.90, 0.90],
        [1.00, *np.random.default_rng(1).normal(0.9, 0.02, 24)],
    ],
)
def test_it_is_the_variance_of_the_best_of_trials_that_are_drawn_anew(scores):
    made = trials(scores)
    expected = drawn_variance(scores[0], scores[1:])
    assert luck(made, made[0].run_id) == pytest.approx(expected, rel=0.02, abs=1e-12)


@pytest.mark.parametrize("scores", [[0.9], [0.9, 0.95, 1.0], [0.9, 0.8]])
def test_where_another_search_would_find_the_same_there_is_none(scores):
    made = trials(scores)
    assert luck(made, made[0].run_id) == pytest.approx(0, abs=1e-15)


def test_another_score_is_that_of_the_trials_with_the_best_validation_mse():
    made = [trial(1, 1.0, val_auc=0.5), trial(2, 0.9, val_auc=0.7), trial(3, 0.8, val_auc=0.6)]
    # of two draws of the last two, the better one is the last in three of four cases
    expected = 0.75 * 0.25 * (0.7 - 0.6) ** 2
    assert luck(made, made[0].run_id, "val_auc") == pytest.approx(expected)


def test_more_trials_leave_less_to_luck():
    random = np.random.default_rng(3)
    few, many = [
        np.mean([luck(trials([2.0, *random.uniform(size=count)]), "none") for _ in range(50)])
        for count in (6, 48)
    ]
    assert many < few / 10


@pytest.fixture(scope="module")
def arms():
    """The winner of each form and its default, by form and by which of them it is."""
    searches = fake_searches.searches()
    kept = collect(fake_searches.study(*searches)).kept
    default = searches[0].base
    found = {}
    for arm in kept:
        is_default = arm.config["dropout"] == default.dropout and arm.config["dim"] == default.dim
        found[arm.config["strategy"], arm.config["region_rule"], is_default] = arm
    return found


WINNER = ("unified", None, False)
RIVAL = ("per_feature", "sqrt", False)


def test_what_a_search_found_has_its_luck_and_the_default_has_none(arms):
    assert len(arms) == 8
    for (_, _, is_default), arm in arms.items():
        expected = 0.0
        if not is_default:
            effort = arm.found_by
            expected = luck(effort.trials, effort.facts["default"])
            assert expected > 0
            assert {t.sample.config.strategy for t in effort.trials} == {arm.config["strategy"]}
        assert arm.search_variance("val_mse") == expected
        assert by_seed(arm, "test").search_variance == expected


def test_a_default_that_was_the_best_was_found():
    def score(config):
        is_default = (config.dropout, config.dim) == (fake_searches.BASE.dropout, 8)
        return fake_searches.score(config) - 0.5 * is_default

    kept = collect(fake_searches.study(*fake_searches.searches(), score=score)).kept
    assert len(kept) == 4
    assert all(arm.found_by is not None for arm in kept)


def test_a_difference_of_what_two_searches_found_has_the_luck_of_both(arms):
    own, other = by_seed(arms[WINNER], "test"), by_seed(arms[RIVAL], "test")
    both = own.search_variance + other.search_variance
    lucky = compare_two(own, other)
    plain = compare_two(replace(own, search_variance=0.0), replace(other, search_variance=0.0))
    assert lucky.difference == plain.difference
    assert lucky.floor == pytest.approx(plain.floor + both)
    assert lucky.high - lucky.low > plain.high - plain.low
    assert lucky.p > plain.p
    assert LUCK in lucky.interval_by
    assert LUCK not in plain.interval_by


def test_the_mean_of_what_was_found_is_that_of_one_configuration(arms):
    own = by_seed(arms[WINNER], "test")
    assert estimate(own) == estimate(replace(own, search_variance=0.0))


def test_the_set_of_the_best_counts_it(arms):
    samples = [by_seed(arms[key], "test") for key in (WINNER, RIVAL)]
    plain = [replace(of_arm, search_variance=0.0) for of_arm in samples]
    added = joint_noise(samples).covariance - joint_noise(plain).covariance
    assert added == pytest.approx(np.diag([of_arm.search_variance for of_arm in samples]))
    behind = -np.subtract(*joint_noise(plain).means)
    assert best_set(plain).members == (True, False)
    one_deviation = replace(samples[1], search_variance=behind**2)
    assert best_set([plain[0], one_deviation]).members == (True, True)


@pytest.mark.parametrize("first", [0, 4])
def test_arms_on_one_sample_of_users_count_it_too(first):
    """Paired, and without a common seed."""
    random = np.random.default_rng(0)
    n = random.integers(2, 30, 80)
    errors = random.gamma(4, 0.25, 80) + random.normal(0, 0.02, (8, 80))
    own = fixed(errors[:4] * n, n)
    other = fixed((errors[4:] + 0.03) * n, n, seeds=range(first, first + 4))
    plain = compare_two(own, other)
    lucky = compare_two(own, replace(other, search_variance=1e-3))
    assert lucky.floor == pytest.approx(plain.floor + 1e-3)
    assert lucky.high - lucky.low > plain.high - plain.low
    assert lucky.p > plain.p
    assert LUCK in lucky.interval_by
