"""Intervals: which method applies, its numbers by hand, and how often it covers what is true."""

import math
from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest
import statsmodels.api as sm
from made_scores import fixed, redrawn
from scipy import stats

from ue_bench.record.group_errors import pack_counts, pack_errors
from ue_bench.report.evidence.interval_method import method_of
from ue_bench.report.evidence.run_scores import anchor_scores_of, scores_of
from ue_bench.report.evidence.statistics import compare_two, estimate
from ue_bench.report.evidence.user_bootstrap import drawn_means, drawn_scores, group_variance

USERS = 80


def with_groups(record, sums, n, part="test", rows="a"):
    """The record with these errors by user, and their mean as its score."""
    groups = {"by": "user", "count": len(n), "rows": rows}
    groups |= {"n": pack_counts(n), "mse": pack_errors(sums)}
    score = {f"{part}_mse": sums.sum() / n.sum(), "groups": {part: groups}}
    return replace(record, quality=record.quality | score)


def users(seed=0, seeds=4, worse=0.0):
    """Rows by user, and errors [seeds, users]."""
    draws = np.random.default_rng(seed)
    n = draws.integers(2, 30, USERS)
    errors = draws.gamma(4, 0.25, USERS) + worse + draws.normal(0, 0.02, (seeds, USERS))
    return n, errors * n


def runs(split="user_temporal", strategy="unified", rows="a", worse=0.0, **asked):
    n, sums = users(worse=worse)
    made = []
    for seed, of_seed in enumerate(sums):
        config = fake.config(strategy, budget=28_032, seed=seed, split=split, **asked)
        made.append(with_groups(fake.make(config), of_seed, n, rows=rows))
    return made


# ---- which method applies


def test_the_random_split_is_corrected_and_fixed_rows_are_resampled():
    random = scores_of(fake.arm([0.9, 0.91]), "test")
    assert method_of([random, random]).text == "corrected resampled t"
    temporal = scores_of(runs(), "test")
    assert method_of([temporal]).text == "bootstrap over users and seeds"
    assert method_of([temporal, scores_of(runs(strategy="robe"), "test")]).is_bootstrap


def test_records_without_sums_by_user_have_no_interval_on_a_fixed_split():
    old = scores_of(fake.arm([0.9, 0.91], split="user_temporal"), "test")
    assert method_of([old]).text == "no interval: these records hold no sums by user"
    mean, low, high, _ = estimate(old)
    assert mean == pytest.approx(0.905)
    assert math.isnan(low)
    assert math.isnan(high)
    half = [*runs()[:2], *fake.arm([0.9], split="user_temporal")]
    assert not method_of([scores_of(half, "test")]).is_known
    test = compare_two(old, scores_of(runs(), "test"))
    assert math.isnan(test.p)
    assert test.interval_by == "no interval: these records hold no sums by user"


def test_draws_of_a_world_have_no_rows_in_common():
    def on(names):
        configs = [fake.config(seed=seed, dataset=name) for seed, name in enumerate(names)]
        return scores_of([fake.make(config) for config in configs], "test")

    drawn = on([f"planted-noise#{number}" for number in range(1, 5)])
    assert drawn.rows.ratio == 0
    assert method_of([drawn]).text == "t over draws of the data"
    for names in (["planted-noise"] * 4, ["planted-noise#1"] * 4):
        assert on(names).rows.ratio == 1 / 8
        assert method_of([on(names)]).text == "corrected resampled t"


def test_arms_on_other_rows_are_not_compared():
    one = scores_of(runs(), "test")
    other = scores_of(runs(rows="b"), "test")
    random = scores_of(fake.arm([0.9, 0.91]), "test")
    for pair in ((one, other), (one, random)):
        assert method_of(pair).text == "no interval: the arms are scored on other rows"
    mixed = scores_of([*runs()[:2], *runs(rows="b")[2:]], "test")
    assert not method_of([mixed]).is_known


def test_test_rows_of_a_tables_own_are_fixed_and_its_validation_rows_are_not():
    table = {"files": "a.csv", "target": "y", "features": ["user_id"], "test_files": "b.csv"}
    own = runs("random", dataset="a.csv", table=table)
    assert method_of([scores_of(own, "test")]).is_bootstrap
    assert method_of([scores_of(own, "val")]).is_corrected


def test_records_without_numbers_of_rows_have_no_interval():
    smallest = [fake.smallest(fake.config(seed=seed), "s", "grid", 0.9) for seed in (0, 1)]
    text = method_of([scores_of(smallest, "test")]).text
    assert text == "no interval: these records hold no numbers of rows"


def test_the_mean_of_other_scores_is_not_resampled():
    binary = {"task": "binary", "positive_at_least": 4.0}
    labels = runs(**binary)
    assert method_of([scores_of(labels, "test")]).is_bootstrap
    assert not method_of([scores_of(labels, "test", "auc")]).is_known


