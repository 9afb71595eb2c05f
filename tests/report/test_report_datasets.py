"""Different tables of one name are different data sets, wherever a report groups by the name."""

import io
import re
from dataclasses import replace

import fake_records as fake
import polars as pl
import pytest
from rich.console import Console

from ue_bench.advise import Question
from ue_bench.cli.dataset_options import ask
from ue_bench.config import RunConfig
from ue_bench.record import write
from ue_bench.record.data_identity import ROWS_OF_FILES
from ue_bench.report import build
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.dataset_labels import told_apart
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.terminal import print_summary
from ue_bench.study.alike import require_alike
from ue_bench.study.grid_and_search import Search

TABLE = {"files": "ratings.csv", "target": "y", "features": ["user_id", "movie_id"]}
ONE = TABLE | {"checksum": "sha256:3f2a9911"}
OTHER = TABLE | {"checksum": "sha256:b01d0000"}
MSE = {"unified": 0.8, "per_feature": 0.9}


def runs(table, level=0.0, strategies=("unified", "per_feature"), name="ratings.csv", **asked):
    """Three runs a strategy on a table. level: what is added to each MSE."""
    for strategy in strategies:
        for seed in range(3):
            config = fake.config(strategy, seed=seed, budget=28_032, dataset=name, table=table)
            mse = MSE[strategy] + level + seed / 100 + 0.001 * (seed * seed)
            yield fake.make(replace(config, **asked), mse=mse, checksum=table["checksum"])


def names_of(*tables):
    """The names of data sets that each of these tables gets beside the others."""
    records = [run for table in tables for run in runs(table, strategies=("unified",))]
    names = [record.config.dataset for record in told_apart(records)]
    return names[::3]


def test_tables_that_differ_have_labels():
    assert names_of(ONE) == ["ratings.csv"]
    assert names_of(ONE, ONE) == ["ratings.csv", "ratings.csv"]
    assert names_of(ONE, OTHER) == ["ratings.csv (3f2a…)", "ratings.csv (b01d…)"]
    alike = ONE | {"checksum": "sha256:3f2a99"}
    assert names_of(ONE, alike) == ["ratings.csv (3f2a991…)", "ratings.csv (3f2a99…)"]
    late = ONE | {"target": "late"}
    assert names_of(ONE, late) == ["ratings.csv (target y)", "ratings.csv (target late)"]
    assert names_of(ONE, late, OTHER) == [
        "ratings.csv (3f2a…, target y)",
        "ratings.csv (3f2a…, target late)",
        "ratings.csv (b01d…, target y)",
    ]
    fewer = names_of(ONE, ONE | {"features": ["user_id"]})
    assert len(set(fewer)) == 2
    assert all(re.fullmatch(r"ratings.csv \(definition [0-9a-f]{4}…\)", name) for name in fewer)


def test_labels_are_given_once_and_no_other_record_changes():
    every = [*runs(ONE), *runs(OTHER), *fake.arm([0.8]), fake.failed(fake.config(budget=9))]
    labelled = told_apart(every)
    assert told_apart(labelled) == labelled
    assert labelled[12:] == every[12:]
    assert [record.run_id for record in labelled] == [record.run_id for record in every]


def named(files, rows=None, level=0.0):
    """Runs on a data set that has a name, whose content their ids do not have."""
    found = {"checksum": files} if rows is None else {"checksum": files, "rows_checksum": rows}
    for strategy in ("unified", "per_feature"):
        for seed in range(3):
            config = fake.config(strategy, seed=seed, budget=28_032)
            yield fake.make(config, mse=MSE[strategy] + level + seed / 100, **found)


def test_records_of_a_reduced_archive_are_another_data_set():
    whole, reduced = list(named("md5:aaaa1")), list(named("md5:bbbb1", level=0.3))
    evidence = Evidence([*whole, *reduced])
    assert {arm.comparison.dataset for arm in evidence.arms.kept} == {
        "ml-100k (aaaa…)",
        "ml-100k (bbbb…)",
    }
    assert all(len(arm.runs) == 3 for arm in evidence.arms.kept)
    assert sorted(evidence.summary["test_mse_mean"]) == pytest.approx([0.81, 0.91, 1.11, 1.21])
    for row in compare([*whole, *reduced], "unified", "per_feature"):
        assert row["difference"] == pytest.approx(-0.1)  # within one data set
    assert told_apart(told_apart([*whole, *reduced])) == told_apart([*whole, *reduced])


