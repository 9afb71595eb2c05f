"""A study from the command line: what is missing is run, once; what is there is left alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import movielens_files as official
import pytest
from click.testing import CliRunner
from survival import wait_for

from ue_bench import record
from ue_bench.cli import main
from ue_bench.config import SEEDS, RunConfig
from ue_bench.record import Record
from ue_bench.study import Grid, Search, Study

SHORT = RunConfig(budget=1000, epochs=1)
FAST = RunConfig(epochs=2, patience=None, dim=4)
ARMS = replace(FAST, strategy="collisionless"), replace(FAST, strategy="per_feature")
GRID = Grid(ARMS, (2,), seeds=2)
SPACE = {"lookups.user_id": (1, 2), "lookups.movie_id": (1, 2)}
SEARCH = Search(
    FAST, SPACE, trials=3, compression=2, against=(FAST,), best=1, seeds=1, trial_seeds=1
)
STUDIES = {
    "tiny": Study("do tiny tables differ?", (GRID, SEARCH)),
    "grid": Study("do tiny tables differ?", (GRID,), latency=False),
    "tight": Study(
        "is one arm too small?", (Grid((SHORT, replace(SHORT, budget=10)), seeds=1),), latency=False
    ),
    "diverging": Study(
        "is one arm too fast?",
        (Grid((SHORT, replace(SHORT, lr=1e30, epochs=3)), seeds=1),),
        latency=False,
    ),
    "unfit": Study(
        "does it fit?",
        (replace(SEARCH, trials=2, compression=200, against=()),),
        latency=False,
    ),
    "timed": Study("how fast?", (Grid((SHORT,), seeds=2),)),
}


@dataclass(frozen=True)
class Outcome:
    """What ``ue-bench study`` said it did."""

    code: int
    out: str
    err: str
    made: int
    ready: int
    failed: int


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("data"), "ml-100k")


@pytest.fixture(scope="module")
def study(movielens):
    """Runs one of the studies above. They exist in this process only: the processes of the runs get a configuration."""

    def run(name: str, results: Path, *options: object, data_dir: Path = movielens) -> Outcome:
        arguments = ["study", name, "--results", results, "--data-dir", data_dir, *options]
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        # the summary is the answer on standard output, unless the records are
        counts = re.search(
            r"(\d+) runs made, (\d+) were ready, (\d+) failed",
            done.stderr if "--json" in options else done.stdout,
        )
        assert counts, done.output
        return Outcome(done.exit_code, done.stdout, done.stderr, *map(int, counts.groups()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ue_bench.study.find", lambda name: STUDIES[name])
        yield run


@pytest.fixture(scope="module")
def first(study, tmp_path_factory):
    """The results folder of a whole tiny study, and what the command said."""
    results = tmp_path_factory.mktemp("first")
    return results, study("tiny", results, "--json")


@pytest.fixture
def results(first, tmp_path):
    """A copy of that folder, to take things out of."""
    return Path(shutil.copytree(first[0], tmp_path / "results"))


def records(results: Path, study: str = "tiny") -> list[Record]:
    found, skipped = record.load(results, study)
    assert skipped == []
    return found


def contents(results: Path) -> dict[Path, bytes]:
    return {path.relative_to(results): path.read_bytes() for path in results.rglob("*.json")}


def without_seeds(config: RunConfig) -> str:
    return replace(config, measure="all").with_seed(0).run_id


def test_a_study_runs_all_that_was_asked(first):
    results, outcome = first
    found = records(results)
    phases = Counter(one.phase for one in found)
    assert (outcome.code, outcome.made, outcome.ready, outcome.failed) == (0, len(found), 0, 0)
    assert (phases["grid"], phases["search"]) == (4, 3)
    assert phases["confirm"] in (1, 2)  # the best one may be the arm that it is compared with
    assert {one.status for one in found} == {"ok"}
    assert outcome.err.startswith("tiny: do tiny tables differ?\n")
    printed = json.loads(outcome.out)
    assert {one["run_id"] for one in printed} == {one.run_id for one in found}
    assert {
        tuple(getattr(one.config, name) for name in SEEDS)
        for one in found
        if one.phase == "confirm"
    } == {(100,) * 4}
    assert [path for path in results.rglob("*") if path.is_file() and path.suffix != ".json"] == []


def test_latency_is_measured_once_a_configuration(first):
    found = records(first[0])
    timed = [one for one in found if one.phase == "latency"]
    quoted = {without_seeds(one.config) for one in found if one.phase in ("grid", "confirm")}
    assert Counter(without_seeds(one.config) for one in timed) == dict.fromkeys(quoted, 1)
    assert all(len(one.cost["latency"]) == 12 and one.quality == {} for one in timed)
    assert all(
        "latency" not in one.cost and one.quality["test_mse"]
        for one in found
        if one.phase != "latency"
    )


def test_a_second_time_nothing_is_run(study, results):
    before = contents(results)
    again = study("tiny", results, "--json")
    assert (again.code, again.made, again.failed) == (0, 0, 0)
    assert contents(results) == before
    assert {one["run_id"] for one in json.loads(again.out)} == {path.stem for path in before}


@pytest.mark.parametrize("phase", ["grid", "confirm", "latency"])
def test_a_record_that_is_gone_is_made_again_and_no_other(study, results, phase):
    before = contents(results)
    gone = next(one for one in records(results) if one.phase == phase)
    record.path_of(results, "tiny", gone.run_id).unlink()
    again = study("tiny", results)
    assert (again.code, again.made, again.failed) == (0, 1, 0)
    after = contents(results)
    assert set(after) == set(before)
    assert {path for path in before if before[path] != after[path]} <= {
        Path("tiny") / f"{gone.run_id}.json"
    }
    (new,) = (one for one in records(results) if one.run_id == gone.run_id)
    assert new.quality == gone.quality


def test_a_torn_record_is_made_again(study, results):
    torn = next(one for one in records(results) if one.phase == "grid")
    path = record.path_of(results, "tiny", torn.run_id)
    path.write_bytes(path.read_bytes()[:200])
    assert study("tiny", results).made == 1
    assert record.read(path).quality == torn.quality


def test_a_trial_that_is_gone_is_made_again(study, results):
    trials = [one for one in records(results) if one.phase == "search"]
    record.path_of(results, "tiny", trials[0].run_id).unlink()
    again = study("tiny", results)
    assert (
        1 <= again.made <= 4
    )  # the trial; what it proposed may be better: its confirmation and latency
    assert Counter(one.phase for one in records(results))["search"] == 3
    assert study("tiny", results).made == 0


def test_two_workers_find_the_same(study, first, tmp_path):
    outcome = study("grid", tmp_path, "--workers", 2)
    assert (outcome.code, outcome.made) == (0, 4)
    alone = {one.run_id: one.quality for one in records(first[0]) if one.phase == "grid"}
    assert {one.run_id: one.quality for one in records(tmp_path, "grid")} == alone


def test_more_seeds_run_only_what_is_new(study, tmp_path):
    assert study("timed", tmp_path).made == 3  # two seeds and one latency
    later = study("timed", tmp_path, "--seed", 1)
    assert (later.made, later.ready) == (2, 1)  # seed 2, and the latency of the new first seed
    assert Counter(one.phase for one in records(tmp_path, "timed")) == {"grid": 3, "latency": 2}


def test_a_failure_is_a_record_and_is_tried_again(study, tmp_path):
    outcome = study("diverging", tmp_path)
    assert (outcome.code, outcome.made, outcome.failed) == (2, 2, 1)
    assert "training diverged" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 6
    (failed,) = (one for one in records(tmp_path, "diverging") if one.status == "failed")
    assert "training diverged" in str(failed.error)
    assert (failed.quality, failed.cost, failed.config.lr) == ({}, {}, 1e30)
    again = study("diverging", tmp_path, "--json")
    assert (again.code, again.made, again.ready, again.failed) == (2, 1, 1, 1)
    assert [one["status"] for one in json.loads(again.out)] == ["ok"]


def test_a_budget_that_cannot_work_is_an_answer(study, tmp_path):
    outcome = study("tight", tmp_path)
    assert (outcome.code, outcome.made, outcome.failed) == (0, 2, 0)
    assert "cannot work at its budget" in outcome.err
    assert "raise it to at least 64" in outcome.err
    (answer,) = (one for one in records(tmp_path, "tight") if one.status == "infeasible")
    assert answer.cause == "budget"
    assert "a budget of 10 bytes" in str(answer.error)
    assert (answer.quality, answer.cost, answer.config.budget) == ({}, {}, 10)
    (other,) = (one for one in records(tmp_path, "tight") if one.status == "ok")
    for name in ("source", "checksum", "rows_checksum"):
        assert answer.found[name] == other.found[name]  # the answer is for these data alone
    again = study("tight", tmp_path)
    assert (again.code, again.made, again.ready, again.failed) == (0, 0, 2, 0)


def test_a_strategy_that_cannot_work_at_the_size_of_its_search_says_so(study, tmp_path):
    """As many trials as are wanted cannot work, and the default cannot on a fresh seed either."""
    outcome = study("unfit", tmp_path)
    assert (outcome.code, outcome.failed) == (0, 0)
    answers = records(tmp_path, "unfit")
    assert {one.status for one in answers} == {"infeasible"}
    assert Counter(one.phase for one in answers) == {"search": 2, "confirm": 1}
    trials = [one.found["trial"]["number"] for one in answers if one.phase == "search"]
    assert sorted(trials) == [0, 1]
    again = study("unfit", tmp_path)
    assert (again.code, again.made) == (0, 0)


def test_a_failure_is_replaced_once_its_cause_is_gone(study, movielens, tmp_path):
    data = Path(shutil.copytree(movielens, tmp_path / "ml-100k"))
    (data / "u.user").unlink()
    outcome = study("timed", tmp_path / "results", data_dir=data)
    assert (outcome.code, outcome.failed) == (2, 2)
    assert "u.user missing" in outcome.err
    shutil.copy(movielens / "u.user", data)
    outcome = study("timed", tmp_path / "results", data_dir=data)
    assert (outcome.code, outcome.made, outcome.failed) == (0, 3, 0)
    assert {one.status for one in records(tmp_path / "results", "timed")} == {"ok"}


# ---- Ctrl-C

LONG = """
import sys
from ue_bench import study
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study
arms = RunConfig(budget=1000, epochs=1), RunConfig(budget=1000, epochs=10**6, patience=None)
study.find = lambda name: Study("how long?", (Grid(arms, seeds=1),), latency=False)
from ue_bench.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def long_study(movielens, tmp_path):
    """A study of a short run and an endless one, in a process group of its own, as a terminal gives it."""
    command = [
        sys.executable,
        "-c",
        LONG,
        "study",
        "timed",
        "--results",
        tmp_path / "results",
        "--data-dir",
        movielens,
    ]
    running = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield running
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def interrupt(running: subprocess.Popen) -> None:
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=300)
    assert (running.returncode, out) == (130, "")
    (told,) = (
        line for line in err.splitlines() if not line.startswith("timed: ")
    )  # what it is about, and how far it came
    assert told.startswith("interrupted: ")
    wait_for(lambda: group_is_gone(running.pid))


def test_an_interrupted_study_keeps_what_was_finished_and_goes_on_from_there(
    study, long_study, tmp_path
):
    folder = tmp_path / "results" / "timed"
    wait_for(lambda: list(folder.glob("*.json")) or long_study.poll() is not None)
    assert long_study.poll() is None, long_study.communicate()
    time.sleep(0.5)
    interrupt(long_study)
    files = [path for path in folder.iterdir() if path.is_file()]
    assert len(files) == 1
    assert record.read(files[0]).status == "ok"
    before = files[0].read_bytes()
    outcome = study("timed", tmp_path / "results")
    assert (outcome.ready, outcome.made) == (1, 2)  # the other seed and the latency
    assert files[0].read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_study_interrupted_while_it_starts_says_so_in_one_line(long_study):
    def forkserver_is_there() -> bool:
        children = (
            Path(f"/proc/{long_study.pid}/task/{long_study.pid}/children").read_text().split()
        )
        return any(
            b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children
        )

    wait_for(forkserver_is_there)
    time.sleep(0.5)
    interrupt(long_study)
