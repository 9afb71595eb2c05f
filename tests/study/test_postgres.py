"""A study on many workers with a real PostgreSQL server; some workers are killed.

Each run is made once, and the records are those of a machine on which nothing goes wrong.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import fake_workers
import movielens_files as official
import optuna
import postgres_server
import psycopg
import pytest
import shared_worker
from click.testing import CliRunner, Result
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text
from sqlalchemy.engine import make_url

from ue_bench import record as records_room
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Grid, Study
from ue_bench.study.plan import Plan
from ue_bench.study.shared import SharedExecutor, Storage, shared_executor
from ue_bench.study.shared.chains import FAILURE, RECORD
from ue_bench.study.shared.part_name import PartName

PROGRAMS = postgres_server.programs()
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        PROGRAMS is None,
        reason="no PostgreSQL server programs (initdb) on PATH or in /usr/lib/postgresql",
    ),
]


@pytest.fixture(scope="module")
def server():
    with postgres_server.server(PROGRAMS) as started:
        yield started


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("data"), "ml-100k")


storage_of = cache(Storage)  # each storage has connections of its own


def trials(url: str) -> dict[str, list[FrozenTrial]]:
    """Return all trials by part."""
    storage = storage_of(url)
    names = [name for name in storage.names() if PartName.read(name)]
    return {
        PartName.read(name).part: storage.steadily(
            lambda name=name: optuna.load_study(study_name=name, storage=storage.cached).trials
        )
        for name in names
    }


def ran(found: dict[str, list[FrozenTrial]]) -> Counter:
    """Count how often each run ended well, by its id."""
    counts = Counter()
    for part in found.values():
        for trial in part:
            if trial.state == TrialState.COMPLETE and RECORD in trial.user_attrs:
                counts[json.loads(trial.user_attrs[RECORD])["run_id"]] += 1
    return counts


def ended(found: dict[str, list[FrozenTrial]]) -> list[dict]:
    """Return what the runs left, well or not, as JSON holds it."""
    left = []
    for part in found.values():
        for trial in part:
            for name in (RECORD, FAILURE):
                if name in trial.user_attrs:
                    left.append(json.loads(trial.user_attrs[name]))
    return left


def of_trials(found: dict[str, list[FrozenTrial]]) -> set[tuple[str, bool]]:
    """Return the configuration of each run of a search without its seeds, and whether it ran."""
    return {
        (seedless(record), record["status"] == "ok")
        for record in ended(found)
        if record["phase"] == "search"
    }


def without_seeds(found: dict[str, list[FrozenTrial]], run_id: str) -> str:
    return next(seedless(record) for record in ended(found) if record["run_id"] == run_id)


def seedless(record: dict) -> str:
    return RunConfig.from_stored(record["config"]).with_seed(0).run_id


# --- many workers without real runs, killed at any moment ---


def take_part(url: str, told: Path) -> None:
    """Run a worker, and write the ids of the study's records to the file `told`."""
    shared_executor.Workers = fake_workers.FakeWorkers
    # Machines need not have the same time zone.
    os.environ["PGTZ"] = random.choice(["Asia/Tokyo", "America/Lima"])
    done = SharedExecutor(Plan("fake", fake_workers.STUDY), Storage(url, heartbeat=1)).run()
    told.write_text(json.dumps([record.run_id for record in done]))


@pytest.mark.slow
def test_workers_killed_at_any_moment_lose_and_double_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # killed workers leave files
    url, chance, fork = server.new_database("chaos"), random.Random(0), get_context("fork")
    workers = []

    def start() -> None:
        workers.append(
            fork.Process(target=take_part, args=(url, tmp_path / f"{len(workers)}.json"))
        )
        workers[-1].start()

    for _ in range(4):  # at once, in an empty database
        start()
    for _ in range(3):
        time.sleep(chance.uniform(0.3, 0.8))
        chance.choice([worker for worker in workers if worker.is_alive()]).kill()
        start()
    for worker in workers:
        worker.join(60)
    assert sorted(worker.exitcode for worker in workers) == [-signal.SIGKILL] * 3 + [0] * 4
    told = [path.read_text() for path in tmp_path.glob("*.json")]
    assert len(told) == 4
    assert len(set(told)) == 1  # all saw the same study
    found = trials(url)
    assert set(ran(found).values()) == {1}
    complete = set(json.loads(told[0])) - fake_workers.unfit(json.loads(told[0]))
    assert complete <= set(ran(found))
    # A trial with a run that cannot work is none, and its other runs are not asked for.
    assert {without_seeds(found, run_id) for run_id in set(ran(found)) - complete} <= {
        config for config, fits in of_trials(found) if not fits
    }
    searches = [part for part in found if part.startswith("search")]
    for part, search in zip(sorted(searches), fake_workers.SEARCHES, strict=True):
        of_part = of_trials({part: found[part]})
        unfit = {config for config, fits in of_part if not fits}
        assert len({config for config, _ in of_part} - unfit) == search.trials


