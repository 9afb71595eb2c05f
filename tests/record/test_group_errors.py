"""Errors by user: what a record packs is what comes out, and what no run packs is named."""

import base64
import zlib
from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest

from ue_bench.errors import BenchError
from ue_bench.record import parse_run
from ue_bench.record.group_errors import anchor_errors, group_errors, pack_counts, pack_errors

N = np.array([0, 3, 70_000, 1, 12])
SUMS = np.array([0.0, 2.5, 61_000.0, 0.75, 9.0])


def make(**changed):
    """A record whose five users have these rows and errors."""
    record = fake.make(fake.config(budget=28_032))
    of_bias = {**record.quality["anchors"]["bias"], "groups": pack_errors(2 * SUMS)}
    of_bias["test_mse"] = 2 * SUMS.sum() / N.sum()
    groups = {"by": "user", "count": 5, "rows": "00ff"}
    groups |= {"n": pack_counts(N), "mse": pack_errors(SUMS), **changed}
    quality = {
        **record.quality,
        "test_mse": SUMS.sum() / N.sum(),
        "groups": {"test": groups},
        "anchors": {**record.quality["anchors"], "bias": of_bias},
    }
    return replace(record, quality=quality)


def test_what_is_packed_comes_out_of_a_file():
    record = parse_run(make().to_json().encode(), "a file")
    errors = group_errors(record, "test")
    assert errors.n.tolist() == N.tolist()
    assert errors.sums.sum() == pytest.approx(SUMS.sum(), rel=1e-12)  # the score itself
    assert errors.sums == pytest.approx(SUMS, abs=61_000 / 65_535)  # a step of the largest one
    assert anchor_errors(record, "bias").sums == pytest.approx(2 * errors.sums, rel=1e-12)
    assert group_errors(record, "test", "log_loss") is None
    assert anchor_errors(record, "mean") is None


def test_a_rounding_hardly_moves_the_error_of_resampled_users():
    draws = np.random.default_rng(0)
    n = draws.integers(1, 60, 943)
    sums = n * draws.gamma(4.0, 0.22, 943)
    groups = {"count": 943, "n": pack_counts(n), "mse": pack_errors(sums)}
    record = make(**groups)
    record.quality["test_mse"] = sums.sum() / n.sum()
    packed = group_errors(record, "test").sums
    for _ in range(50):
        drawn = draws.multinomial(943, np.full(943, 1 / 943))
        assert drawn @ packed / (drawn @ n) == pytest.approx(drawn @ sums / (drawn @ n), abs=1e-5)
    assert len(groups["n"]) + len(groups["mse"]) < 4_000  # characters


def test_without_any_error_all_are_0():
    record = make(mse=pack_errors(np.zeros(5)))
    record.quality["test_mse"] = 0.0
    assert group_errors(record, "test").sums.tolist() == [0.0] * 5


def test_a_record_of_an_earlier_version_has_none():
    record = fake.make(fake.config(budget=28_032))
    assert group_errors(record, "test") is None
    assert anchor_errors(record, "bias") is None


BOMB = base64.b64encode(zlib.compress(bytes(1 << 20), 9)).decode()


@pytest.mark.parametrize(
    "packed", [BOMB, pack_errors(SUMS[:4]), "AAAA", "A", pack_errors(SUMS)[:-8]]
)
def test_a_text_that_no_run_packs_is_named(packed):
    record = make(mse=packed)
    with pytest.raises(BenchError, match=f"run {record.run_id} .* by user cannot be read"):
        group_errors(record, "test")


@pytest.mark.parametrize(
    "changed", [{"mse": "é"}, {"n": "A" * 16_001}, {"by": "item"}, {"count": 1_001}]
)
def test_a_field_that_no_run_writes_is_found_when_the_record_is_read(changed):
    with pytest.raises(BenchError, match="not a record"):
        parse_run(make(**changed).to_json().encode(), "a file")
