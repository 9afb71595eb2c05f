"""Committed results are tested like code."""

import math
from pathlib import Path

import pytest

from ue_bench.config import RunConfig
from ue_bench.record import load
from ue_bench.run import resolve
from ue_bench.strategies import STRATEGIES
from ue_bench.study import names

PUBLISHED = Path(__file__).resolve().parent.parent / "results" / "published"
RECORDS, SKIPPED = load(PUBLISHED)


def test_all_files_are_records_and_none_failed():
    """A budget that a strategy cannot work with is an answer, not a failure."""
    assert SKIPPED == []
    assert RECORDS
    assert all(record.status == "ok" or str(record.error).startswith("BudgetError: ") for record in RECORDS)
    assert len({(record.study, record.run_id) for record in RECORDS}) == len(RECORDS)


@pytest.mark.parametrize("study", sorted({record.study for record in RECORDS}))
def test_records_say_what_they_are(study):
    assert study in names()
    for record in (r for r in RECORDS if r.study == study):
        config = RunConfig.from_dict(record.config)
        assert config.run_id == record.run_id
        assert resolve(config) == config
        assert config.strategy in STRATEGIES
        if record.status == "failed":
            continue
        assert record.env["git_sha"], "published results are made from a commit"
        assert record.env["git_dirty"] is False, "published results are made from a clean commit"
        if record.phase != "latency":
            assert 0.5 < record.quality["test_mse"] < 2
            assert all(math.isfinite(entry["val_mse"]) for entry in record.quality["history"])
        cost = record.cost
        assert cost["total_bytes"] == cost["table_bytes"] + cost["auxiliary_bytes"] + cost["vocabulary_bytes"]
        if config.budget and STRATEGIES[config.strategy].has_budget:
            assert 0.9 * config.budget <= cost["table_bytes"] + cost["auxiliary_bytes"] <= config.budget


def test_exact_tables_are_as_good_as_they_should_be():
    """Mean test MSE of the exact table over seeds on ML-100K, random split, six features."""
    exact = [r.quality["test_mse"] for r in RECORDS
             if r.config["strategy"] == "collisionless" and r.config["features"] == "base" and r.phase == "grid"
             and r.study == "default"]  # fmt: skip
    assert len(exact) >= 5
    assert sum(exact) / len(exact) <= 0.865
