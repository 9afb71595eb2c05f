"""The whole report: what is written, what is told, what is refused, and what it may import."""

import base64
import gzip
import re
import shlex
import subprocess
import sys
from itertools import chain

import fake_records as fake
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from ue_bench.errors import BenchError
from ue_bench.record import load
from ue_bench.report import Outcome, build
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.summary import COLUMNS
from ue_bench.report.page import page
from ue_bench.report.page.commands import commands
from ue_bench.report.page.terminal import ROWS, best_rows, print_summary


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A grid of two seeds with a corrupt file, a failure and an odd arm, and a search."""
    folder = tmp_path_factory.mktemp("report")
    odd = [fake.make(fake.config("odd", seed=seed, budget=28_032, hidden=8)) for seed in range(2)]
    fake.write_all(
        folder / "results",
        chain(fake.study_grid(seeds=2), odd, [fake.failed(fake.config(budget=128))]),
    )
    fake.write_all(folder / "results", fake.study_search(trials=6))
    (folder / "results" / "fake" / "torn.json").write_text('{"schema": 1, ')
    return build(folder / "results", folder / "out", named=["allocation"])


def test_everything_is_written(built):
    out = built.page.parent
    assert built.page.name == "report.html"
    assert len(built.figures) == 2 * 15  # PNG and SVG
    # All tables of the search have one size, so that none is smaller and worse than another.
    assert "allocation-pareto" not in {path.stem for path in built.figures}
    for path in built.figures:
        if path.suffix == ".png":
            picture = Image.open(path)
            assert picture.mode == "P"
            assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert all(path.stat().st_size > 1000 for path in built.figures)
    assert {path.suffix for path in built.figures} == {".png", ".svg"}
    for path in built.figures:
        assert path.stem in {table.stem for table in (out / "tables").iterdir()}


def test_the_summary_file_is_the_contract(built):
    table = pd.read_csv(built.page.parent / "tables" / "summary.csv")
    assert tuple(table.columns) == COLUMNS
    assert tuple(COLUMNS[:16]) == (
        "study",
        "dataset",
        "features",
        "split",
        "strategy",
        "regions",
        "region_rule",
        "lookups",
        "dim",
        "budget",
        "total_bytes",
        "n",
        "test_mse_mean",
        "test_mse_low",
        "test_mse_high",
        "run_ids",
    )
    assert set(table["strategy"]) == {"unified", "per_feature", "collisionless", "int8"}


def test_a_corrupt_record_is_named_and_counted(built):
    text = built.page.read_text()
    assert len(built.skipped) == 1
    assert "torn.json" in built.skipped[0]
    assert "Files that are no valid record: 1" in text
    assert "torn.json" in text


def test_the_commands_of_a_page_are_split_by_a_shell_where_they_must_be():
    given = commands(["it's mine-quick", "methods"], ["methods"], "the results", "/tmp/a page")
    assert [shlex.split(line) for line in given] == [
        ["ue-bench", "study", "it's mine.py", "--quick", "--results", "the results"],
        ["ue-bench", "study", "methods", "--results", "the results"],
        ["ue-bench", "report", "--results", "the results", "--out", "/tmp/a page"],
    ]


def test_the_page_tells_what_was_left_out_and_how_to_make_it_again(built):
    text = built.page.read_text()
    assert (
        "Refused arms (other rows, recipe or seeds than the rest, or more bytes than their budget): 1"
        in text
    )
    assert "hidden is 8, the others have 64" in text
    assert "Failed runs: 1" in text
    assert (
        "Lookup allocation, study <code>fake</code>: no search that varied the lookups of a feature freely."
        in text
    )
    assert "ue-bench study allocation --results" in text
    assert "ue-bench study fake.py --results" in text
    assert not re.search(
        r"\b(nan|None|NaT)\b", re.sub(r'="[^"]*"|<script>.*?</script>', "", text, flags=re.DOTALL)
    )
    assert text.count("<svg") == 1  # the figure that answers the question
    pages = list(built.page.parent.glob("study-*.html"))
    assert len(pages) == len({record.study for record in built.evidence.records})
    drawn = sum(path.read_text(encoding="utf-8").count("<svg") for path in pages)
    assert drawn == len(built.figures) / 2


@pytest.mark.slow
def test_a_report_of_one_study_has_plain_names(tmp_path):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=5, seeds=2))
    outcome = build(tmp_path / "results", tmp_path / "out", study="many")
    assert {path.stem for path in outcome.figures} == {
        "table_size",
        "pareto",
        "methods",
        "latency",
        "latency_mse",
        "memory",
        "rare_values",
        "who_pays",
        "training",
    }
    assert "no strategy has both a separate and a multiplexed form" in outcome.page.read_text()


@pytest.mark.slow
def test_a_page_of_many_elements_shows_its_largest_figures_as_pictures(tmp_path, monkeypatch):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=5, seeds=2))
    whole = build(tmp_path / "results", tmp_path / "out").page.read_text()
    assert "data:image/png" not in whole
    elements = len(re.findall("<[A-Za-z]", whole))
    monkeypatch.setattr(page, "MOST_ELEMENTS", elements - 10)
    few = build(tmp_path / "results", tmp_path / "out").page.read_text()
    assert few.count("data:image/png") == 1
    assert few.count("<svg") == whole.count("<svg") - 1
    monkeypatch.setattr(page, "MOST_ELEMENTS", 10)  # tables and texts stay as they are
    none = build(tmp_path / "results", tmp_path / "out").page.read_text()
    assert none.count("data:image/png") == whole.count("<svg")


@pytest.mark.slow
def test_large_data_is_compressed_in_the_page(tmp_path, monkeypatch):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=5, seeds=2))
    monkeypatch.setattr(page, "LARGEST_CSV", 10)
    told = build(tmp_path / "results", tmp_path / "out").page.read_text()
    assert 'download="table_size.csv"' not in told
    href = re.search(
        r'download="table_size.csv.gz" href="data:application/gzip;base64,(\S+?)"', told
    )
    held = gzip.decompress(base64.b64decode(href[1]))
    assert held == (tmp_path / "out" / "tables" / "table_size.csv").read_bytes()


@pytest.mark.slow
def test_a_study_of_methods_has_its_figures_tables_and_what_cannot_work(tmp_path):
    names = ("unified", "robe", "cce", "qr_add", "tt_rec", "dhe", "int4")
    fake.write_all(
        tmp_path / "results", fake.study_methods(names, seeds=3, trials=2, features=("base",))
    )
    outcome = build(tmp_path / "results", tmp_path / "out")
    assert outcome.refused == []
    assert {"methods", "forms", "latency_mse"} <= {path.stem for path in outcome.figures}
    assert not any(path.stem.startswith("allocation") for path in outcome.figures)
    text = outcome.page.read_text()
    assert (
        len(pd.read_csv(tmp_path / "out" / "tables" / "forms.csv")) == 3 * 3 - 1
    )  # one cannot work at the smallest budget
    cells = re.sub(r"\s*</?t[dr][^>]*>\s*", "|", text)  # a row of a table in one line
    assert "|robe||base||14 kB (1/16)||0." in cells
    assert "Ranks: base" in text
    assert "|tt_rec exact||–||–||–||" in cells
    assert "<li>methods / base: dhe exact at 7.0 kB (3 runs)</li>" in text
    assert "Failed runs: 0" in text
    assert re.search(
        r"Compared although they were searched differently from the rest\s*<ul>\s*<li>none</li>",
        text,
    )


def test_the_same_records_give_the_same_files(tmp_path):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=2, seeds=2))
    first, second = (build(tmp_path / "results", tmp_path / name) for name in ("a", "b"))
    for one, two in zip(first.figures, second.figures, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_failures_alone_still_make_a_page(tmp_path):
    fake.write_all(tmp_path / "results", [fake.failed(fake.config(budget=128))])
    outcome = build(tmp_path / "results", tmp_path / "out")
    assert outcome.summary.empty
    assert outcome.figures == []
    assert "Failed runs: 1" in outcome.page.read_text()


def test_no_records_is_an_error(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(BenchError, match=r"no record of study 'x' in .*run a study first"):
        build(tmp_path / "results", tmp_path / "out", study="x")


@pytest.mark.parametrize("blocked", ["out", "out/tables", "out/figures"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, blocked):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=1, seeds=2))
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("a file is in the way")
    with pytest.raises(BenchError, match="cannot write") as caught:
        build(tmp_path / "results", tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_the_terminal_keeps_to_80_columns_and_25_rows(built, capsys):
    print_summary(built, Console(width=80))
    shown = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in shown.splitlines() if "/report" not in line) <= 80
    assert "unified 2×8" in shown
    assert "bias model" in shown
    assert "report.html" in shown
    wide = built.summary[built.summary["features"] == "wide"]
    rows = best_rows(wide)
    assert len(rows) == ROWS
    assert set(rows["budget"].dropna()) == set(wide["budget"].dropna())


@pytest.mark.parametrize(
    ("module", "banned"),
    [
        ("evidence.summary", ("torch", "optuna", "polars", "matplotlib", "seaborn")),
        ("figures.draw", ("torch", "optuna", "polars", "ue_bench.strategies")),
        ("page.terminal", ("torch", "optuna", "polars", "matplotlib", "seaborn")),
    ],
)
def test_the_report_imports_no_more_than_it_may(module, banned):
    code = (
        f"import sys, ue_bench.report.{module}; print([n for n in {banned!r} if n in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.slow
def test_a_study_of_latency_alone_and_one_without_a_test_part(tmp_path):
    clocks = [
        fake.make(fake.config(budget=budget, measure="latency"), "clock", "latency")
        for budget in (14_016, 28_032)
    ]
    article = [
        fake.make(fake.config(seed=seed, budget=28_032, split="article"), "article")
        for seed in range(2)
    ]
    fake.write_all(tmp_path / "results", chain(clocks, article))
    outcome = build(tmp_path / "results", tmp_path / "out")
    names = {path.stem for path in outcome.figures}
    assert {"clock-latency", "clock-memory", "article-table_size", "article-memory"} <= names
    assert not {"clock-table_size", "clock-training"} & names
    assert "no arm with a byte budget has a measured MSE." in outcome.page.read_text()


def test_many_comparisons_are_told_in_sentences(tmp_path, capsys):
    for study in ("one", "two"):
        for budget in (28_032, 14_016):
            for split in ("random", "article", "user_temporal", "global_temporal"):
                runs = [
                    fake.make(fake.config(name, seed=seed, budget=budget, split=split), study)
                    for name in ("unified", "per_feature")
                    for seed in range(2)
                ]
                fake.write_all(tmp_path / "results", iter(runs))
    evidence = Evidence(load(tmp_path / "results")[0])
    outcome = Outcome(evidence, [], tmp_path / "report.html", [], [], [])
    print_summary(outcome, Console(width=80))
    shown = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in shown.splitlines() if str(tmp_path) not in line) <= 80
    assert " ".join(shown.split()).count("The price") == 2
    assert "8 comparisons: their tables are in the report; --study NAME" in shown
    assert "µs/256" not in shown


def test_the_terminal_tells_arms_apart_by_what_only_they_have(tmp_path, capsys):
    """Such as how their tables were trained; records from before there was a choice are those of `auto`."""
    paths = {"dense": {}, "sparse": {}, "auto": {}}
    runs = [
        fake.make(fake.config("unified", seed=seed, budget=28_032, optimizer_path=path))
        for path in paths
        for seed in (1, 2)
    ]
    fake.write_all(
        tmp_path / "results", [*runs, fake.make(fake.config("unified", seed=0, budget=28_032))]
    )
    found = build(tmp_path / "results", tmp_path / "out")
    assert sorted(found.summary["n"]) == [2, 2, 3]
    print_summary(found, Console(width=200))
    shown = capsys.readouterr().out
    assert "unified 1×16 [optimizer_path=dense]" in shown
    assert "unified 1×16 [optimizer_path=sparse]" in shown
