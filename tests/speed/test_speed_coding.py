"""Speed and memory of coding and of first contact, measured on a small file."""

import numpy as np
import polars as pl
import pytest

from ue_bench.config import RunConfig
from ue_bench.data import encode, load, split
from ue_bench.data.kept import source
from ue_bench.errors import BenchError
from ue_bench.speed import anchor_share, first_contact
from ue_bench.speed.cases import ratings_to_codes
from ue_bench.speed.cases.ratings_to_codes import coded_bytes, coding, measure_arm
from ue_bench.speed.made_ratings import write_official
from ue_bench.speed.pandas_coding import keep_with_pandas


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


# ---- first contact


def test_both_arms_of_first_contact_write_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "LEAST_VALUES", 1_000)
    monkeypatch.setattr(source, "LEAST_BYTES", 1_000)
    write_official(tmp_path, 2_000)
    costs = {}
    for arm in first_contact.ARMS:
        (tmp_path / arm).mkdir()
        costs[arm] = first_contact.measure_arm(arm, tmp_path, tmp_path / arm)
    assert costs["ours"]["coded_bytes"] > 2_000 * (4 + 4 + 4 + 8)  # ids, rating, time
    assert all(cost["seconds"] > 0 for cost in costs.values())
    kept = load("ml-25m", tmp_path, cache=tmp_path / "ours")
    theirs = {}
    for path in (tmp_path / "pandas").iterdir():
        if path.suffix == ".npy":
            theirs[path.stem] = np.load(path)
        else:
            theirs[f"{path.stem} values"] = path.read_text().split("\n")
    assert np.array_equal(theirs["rating"], kept.target)
    assert np.array_equal(theirs["time"], kept.times)
    for name in ("user_id", "movie_id", "release_year", "genres"):
        codes = theirs[name]
        if name in ("release_year", "genres"):
            codes = codes[theirs["movie_id"]]
        values = pl.Series(theirs[f"{name} values"]).gather(codes)
        ours = kept.single(name)
        assert values.to_list() == ours.values.gather(ours.codes).to_list()


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("ratings.csv", "userId,", "user,"),
        ("ratings.csv", None, "1,1,6.0,1"),
        ("ratings.csv", None, "1,999999,3.0,1"),
        ("ratings.csv", None, "1,1,,1"),
    ],
)
def test_what_is_no_rating_is_found_in_pandas_too(file, before, after, tmp_path):
    write_official(tmp_path, 1_000)
    text = (tmp_path / file).read_text()
    changed = text.replace(before, after) if before else f"{text}{after}\n"
    (tmp_path / file).write_text(changed)
    with pytest.raises(BenchError, match="a row is no rating of a movie"):
        keep_with_pandas(tmp_path, tmp_path)
    with pytest.raises(BenchError):
        load("ml-25m", tmp_path, keep=False)


def test_rows_too_few_to_be_kept_are_no_first_contact(tmp_path):
    write_official(tmp_path, 1_000)
    with pytest.raises(BenchError, match="first contact: nothing was kept"):
        first_contact.measure_arm("ours", tmp_path, tmp_path / "cache")


def test_the_anchors_share_is_that_of_a_run_of_one_epoch():
    config = RunConfig(dataset="click-world-1000@0", task="binary", budget=10_000, epochs=7)
    line = anchor_share.anchor_share(config)
    seconds = line.value, line.beside["one epoch"]
    assert min(seconds) > 0
    assert line.claims[0].ratio == pytest.approx(seconds[0] / sum(seconds))