# --- real runs ---


def invoke(*arguments: object, find: Callable[[str], Study] = shared_worker.find) -> Result:
    """Run a command in this process with the studies of `shared_worker`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ue_bench.study.find", find)
        return CliRunner().invoke(main, [str(argument) for argument in arguments])


def bench(*arguments: object, find: Callable[[str], Study] = shared_worker.find) -> str:
    done = invoke(*arguments, find=find)
    assert done.exit_code == 0, done.output
    return done.stdout


def start_worker(url: str, movielens: Path, heartbeat: int = 1) -> subprocess.Popen:
    """Start a worker in a process group of its own, to which the process of its run belongs."""
    options = ["--study", "tiny", "--heartbeat", str(heartbeat), "--data-dir", str(movielens)]
    return subprocess.Popen(
        [sys.executable, shared_worker.__file__, "worker", *options],
        env={**os.environ, "UE_BENCH_STORAGE": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stop_in_the_middle(workers: list[subprocess.Popen], url: str) -> None:
    """Stop all workers at a moment when each has a run under way."""
    until = time.monotonic() + 600
    while time.monotonic() < until:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGSTOP)
        states = Counter(trial.state for part in trials(url).values() for trial in part)
        if states[TrialState.RUNNING] == len(workers):
            return
        for worker in workers:
            os.killpg(worker.pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError(f"the workers never all ran: {states}")


def essence(record: Record) -> dict:
    """Return what does not depend on where a run was made."""
    cost = {
        name: value
        for name, value in record.cost.items()
        if name.endswith("_bytes") and not name.startswith("peak_")
    }
    return {
        "config": record.config,
        "status": record.status,
        "phase": record.phase,
        "found": record.found,
        "quality": record.quality,
        "cost": cost,
        "steps": record.cost.get("steps"),
    }


def trained(results: Path) -> dict[str, dict]:
    found, skipped = records_room.load(results, "tiny")
    assert skipped == []
    return {one.run_id: essence(one) for one in found if one.phase != "latency"}


def contents(results: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (results / "tiny").glob("*.json")}


@pytest.mark.slow
def test_a_study_with_killed_workers_is_that_of_a_quiet_machine(
    server, movielens, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    url = server.new_database("killed")
    workers = [start_worker(url, movielens) for _ in range(4)]
    try:
        stop_in_the_middle(workers, url)
        for victim in workers[:2]:
            os.killpg(victim.pid, signal.SIGKILL)
        for survivor in workers[2:]:
            os.killpg(survivor.pid, signal.SIGCONT)
        bench(
            "study",
            "tiny",
            "--results",
            tmp_path / "quiet",
            "--data-dir",
            movielens,
            find=shared_worker.find_quiet,
        )
        for survivor in workers[2:]:
            out, err = survivor.communicate(timeout=600)
            assert survivor.returncode == 0, err
            assert "all 11 runs are done" in out
            assert "Traceback" not in err
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()
    found = trials(url)
    assert set(ran(found).values()) == {1}
    assert len(ran(found)) == 6 + 3 + 2  # grid, search, confirmation
    assert (
        sum("retry_history" in trial.system_attrs for part in found.values() for trial in part) >= 2
    )
    pulled, quiet = tmp_path / "pulled", tmp_path / "quiet"
    assert bench("pull", "--storage", url, "--results", pulled).startswith(
        "tiny: 11 records written, 0 were there; "
    )
    assert trained(pulled) == trained(quiet)
    before = contents(pulled)
    said = bench("study", "tiny", "--results", pulled, "--data-dir", movielens)
    assert re.search(r"\d+ runs made, 11 were ready, 0 failed", said)
    after = contents(pulled)
    assert {name: after[name] for name in before} == before
    assert {json.loads(after[name])["phase"] for name in after.keys() - before.keys()} == {
        "latency"
    }
    assert bench("pull", "--storage", url, "--results", pulled).startswith(
        "tiny: 0 records written, 11 were there; "
    )


# --- queries that are interrupted ---


def backend_of(storage: Storage) -> int:
    """Return the id of the server's process for the connection that the pool hands out."""
    with storage.backend.engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


