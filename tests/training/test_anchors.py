"""The linear model and the boosted trees: planted worlds, scikit-learn's own results, and the cache."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import TargetEncoder
from table_files import table
from threadpoolctl import threadpool_limits

from ue_bench.config import RunConfig
from ue_bench.data import encode, label, load, split
from ue_bench.features import Bags, Feature
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.record import parse_run
from ue_bench.training import anchor_cache, anchors, boosting_anchor, linear_anchor, run_once
from ue_bench.training.anchor_cache import kept, key_of
from ue_bench.training.boosting_anchor import FOLDS, encodings, fit_boosting
from ue_bench.training.environment import environment
from ue_bench.training.linear_anchor import fit_linear, shares_of
from ue_bench.training.run_data import encoded_of

SIX = {"mean", "item_mean", "bias", "mf", "linear", "boosting"}
ROWS = 6_000


@pytest.fixture(autouse=True)
def one_thread_of_everything():
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache of each test's own, so that no test is answered by another one's run."""
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / "cache"))


def scores_of(encoded, binary=False):
    return anchors.anchors(encoded, binary, stars=False, threads=1)


def encoded_table(folder, columns, features=None, binary=False):
    dataset = table(folder, columns, features=features)
    names = dataset.feature_names("base")
    parts = split(dataset, "random", 0)
    target = dataset.target
    if binary:
        target, parts = label(target, parts, None, None)
    return encode(dataset, names, parts, target, dataset.separators)


def matrix_of(encoded):
    """The explicit matrix of all rows: a column for each value that training has seen."""
    blocks = []
    for index, feature in enumerate(encoded.features):
        blocks.append(shares_of(feature).toarray()[encoded.codes[:, index]])
    return np.hstack(blocks)


# ---- what they find


def test_linear_comes_near_the_noise_of_an_additive_world_and_leaves_the_bias_model_behind():
    world = load("planted-additive")  # the noise has a variance of .25
    names = ("gender", "age", "occupation", "zip_code", "genres")
    scores = scores_of(encode(world, names, split(world, "random", 0)))
    assert set(scores) == SIX
    assert scores["linear"]["test_mse"] < 1.06 * 0.25
    assert scores["linear"]["test_mse"] < scores["boosting"]["test_mse"]
    assert scores["linear"]["test_mse"] < 0.9 * scores["bias"]["test_mse"]
    assert scores["linear"]["rows"] == scores["boosting"]["rows"] == 8_000


@pytest.mark.parametrize("binary", [False, True])
def test_boosting_finds_an_exclusive_or_that_no_linear_model_has(tmp_path, binary):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (2, ROWS))
    odd = (a + b) % 2
    y = (rng.random(ROWS) < np.where(odd, 0.9, 0.1)).astype(float)
    if not binary:
        y = odd + rng.normal(0, 0.3, ROWS)
    scores = scores_of(encoded_table(tmp_path, {"a": a, "b": b, "y": y}, binary=binary), binary)
    assert scores["linear"]["test_mse"] > 0.98 * scores["mean"]["test_mse"]
    assert scores["boosting"]["test_mse"] < 0.09 * 1.25
    if binary:
        assert scores["linear"]["test_auc"] == pytest.approx(0.5, abs=0.07)
        assert scores["boosting"]["test_auc"] > 0.87


def test_members_of_a_bag_count_by_its_size(tmp_path):
    """The target is the mean of the members' effects, which is what the models average."""
    rng = np.random.default_rng(1)
    effects = rng.normal(size=12)
    bags = [rng.choice(12, rng.integers(1, 4), replace=False) for _ in range(ROWS)]
    y = [effects[bag].mean() + rng.normal(0, 0.1) for bag in bags]
    texts = [[f"m{member}" for member in bag] for bag in bags]
    columns = {"tags": texts, "x": rng.integers(0, 3, ROWS), "y": y}
    encoded = encoded_table(tmp_path, columns)
    assert encoded.features[0].bags is not None
    scores = scores_of(encoded)
    assert scores["linear"]["test_mse"] < 1.1 * 0.01
    assert scores["boosting"]["test_mse"] < 0.3 * scores["mean"]["test_mse"]
    feature = Feature("f", ("a", "b", "c"), 2, (1, 1), Bags.of([[0], [0, 1], [1, 2]]))
    assert shares_of(feature).toarray().tolist() == [[1, 0], [0.5, 0.5], [0, 0.5]]


