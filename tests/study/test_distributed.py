"""Workers that share a storage: what trials stand for, lost workers, and storages that fail."""

import gc
import json
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import fake_workers
import optuna
import pytest
from click.testing import CliRunner
from damaged_optuna import ANY, FOUND, execute
from fake_records import smallest
from optuna.distributions import CategoricalDistribution
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record, failure, read
from ue_bench.study import Grid, Search, Study
from ue_bench.study.plan import Plan, Request
from ue_bench.study.sampler import PROPOSALS_PER_TRIAL
from ue_bench.study.shared import SharedExecutor, Storage, pull, shared_executor
from ue_bench.study.shared.chains import BEATS, CLAIM, FAILURE, RECORD, VOID, chains
from ue_bench.study.shared.part_name import PartName
from ue_bench.study.shared.storage import RETRIES
from ue_bench.study.shared.tasks import ENOUGH

# The warning comes from the trials that are made here.
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")
ARMS = tuple(RunConfig(budget=28_032, dim=dim) for dim in (4, 5, 6))
GRID = Study("?", (Grid(ARMS, seeds=1),), latency=False)
SEARCH = Study(
    "?",
    (
        Search(
            RunConfig(budget=28_032),
            {"lr": (1e-3, 2e-3)},
            trials=2,
            best=1,
            seeds=1,
            trial_seeds=2,
        ),
    ),
    latency=False,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Runs that take no time, and all of which work."""
    monkeypatch.setattr(shared_executor, "Workers", fake_workers.FakeWorkers)
    monkeypatch.setattr(fake_workers, "UNFIT", 0.0)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/shared.sqlite3"


@pytest.fixture
def storage(url):
    return Storage(url, heartbeat=1)


def worker(storage: Storage, study: Study = GRID, seed: int = 0) -> SharedExecutor:
    return SharedExecutor(Plan("fake", study, seed=seed), storage)


def only_part(
    storage: Storage, study: Study = GRID, name: str = "grid, part 1 of 1"
) -> optuna.Study:
    """Return the Optuna study of a part, which is made here before any worker starts."""
    return storage.study(str(PartName("fake", 0, worker(storage, study).digest, name)), 1)


def search_part(storage: Storage, study: Study) -> optuna.Study:
    """Return the Optuna study of the only part, a search."""
    base = next(worker(storage, study).plan.stages({})).base
    return only_part(storage, study, f"search, part 1 of 1, from {base.run_id}")


def lose(part: optuna.Study, **kept: object) -> int:
    """Return the number of a trial whose worker ended and reported it."""
    trial = part.ask()
    for key, value in kept.items():
        trial.set_user_attr(key, value)
    part.tell(trial, state=TrialState.FAIL)
    return trial.number


def records_in(part: optuna.Study) -> list[str]:
    run_ids = []
    for trial in part.trials:
        if trial.state == TrialState.COMPLETE and RECORD in trial.user_attrs:
            run_ids.append(json.loads(trial.user_attrs[RECORD])["run_id"])
    return run_ids


def test_the_first_of_two_that_stand_in_for_one_trial_counts():
    part = optuna.create_study()
    lost = lose(part)
    part.ask()
    # Trial 2, then trial 3, which came too late, then trial 4, which stands in for trial 3.
    for history in ([lost], [lost], [lost, 3]):
        part.add_trial(
            optuna.create_trial(state=TrialState.WAITING, system_attrs={"retry_history": history})
        )
    found = chains(part.trials)
    assert [(chain.trial.number, chain.lost) for chain in found] == [(2, 1), (1, 0)]
    part.add_trial(
        optuna.create_trial(state=TrialState.WAITING, system_attrs={"retry_history": [lost, 2]})
    )
    assert [(chain.trial.number, chain.lost) for chain in chains(part.trials)] == [(5, 2), (1, 0)]


@pytest.mark.slow
def test_what_dead_workers_left_is_done_by_the_next(storage):
    part, found, again = only_part(storage), worker(storage), worker(storage)
    third = list(found.plan.grid(GRID.parts[0]))[2]
    silent = part.ask().number  # its worker ended before its first heartbeat
    # Its worker ended, and the worker that noticed it ended before it queued the trial again.
    untold = lose(part)
    # Its worker ended when it had written the record and not yet the end of the trial.
    telling = part.ask()
    telling.set_user_attr(RECORD, fake_workers.result(found._job(Request(third, "grid"))).to_json())
    done = [record.run_id for record in found.run()]
    assert (found.n_own, found.ledger.made) == (2, 3)
    assert sorted(records_in(part)) == sorted(done)
    retried = {
        trial.system_attrs["retry_history"][0]
        for trial in part.trials
        if trial.state == TrialState.COMPLETE
    }
    assert retried == {silent, untold, telling.number}
    assert [record.run_id for record in again.run()] == done
    assert again.n_own == 0


@pytest.mark.slow
def test_a_proposal_whose_worker_died_before_it_was_made_holds_nobody_up(storage):
    part = search_part(storage, SEARCH)
    part.ask()
    found = worker(storage, SEARCH)
    found.run()
    assert len(set(records_in(part))) == 2 * 2
    assert any(
        VOID in trial.user_attrs
        for trial in part.trials
        if trial.system_attrs.get("retry_history") == [0]
    )


def test_workers_that_asked_for_too_much_do_not_use_up_the_proposals(storage):
    part = search_part(storage, SEARCH)
    for _ in range(PROPOSALS_PER_TRIAL * SEARCH.parts[0].trials):
        lose(part, **{VOID: ENOUGH.why})
    worker(storage, SEARCH).run()
    assert len(records_in(part)) == len(set(records_in(part))) == 2 * 2


@pytest.mark.slow
def test_a_sampler_that_repeats_itself_does_not_end_a_search(storage, monkeypatch):
    monkeypatch.setattr(
        "ue_bench.study.sampler.make_sampler", lambda search, seed: fake_workers.Stuck(seed)
    )
    stuck = Study(
        "?",
        (
            Search(
                RunConfig(budget=28_032), {"lr": (1e-3, 2e-3, 4e-3), "hidden": (16, 32)}, trials=5
            ),
        ),
        latency=False,
    )
    worker(storage, stuck).run()
    assert len(set(records_in(search_part(storage, stuck)))) == 5 * 3


def test_a_run_that_fails_on_purpose_is_told_once_and_not_tried_again(storage, monkeypatch):
    fails = fake_workers.result

    def result(job):
        if job.config.dim == 5:
            return failure(job.config, study=job.study, phase=job.phase, cause="input", error="no")
        return fails(job)

    monkeypatch.setattr(fake_workers, "result", result)
    found = worker(storage)
    assert len(found.run()) == 2
    assert [record.error for record in found.ledger.failed] == ["no"]
    again = worker(storage)
    again.run()
    assert (again.n_own, len(again.ledger.failed)) == (0, 1)
    assert sum(FAILURE in trial.user_attrs for trial in only_part(storage).trials) == 1


def test_a_search_whose_trials_fail_ends_on_every_worker(storage, monkeypatch):
    monkeypatch.setattr(
        fake_workers,
        "result",
        lambda job: failure(
            job.config, study=job.study, phase=job.phase, cause="input", error="no"
        ),
    )
    for _ in range(2):
        with pytest.raises(BenchError, match="search of fake: 2 trials failed; the last one: no"):
            worker(storage, SEARCH).run()


def test_a_run_that_ends_its_workers_is_given_up(storage):
    part = only_part(storage)
    history: list[int] = []
    for _ in range(RETRIES + 1):
        part.add_trial(
            optuna.create_trial(
                state=TrialState.FAIL,
                system_attrs={"retry_history": list(history)} if history else {},
            )
        )
        history.append(len(part.trials) - 1)
    with pytest.raises(
        BenchError, match="trial 5 was lost with its worker, as were the 5 before it"
    ):
        worker(storage).run()


def test_a_worker_taken_for_dead_leaves_its_trial_to_others(storage, monkeypatch, capsys):
    part = only_part(storage)
    result, slept = fake_workers.result, []

    def taken(job):
        if not slept:
            slept.append(job)
            (own,) = (trial for trial in part.trials if trial.state == TrialState.RUNNING)
            part.tell(own.number, state=TrialState.FAIL)
        return result(job)

    monkeypatch.setattr(fake_workers, "result", taken)
    found = worker(storage)
    assert len(found.run()) == 3
    assert found.n_own == 4
    assert len(records_in(part)) == len(set(records_in(part))) == 3
    assert "was given to another worker" in capsys.readouterr().err


def test_an_interrupted_worker_says_so_and_a_bug_crashes(storage, monkeypatch):
    for error in (KeyboardInterrupt, RuntimeError):
        monkeypatch.setattr(
            fake_workers, "result", lambda job, error=error: (_ for _ in ()).throw(error)
        )
        with pytest.raises(error):
            worker(storage).run()
    assert {trial.state for trial in only_part(storage).trials} == {TrialState.FAIL}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "postgresql://ue:secret@127.0.0.1:1/ue",
            "postgresql+psycopg://ue:***@127.0.0.1:1/ue cannot be used: connection failed",
        ),
        ("mysql://ue:secret@host/ue", "unknown storage 'mysql://'"),
        ("postgresq://ue:secret@host/ue", "did you mean 'postgresql://'?"),
        ("postgresql://ue:secret@host:54x/ue", "no URL was given that can be read"),
        ("ue:secret", "no URL was given that can be read"),
        ("grpc://host:13000", "a gRPC proxy passes no heartbeats on"),
        ("sqlite:////nowhere/x.sqlite3", "unable to open database file"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(given, told):
    for command in (["worker", "--study", "article"], ["pull"]):
        done = CliRunner().invoke(main, [*command, "--storage", given])
        assert done.exit_code == 2, done.output
        assert told in done.output.splitlines()[-1]
        assert "secret" not in done.output


def test_without_the_driver_a_worker_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        BenchError, match=r"needs the driver psycopg; run: pip install 'psycopg\[binary\]'"
    ):
        Storage("postgresql://ue@host/ue")


def test_a_grpc_proxy_has_no_heartbeat():
    # If this fails one day, the proxy can be allowed.
    assert not issubclass(optuna.storages.GrpcStorageProxy, BaseHeartbeat)


def test_another_declaration_is_refused_and_other_seeds_are_not(storage):
    worker(storage).run()
    other = replace(GRID, parts=(Grid(ARMS[:2], seeds=1),))
    with pytest.raises(BenchError, match="has study fake, seed 0, as another declaration"):
        worker(storage, other).run()
    worker(storage, other, seed=1).run()
    worker(storage).run()


def add_record(part: optuna.Study, text: str) -> None:
    """Add a trial that ended well with `text` as its record."""
    trial = part.ask()
    trial.set_user_attr(RECORD, text)
    part.tell(trial, 0.5)


def made(config: RunConfig, study: str = "fake") -> Record:
    return smallest(config, study, "grid", 0.5)


def test_workers_with_other_data_are_refused(storage):
    other = ARMS[0].with_seed(77)
    add_record(only_part(storage), made(other).to_json())
    with pytest.raises(
        BenchError,
        match=f"trial 0 has run {other.run_id} where this worker expects .*; "
        "give all workers the same",
    ):
        worker(storage).run()


def test_pull_names_what_is_damaged_and_leaves_it_out(storage, tmp_path, url):
    part, good = only_part(storage), made(ARMS[0])
    texts = [
        good.to_json(),
        '{"schema": 1',
        made(ARMS[1]).to_json().replace("0.5", "0.1"),
        made(ARMS[1], "../away").to_json(),
    ]
    for text in [*texts, replace(made(ARMS[1]), run_id="../../away").to_json()]:
        add_record(part, text)
    part.ask()
    results = tmp_path / "results"
    done = CliRunner().invoke(main, ["pull", "--storage", url, "--results", str(results)])
    assert done.exit_code == 0, done.output
    assert (
        done.stdout
        == f"fake: 1 records written, 0 were there, 1 still run; in {results / 'fake'}\n"
    )
    assert [path.name for path in tmp_path.rglob("*.json")] == [f"{good.run_id}.json"]
    for number, fault in enumerate(
        [
            "not a record",
            "does not match its checksum",
            "its record is that of study '../away'",
            f"its configuration is that of '{made(ARMS[1]).run_id}'",
        ],
        1,
    ):
        assert (
            f"trial {number} of {PartName.read(part.study_name)}"
            in done.stderr.splitlines()[number - 1]
        )
        assert fault in done.stderr.splitlines()[number - 1]


def on_data(config: RunConfig, files: str) -> Record:
    record = made(config)
    return replace(record, found=record.found | {"checksum": files})


def test_a_worker_refuses_the_records_of_other_data(storage):
    task = worker(storage)
    (first, *_) = task.plan.grid(GRID.parts[0])
    add_record(only_part(storage), on_data(first, "md5:0123456789").to_json())
    with pytest.raises(
        BenchError, match=r"records were made on other data .*\(1 on md5:01234567…\)"
    ):
        task.run()
    assert task.n_own == 0


def test_pull_does_not_mix_records_of_different_data(storage, tmp_path):
    part = only_part(storage)
    texts = [on_data(ARMS[0], "md5:11").to_json(), on_data(ARMS[1], "md5:22").to_json()]
    add_record(part, texts[0])
    assert pull(storage, tmp_path)["fake"].written == 1
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    add_record(part, texts[1])
    for results in (tmp_path, tmp_path / "empty"):
        with pytest.raises(BenchError, match=r"ml-100k \(1 on md5:11…, 1 on md5:22…\)"):
            pull(storage, results)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_pull_leaves_good_runs_alone_and_replaces_others(storage, tmp_path):
    worker(storage).run()
    pull(storage, tmp_path)
    equal, better, torn = sorted((tmp_path / "fake").glob("*.json"))
    text = torn.read_text()
    # The same record as another version writes it.
    equal.write_text(json.dumps(json.loads(equal.read_text())))
    better.write_text(replace(read(better), env={"cores": 2}).to_json())
    torn.write_text(text[:50])
    kept = equal.read_text(), better.read_text()
    outcome = pull(storage, tmp_path, "fake")["fake"]
    assert (outcome.written, outcome.ready, outcome.kept) == (1, 1, 1)
    assert (equal.read_text(), better.read_text(), torn.read_text()) == (*kept, text)


def test_pull_says_which_studies_there_are(storage, tmp_path):
    with pytest.raises(BenchError, match="has no study of ue-bench; run: ue-bench worker"):
        pull(storage, tmp_path)
    worker(storage).run()
    with pytest.raises(
        BenchError, match=r"unknown study in sqlite:.* 'fale' \(did you mean 'fake'\?\)"
    ):
        pull(storage, tmp_path, "fale")


# --- names ---

HOSTILE = "<b>\x1b[2J\n\r%s %(x)s {x} :x ? $1 \"'); DROP TABLE trials; --\u202e"


def test_names_that_mean_something_to_sql_are_text_in_the_storage(storage, tmp_path, capsys):
    """Knobs are called after features and options, and a failed run says what it met."""
    part = only_part(storage)
    trial = part.ask()
    options = CategoricalDistribution((HOSTILE, "other"))
    of_part = worker(storage)._part("grid, part 1 of 1", 1, None)
    of_part.claim(
        part.trials[0], HOSTILE, {f"options.{HOSTILE}": HOSTILE}, {f"options.{HOSTILE}": options}
    )
    failed = replace(
        made(ARMS[0]), status="failed", cause="input", error=HOSTILE, quality={}, cost={}
    )
    trial.set_user_attr(FAILURE, failed.to_json())
    part.tell(trial, state=TrialState.FAIL)
    (found,) = part.trials
    assert found.params == {f"options.{HOSTILE}": HOSTILE}
    assert found.user_attrs[CLAIM] == HOSTILE
    pull(Storage(storage.name), tmp_path / "results")
    (path,) = (tmp_path / "results").rglob("*.json")
    assert read(path).error == HOSTILE
    assert capsys.readouterr().err == ""


# --- damage ---

BOTH = replace(GRID, parts=(*GRID.parts, *SEARCH.parts))
# Kinds with which a worker and a pull can work.
HARMLESS = {"another program's", "column more", "foreign table", "state null", "trigger"}
OF_VERSIONS = {"another version", "unknown version"}  # Optuna says how to change the tables
ALSO_IN_SHORT = ("state", "without trials", "column renamed", "trial_user_attributes 3")


@pytest.fixture(scope="module")
def finished_file(tmp_path_factory):
    """The file of a storage that holds a finished study."""
    file = tmp_path_factory.mktemp("finished") / "shared.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_executor, "Workers", fake_workers.FakeWorkers)
        patch.setattr(fake_workers, "UNFIT", 0.0)
        worker(Storage(f"sqlite:///{file}", heartbeat=1), BOTH).run()
    return file


@pytest.fixture
def file(tmp_path, finished_file):
    return shutil.copy(finished_file, tmp_path / "shared.sqlite3")


@pytest.fixture
def no_collection():
    """Keep garbage: a finalizer that is called deep in nested JSON has no room, and complains."""
    gc.disable()
    yield
    gc.enable()


def answers(url: str, tmp_path: Path) -> list[str]:
    """Return what a worker and a pull say of a storage in one line each; nothing where they work.

    What they raise beside that is raised.
    """
    said = []
    for action in (
        lambda: worker(Storage(url, heartbeat=1), BOTH).run(),
        lambda: pull(Storage(url), tmp_path / "pulled")["fake"].unreadable,
    ):
        started = time.monotonic()
        try:
            said.append(action())
        except BenchError as error:
            said.append(str(error))
        assert time.monotonic() - started < 60  # nothing was waited for
    return [line for line in said if isinstance(line, str)]


def require_named(lines: list[str], url: str) -> None:
    for line in lines:
        assert "\n" not in line
        assert line.startswith(url)
        words = ("is damaged: ", "has no study of ue-bench", "The runtime optuna version")
        assert any(word in line for word in words)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ALSO_IN_SHORT else pytest.param(kind, marks=pytest.mark.slow)
        for kind in FOUND
    ],
)
def test_damage_of_a_storage_is_one_line_at_once(file, url, tmp_path, kind):
    FOUND[kind](file)
    lines = answers(url, tmp_path)
    require_named(lines, url)
    if kind in HARMLESS:
        assert lines == []
    elif kind not in OF_VERSIONS:
        assert len(lines) == 2
        assert all(
            "; another program has changed it: restore it, or name" in line for line in lines
        )


@pytest.mark.slow
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("kind", ANY)
def test_whatever_happened_to_a_storage_is_one_line_or_nothing(file, url, tmp_path, kind):
    ANY[kind](file)
    require_named(answers(url, tmp_path), url)


def test_the_line_names_what_is_damaged(file, url, tmp_path, storage):
    FOUND["state"](file)
    for line in answers(url, tmp_path):
        assert "the trials of 'ue-bench fake seed 0 as " in line
        assert "'SINGING' is not among the defined" in line
    execute("UPDATE trials SET state = 'COMPLETE'", file)
    execute("DELETE FROM trial_user_attributes WHERE key = 'record'", file)
    for line in answers(url, tmp_path):
        assert "trial 0 is complete and has no record" in line
    FOUND["column renamed"](file)
    for line in answers(url, tmp_path):
        assert "is damaged: its table trial_values has no column value;" in line
    execute("DROP TABLE trial_params", file)
    execute("ALTER TABLE trial_values RENAME COLUMN song TO value", file)
    for line in answers(url, tmp_path):
        assert "is damaged: it has no table trial_params;" in line
    # Nothing was made anew, where records were lost.
    assert "trial_params" not in tables_of(file)


def tables_of(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master")}


def test_a_table_that_goes_while_a_worker_runs_is_named_at_once(storage, url, tmp_path):
    worker(storage).run()
    with closing(sqlite3.connect(tmp_path / "shared.sqlite3")) as database:
        database.execute("DROP TABLE trial_values")
    started = time.monotonic()
    with pytest.raises(BenchError, match=r"is damaged: it has no table trial_values;"):
        worker(storage, seed=1).run()
    assert time.monotonic() - started < 30


def test_pull_keeps_the_parts_that_can_be_read(file, url, tmp_path):
    execute(
        "UPDATE trials SET state = 'SINGING' WHERE study_id = "
        "(SELECT study_id FROM studies WHERE study_name LIKE '%: search%')",
        file,
    )
    results = tmp_path / "results"
    done = CliRunner().invoke(main, ["pull", "--storage", url, "--results", str(results)])
    assert done.exit_code == 2, done.output
    # Three runs of the grid, and one of the confirmation.
    assert done.stdout == f"fake: 4 records written, 0 were there; in {results / 'fake'}\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {url} is damaged: the trials of 'ue-bench fake")
    assert len(list(results.rglob("*.json"))) == 4


def test_a_bug_is_no_damage(storage):
    def bug() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        storage.steadily(bug)


# --- a storage that does not answer ---


def interrupt(storage: Storage, every: int) -> Callable[[], None]:
    """Let a signal break one of so many queries, and the rollback after it; return what ends it."""
    engine, queries, broken = storage.backend.engine, count(1), []

    def query(*_: object) -> None:
        if next(queries) % every == 0:
            broken.append(True)
            raise InterruptedError("interrupted")

    def rollback(*_: object) -> None:
        if broken:
            broken.clear()
            raise OperationalError("ROLLBACK", {}, Exception("another command is in progress"))

    event.listen(engine, "before_cursor_execute", query)
    event.listen(engine, "rollback", rollback)

    def end() -> None:
        event.remove(engine, "before_cursor_execute", query)
        event.remove(engine, "rollback", rollback)

    return end


@pytest.mark.slow
def test_a_study_goes_on_where_queries_are_interrupted(storage, capsys):
    storage.heartbeat = 0.02  # every interruption is waited for
    storage.grace = 600  # and a busy machine is no server that is gone
    end = interrupt(storage, 47)
    study = replace(GRID, parts=(*GRID.parts, *SEARCH.parts))
    done = worker(storage, study).run()
    end()
    assert len(done) == len({record.run_id for record in done}) == 3 + 2 * 2 + 1
    part = only_part(storage, study, "grid, part 1 of 2")
    assert len(records_in(part)) == len(set(records_in(part))) == 3
    assert "was given to another worker" not in capsys.readouterr().err


def test_a_storage_that_interrupts_every_query_is_given_up(storage, capsys):
    storage.heartbeat, storage.patience = 0.05, 0.3
    interrupt(storage, 1)
    with pytest.raises(BenchError, match="no longer answers: another command is in progress; "):
        storage.names()
    (line,) = capsys.readouterr().err.splitlines()
    assert "shared.sqlite3 does not answer (another command is in progress); waiting for it" in line


def test_a_storage_is_waited_for_beyond_the_silence_of_a_worker(storage, capsys):
    """What ends the waiting is the patience, not the grace after which others take a trial."""
    storage.heartbeat, storage.grace, storage.patience = 0.05, 0.1, 30
    end = interrupt(storage, 1)
    timer = threading.Timer(0.4, end)
    timer.start()
    assert storage.names() == []
    timer.join()
    assert "waiting for it, 30 seconds at most" in capsys.readouterr().err
    assert not storage.heard_all  # others may not have answered yet
    storage.grace = 0
    assert storage.heard_all


def test_no_trial_is_taken_from_a_worker_that_the_storage_did_not_answer(storage, monkeypatch):
    part = only_part(storage)
    live = part.ask()  # of a worker that was cut off from the storage, as all were
    storage.backend.record_heartbeat(live._trial_id)
    live.set_user_attr(BEATS, live.number)
    with closing(sqlite3.connect(storage._file)) as database, database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
    looked = worker(storage)._part("grid, part 1 of 1", 1, None)
    monkeypatch.setattr(Storage, "heard_all", False)
    assert [chain.trial.state for chain in looked.look()] == [TrialState.RUNNING]
    monkeypatch.setattr(Storage, "heard_all", True)
    assert [chain.lost for chain in looked.look()] == [1]
