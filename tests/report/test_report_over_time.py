"""The section about streams, on records of real ones."""

from dataclasses import replace

import pytest
from study_data import study_of

from ue_bench import RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.sections.one_study import over_time
from ue_bench.report.page.prose import refresh
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import run_once

ASKED = RunConfig(
    dataset="planted-small", split=STREAM, blocks=8, batch_size=64, measure="quality", budget=2_000
)


@pytest.fixture(scope="module")
def runs():
    records = []
    for config in (ASKED, replace(ASKED, strategy="growing_exact", budget=None)):
        for seed in (0, 1):
            record = run_once(resolve(config.with_seed(seed)), study="s", phase="grid")
            records.append(record)
    return records


@pytest.fixture(scope="module")
def arms(runs):
    return collect(runs).kept


def test_a_line_has_the_mean_of_the_blocks(arms):
    frame = over_time.tidy(study_of(arms))
    unified = frame[frame["group"] == "unified"]
    assert list(unified["block"]) == list(range(1, 8))
    (own,) = [arm for arm in arms if arm.config["strategy"] == "unified"]
    first = [run.quality["stream"]["blocks"][0]["mse"] for run in own.runs]
    assert unified["block_mse"].iloc[0] == pytest.approx(sum(first) / 2)
    assert unified["bytes"].nunique() == 1
    growing = frame[frame["group"] == "growing_exact"]
    assert list(growing["bytes"]) == sorted(growing["bytes"])
    shares = frame[[f"{kind}_share" for kind in over_time.KINDS]].sum(axis=1)
    assert list(shares) == pytest.approx([1] * len(frame))


def test_the_kinds_of_row_add_up_to_the_score(arms):
    frame = over_time.tidy(study_of(arms))
    for row in frame.to_dict("records"):
        total = 0.0
        for kind in over_time.KINDS:
            total += row[f"{kind}_share"] * (row[f"{kind}_mse"] or 0)
        assert total == pytest.approx(row["mse"], rel=0.02)


def test_the_table_and_the_figure(arms):
    frame = over_time.tidy(study_of(arms))
    lines = over_time.table(frame)
    assert any(line.startswith("| growing_exact") for line in lines)
    figure = over_time.draw(frame, study_of(arms))
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_visible()]
    assert labels == ["MSE, mean of 3 blocks", "bytes that are served"]


def test_a_page_about_streams_can_be_made_from_the_records(runs):
    """With the study's own name in place of `s`, it is what docs/streams.md has."""
    page = """
<!-- ue-bench: answer s -->
<!-- end -->
<!-- ue-bench: section s over_time -->
<!-- end -->
"""
    answer, section = refresh(page, Evidence(runs)).split("<!-- end -->\n")[:2]
    assert "stream split), study `s`**" in answer
    assert "| growing_exact 16 | – (–) |" in section


def test_splits_have_no_such_section(arms):
    records = [run_once(resolve(replace(ASKED, split="random", epochs=1)), study="s", phase="grid")]
    assert over_time.tidy(study_of(collect(records).kept)).empty
