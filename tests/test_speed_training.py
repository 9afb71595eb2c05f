"""What training is compared with really trains: the straightforward program, and the two paths of the optimizer."""

import shutil
import time

import pandas as pd
import pytest
import torch

from ue_bench.config import RunConfig
from ue_bench.feature import Feature
from ue_bench.speed.compiled import compiled_beside_eager, in_turn
from ue_bench.speed.paths import step_times
from ue_bench.speed.straightforward import ours, straightforward
from ue_bench.train import Rows

FEATURES = (Feature("a", [str(i) for i in range(40)], 40), Feature("b", [str(i) for i in range(30)], 30))


def rows(n, seed):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(f.cardinality, (n,), generator=generator) for f in FEATURES], dim=1)
    return Rows(codes, 3 + codes[:, 0].float().sin() + codes[:, 1].float().cos() + 0.3 * torch.randn(n, generator=generator))


def test_both_programs_learn_the_same():
    config = RunConfig(strategy="collisionless", epochs=8, patience=2, batch_size=64)
    train, validation = rows(1500, 1), rows(500, 2)
    theirs = straightforward(train, validation, [f.cardinality for f in FEATURES], config)
    mine = ours(train, validation, config, FEATURES)
    untrained = float((validation.ratings - train.ratings.mean()).square().mean())
    assert 0.09 < theirs.val_mse < untrained / 4
    assert abs(theirs.val_mse - mine.val_mse) < 0.05 * untrained
    assert theirs.rows_a_second > 0
    assert 1 <= theirs.epochs <= 8


def test_each_path_is_timed_at_each_size(monkeypatch):
    monkeypatch.setattr("ue_bench.speed.paths.ROUNDS", 2)
    monkeypatch.setattr("ue_bench.speed.paths.STEPS", 6)
    monkeypatch.setattr("ue_bench.speed.paths.VALUES", 100)
    found = step_times(rows=(100, 300), dense_up_to=100)
    assert list(found.groupby("path")["rows"].apply(list).items()) == [("dense", [100]), ("sparse", [100, 300])]
    assert (found["p50_us"] > 0).all()
    pd.testing.assert_series_equal(found["growth"][:2], pd.Series([1.0, 1.0]), check_names=False)


def test_calls_take_turns_and_their_medians_are_told():
    slow, fast = in_turn((lambda: time.sleep(0.004), lambda: None), 5)
    assert 4_000 <= slow < 12_000
    assert fast < 1_000


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_what_is_compiled_is_timed_beside_the_eager_program():
    found = compiled_beside_eager(rows=100, batches=(4,), repeats=3)
    assert found["what"].tolist() == ["lookup", "training step"]
    assert (found[["eager_us", "compiled_us", "compile_seconds"]] > 0).all(axis=None)
