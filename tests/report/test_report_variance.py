"""The parts of a variance by seed, and the worst hash seed, on scores whose effects are known."""

from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest
from study_data import study_of

from ue_bench.config import SEEDS
from ue_bench.config.crossed_seeds import crossed
from ue_bench.report.evidence import variance_parts
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.variance_parts import (
    BATCH,
    EXPLAINED,
    HASH,
    INIT,
    PARTS,
    SPLIT,
    TOGETHER,
    crossed_runs,
    variances,
)
from ue_bench.report.figures.sections.one_study import hash_tails, variance

SD = {HASH: 0.005, INIT: 0.003, BATCH: 0.004, SPLIT: 0.006, TOGETHER: 0.002}
SLOPE, SPREAD = 0.9, 0.01  # of the bias model's score
TRUTH = {name: sd**2 for name, sd in SD.items()} | {EXPLAINED: (SLOPE * SPREAD) ** 2}


def drawn(values, random, first=0):
    """Scores of crossed runs by seeds, and the bias model's."""
    effects = [random.normal(0, SD[name], values) for name in (HASH, INIT, BATCH, SPLIT)]
    bias = random.normal(0.89, SPREAD, values)
    scores = {}
    of_bias = {}
    for seeds in crossed(values):
        key = tuple(first + seed for seed in seeds)
        of_bias[key] = bias[seeds[3]]
        scores[key] = (
            0.9
            + sum(effect[seed] for effect, seed in zip(effects, seeds, strict=True))
            + SLOPE * (bias[seeds[3]] - 0.89)
            + random.normal(0, SD[TOGETHER])
        )
    return scores, of_bias


def by_hand(runs, values):
    """Restricted maximum likelihood of an orthogonal array, where no part is 0, from sums of squares."""
    centred = runs.scores - runs.scores.mean()
    squares = []
    for column in runs.seeds.T:
        means = np.array([centred[column == k].mean() for k in range(values)])
        squares.append(values * means @ means)
    bias = np.array([runs.bias[runs.seeds[:, 3] == k].mean() for k in range(values)])
    bias -= bias.mean()
    of_split = np.array([centred[runs.seeds[:, 3] == k].mean() for k in range(values)])
    slope = bias @ of_split / (bias @ bias)
    explained = values * slope**2 * (bias @ bias)
    rest = (centred @ centred - sum(squares)) / (values**2 - 1 - 4 * (values - 1))
    squares[3] -= explained
    degrees = [values - 1] * 3 + [values - 2]
    parts = [(total / df - rest) / values for total, df in zip(squares, degrees, strict=True)]
    return [*parts, rest], slope


def test_parts_are_those_of_restricted_maximum_likelihood():
    for seed in range(3):
        runs, values = crossed_runs(*drawn(11, np.random.default_rng(seed)))
        assert values == 11
        found = variances(runs, values)
        parts, slope = by_hand(runs, values)
        assert min(parts) > 0
        named = [found.parts[name].value for name in (HASH, INIT, BATCH, SPLIT, TOGETHER)]
        assert named == pytest.approx(parts, rel=0.03)
        assert found.slope == pytest.approx(slope, rel=0.01)


def test_shares_are_of_the_sum_and_intervals_hold_the_parts():
    runs, values = crossed_runs(*drawn(7, np.random.default_rng(5)))
    found = variances(runs, values)
    total = sum(part.value for part in found.parts.values())
    for name in PARTS:
        part, share = found.parts[name], found.shares[name]
        assert share.value == pytest.approx(part.value / total)
        assert part.low <= part.value <= part.high
        assert share.low <= share.value <= share.high
    assert set(found.on_one_split) == {HASH, INIT, BATCH, TOGETHER}
    assert sum(part.value for part in found.on_one_split.values()) == pytest.approx(1)


def test_intervals_cover_what_was_planted(monkeypatch):
    """The split's too, of which seven were drawn."""
    monkeypatch.setattr(variance_parts, "DRAWS", 500)
    random = np.random.default_rng(0)
    hits = dict.fromkeys(PARTS, 0)
    for _ in range(200):
        runs, values = crossed_runs(*drawn(7, random))
        for name, draws in variance_parts._draws(runs, values).items():
            low, high = np.quantile(draws, (0.025, 0.975))
            hits[name] += low <= TRUTH[name] <= high
    assert all(180 <= n <= 199 for n in hits.values()), hits


