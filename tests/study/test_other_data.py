"""Records count for a study, a question or a run only on the data that they were made on.

The id of a run on a data set with a name does not have the content of the data.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import movielens_files as official
import pytest
from click.testing import CliRunner
from fake_records import smallest

from ue_bench.advise.clock import Clock
from ue_bench.advise.runs import Runs
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.data import load
from ue_bench.errors import BenchError, BudgetError
from ue_bench.record import failure, load_runs, write
from ue_bench.study import Grid, Study
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import run_once

ARMS = (RunConfig(dim=4, budget=1000), RunConfig(dim=4, strategy="per_feature", budget=1000))
STUDY = Study("?", (Grid(ARMS, seeds=2),), latency=False)


@pytest.fixture
def folder(tmp_path):
    return official.write_folder(tmp_path, "ml-100k")


def reduced(folder: Path) -> Path:
    """The same data set with half of the ratings."""
    other = Path(shutil.copytree(folder, folder.parent / "reduced" / "ml-100k"))
    lines = (folder / "u.data").read_bytes().splitlines(keepends=True)
    (other / "u.data").write_bytes(b"".join(lines[::2]))
    return other


def plan_of(data_dir: Path) -> Plan:
    return Plan("s", STUDY, data_dir=data_dir)


def found_of(data_dir: Path) -> dict:
    dataset = load("ml-100k", data_dir)
    return {"checksum": dataset.checksum, "rows_checksum": dataset.rows_checksum}


def fill(results: Path, plan: Plan, found: dict) -> None:
    """Write the record of every run of the study."""
    for config in plan.grid(STUDY.parts[0]):
        write(smallest(config, "s", "grid", 0.5, **found), results)


def done(results: Path, data_dir: Path) -> tuple[int, int]:
    """How many runs the study makes, and how many it finds."""
    executor = LocalExecutor(plan_of(data_dir), results)
    executor.run()
    return executor.ledger.made, executor.ledger.ready


def test_records_of_the_data_at_hand_are_done(tmp_path, folder):
    fill(tmp_path / "r", plan_of(folder), found_of(folder))
    assert done(tmp_path / "r", folder) == (0, 4)


def test_records_of_a_reduced_archive_are_refused_and_left_alone(tmp_path, folder):
    fill(tmp_path / "r", plan_of(folder), found_of(reduced(folder)))
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*.json")}
    with pytest.raises(BenchError) as caught:
        done(tmp_path / "r", folder)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'r' / 's'}: records were made on other data")
    assert "(4 on sha256:" in message
    assert len(re.findall("sha256:[0-9a-f]{8}…", message)) == 2
    assert {path: path.read_bytes() for path in (tmp_path / "r").rglob("*.json")} == before


def test_one_record_of_other_data_among_those_at_hand_is_enough(tmp_path, folder):
    fill(tmp_path / "r", plan_of(folder), found_of(folder))
    first = load_runs(tmp_path / "r")[0][0]
    write(replace(first, found=first.found | found_of(reduced(folder))), tmp_path / "r")
    with pytest.raises(BenchError, match=r"records were made on other data .*\(1 on sha256:"):
        done(tmp_path / "r", folder)


def test_the_zip_and_the_folder_in_it_are_the_same_data(tmp_path, folder):
    zipped = official.write_zip(tmp_path / "zip", "ml-100k")
    assert found_of(zipped)["checksum"] != found_of(folder)["checksum"]
    fill(tmp_path / "r", plan_of(folder), found_of(folder))
    assert done(tmp_path / "r", zipped) == (0, 4)
    # records of before `rows_checksum`: only their own files are known to be the same
    fill(tmp_path / "r", plan_of(folder), {"checksum": found_of(folder)["checksum"]})
    assert done(tmp_path / "r", folder) == (0, 4)
    with pytest.raises(BenchError, match=r"records were made on other data .*\(4 on sha256:"):
        done(tmp_path / "r", zipped)


def test_published_records_are_done_with_the_copy_on_the_index():
    records, _ = load_runs(Path(__file__).parents[2] / "results" / "published", "default")
    published = {record.found.get("checksum") for record in records} - {None}
    assert published == {load("ml-100k").checksum}


def test_other_data_sets_in_the_folder_do_not_matter(tmp_path, folder):
    fill(tmp_path / "r", plan_of(folder), found_of(folder))
    config = resolve(replace(ARMS[0], dataset="ml-1m"))
    write(smallest(config, "s", "grid", 0.5, checksum="md5:other"), tmp_path / "r")
    assert done(tmp_path / "r", folder) == (0, 4)


def test_a_budget_that_does_not_work_is_an_answer_for_its_data_alone(tmp_path, folder):
    config = replace(ARMS[1], budget=10)
    with pytest.raises(BudgetError) as caught:
        run_once(config, data_dir=folder)
    found = found_of(folder)
    assert caught.value.found == found | {"source": "folder"}
    fill(tmp_path / "r", plan_of(folder), found)
    first = load_runs(tmp_path / "r")[0][0]
    elsewhere = found_of(reduced(folder))
    answer = {"study": "s", "phase": "grid", "cause": "budget", "error": "too small"}
    write(failure(first.config, **answer, found=elsewhere), tmp_path / "r")
    with pytest.raises(BenchError, match=r"records were made on other data .*\(1 on sha256:"):
        done(tmp_path / "r", folder)
    write(failure(first.config, **answer), tmp_path / "r")  # as it was written before
    assert done(tmp_path / "r", folder) == (0, 4)


def test_a_question_refuses_records_of_other_data(tmp_path, folder):
    fill(tmp_path / "r", plan_of(folder), found_of(folder))
    clock = Clock(tmp_path / "seconds.txt", 60)
    runs = Runs("s", tmp_path / "r", folder, (), clock)
    assert len(runs.records) == 4
    with pytest.raises(BenchError, match=r"records were made on other data .*\(4 on sha256:"):
        Runs("s", tmp_path / "r", reduced(folder), (), clock)


def test_a_run_does_not_replace_the_record_of_other_data(tmp_path, folder):
    results = tmp_path / "r"
    config = resolve(replace(RunConfig(dim=4, budget=1000), measure="quality", epochs=1))
    path = write(smallest(config, "run", "run", 0.5, **found_of(reduced(folder))), results)
    before = path.read_bytes()
    command = ["run", "--dim", "4", "--budget", "1000", "--measure", "quality", "--epochs", "1"]
    command += ["--data-dir", str(folder), "--results", str(results)]
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 2, answer.output
    assert f"{path}: records were made on other data of the name ml-100k (1 on " in answer.stderr
    assert path.read_bytes() == before