def test_a_bag_of_many_values_is_encoded_by_their_means(tmp_path):
    rng = np.random.default_rng(2)
    n_values = 3 * boosting_anchor.MOST_INDICATORS
    effects = rng.normal(size=n_values)
    bags = [rng.choice(n_values, 2, replace=False) for _ in range(ROWS)]
    y = [effects[bag].mean() + rng.normal(0, 0.1) for bag in bags]
    texts = [[f"m{member}" for member in bag] for bag in bags]
    scores = scores_of(encoded_table(tmp_path, {"tags": texts, "x": [1] * ROWS, "y": y}))
    assert scores["boosting"]["test_mse"] < 0.3 * scores["mean"]["test_mse"]


def test_many_values_are_encoded_by_their_mean_without_the_own_row(tmp_path):
    """A target of noise alone: were a row's own target in its encoding, trees would learn it."""
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 2_000, ROWS)
    noise = encoded_table(tmp_path, {"id": ids, "x": ids % 3, "y": rng.normal(size=ROWS)})
    scores = scores_of(noise)
    assert scores["boosting"]["test_mse"] < 1.05 * scores["mean"]["test_mse"]
    effects = rng.normal(size=300)
    ids = rng.integers(0, 300, ROWS)
    y = effects[ids] + rng.normal(0, 0.3, ROWS)
    scores = scores_of(encoded_table(tmp_path, {"id": ids, "x": ids % 3, "y": y}))
    assert scores["boosting"]["test_mse"] < 2 * 0.09


# ---- what they are, beside scikit-learn


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, [[40], [5]], (2, 1_000))
    effect = rng.normal(size=40)[a] + rng.normal(size=5)[b]
    return {"a": a, "b": b, "y": effect + rng.normal(size=1_000)}


def test_linear_is_the_ridge_regression_of_scikit_learn(tmp_path, small):
    encoded = encoded_table(tmp_path, small)
    fitted = fit_linear(encoded, binary=False)
    matrix = matrix_of(encoded)
    train = encoded.parts == 0
    ridge = Ridge(alpha=fitted.penalty).fit(matrix[train], encoded.ratings[train])
    assert fitted.outputs == pytest.approx(ridge.predict(matrix), abs=2e-3)
    val_mse = {}
    for penalty in linear_anchor.PENALTIES:
        ridge = Ridge(alpha=penalty).fit(matrix[train], encoded.ratings[train])
        errors = ridge.predict(matrix) - encoded.ratings
        val_mse[penalty] = np.square(errors[encoded.parts == 1]).mean()
    assert fitted.penalty == min(val_mse, key=val_mse.get)


def test_linear_of_labels_is_the_logistic_regression_of_scikit_learn(tmp_path, small):
    encoded = encoded_table(tmp_path, small | {"y": (small["y"] > 0).astype(float)}, binary=True)
    fitted = fit_linear(encoded, binary=True)
    matrix = matrix_of(encoded)
    train = encoded.parts == 0
    logistic = LogisticRegression(C=1 / fitted.penalty, tol=1e-8, max_iter=1_000)
    logistic.fit(matrix[train], encoded.ratings[train])
    expected = logistic.predict_proba(matrix)[:, 1]
    assert 1 / (1 + np.exp(-fitted.outputs)) == pytest.approx(expected, abs=3e-3)
    scores = scores_of(encoded, binary=True)["linear"]
    test = encoded.parts == 2
    labels = encoded.ratings[test]
    probabilities = 1 / (1 + np.exp(-fitted.outputs[test]))
    assert scores["test_log_loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-9)
    assert scores["test_auc"] == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-9)
    assert scores["test_mse"] == pytest.approx(np.square(probabilities - labels).mean(), rel=1e-9)


