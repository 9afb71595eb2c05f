"""The commands as functions: the same runs, rows and errors."""

import json
from dataclasses import replace

import fake_records as fake
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

import ue_bench
from ue_bench import record
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError


@pytest.fixture
def results(tmp_path):
    """A folder with runs of two strategies, one that failed, and a speed record's neighbour."""
    for strategy, base in (("unified", 0.9), ("per_feature", 0.95)):
        rule = "sqrt" if strategy == "per_feature" else None
        regions = "separate" if rule else "multiplexed"
        scores = [base + 0.001 * seed for seed in range(10)]
        for run in fake.arm(scores, strategy, 7_008, regions=regions, region_rule=rule):
            record.write(run, tmp_path)
    failed = RunConfig(budget=100, lookups={"user_id": 2}).with_seed(3)
    lost = record.failure(failed, study="fake", phase="grid", cause="late", error="too long")
    record.write(lost, tmp_path)
    (tmp_path / "fake" / "junk.json").write_text("{}")
    return tmp_path


def test_every_run_is_a_row(results):
    frame = ue_bench.records(results)
    assert len(frame) == 21
    assert frame["status"].value_counts().sort("status")["count"].to_list() == [1, 20]
    one = frame.filter(pl.col("strategy") == "unified", pl.col("seed") == 2).row(0, named=True)
    assert one["test_mse"] == pytest.approx(0.902)
    assert one["budget"] == 7_008
    assert one["lookups"] == "1"
    lost = frame.filter(pl.col("status") == "failed").row(0, named=True)
    assert lost["test_mse"] is None
    assert json.loads(lost["lookups"]) == {"user_id": 2}
    assert ue_bench.records(results, "fake").equals(frame)
    assert isinstance(frame.to_pandas(), pd.DataFrame)


def test_a_folder_without_runs_has_the_same_columns(results, tmp_path):
    empty = tmp_path / "empty"
    (empty / "fake").mkdir(parents=True)
    frame = ue_bench.records(empty)
    assert len(frame) == 0
    assert frame.schema == ue_bench.records(results).schema


def test_a_wide_row_has_all_numbers_and_texts_of_its_record(results):
    frame = ue_bench.records(results, wide=True)
    assert len(frame) == 21
    path = next((results / "fake").glob("[0-9a-f]*.json"))
    held = json.loads(path.read_text())
    row = frame.filter(pl.col("run_id") == path.stem).row(0, named=True)
    for group in ("config", "cost"):
        for name, value in held[group].items():
            if isinstance(value, (int, float, str)):
                assert row[f"{group}.{name}"] == value


def test_a_comparison_has_the_rows_of_the_command(results):
    frame = ue_bench.compare("unified", "per_feature", results)
    asked = ["compare", "unified", "per_feature", "--results", str(results), "--json"]
    rows = json.loads(CliRunner().invoke(main, asked).stdout)
    assert frame["difference"].to_list() == [row["difference"] for row in rows]
    assert frame["difference"][0] == pytest.approx(-0.05)
    assert frame["verdict"].to_list() == ["better"]


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: ue_bench.records(folder / "none"),
        lambda folder: ue_bench.compare("unified", "nobody", folder),
        lambda folder: ue_bench.run_study("nothing", folder),
        lambda folder: ue_bench.advice(RunConfig(), "lots"),
        lambda folder: ue_bench.rank(folder / "none.py"),
        lambda folder: RunConfig(budget="lots"),
        lambda folder: RunConfig(bits=5),
    ],
)
def test_bad_input_is_one_line(results, call):
    with pytest.raises(BenchError) as caught:
        call(results)
    assert "\n" not in str(caught.value)


def test_a_budget_and_bits_are_written_as_people_write_them():
    assert RunConfig(budget="28kB", bits=4) == RunConfig(budget=28_000, bits="int4")
    assert RunConfig(budget="28kB").run_id == RunConfig(budget=28_000).run_id


def test_all_public_names_are_listed_and_there():
    for name in ue_bench.__all__:
        assert name in dir(ue_bench)
        assert getattr(ue_bench, name) is not None


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(),
        RunConfig(strategy="per_feature", budget="14kB", lookups={"user_id": 2}, dim=8, bits=4),
        RunConfig(table={"path": 'it\'s "here".csv'}, options={"rank": 3}).with_seed(7),
    ],
)
def test_what_is_printed_makes_the_same_run(config):
    assert eval(repr(config)) == config
    assert "dropout" not in repr(config)
    assert repr(RunConfig()) == "RunConfig()"


def test_a_record_is_printed_in_a_line_and_shown_as_a_table(results):
    run = record.load(results)[0][0]
    assert repr(run).startswith(f"<Record {run.run_id}: study fake, phase grid, strategy ")
    assert "\n" not in repr(run)
    assert len(repr(run)) < 200
    shown = replace(run, study="<b>&")._repr_html_()
    assert "<td>&lt;b&gt;&amp;</td>" in shown
    assert f"<tr><th>total_bytes</th><td>{run.cost['total_bytes']}</td></tr>" in shown