def test_a_part_that_is_absent_is_found_to_be_nothing():
    scores, of_bias = drawn(7, np.random.default_rng(1))
    without_hash = {}
    for seeds, score in scores.items():
        same_hash = [scores[other] for other in scores if other[0] == seeds[0]]
        without_hash[seeds] = score - np.mean(same_hash)
    found = variances(*crossed_runs(without_hash, of_bias))
    assert found.shares[HASH].value < 0.01
    assert found.parts[HASH].low == 0


def test_the_largest_complete_array_is_taken():
    scores, of_bias = drawn(7, np.random.default_rng(2), first=1000)
    more = {(1000 + seed, 1000, 1000, 1000): 0.5 for seed in range(20, 50)}  # of the tails
    runs, values = crossed_runs(scores | more, of_bias | dict.fromkeys(more, 0.9))
    assert (values, len(runs.scores)) == (7, 49)
    assert 0.5 not in runs.scores
    del scores[next(iter(scores))]
    runs, values = crossed_runs(scores, None)
    assert (values, len(runs.scores)) == (0, 48)
    found = variances(runs, values)
    assert np.isnan(found.parts[HASH].low)
    assert np.isnan(found.slope)
    assert found.parts[EXPLAINED].value == 0


def records(values=5, **asked):
    """The records of one configuration with crossed seeds."""
    scores, of_bias = drawn(values, np.random.default_rng(0))
    made = []
    for seeds, score in scores.items():
        config = fake.config(budget=14_016, measure="quality", **asked)
        record = fake.make(replace(config, **dict(zip(SEEDS, seeds, strict=True))), mse=score)
        anchors = {"bias": {"val_mse": of_bias[seeds], "test_mse": of_bias[seeds]}}
        made.append(replace(record, quality=record.quality | {"anchors": anchors}))
    return made


def test_the_section_has_a_row_for_each_part_and_a_sentence_for_each_arm():
    frame = variance.tidy(study_of(records=records() + records(strategy="per_feature")))
    assert list(frame["seed"]) == 2 * list(PARTS)
    assert set(frame["n"]) == {25}
    lines = variance.table(frame)
    assert lines[0].startswith("- base (ml-100k, random split), per_feature 1×16 (proportional)")
    assert "The bias model's MSE explains" in lines[0]
    assert "no intervals" not in lines[0]
    left, _ = variance.draw(frame, study_of()).axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == list(PARTS)


def test_the_replicates_of_an_arm_are_the_runs_with_four_equal_seeds():
    arms = collect(records())
    assert [len(arm.runs) for arm in arms.kept] == [5]
    assert len(arms.held) == 20


def test_replicates_and_searches_are_no_such_study():
    grid = [fake.make(fake.config(budget=14_016, seed=seed)) for seed in range(4)]
    trials = [replace(record, phase="search") for record in records()]
    assert variance.tidy(study_of(records=grid + trials)).empty


def tails(n, strategy="unified"):
    base = fake.config(strategy, budget=14_016, measure="quality")
    for seed in range(n):
        yield fake.make(replace(base, hash_seed=seed), mse=0.9 + 0.001 * (seed % n))


def test_the_worst_hash_seed():
    frame = hash_tails.tidy(study_of(records=[*tails(50), *tails(29, "per_feature")]))
    (row,) = frame.to_dict("records")  # 29 are too few
    assert (row["n"], row["arm"]) == (50, "unified 1×16, 14 kB (1/16)")
    assert row["worst"] == pytest.approx(0.949)
    assert row["median"] == pytest.approx(0.9245)
    assert (1 - row["beyond"]) ** 50 == pytest.approx(0.05)
    assert "the worst of 50 hash seeds is 0.9490, 0.0245 above" in hash_tails.table(frame)[0]
    assert "at most 5.8 %" in hash_tails.table(frame)[0]
    (axes,) = hash_tails.draw(frame, study_of()).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [row["arm"]]
    assert hash_tails.tidy(study_of(records=records())).empty


def test_seeds_that_change_together_have_no_parts():
    """Replicates, one of which ran with another hash seed: the other three seeds are as one."""
    random = np.random.default_rng(4)
    runs = [(seed, seed, seed, seed) for seed in range(10)] + [(1, 0, 0, 0)]
    scores = {seeds: float(random.normal()) for seeds in runs}
    assert variances(*crossed_runs(scores, None)) is None
