"""A study of one's own: a Python file that has a STUDY, run by its path."""

import json
from pathlib import Path

import fake_workers
import movielens_files as official
import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.study import canonical, find, local_executor, names

OWN = """
from dataclasses import replace
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

SHORT = RunConfig(budget=1000, epochs=1, patience=None)
STUDY = Study("which is better?", (Grid((SHORT, replace(SHORT, dim=8)), seeds=2),), latency=False)
"""


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "which_is_better.py"
    path.write_text(OWN)
    return path


def study(path: Path, results: Path, data: Path):
    options = ("--results", results, "--data-dir", data, "--workers", 2, "--json")
    return CliRunner().invoke(main, ["study", str(path), *map(str, options)])


def test_its_runs_are_made_once_and_kept_under_the_name_of_the_file(own, tmp_path):
    data = official.write_folder(tmp_path, "ml-100k")
    done = study(own, tmp_path / "results", data)
    assert done.exit_code == 0, done.output
    records = json.loads(done.stdout)
    assert [record["study"] for record in records] == ["which_is_better"] * 4
    assert sorted(
        path.stem for path in (tmp_path / "results/which_is_better").glob("*.json")
    ) == sorted(r["run_id"] for r in records)
    assert "0 runs made, 4 were ready" in study(own, tmp_path / "results", data).stderr
    reported = CliRunner().invoke(main, ["report", "--results", str(tmp_path / "results")])
    assert reported.exit_code == 0, reported.output
    page = (tmp_path / "results/report/report.html").read_text()
    assert f"ue-bench study which_is_better.py --results {tmp_path / 'results'}\n" in page
    checked = ["check", "--results", str(tmp_path / "results"), "--", __file__]
    assert (
        CliRunner()
        .invoke(main, checked)
        .stdout.count("unknown study 'which_is_better'; if it is your own, name its file")
        == 4
    )
    assert (
        "unknown study"
        not in CliRunner().invoke(main, [*checked[:1], "--study", str(own), *checked[1:]]).stdout
    )


def test_two_files_of_one_name_share_a_folder_and_the_second_says_so(tmp_path, monkeypatch):
    """A run's id is that of its configuration, so that no run of one file is taken for another."""
    monkeypatch.setattr(local_executor, "Workers", fake_workers.quick_workers(fake_workers.result))
    monkeypatch.setattr(fake_workers, "UNFIT", 0.0)
    data = official.write_folder(tmp_path, "ml-100k")
    first, second = tmp_path / "a/look.py", tmp_path / "b/look.py"
    for path, dim in ((first, 8), (second, 4)):
        path.parent.mkdir()
        path.write_text(OWN.replace("dim=8", f"dim={dim}"))
    done = study(first, tmp_path / "results", data)
    assert done.exit_code == 0, done.output
    assert "4 runs made, 0 were ready" in done.stderr
    assert "does not ask for" not in done.stderr
    # One arm is in both, and its runs are the same.
    for path, dim, made in ((second, 4, 2), (first, 8, 0), (second, 4, 0)):
        done = study(path, tmp_path / "results", data)
        assert f"{made} runs made, {4 - made} were ready" in done.stderr
        assert {record["config"]["dim"] for record in json.loads(done.stdout)} == {16, dim}
        (line,) = (line for line in done.stderr.splitlines() if "does not ask for" in line)
        assert line.startswith(f"2 records in {tmp_path / 'results/look'} are of arms that")


@pytest.mark.parametrize(
    "taken",
    [*names(), "known_answer", "run", "speed", "report", "mine-quick", "mein größtes", "a b"],
)
def test_a_name_that_is_taken_or_no_folder_of_a_study_is_refused(taken, own):
    with pytest.raises(BenchError, match="records are kept under the name of the file"):
        find(str(own.rename(own.with_name(f"{taken}.py"))))


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "is no Python file"), ("", "has no study"), ("STUDY = 3", "has no study")],
)
def test_a_file_without_a_study_is_refused(text, told, tmp_path):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError, match=told):
        find(str(path))


def test_what_the_file_raises_is_its_own(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        find(str(tmp_path / "broken.py"))


def test_canonical_names():
    assert canonical("some/where/mine.py") == "mine"
    assert canonical("known_answer") == "known-answer"