def test_a_signal_does_not_end_a_query(server):
    storage = Storage(server.new_database("signal"), heartbeat=1)
    arrived = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: arrived.append(number))
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        with storage.backend.engine.connect() as connection:
            timer.start()
            connection.execute(text("SELECT pg_sleep(0.4)"))
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert arrived == [signal.SIGUSR1]


def test_a_connection_on_which_a_query_was_interrupted_is_not_used_again(server, monkeypatch):
    """Older drivers raise InterruptedError while the query is under way: no rollback works then."""
    storage = Storage(server.new_database("interrupted"), heartbeat=1)
    assert storage.study("here", 1).trials == []
    first = backend_of(storage)
    wait, interrupted = psycopg.waiting.wait, []

    def interrupt(steps, *arguments, **options):
        frame = sys._getframe()
        while frame.f_back and frame.f_code.co_name != "do_execute":
            frame = frame.f_back
        if interrupted or not frame.f_back:
            return wait(steps, *arguments, **options)
        next(steps)  # sends the query
        interrupted.append(frame)
        raise InterruptedError("interrupted")

    monkeypatch.setattr(psycopg.waiting, "wait", interrupt)
    assert storage.names() == ["here"]
    assert len(interrupted) == 1
    assert backend_of(storage) != first


# --- a server that refuses, or goes ---


def test_what_the_server_says_is_shown_without_the_secrets_in_the_query(server):
    password = {"password": "wrong-word"}
    # The server answers: unrecognized configuration parameter "own_word".
    options = {"options": "-c own-word=1"}
    for changes, said in ((password, "authentication failed"), (options, '"***"')):
        given = make_url(server.url("postgres")).update_query_dict(changes)
        if changes is password:
            given = given.set(password=None)
        with pytest.raises(BenchError, match=re.escape(said)) as caught:
            Storage(given.render_as_string(hide_password=False))
        assert not re.search("(wrong|own)[-_]word", str(caught.value))


def test_a_server_that_refuses_is_one_line_without_the_password(server, movielens):
    for url in (server.url("postgres", password="wrong-word"), server.url("nothing-here")):
        done = invoke("worker", "--study", "tiny", "--storage", url, "--data-dir", movielens)
        assert done.exit_code == 2, done.output
        assert re.search(
            r"^Error: postgresql\+psycopg://ue:\*\*\*@127.*(authentication failed|does not exist)",
            done.output,
            re.MULTILINE,
        )
        assert done.output.count("\n") == 2  # the study's question is the other
        assert "-word" not in done.output


@pytest.mark.slow
def test_a_server_that_is_down_for_longer_than_a_worker_may_be_silent(server, movielens, tmp_path):
    """The runs under way are not taken from their workers: none was made twice."""
    url = server.new_database("down")
    workers = [start_worker(url, movielens, heartbeat=20) for _ in range(2)]
    try:
        stop_in_the_middle(workers, url)
        for worker in workers:
            os.killpg(worker.pid, signal.SIGCONT)
        server.stop()
        time.sleep(65)
        server.start()
        quiet, pulled = tmp_path / "quiet", tmp_path / "pulled"
        options = ("--results", quiet, "--data-dir", movielens)
        bench("study", "tiny", *options, find=shared_worker.find_quiet)
        told = []
        for worker in workers:
            out, err = worker.communicate(timeout=600)
            assert worker.returncode == 0, err
            assert "all 11 runs are done" in out
            assert "Traceback" not in err
            told.append(err)
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()
    waits = re.compile(r"does not answer \(.*\); waiting for it, 600 seconds at most")
    assert [len(waits.findall(err)) for err in told] == [1, 1]
    found = trials(url)
    assert set(ran(found).values()) == {1}
    assert len(ran(found)) == 11
    assert not any(
        "retry_history" in trial.system_attrs for part in found.values() for trial in part
    )
    bench("pull", "--storage", url, "--results", pulled)
    assert trained(pulled) == trained(quiet)