# ---- by hand


def test_the_corrected_interval_by_hand():
    """Differences 0.01, 0.03, 0.02: s = 0.01; t(0.975, 2) = 4.30265; 1/3 + 0.125 = 0.458333."""
    test = compare_two(redrawn([0.90, 0.91, 0.95]), redrawn([0.91, 0.94, 0.97]))
    error = 0.01 * math.sqrt(0.458333333)
    assert test.difference == pytest.approx(0.02)
    assert test.low == pytest.approx(0.02 - 4.302653 * error, abs=1e-7)
    assert test.p == pytest.approx(2 * stats.t.sf(0.02 / error, 2))
    assert (test.sd, test.floor) == pytest.approx((0.01, 0.125 * 0.0001))


def test_without_overlap_it_is_the_paired_t_test_of_scipy():
    own, other = np.random.default_rng(0).normal(0.9, 0.01, (2, 12))
    test = compare_two(redrawn(own, ratio=0.0), redrawn(other, ratio=0.0))
    expected = stats.ttest_rel(other, own)
    assert test.p == pytest.approx(expected.pvalue)
    assert (test.low, test.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_the_ratio_is_that_of_the_records_rows():
    scores = scores_of(fake.arm([0.9, 0.91]), "test")
    assert scores.rows.ratio == 10_000 / 80_000
    assert scores.bias.keys() == set(scores)


def test_unpaired_arms_are_compared_by_an_analysis_of_covariance():
    """The t of statsmodels' regression on arm and bias model, where splits do not overlap."""
    draws = np.random.default_rng(1)
    bias = draws.normal(0.89, 0.01, 14)
    scores = bias + draws.normal(0, 0.001, 14) + np.repeat([0.02, 0.03], 7)
    of_arms = []
    for seeds in (range(7), range(7, 14)):
        values = {seed: scores[seed] for seed in seeds}
        covariate = {seed: bias[seed] for seed in seeds}
        of_arms.append(redrawn(values, ratio=0.0, bias=covariate))
    test = compare_two(*of_arms)
    design = sm.add_constant(np.column_stack([np.repeat([0, 1], 7), bias]))
    expected = sm.OLS(scores, design).fit()
    assert test.difference == pytest.approx(expected.params[1])
    assert test.p == pytest.approx(expected.pvalues[1])
    assert (test.low, test.high) == pytest.approx(tuple(expected.conf_int()[1]))
    assert test.n == 7
    assert test.interval_by == (
        "t over draws of the data, unpaired, the bias model's score as covariate"
    )
    without = compare_two(*(replace(arm, bias={}) for arm in of_arms))
    assert math.isnan(without.p)


def test_overlap_widens_an_unpaired_interval_once_for_each_arm():
    own = {"values": {0: 0.90, 1: 0.92, 2: 0.91}, "bias": {0: 0.8, 1: 0.81, 2: 0.82}}
    other = {"values": {3: 0.92, 4: 0.91, 5: 0.95}, "bias": {3: 0.81, 4: 0.8, 5: 0.82}}
    plain = compare_two(redrawn(**own, ratio=0.0), redrawn(**other, ratio=0.0))
    test = compare_two(redrawn(**own), redrawn(**other))
    of_seeds = ((plain.high - plain.difference) / stats.t.ppf(0.975, 3)) ** 2
    variance = of_seeds / (1 / 3 + 1 / 3)  # the mean of the covariate is one and the same
    half = stats.t.ppf(0.975, 3) * math.sqrt(of_seeds + 2 * variance / 8)
    assert test.high - test.difference == pytest.approx(half)


# ---- the bootstrap


def test_the_variance_by_users_is_that_of_the_drawn_scores():
    n, sums = users(seeds=1)
    errors = fixed(sums, n).by_group
    drawn = drawn_scores(errors)[:, 0]
    assert drawn.mean() == pytest.approx(sums.sum() / n.sum(), abs=0.01)
    assert drawn.std() == pytest.approx(math.sqrt(group_variance(n, sums[0])), rel=0.06)
    assert group_variance(np.full(4, 5), np.array([1.0, 2, 3, 4])) == pytest.approx(
        np.var([0.2, 0.4, 0.6, 0.8], ddof=1) / 4
    )


def test_the_variance_by_seeds_is_that_of_the_mean():
    """Also with few of them, where the plain bootstrap gives (J - 1) / J of it."""
    scores = np.array([0.1, 0.5, 0.2])
    drawn = drawn_means(np.tile(scores, (2_000, 1)))
    assert drawn.var() == pytest.approx(scores.var(ddof=1) / 3, rel=0.08)


def test_a_user_that_all_rows_belong_to_twice_counts_twice():
    n, sums = users()
    once = estimate(fixed(sums, n))
    assert once.interval_by == "bootstrap over users and seeds"
    assert once.low < once.mean < once.high
    assert once.mean == pytest.approx((sums.sum(1) / n.sum()).mean())
    doubled = estimate(fixed(np.tile(sums, 2), np.tile(n, 2)))
    assert doubled.mean == pytest.approx(once.mean)
    ratio = (doubled.high - doubled.low) / (once.high - once.low)
    assert ratio == pytest.approx(2**-0.5, rel=0.1)  # twice the users, nearly all the noise


def test_a_difference_that_all_users_share_is_seen_where_the_means_are_noisy():
    n, sums = users()
    own = fixed(sums, n)
    test = compare_two(own, fixed(sums + 0.01 * n, n))
    assert test.difference == pytest.approx(0.01)
    assert (test.low, test.high) == pytest.approx((0.01, 0.01))
    assert test.p < 1e-6
    alone = estimate(own)
    assert alone.high - alone.low > 0.05


def test_arms_of_other_seeds_on_the_same_rows_have_seeds_of_their_own():
    n, sums = users(seeds=8)
    own = fixed(sums[:4], n, seeds=range(4))
    test = compare_two(own, fixed(sums[4:], n, seeds=range(4, 8)))
    assert test.interval_by == "bootstrap over users and seeds, unpaired"
    assert test.low < test.difference < test.high
    assert test.n == 4
    assert 0.05 < test.p < 1


def test_intervals_are_the_same_every_time():
    n, sums = users()
    assert estimate(fixed(sums, n)) == estimate(fixed(sums, n))


def test_anchors_are_compared_where_they_have_sums():
    n, _ = users()
    made = []
    for run in runs():
        bias = run.quality["anchors"]["bias"] | {"groups": pack_errors(2.0 * n), "test_mse": 2.0}
        made.append(replace(run, quality=run.quality | {"anchors": {"bias": bias}}))
    test = compare_two(scores_of(made, "test"), anchor_scores_of(made, "bias", "test"))
    assert test.interval_by == "bootstrap over users and seeds"
    assert test.low < test.difference < test.high


# ---- how often the truth is covered


def damped(y, user, train, test, damping):
    """The test MSE of the mean and damped means of users."""
    mean = y[train].mean()
    total = np.bincount(user[train], y[train] - mean, 20)
    count = np.bincount(user[train], minlength=20)
    of_user = total / np.maximum(count + damping, 1)
    return np.square(y[test] - mean - of_user[user[test]]).mean()


def world(draws, rows=200):
    user = draws.integers(0, 20, rows)
    return draws.normal(0, 0.5, 20)[user] + draws.normal(0, 1, rows), user


def test_the_corrected_interval_covers_what_the_plain_one_misses():
    """Two learners on splits of one data set; the truth is over data sets."""
    draws = np.random.default_rng(0)
    seeds = 30

    def scores(data):
        y, user = data
        order = draws.permutation(len(y))
        train, test = order[:160], order[180:]
        return [damped(y, user, train, test, damping) for damping in (0, 5)]

    truth = np.mean([np.subtract(*scores(world(draws))[::-1]) for _ in range(4_000)])
    corrected = plain = 0
    for _ in range(150):
        data = world(draws)
        own, other = np.array([scores(data) for _ in range(seeds)]).T
        test = compare_two(redrawn(own), redrawn(other))
        corrected += test.low <= truth <= test.high
        low, high = stats.ttest_rel(other, own).confidence_interval()
        plain += low <= truth <= high
    assert plain / 150 < 0.85
    assert corrected / 150 > 0.93


@pytest.mark.parametrize(
    ("by_user", "by_seed"),
    [
        (0.05, 0.01),
        pytest.param(0.05, 0.002, marks=pytest.mark.slow),
        pytest.param(0.005, 0.02, marks=pytest.mark.slow),
    ],
)
def test_the_bootstrap_covers_19_of_20(by_user, by_seed):
    """Whether users, seeds or both make the noise of the difference of two arms."""
    draws = np.random.default_rng(1)
    covered = plain = 0
    times = 100
    for _ in range(times):
        n = draws.integers(5, 40, 150)
        base = draws.gamma(4, 0.25, 150) + draws.normal(0, 0.05, (8, 150))
        gap = 0.01 + draws.normal(0, by_user, 150) + draws.normal(0, by_seed, (8, 1))
        own, other = fixed(base * n, n), fixed((base + gap) * n, n)
        test = compare_two(own, other)
        covered += test.low <= 0.01 <= test.high
        apart = other.of(other) - own.of(own)
        low, high = stats.t.interval(0.95, 7, apart.mean(), stats.sem(apart))
        plain += low <= 0.01 <= high
    assert 0.88 < covered / times <= 1
    if by_user > by_seed:
        assert plain / times < 0.85
