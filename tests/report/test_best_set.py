"""The set of the best holds the best arm 19 times of 20, and is no larger than noise demands."""

import math

import numpy as np
import pytest
from made_scores import fixed, redrawn
from scipy import stats

from ue_bench.report.evidence.best_set import _critical_values, _own_variances, best_set

BASE = [0.90, 0.93, 0.88, 0.91, 0.92, 0.89]


def shifted(by, noise=0.0005, seed=0, n=6):
    draws = np.random.default_rng(seed)
    return redrawn(np.resize(BASE, n) + by + draws.normal(0, noise, n))


def test_an_arm_that_is_clearly_worse_is_out():
    found = best_set([shifted(0.0), shifted(0.0002, seed=1), shifted(0.02, seed=2)])
    assert found.members == (True, True, False)
    assert found.most_behind[2] > 0.02
    assert 0 <= found.most_behind[0] < 0.003
    assert (found.n, found.interval_by) == (6, "corrected resampled t")


def test_two_arms_have_the_one_sided_limit_of_students_t():
    own = np.array(BASE)
    error = np.array([0.001, -0.002, 0.0005, 0.0015, -0.001, 0.0])
    scale = error.std(ddof=1) * math.sqrt(1 / 6 + 1 / 8)
    limit = stats.t.ppf(0.95, 5) * scale
    for factor, is_member in ((0.9, True), (1.1, False)):
        other = own + error - error.mean() + factor * limit
        found = best_set([redrawn(own), redrawn(other)])
        assert found.members == (True, is_member)
        assert found.most_behind[1] == pytest.approx((1 + factor) * limit, rel=0.08)


def test_arms_that_are_equally_noisy_have_dunnetts_critical_value():
    """With 5 rivals and 40 degrees of freedom it is 2.26 (one-sided, 5 %)."""
    assert _critical_values(np.ones(6), 40.0) == pytest.approx([2.26] * 6, abs=0.12)


def test_a_quiet_arm_has_independent_rivals():
    """Each t of a noiseless arm is independent: the 0.95^(1 / 5) point of Student's t."""
    critical = _critical_values(np.array([0.0, 1, 1, 1, 1, 1]), 9.0)
    assert critical[0] == pytest.approx(stats.t.ppf(0.95 ** (1 / 5), 9), abs=0.15)
    assert (critical[1:] < critical[0]).all()


def test_what_all_arms_have_in_common_is_no_noise_of_theirs():
    own = np.array([1.0, 4.0, 0.25, 9.0])
    assert _own_variances(np.diag(own) + 7.0) == pytest.approx(own)


def test_an_arm_that_never_differs_is_in_and_one_always_behind_is_out():
    own = redrawn(BASE)
    same = redrawn(BASE)
    behind = redrawn(np.array(BASE) + 1e-4)
    assert best_set([own, same, behind]).members == (True, True, False)


def test_arms_with_few_seeds_are_not_judged():
    found = best_set([shifted(0.0), shifted(0.02), redrawn(BASE[:2])])
    assert found.members == (True, False, None)
    assert found.n == 6
    assert math.isnan(found.most_behind[2])
    assert best_set([redrawn([0.9]), redrawn([0.8])]).members == (None, None)
    assert best_set([redrawn(BASE)]).members == (True,)


def test_nothing_is_known_without_an_interval():
    unknown = [redrawn(BASE, ratio=math.nan), redrawn(BASE, ratio=math.nan)]
    found = best_set(unknown)
    assert found.members == (None, None)
    assert found.interval_by.startswith("no interval: ")


def test_on_one_sample_of_users_the_bootstrap_decides():
    draws = np.random.default_rng(0)
    n = draws.integers(5, 40, 100)
    base = draws.gamma(4, 0.25, 100) + draws.normal(0, 0.01, (6, 100))
    gap = draws.normal(0.0, 0.1, 100)
    arms = [
        fixed((base + shift + gap * wide) * n, n) for shift, wide in ((0, 0), (0.01, 1), (0.05, 1))
    ]
    found = best_set(arms)
    assert found.members == (True, True, False)
    assert found.interval_by == "bootstrap over users and seeds"


@pytest.mark.parametrize(
    ("k", "spread"),
    [
        (2, [0.003]),
        (6, [0.001, 0.006]),
        (15, [0.003]),
        pytest.param(15, [0.001, 0.006], marks=pytest.mark.slow),
    ],
)
def test_the_best_is_in_the_set_19_times_of_20(k, spread):
    """All arms are equally good, which is the hardest case, and equally or differently noisy."""
    draws = np.random.default_rng(4)
    noise = np.resize(spread, k)[:, None]
    kept = 0
    times = 120
    for _ in range(times):
        of_seeds = draws.normal(0, 0.02, 10)
        arms = [redrawn(of_arm, ratio=0.0) for of_arm in of_seeds + draws.normal(0, noise, (k, 10))]
        kept += best_set(arms).members[0]
    assert 0.89 < kept / times <= 1