def test_a_server_that_goes_is_waited_for_for_a_while(server, capsys):
    url = server.new_database("going")
    hasty, patient = Storage(url, 1, patience=0.3), Storage(url, 1, patience=60)
    server.stop()
    back = threading.Timer(0.5, server.start)
    try:
        with pytest.raises(
            BenchError,
            match=r"postgresql\+psycopg://ue:\*\*\*@.* no longer answers: .*; "
            "start the worker again",
        ):
            hasty.names()
    finally:
        back.start()
    assert patient.names() == []
    back.join()
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "60 seconds" in line)
    assert re.match(r"postgresql\+psycopg://ue:\*\*\*@\S+ does not answer \(.*\); waiting", line)


# --- damage ---

DAMAGE = {
    "a state": (
        "ALTER TABLE trials ALTER COLUMN state TYPE varchar; UPDATE trials SET state = 'SINGING'",
        "the trials of 'ue-bench fake seed 0 as ",
    ),
    "a column": (
        "ALTER TABLE trials DROP COLUMN datetime_start",
        "its table trials has no column datetime_start",
    ),
    "a table": ("DROP TABLE trial_user_attributes", "it has no table trial_user_attributes"),
    "all heartbeats": ("DROP TABLE trial_heartbeats", "it has no table trial_heartbeats"),
    "attributes": (
        "UPDATE trial_user_attributes SET value_json = '{'",
        "the trials of 'ue-bench fake seed 0 as ",
    ),
    "records": (
        "DELETE FROM trial_user_attributes WHERE key = 'record'",
        "is complete and has no record",
    ),
    "refusal": (
        "CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE 'no such thing'; END $$ LANGUAGE "
        "plpgsql; CREATE TRIGGER no BEFORE INSERT ON trials FOR EACH ROW EXECUTE FUNCTION no()",
        "no such thing",
    ),
}


ONE_RUN = Study("?", (Grid((RunConfig(budget=28_032),), seeds=1),), latency=False)


def work(storage: Storage, seed: int = 0) -> None:
    """Take part in a study of one run, which takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_executor, "Workers", fake_workers.FakeWorkers)
        patch.setattr(fake_workers, "UNFIT", 0.0)
        SharedExecutor(Plan("fake", ONE_RUN, seed=seed), storage).run()


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("a state", "a table") else pytest.param(kind, marks=pytest.mark.slow)
        for kind in DAMAGE
    ],
)
def test_damage_is_one_line_at_once(server, tmp_path, kind):
    statements, words = DAMAGE[kind]
    url = server.new_database("damage_" + kind.replace(" ", "_"))
    storage = Storage(url, heartbeat=1)
    work(storage)
    with psycopg.connect(url) as connection:
        connection.execute(statements)
    started = time.monotonic()
    # A worker that starts now, and one that goes on and has read what was there.
    new_seed = 1 if kind == "refusal" else 0
    workers = [lambda: work(Storage(url, heartbeat=1), new_seed)]
    if kind in ("a column", "a table", "all heartbeats", "refusal"):
        workers.append(lambda: work(storage, 2))
    for worker in workers:
        with pytest.raises(BenchError) as caught:
            worker()
        assert words in str(caught.value)
        assert "is damaged: " in str(caught.value)
        assert "name a new database; ue-bench pull keeps the records" in str(caught.value)
        assert "s3cret" not in str(caught.value)
    done = invoke("pull", "--storage", url, "--results", tmp_path / "results")
    assert done.exit_code == (0 if kind == "refusal" else 2), done.output
    assert "Traceback" not in done.output
    assert time.monotonic() - started < 60