def test_encodings_are_those_of_scikit_learn_and_leave_each_fold_out(small):
    codes = small["a"]
    targets = small["y"]
    folds = np.arange(len(codes)) % FOLDS
    members = boosting_anchor._members(Feature("a", [str(n) for n in range(40)], 40))
    of_codes, of_folds = encodings(codes, targets, folds, members)
    encoder = TargetEncoder(target_type="continuous", smooth=boosting_anchor.DAMPING)
    encoder.fit(codes[:, None], targets)
    assert of_codes == pytest.approx(encoder.encodings_[0], rel=1e-9)
    rows = (codes == 7) & (folds != 2)
    damped = targets[rows].sum() + boosting_anchor.DAMPING * targets.mean()
    assert of_folds[7, 2] == pytest.approx(damped / (rows.sum() + boosting_anchor.DAMPING))


# ---- values


def test_a_value_that_training_has_not_seen_adds_nothing(tmp_path, small):
    encoded = encoded_table(tmp_path, small)
    feature = encoded.features[0]
    values = pl.concat([pl.Series(feature.values), pl.Series(["new"])])
    grown = replace(feature, values=values)
    codes = encoded.codes.copy(order="F")
    row = np.flatnonzero(encoded.parts == 2)[0]
    codes[row, 0] = len(values) - 1
    unseen = replace(encoded, features=(grown, encoded.features[1]), codes=codes)
    fitted = fit_linear(unseen, binary=False)
    others = encoded.parts != 2
    assert np.array_equal(fitted.outputs[others], fit_linear(encoded, binary=False).outputs[others])
    column_of_row = matrix_of(unseen)[row]
    train = encoded.parts == 0
    matrix = matrix_of(encoded)
    ridge = Ridge(alpha=fitted.penalty).fit(matrix[train], encoded.ratings[train])
    assert fitted.outputs[row] == pytest.approx(ridge.predict(column_of_row[None])[0], abs=2e-3)
    assert np.isfinite(fit_boosting(unseen, binary=False).outputs[row])


def test_hashed_columns_predict_as_the_values_of_few_do(tmp_path, small, monkeypatch):
    encoded = encoded_table(tmp_path, small)
    one_hot = fit_linear(encoded, binary=False)
    monkeypatch.setattr(linear_anchor, "MOST_ONE_HOT", 3)
    monkeypatch.setattr(linear_anchor, "HASHED_COLUMNS", 1 << 14)
    hashed = fit_linear(encoded, binary=False)
    assert hashed.penalty == one_hot.penalty
    assert hashed.outputs == pytest.approx(one_hot.outputs, abs=2e-3)
    feature = encoded.features[0]
    shares = shares_of(feature)
    assert shares.shape == (40, 1 << 14)
    rows = hash_rows(list(feature.values), (lookup_seed("a", 0, 0),), 1 << 14)
    assert shares.indices.tolist() == rows[:, 0].tolist()


def test_the_order_of_features_and_rows_does_not_matter(tmp_path):
    rng = np.random.default_rng(5)
    columns = {"a": rng.integers(0, 300, ROWS), "b": rng.integers(0, 9, ROWS)}
    effect = rng.normal(size=300)[columns["a"]] * (1 + columns["b"] % 2)
    encoded = encoded_table(tmp_path, columns | {"y": effect + rng.normal(size=ROWS)})
    turned = replace(
        encoded, features=encoded.features[::-1], codes=np.asfortranarray(encoded.codes[:, ::-1])
    )
    order = rng.permutation(len(encoded.parts))
    shuffled = replace(
        encoded,
        codes=np.asfortranarray(encoded.codes[order]),
        ratings=encoded.ratings[order],
        parts=encoded.parts[order],
        user=encoded.user[order],
        item=encoded.item[order],
    )
    assert key_of(turned, {}) == key_of(encoded, {}) != key_of(shuffled, {})
    linear = fit_linear(encoded, binary=False)
    assert fit_linear(turned, binary=False).outputs == pytest.approx(linear.outputs, abs=1e-6)
    assert fit_linear(shuffled, binary=False).outputs == pytest.approx(
        linear.outputs[order], abs=1e-6
    )
    boosting = fit_boosting(encoded, binary=False)
    assert np.array_equal(fit_boosting(turned, binary=False).outputs, boosting.outputs)
    test = encoded.parts == 2  # other rows share a fold, so that trees differ a little
    mse = np.square(boosting.outputs - encoded.ratings)[test].mean()
    of_shuffled = fit_boosting(shuffled, binary=False).outputs - shuffled.ratings
    assert np.square(of_shuffled)[test[order]].mean() == pytest.approx(mse, rel=0.05)


