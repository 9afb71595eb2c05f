"""Planted click logs: what the formula promises, and that a log is the same everywhere."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from ue_bench.studies import scale

from ue_bench import data
from ue_bench.cli import main
from ue_bench.config.click_worlds import turnover_of, values_of, without_turnover
from ue_bench.data.click_world import (
    DAYS,
    LARGEST,
    NAMES,
    PAIRS,
    PROPERTIES,
    ROWS_A_VALUE,
    ClickWorld,
    Preset,
)
from ue_bench.data.encoding import encode
from ue_bench.errors import BenchError
from ue_bench.training.anchors import anchors

SMALL = Preset(rows=40_000, scale=0.01)


@pytest.fixture(scope="module")
def log():
    return ClickWorld("click-world-small", SMALL)


def made(turnover, preset=SMALL):
    return ClickWorld(f"click-world-small@{turnover}", preset)


def day_of(log):
    return np.arange(log.n_rows) * DAYS // log.n_rows


def test_a_log_is_the_same_on_every_machine():
    loaded = data.load("click-world-small")
    assert loaded.n_rows == 200_000
    assert loaded.checksum == data.checksum_of("click-world-small")
    assert loaded.checksum.startswith("sha256:68cbf262af036026")


def test_clicks_follow_the_probabilities(log):
    best = log.best.astype(float)
    assert 0 < best.min() < best.max() < 1
    error = np.sqrt((best * (1 - best)).sum()) / log.n_rows
    assert abs(log.target.mean() - best.mean()) < 4 * error
    high = best > np.quantile(best, 0.9)
    assert abs(log.target[high].mean() - best[high].mean()) < 4 * error * np.sqrt(10)
    entropy = -(best * np.log(best) + (1 - best) * np.log(1 - best)).mean()
    assert log.best_log_loss == pytest.approx(entropy, abs=0.01)


def test_nobody_predicts_better_than_the_formula(log):
    names = ("C3", "C21", "C7", "C25")
    parts = data.split(log, "random", 0)
    encoded = encode(log, names, parts)
    scores = anchors(encoded, binary=True, stars=False, threads=1)
    best = scores["best"]["test_log_loss"]
    assert best == pytest.approx(log.best_log_loss, abs=0.02)
    for name in ("mean", "bias", "linear", "boosting"):
        assert best < scores[name]["test_log_loss"] - 0.01


@pytest.mark.parametrize("turnover", [0, 0.1, 0.3, 1])
def test_a_share_of_the_values_is_new_each_day(turnover):
    log = made(turnover)
    day = day_of(log)
    ids = log._ids(LARGEST["user"])
    size = log.size(PROPERTIES[NAMES.index(LARGEST["user"])])
    yesterday = set(ids[day < 10].tolist())
    # rows of day 10 whose rank was there before, by what became of its value
    ranks_before = {value % size for value in yesterday}
    today = ids[day == 10]
    known = np.array([value in yesterday for value in today.tolist()])
    had_rank = np.array([value % size in ranks_before for value in today.tolist()])
    new = 1 - known[had_rank].mean()
    if turnover == 0:
        assert new == 0
    elif turnover == 1:
        assert new == 1
    else:
        assert new == pytest.approx(turnover, abs=0.25)


def test_small_features_keep_their_values():
    log = made(1)
    day = day_of(log)
    first = set(log._ids("C25")[day == 0].tolist())
    last = set(log._ids("C25")[day == DAYS - 1].tolist())
    assert len(first & last) > 0.8 * len(first)


def test_features_of_an_entity_go_together(log):
    user, of_user, of_page = log._ids("C16"), log._ids("C17"), log._ids("C9")

    def surprise(feature):
        """How often two rows of one value of C16 agree in a feature, and how often any two do."""
        order = np.argsort(user, kind="stable")
        same = user[order][1:] == user[order][:-1]
        agree = feature[order][1:] == feature[order][:-1]
        shares = np.bincount(feature) / len(feature)
        return agree[same].mean(), float((shares**2).sum())

    together, by_chance = surprise(of_user)
    assert together > by_chance + 0.25
    together, by_chance = surprise(of_page)
    assert together == pytest.approx(by_chance, abs=0.03)


def test_effects_turn_slowly(log):
    values = np.zeros(log.n_rows, np.uint32)
    log_of_one = ClickWorld("click-world-small", SMALL)
    log_of_one._values["C3"] = values
    effects = log_of_one._effects("C3", "alone")
    by_day = [effects[day_of(log) == day].mean() for day in range(DAYS)]
    assert len(set(by_day)) == DAYS
    assert max(abs(np.diff(by_day))) < 0.05


def test_the_name_says_the_turnover():
    assert turnover_of("click-world-small@0.3") == 0.3
    assert turnover_of("click-world-small@1") == 1
    assert turnover_of("click-world-small") is None
    assert without_turnover("click-world-large@.05") == "click-world-large"
    assert without_turnover("ml-100k") == "ml-100k"
    for wrong in ("click-world-small@2", "click-world-small@", "click-world-small@0.1234"):
        with pytest.raises(BenchError, match="unknown data set"):
            data.load(wrong)
    with pytest.raises(BenchError, match="is made and has no files"):
        data.load("click-world-small", data_dir="somewhere")


def test_the_wide_features_cross_pairs_that_meet(log):
    assert log.wide[-1] == "*".join(PAIRS[-1])
    assert log.times[-1] < DAYS * 86_400


def test_a_run_tells_how_far_the_best_is(tmp_path):
    line = "run --dataset click-world-2000@0.1 --strategy unified --budget 5kB --epochs 1"
    line += f" --measure quality --results {tmp_path}"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    assert "above the best possible log loss on these rows" in done.stdout
    (path,) = (tmp_path / "run").glob("*.json")
    record = json.loads(path.read_text())
    quality = record["quality"]
    assert record["found"]["turnover"] == 0.1
    assert quality["anchors"]["best"]["test_log_loss"] < quality["test_log_loss"]


@pytest.mark.parametrize("values", [1_000, 20_000])
def test_a_log_of_so_many_values_has_them_and_as_many_rows_for_each(values):
    log = ClickWorld(f"click-world-{values}@0")
    sizes = [log.size(PROPERTIES[NAMES.index(name)]) for name in LARGEST.values()]
    assert sum(sizes) == pytest.approx(values, rel=0.01)
    assert 3 * log.n_rows / values == ROWS_A_VALUE
    seen = [len(log.coded(name).values) for name in LARGEST.values()]
    assert 0.85 * values < sum(seen) <= 1.01 * values
    # The same skew: the most frequent user has the share that Zipf's law gives the first rank.
    share = np.bincount(log._ids("C3")).max() / log.n_rows
    assert share == pytest.approx(np.log(2) / np.log(sizes[0] + 1), rel=0.15)


def test_the_name_says_the_number_of_values():
    assert values_of("click-world-1000") == 1_000
    assert values_of("click-world-10000000@0.3") == 10_000_000
    assert values_of("click-world-small") is None
    assert data.info_of("click-world-5000@0").task == "binary"
    for wrong in ("click-world-999", "click-world-10000001", "click-world-01000"):
        assert values_of(wrong) is None
        with pytest.raises(BenchError, match="unknown data set"):
            data.load(wrong)


@pytest.mark.parametrize("values", sorted(scale.SEEN)[:1])  # the largest takes ten times as long
def test_the_values_seen_that_a_study_counts_on_are_those(values):
    log = ClickWorld(f"click-world-{values}@0")
    seen = [np.count_nonzero(np.bincount(log._ids(name))) for name in LARGEST.values()]
    assert sum(seen) == scale.SEEN[values]