def test_files_with_equal_rows_are_one_data_set():
    both = [*named("md5:aaaa1", rows="sha256:r"), *named("sha256:bbbb1", rows="sha256:r")]
    assert told_apart(both) == both
    (before,) = {record.config.dataset for record in told_apart([*both, *named("md5:aaaa1")])}
    assert before == "ml-100k"  # records of before `rows_checksum` too, by their files
    published = next(iter(ROWS_OF_FILES))
    again = [*named(published), *named("md5:aaaa1", rows=ROWS_OF_FILES[published])]
    assert told_apart(again) == again
    files = {"unified": "md5:aaaa1", "per_feature": "sha256:bbbb1"}
    mixed = [run for run in both if run.found["checksum"] == files[run.config.strategy]]
    arms = collect(mixed)
    assert (len(arms.kept), arms.refused) == (2, ())


def test_a_record_that_does_not_say_what_data_it_met_keeps_the_name():
    every = [*named("md5:aaaa1"), *named("md5:bbbb1"), fake.failed(fake.config(budget=9))]
    assert told_apart(every)[-1] == every[-1]


@pytest.fixture(scope="module")
def evidence():
    return Evidence([*runs(ONE), *runs(OTHER, level=0.3)])


def test_each_table_has_a_comparison_of_its_own(evidence):
    assert evidence.arms.refused == ()
    titles = {arm.comparison.title for arm in evidence.arms.kept}
    assert titles == {
        "base (ratings.csv (3f2a…), random split)",
        "base (ratings.csv (b01d…), random split)",
    }
    assert list(evidence.summary["dataset"].value_counts()) == [2, 2]
    assert len(evidence.verdicts) == 4
    for _, part in evidence.verdicts.groupby("dataset"):
        assert set(part["named"]) == {"unified 1×16"}
        assert part["difference"].max() == pytest.approx(0.1)  # and not .3


def test_strategies_on_different_tables_never_meet():
    rows = compare([*runs(ONE), *runs(OTHER, level=0.3)], "unified", "per_feature")
    assert [row["dataset"] for row in rows] == ["ratings.csv (3f2a…)", "ratings.csv (b01d…)"]
    assert all(row["difference"] == pytest.approx(-0.1) for row in rows)
    assert sentence(rows[0]).startswith("base (ratings.csv (3f2a…), random split), study fake")
    apart = [*runs(ONE, strategies=["unified"]), *runs(OTHER, strategies=["per_feature"])]
    assert {arm.n_most for arm in collect(apart).kept} == {3}
    with pytest.raises(Exception, match="never meet at one budget of one comparison"):
        compare(apart, "unified", "per_feature")


@pytest.mark.slow
def test_the_report_has_a_panel_for_each(tmp_path):
    for record in (*runs(ONE), *runs(OTHER, level=0.3)):
        write(record, tmp_path)
    outcome = build(tmp_path, tmp_path / "out")
    page = outcome.page.read_text()
    for name in ("ratings.csv (3f2a…)", "ratings.csv (b01d…)"):
        assert f"<h3>base ({name}, random split), study <code>fake</code></h3>" in page
        assert f"{name} from " in page
    assert outcome.refused == []
    assert "Only one value was run of: data set" not in page
    said = io.StringIO()
    print_summary(outcome, Console(file=said, width=80))
    assert said.getvalue().count("base (ratings.csv (") >= 2
    tidy = pl.read_csv(tmp_path / "out" / "tables" / "table_size.csv")
    assert tidy["panel"].n_unique() == 2


def test_advice_on_each_has_a_folder_of_its_own(tmp_path):
    names = set()
    for place, shift in (("a", 0), ("b", 1)):
        folder = tmp_path / place
        folder.mkdir()
        ratings = {"user": [1, 2, 3], "y": [0.0, 1.0, 2.0 + shift]}
        pl.DataFrame(ratings).write_csv(folder / "ratings.csv")
        chosen = ask(str(folder / "ratings.csv"), None, "user", {"target": "y"})
        question = Question.of(RunConfig(**chosen.fields), 10_000, None, 1, chosen.data_dir)
        names.add(question.name)
    assert len(names) == 2


def test_searches_on_different_tables_need_not_be_alike():
    def search(table, strategy, trials):
        base = RunConfig(dataset="ratings.csv", table=table, strategy=strategy, budget=9_000)
        return Search(base, {"dim": (4, 8)}, trials=trials)

    require_alike([search(ONE, "unified", 5), search(OTHER, "per_feature", 6)])
    with pytest.raises(Exception, match="are not alike"):
        require_alike([search(ONE, "unified", 5), search(ONE, "per_feature", 6)])