# ---- rules


def test_test_rows_decide_nothing(tmp_path, small):
    encoded = encoded_table(tmp_path, small)
    changed = encoded.ratings.copy()
    changed[encoded.parts == 2] *= -3
    of_changed = replace(encoded, ratings=changed)
    for fit in (fit_linear, fit_boosting):
        fitted = fit(encoded, binary=False)
        again = fit(of_changed, binary=False)
        assert np.array_equal(fitted.outputs, again.outputs)
        assert fitted[1:] == again[1:]


def test_threads_change_no_score(tmp_path, small, monkeypatch):
    monkeypatch.setattr(boosting_anchor, "MOST_TREES", 20)
    encoded = encoded_table(tmp_path, small)
    before = torch.get_num_threads()
    scores = anchors.anchors(encoded, False, stars=False, threads=1)
    for path in (tmp_path / "cache" / "anchors").iterdir():
        path.unlink()
    assert anchors.anchors(encoded, False, stars=False, threads=2) == scores
    assert torch.get_num_threads() == before


def test_a_large_table_trains_trees_on_a_sample_that_has_both_labels(tmp_path, monkeypatch):
    rng = np.random.default_rng(6)
    y = np.zeros(ROWS)
    y[:60] = 1
    y = rng.permutation(y)
    encoded = encoded_table(tmp_path, {"a": rng.integers(0, 9, ROWS), "y": y}, binary=True)
    n_train = int((encoded.parts == 0).sum())
    for most in (500, 5):  # of five rows none has the rare label
        monkeypatch.setattr(boosting_anchor, "MOST_ROWS", most)
        fitted = fit_boosting(encoded, binary=True)
        assert fitted.rows == most
        assert np.isnan(fitted.outputs).sum() == n_train - most
        scores = scores_of(encoded, binary=True)["boosting"]
        assert 0 < scores["train_log_loss"] < 1
        for path in (tmp_path / "cache" / "anchors").iterdir():
            path.unlink()


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1] * 12, "y": [2.0] * 12},
        {"a": list(range(12)), "y": [float(n % 5) for n in range(12)]},
        {"a": [None] * 12, "b": [["x"]] * 6 + [["x", "z"]] * 6, "y": [float(n) for n in range(12)]},
    ],
    ids=["constant", "all distinct", "all missing"],
)
def test_tiny_and_empty_columns_have_anchors(tmp_path, columns):
    scores = scores_of(encoded_table(tmp_path, columns))
    for name in ("linear", "boosting"):
        for part in ("train", "val", "test"):
            assert np.isfinite(scores[name][f"{part}_mse"])
    if len(set(columns["y"])) == 1:
        assert scores["linear"]["test_mse"] == scores["boosting"]["test_mse"] == 0


def test_a_split_without_test_rows_has_no_test_scores(hundred):
    encoded = encode(hundred, ("user_id", "movie_id"), split(hundred, "article", 0))
    scores = scores_of(encoded)
    for name in ("linear", "boosting"):
        assert scores[name]["test_mse"] is None
        assert scores[name]["val_mse"] > 0


# ---- runs


SHORT = RunConfig(
    dataset="planted-noise", features="gender,age", budget=4_000, epochs=1, measure="quality"
)


def without_groups(anchors):
    """Return the scores without the errors by user, which no record keeps on a random split."""
    return {
        name: {score: value for score, value in scores.items() if score != "groups"}
        for name, scores in anchors.items()
    }


