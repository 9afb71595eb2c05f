"""A part of the rows: whose values keep their rows, the same for all, and kept in the cache."""

import numpy as np
import polars as pl
import pytest

from ue_bench import data, record
from ue_bench.config import RunConfig
from ue_bench.data import Definition
from ue_bench.data.kept import source
from ue_bench.data.kept.kept_dataset import KeptDataset
from ue_bench.data.thinning import MANY, ThinnedDataset, thinned, thinned_by
from ue_bench.errors import BenchError
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.training.run_data import dataset_of, encoded_of
from ue_bench.training.run_once import run_once

ROWS = 40_000
FRACTION = 0.125
NAMES = ("user", "item", "shop")
FEATURES = ",".join(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table: many users by a law with a long tail, items, and the shop of each item."""
    random = np.random.default_rng(1000)
    users = (random.pareto(0.8, ROWS) * 20).astype(np.int64) % 3000
    items = random.integers(400, size=ROWS)
    frame = pl.DataFrame(
        {
            "user": [f"u{number}" for number in users],
            "item": [f"i{number}" for number in items],
            "shop": [f"s{number % 10}" for number in items],
            "rating": random.normal(size=ROWS),
        }
    )
    path = tmp_path_factory.mktemp("table")
    frame.write_parquet(path / "shop.parquet")
    return path


@pytest.fixture
def table(folder):
    definition = Definition(files="shop.parquet", target="rating", features=NAMES)
    return data.define(definition, folder)


@pytest.fixture
def whole(folder, table):
    return data.load("shop", folder, table, keep=False)


def rows_by_value(dataset, feature):
    texts = dataset.column(feature)
    return dict(zip(*np.unique(texts.to_numpy(), return_counts=True), strict=True))


def test_all_rows_are_the_data_set_itself(whole):
    assert thinned(whole, FEATURES, 1.0) is whole


def test_a_value_that_stays_keeps_its_rows_unless_it_is_very_frequent(whole):
    part = thinned(whole, FEATURES, FRACTION)
    assert part.n_rows == pytest.approx(FRACTION * ROWS, rel=0.15)
    before = rows_by_value(whole, "user")
    after = rows_by_value(part, "user")
    frequent = {value for value, count in before.items() if count * FRACTION >= MANY}
    assert frequent
    rare = before.keys() - frequent
    assert all(after[value] == before[value] for value in rare & after.keys())
    assert len(rare & after.keys()) == pytest.approx(FRACTION * len(rare), rel=0.25)
    for value in frequent:
        assert after[value] == pytest.approx(FRACTION * before[value], rel=0.5)


def test_rows_keep_their_order_their_targets_and_what_belongs_together(whole):
    part = thinned(whole, FEATURES, FRACTION)
    rows = part.rows
    assert (np.diff(rows) > 0).all()
    assert (part.target == whole.target[rows]).all()
    for name in (*NAMES, "user*shop"):
        assert part.column(name).to_list() == whole.column(name).gather(rows).to_list()
    values = part.single("item").values
    assert len(values) == len(set(part.column("item")))


def test_a_part_without_a_row_is_refused(whole):
    with pytest.raises(BenchError, match=r"rows_fraction: 1e-09 .* none of the 40,000 rows"):
        thinned(whole, FEATURES, 1e-9)


def test_the_feature_of_most_values_is_thinned(whole):
    assert thinned_by(whole, NAMES) == "user"
    assert thinned_by(whole, ("item*shop",)) == "item"


def test_kept_rows_are_the_rows_that_are_made(folder, table, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "LEAST_VALUES", 1)
    monkeypatch.setattr(source, "LEAST_BYTES", 0)
    made = thinned(whole, FEATURES, FRACTION)
    assert isinstance(made, ThinnedDataset)
    kept = thinned(data.load("shop", folder, table), FEATURES, FRACTION)
    assert isinstance(kept, KeptDataset)
    for name in NAMES:
        assert kept.column(name).to_list() == made.column(name).to_list()
    assert (kept.target == made.target).all()
    assert kept.facts == made.facts

    def refuse(*args):
        raise AssertionError("rows are thinned again")

    monkeypatch.setattr("ue_bench.data.thinning.rows_that_stay", refuse)
    again = thinned(data.load("shop", folder, table), FEATURES, FRACTION)
    assert (again.target == made.target).all()


def test_a_run_says_which_part_it_used_and_all_seeds_have_it(folder, table, tmp_path):
    config = RunConfig(
        dataset="shop",
        table=table,
        features="user,item,shop",
        rows_fraction=FRACTION,
        budget=2000,
        dim=2,
        epochs=1,
        measure="quality",
    )
    runs = [run_once(config.with_seed(seed), data_dir=folder) for seed in (1000, 1001)]
    found = [record.read(record.write(run, tmp_path)).found for run in runs]
    assert "0.125 of the rows" in comparison_of(runs[0]).title
    assert found[0]["thinned"] == found[1]["thinned"]
    thin = found[0]["thinned"]
    assert (thin["by"], thin["of"]) == ("user", ROWS)
    assert sum(found[0]["n_rows"].values()) == thin["rows"]
    dataset = dataset_of(config, folder)
    assert len(encoded_of(config, folder)[1].parts) == dataset.n_rows
    whole = RunConfig(**{**config.by_name(), "rows_fraction": 1.0})
    assert whole.run_id != config.run_id
    assert (
        whole.run_id
        == RunConfig.from_stored(
            {name: value for name, value in whole.by_name().items() if name != "rows_fraction"}
        ).run_id
    )


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5, float("nan")])
def test_a_part_is_above_0_and_at_most_1(fraction):
    with pytest.raises(BenchError, match=r"rows_fraction: .* a number above 0 and at most 1"):
        RunConfig(rows_fraction=fraction)
