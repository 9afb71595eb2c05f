"""Records of the binary task in the report: AUC and log loss beside the Brier score, and never in one comparison with ratings."""

import io
from itertools import chain
from types import SimpleNamespace

import fake_records as fake
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from rich.console import Console

from ue_bench.record import parse
from ue_bench.report import build
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.comparison import task_of
from ue_bench.report.evidence.run_scores import scores_of
from ue_bench.report.evidence.statistics import estimate
from ue_bench.report.evidence.summary import panel, summarise
from ue_bench.report.figures import style
from ue_bench.report.format import micros_text
from ue_bench.report.page.tables import note, tables
from ue_bench.report.page.terminal import print_summary

LABELS = {"task": "binary", "negative_at_most": 2.0, "positive_at_least": 4.0}


def runs(study="fake", seeds=3, **asked):
    for strategy, budget in (
        ("unified", 14_016),
        ("per_feature", 14_016),
        ("unified", 28_032),
        ("collisionless", None),
    ):
        for seed in range(seeds):
            yield fake.make(fake.config(strategy, budget=budget, seed=seed, **asked), study)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("binary")
    fake.write_all(folder / "results", runs(**LABELS))
    return build(folder / "results", folder / "out")


def test_records_of_labels_are_records():
    for record in runs(seeds=1, **LABELS):
        assert parse(record.to_json().encode(), "it") == record


def test_the_task_and_its_labels_in_words():
    assert task_of(fake.config()) == task_of(fake.config(task="regression")) == "regression"
    assert task_of(fake.config(task="binary")) == "binary"
    assert task_of(fake.config(**LABELS)) == "binary: 0 up to 2, 1 from 4"
    likes = fake.config(task="binary", positive_at_least=3.5)
    assert task_of(likes) == "binary: 1 from 3.5"


def test_the_summary_has_means_and_intervals():
    arms = collect(runs(**LABELS)).kept
    row = summarise(arms).set_index(["label", "budget"]).loc[("unified 1×16", 28_032)]
    own = next(
        arm for arm in arms if arm.label == "unified 1×16" and arm.config["budget"] == 28_032
    )
    for score in ("auc", "log_loss"):
        expected = estimate(scores_of(own.runs, "test", score))
        assert tuple(row[f"test_{score}_{of}"] for of in ("mean", "low", "high")) == pytest.approx(
            expected[:3]
        )
        anchors = [run.quality["anchors"]["bias"][f"test_{score}"] for run in own.runs]
        assert row[f"anchor_bias_{score}"] == pytest.approx(sum(anchors) / 3)


def test_other_tasks_and_labels_are_other_comparisons():
    other = {**LABELS, "negative_at_most": 3.0}
    arms = collect(chain(runs(), runs(**LABELS), runs(**other)))
    assert not arms.refused
    summary = summarise(arms.kept)
    assert set(panel(summary)) == {
        "base (ml-100k, random split)",
        "base (ml-100k, random split, binary: 0 up to 2, 1 from 4)",
        "base (ml-100k, random split, binary: 0 up to 3, 1 from 4)",
    }
    assert summary.groupby("task")["label"].nunique().to_list() == [3, 3, 3]
    told = [
        sentence(row)
        for row in compare(list(chain(runs(), runs(**LABELS))), "unified", "per_feature")
    ]
    assert [", binary: 0 up to 2, 1 from 4), study fake, 14 kB" in line for line in told] == [
        True,
        False,
    ]


def test_records_made_before_there_was_a_task_are_of_regression():
    old = [fake.reread(record, without=LABELS) for record in runs(seeds=2)]
    arms = collect([*old, *(record for record in runs(seeds=4) if record.config.hash_seed > 1)])
    assert not arms.refused
    assert {len(arm.runs) for arm in arms.kept} == {4}


def test_tables_stand_auc_and_log_loss_beside_the_mse():
    summary = summarise(collect(chain(runs(), runs(**LABELS))).kept)
    lines = tables(summary)
    heads = [line for line in lines if line.startswith("| arm |")]
    assert heads == [
        "| arm | test MSE | test AUC | test log loss | budget | table | total | n | raw µs | p99 "
        "| codes µs (cache) |",
        "| arm | test MSE | budget | table | total | n | raw µs | p99 | codes µs (cache) |",
    ]
    assert len({line.count("|") for line in lines[3 : lines.index("", 4)]}) == 1
    row = next(
        line for line in lines if line.startswith("| unified 1×16 |") and "| 14 kB |" in line
    )
    assert row.count("[") == 3
    assert "Brier" in note(summary)
    assert "Brier" not in note(summary[summary["task"] == "regression"])


def test_figures_and_page_say_what_they_show(built):
    figures = built.page.parent / "figures"
    assert "test Brier score (mean, 95 % interval)" in (figures / "table_size.svg").read_text()
    training = (figures / "training.svg").read_text()
    assert "validation log loss" in training
    assert "validation MSE" not in training
    frame = pd.read_csv(built.page.parent / "tables" / "training.csv")
    assert set(frame["measure"]) == {"log loss"}
    text = built.page.read_text()
    assert "Training and validation log loss by epoch" in text
    assert "test AUC" in text


@pytest.mark.parametrize("hollow", [True, False])
def test_the_terminal_shows_auc_in_eighty_columns(built, hollow):
    """Whole to the last column, where a row is as wide as it may be."""
    frame = built.summary.assign(beats_bias=not hollow, latency_us=12_345.6, latency_unstable=True)
    frame.loc[frame["budget"] == 14_016, "n"] = 1  # of 3, which is told
    console = Console(width=80, record=True, file=io.StringIO())
    print_summary(SimpleNamespace(**{**vars(built), "summary": frame}), console)
    text = console.export_text()
    assert "AUC" in text
    assert "log loss is in the report" in " ".join(text.split())
    assert "…" not in text
    rows = [line for line in text.splitlines() if line.count(".") >= 4 and "[" in line]
    assert len(rows) == 4
    assert sum(line.rstrip().endswith(f"~{micros_text(12_345.6)}") for line in rows) == 4
    row = built.summary.iloc[0]
    assert f"{row['test_auc_mean']:.4f}" in text


def test_a_label_of_an_axis_that_becomes_long_is_broken():
    figure, axes = plt.subplots()
    axes.set_xlabel("MSE of blocks")
    axes.set_ylabel("test MSE (mean, 95 % interval)")
    style.rename(figure, "MSE", "MSE or Brier score")
    assert axes.get_xlabel() == "MSE or Brier score of blocks"
    assert axes.get_ylabel() == "test MSE or Brier score\n(mean, 95 % interval)"
    plt.close(figure)