def test_a_record_has_them_and_a_second_run_fits_none(monkeypatch):
    fits = []

    def fit(*given):
        fits.append(fit_them(*given))
        return fits[-1]

    fit_them = anchors._fit
    monkeypatch.setattr(anchors, "_fit", fit)
    record = run_once.run_once(SHORT)
    fitted = record.quality["anchors"]
    assert set(fitted) == SIX
    assert fitted["linear"]["penalty"] in linear_anchor.PENALTIES
    assert 1 <= fitted["boosting"]["trees"] <= boosting_anchor.MOST_TREES
    assert parse_run(record.to_json(), "record").quality["anchors"] == fitted
    other = replace(SHORT, strategy="collisionless", budget=None, init_seed=5, lr=0.01)
    assert run_once.run_once(other).quality["anchors"] == fitted
    assert len(fits) == 1
    for other in (replace(SHORT, split_seed=1), replace(SHORT, features="gender,occupation")):
        scores = run_once.run_once(other).quality["anchors"]
        assert scores == without_groups(fits[-1]) != fitted
    assert len(fits) == 3


@pytest.mark.slow
def test_a_run_loads_neither_scipy_nor_scikit_learn_before_it_fits_anchors():
    """They take a second, which most runs of a study do not need."""
    loaded = (
        "import sys, ue_bench.training.run_once; print({'scipy', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_run_that_measures_latency_alone_fits_none(monkeypatch):
    monkeypatch.setattr(run_once, "anchors", None)  # a call of it would raise
    record = run_once.run_once(replace(SHORT, measure="latency"))
    assert record.quality == {}


def test_a_linear_world_is_not_beaten_by_embeddings_that_tie_with_it(tmp_path):
    """What a census asks: the best model says nothing that a logistic regression does not."""
    from ue_bench.data import Definition, define

    rng = np.random.default_rng(7)
    columns = {name: rng.integers(0, 8, ROWS) for name in ("age", "work", "town")}
    logit = sum(rng.normal(size=8)[values] for values in columns.values())
    y = (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(float)
    pl.DataFrame(columns | {"y": y}).write_parquet(tmp_path / "census.parquet")
    definition = define(Definition("census.parquet", "y", tuple(columns)), tmp_path)
    config = RunConfig(
        dataset="census",
        table=definition,
        task="binary",
        budget=2_000,
        epochs=4,
        measure="quality",
    )
    quality = run_once.run_once(config, data_dir=tmp_path).quality
    bias = quality["anchors"]["bias"]["test_mse"]
    linear = quality["anchors"]["linear"]["test_mse"]
    assert quality["test_mse"] < bias
    assert linear < bias
    assert quality["test_mse"] == pytest.approx(linear, rel=0.05)


# ---- the cache


SCORES = {"mean": {"train_mse": 0.1, "val_mse": 1e-17, "test_mse": None}, "b": {"rows": 3}}
KEY = "0123456789abcdef"


def entry(tmp_path):
    return tmp_path / "cache" / "anchors" / f"{KEY}.json"


def test_an_entry_is_read_and_nothing_else_is_left_behind(tmp_path):
    assert kept(KEY, lambda: SCORES) == SCORES
    assert kept(KEY, lambda: pytest.fail("it is in the cache")) == SCORES
    assert list(entry(tmp_path).parent.iterdir()) == [entry(tmp_path)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("0.1", "0.2"),
        lambda text: json.dumps({"anchors": {}}),
        lambda text: "[1, 2]",
        lambda text: "\udcff\udcfe",
        lambda text: text.replace("null", '"none"'),
    ],
)
def test_a_damaged_entry_is_fitted_anew_and_repaired(tmp_path, damage):
    kept(KEY, lambda: SCORES)
    whole = entry(tmp_path).read_text()
    entry(tmp_path).write_bytes(damage(whole).encode(errors="surrogateescape"))
    fit = Mock(return_value=SCORES)
    for _ in range(2):
        assert kept(KEY, fit) == SCORES
    assert fit.call_count == 1
    assert entry(tmp_path).read_text() == whole


def test_without_a_cache_every_run_fits_its_own(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for cache in (str(tmp_path / "file" / "cache"), "~nobody-of-this-name/cache", "/proc/none"):
        monkeypatch.setenv("UE_BENCH_CACHE", cache)
        fit = Mock(return_value=SCORES)
        for _ in range(2):
            assert kept(KEY, fit) == SCORES
        assert fit.call_count == 2


def test_a_full_disk_is_no_failure(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert kept(KEY, lambda: SCORES) == SCORES
    assert not entry(tmp_path).exists()


def test_a_failure_to_fit_is_not_kept(tmp_path):
    with pytest.raises(ZeroDivisionError):
        kept(KEY, lambda: 1 / 0)
    assert kept(KEY, lambda: SCORES) == SCORES


def _fit_slowly(folder: Path) -> None:
    def fit():
        (folder / f"fit-{os.getpid()}").touch()
        time.sleep(0.3)
        return SCORES

    if kept(KEY, fit) == SCORES:
        (folder / f"got-{os.getpid()}").touch()


def _hang(folder: Path) -> None:
    def fit():
        (folder / "hangs").touch()
        time.sleep(60)

    kept(KEY, fit)


def test_of_eight_processes_one_fits_and_the_others_wait(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_fit_slowly, args=(tmp_path,)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(list(tmp_path.glob("got-*"))) == 8
    assert len(list(tmp_path.glob("fit-*"))) == 1


def test_a_process_that_is_killed_locks_nobody_out(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_hang, args=(tmp_path,))
    process.start()
    while not (tmp_path / "hangs").exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert kept(KEY, lambda: SCORES) == SCORES
    assert list(entry(tmp_path).parent.iterdir()) == [entry(tmp_path)]


def test_a_key_follows_from_all_that_the_scores_depend_on(hundred):
    encoded = encode(hundred, ("gender", "age"), split(hundred, "random", 0))
    keys = {key_of(encoded, {"binary": False})}
    assert key_of(encoded, {"binary": False}) in keys
    gender, age = encoded.features
    for changed in (
        replace(encoded, ratings=encoded.ratings + 1),
        replace(encoded, parts=encoded.parts[::-1]),
        replace(encoded, user=encoded.user + 1),
        replace(encoded, item=encoded.item + 1),
        replace(encoded, codes=np.asfortranarray(encoded.codes[:, ::-1])),
        replace(encoded, features=(replace(gender, name="sex"), age)),
        replace(encoded, features=(replace(gender, values=["x", "y"]), age)),
        replace(encoded, features=(replace(gender, values=["xy", ""]), age)),
        replace(encoded, features=(replace(gender, n_seen=1), age)),
        replace(encoded, features=(replace(gender, bags=Bags.of([[0], [0, 1]])), age)),
        replace(encoded, features=(replace(gender, bags=Bags.of([[0], [1]])), age)),
    ):
        keys.add(key_of(changed, {"binary": False}))
    keys.add(key_of(encoded, {"binary": True}))
    assert len(keys) == 13


def test_the_key_has_the_code_of_everything_that_computes_an_anchor():
    """Whatever of this room the anchors import, down to the data."""
    folder = Path(anchor_cache.__file__).parent
    wanted = {"anchors.py"}
    waiting = ["anchors.py"]
    while waiting:
        text = (folder / waiting.pop()).read_text()
        for line in map(str.strip, text.splitlines()):
            if line.startswith("from ue_bench.training."):
                name = line.split()[1].rpartition(".")[2] + ".py"
                if name not in wanted | {"anchor_cache.py", "split_parts.py"}:
                    wanted.add(name)
                    waiting.append(name)
    assert wanted == set(anchor_cache.CODE)


def test_the_same_rows_of_a_named_data_set_and_of_another_folder_share_an_entry(tmp_path):
    """The key is made from content: neither a path nor a name is in it."""
    keys = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        keys.append(key_of(encoded_table(folder, {"a": [1, 2] * 10, "y": [1.0, 2.0] * 10}), {}))
    assert keys[0] == keys[1]
    _, encoded = encoded_of(SHORT)
    assert key_of(encoded, {}) not in keys


def test_a_record_names_the_libraries_that_its_anchors_come_from():
    assert set(anchor_cache.LIBRARIES) <= set(environment(None)["versions"])
