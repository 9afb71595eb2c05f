"""Speed and memory of coding, measured on a small file."""

import pytest

from ue_bench.data import encode, load, split
from ue_bench.errors import BenchError
from ue_bench.speed.cases import ratings_to_codes
from ue_bench.speed.cases.ratings_to_codes import coded_bytes, coding, measure_arm
from ue_bench.speed.made_ratings import write_official


@pytest.mark.slow
def test_coding_measures_both_arms(tmp_path):
    found = coding(100_000, 0, tmp_path)
    assert found["rows"] == 100_000
    assert found["coded_bytes"] == 100_000 * (4 * 4 + 4 + 1)  # codes, ratings, parts
    # Which needs less is told by `ue-bench speed`, of rows enough to tell.
    assert found["peak_bytes"] > found["coded_bytes"]
    assert found["pandas_peak_bytes"] > found["coded_bytes"]
    assert found["seconds"] > 0
    assert found["pandas_seconds"] > 0
    assert found["parser_seconds"] > 0
    assert 0.5 * found["seconds"] < sum(found["stages"].values()) <= found["seconds"]


def test_an_array_that_is_part_of_another_counts_once(tmp_path):
    write_official(tmp_path, 1_000)
    dataset = load("ml-25m", tmp_path)
    encoded = encode(dataset, ("genres",), split(dataset, "random", 0))
    assert coded_bytes(encoded) == 1_000 * (4 + 4 + 1 + 4 + 4)  # user and movie are no features


def test_an_arm_that_ends_without_an_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        ratings_to_codes.sys, "executable", "false"
    )  # a program that ends with exit code 1 and says nothing
    with pytest.raises(BenchError, match=r"coding: ours gave no answer \(exit code 1\)"):
        coding(1_000, 0, tmp_path)


def test_an_arm_is_measured_in_this_process_too(tmp_path):
    write_official(tmp_path, 1_000)
    assert set(measure_arm("pandas", tmp_path, 0)) == {"seconds", "peak_bytes"}
