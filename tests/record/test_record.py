"""A record is written whole or not at all, and a file that is not one is named."""

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import fake_records as fake
import pytest

from ue_bench.config import SETTINGS, RunConfig
from ue_bench.config.fields import AS_DEFAULT
from ue_bench.errors import BenchError
from ue_bench.record import (
    Record,
    SpeedCase,
    SpeedRecord,
    failure,
    frame,
    load,
    load_runs,
    path_of,
    read,
    require_writable,
    write,
)
from ue_bench.record.lock import LOCK, alone
from ue_bench.record.record import parse


def make_found():
    return {
        "cardinalities": {"age": 3},
        "lookups": {"age": 1},
        "dim": 16,
        "exact_table_bytes": 192,
    }


def make(**changes):
    config = RunConfig(budget=28032)
    given = {
        "run_id": config.run_id,
        "study": "s",
        "phase": "run",
        "config": config,
        "found": make_found(),
        "quality": {
            "val_mse": 0.8,
            "test_mse": 0.9,
            "best_epoch": 1.0,
            "history": [],
            "anchors": {},
            "slices": {"of": "test"},
        },
        "cost": {"table_bytes": 96, "auxiliary_bytes": 0, "vocabulary_bytes": 0, "total_bytes": 96},
    }
    return Record(**{**given, **changes})


def make_speed_env():
    return {"cpu": "c", "cores": 2, "versions": {"torch": "2"}, "time": "2026-01-01T00:00:00Z"}


def test_round_trip(tmp_path):
    path = write(make(), tmp_path)
    assert path == path_of(tmp_path, "s", make().run_id)
    assert read(path) == make()
    assert load(tmp_path) == ([make()], [])
    assert frame([make()])["quality.test_mse"].tolist() == [0.9]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_trials_of_one_search_share_its_space_in_memory(tmp_path):
    space = {"lookups.user_id": list(range(1, 1001)), "dim": {"low": 4, "high": 64, "log": True}}
    for number, other in enumerate((space, space, {"dim": [8, 16]})):
        facts = {"default": "x", "startup": 1, "batch": 1, "seeds": [0], "space": other}
        trial = fake.trial_facts(number, sorted(other), **facts)
        config = RunConfig(budget=28032, init_seed=number)
        record = make(config=config, run_id=config.run_id, phase="search")
        found = record.found | {"trial": trial}
        write(replace(record, found=found), tmp_path)
    records, skipped = load(tmp_path)
    assert skipped == []
    first, second, third = sorted(records, key=lambda record: record.found["trial"]["number"])
    assert first.found["trial"]["space"] == space
    assert first.found["trial"]["space"] is second.found["trial"]["space"]
    assert third.found["trial"]["space"] == {"dim": [8, 16]}


def test_no_nan_reaches_a_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(make(quality={"test_mse": float("nan")}), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_a_crash_while_writing_leaves_the_old_record_and_nothing_else(tmp_path, monkeypatch):
    path = write(make(), tmp_path)
    before = path.read_bytes()

    def die(*_):
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, die)
            with pytest.raises(KeyboardInterrupt):
                write(make(error="changed"), tmp_path)
        assert path.read_bytes() == before
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_cut_short_anywhere_it_is_named_and_left_out(tmp_path):
    path = write(make(), tmp_path)
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 2, 97), len(whole) - 3]:
        path.write_bytes(whole[:end])
        records, skipped = load(tmp_path)
        assert records == []
        assert len(skipped) == 1
        assert path.name in skipped[0]


def test_any_changed_digit_is_found(tmp_path):
    path = write(make(), tmp_path)
    path.write_text(path.read_text().replace("0.9", "0.8"))
    with pytest.raises(BenchError, match="checksum"):
        read(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"schema": 99}, "newer"), ({"schema": None}, "schema"), ({"surprise": 1}, "surprise")],
)
def test_a_newer_or_foreign_file_is_told(tmp_path, change, told):
    path = write(make(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BenchError, match=told):
        read(path)


def test_a_record_under_another_name_is_left_out(tmp_path):
    path = write(make(), tmp_path)
    path.rename(path.with_name("0123456789abcdef.json"))
    records, skipped = load(tmp_path)
    assert records == []
    assert "carry these names" in skipped[0]


def test_a_folder_that_cannot_be_written_is_told_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write"):
        require_writable(tmp_path / "file" / "results")
    require_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_lock_that_is_a_symbolic_link_is_refused(tmp_path):
    """Following it, the lock would empty the file that it points at."""
    study = tmp_path / "study"
    study.mkdir()
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (study / LOCK).symlink_to(precious)
    with pytest.raises(BenchError, match="is a symbolic link") as error, alone(study):
        pass
    assert "\n" not in str(error.value)
    assert precious.read_text() == "mine"
    assert (study / LOCK).is_symlink()


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        load(tmp_path / "none")


# How versions wrote a failure that knew no cause, and what it is.
OLD_FAILURES = [
    ("BudgetError: unified: too small", "infeasible", "budget", "unified: too small"),
    ("MemoryError: a table is too large", "failed", "memory", "a table is too large"),
    ("the process was ended by SIGKILL", "failed", "killed", "the process was ended by SIGKILL"),
    (
        "it took longer than the time limit of 4 seconds and was ended",
        "failed",
        "late",
        "it took longer than the time limit of 4 seconds and was ended",
    ),
    ("BenchError: training diverged", "failed", "input", "training diverged"),
]


@pytest.mark.parametrize(("message", "status", "cause", "error"), OLD_FAILURES)
def test_a_failure_of_schema_1_has_a_kind(tmp_path, message, status, cause, error):
    made = failure(RunConfig(), study="s", phase="grid", cause="input", error="")
    path = tmp_path / "s" / f"{made.run_id}.json"
    path.parent.mkdir()
    path.write_text(fake.as_schema_1(made, error=message))
    found = read(path)
    assert (found.status, found.cause, found.error) == (status, cause, error)
    assert (found.schema, found.config) == (2, RunConfig())


def test_a_run_of_schema_1_is_the_run_it_was():
    assert fake.reread(make(), without=("task", "table", "multi_valued")) == make()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cause": "killed"}, "'ok' with cause 'killed'"),
        ({"status": "failed"}, "'failed' with cause None"),
        ({"status": "failed", "cause": "boredom"}, "cause is 'boredom'"),
        ({"status": "perhaps"}, "status is 'perhaps'"),
        ({"phase": "sleep"}, "phase is 'sleep'"),
        ({"cost": {"table_bytes": -1}}, "table_bytes"),
        ({"env": {"cpu": ["a"]}}, "env.cpu: text"),
        ({"env": {"cores": [2]}}, "env.cores: a whole number"),
        ({"env": {"gpu": []}}, "env.gpu: text"),
        ({"run_id": "a\nb"}, "visible characters"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(tmp_path, changes, message):
    path = tmp_path / "any.json"
    path.write_text(make(**changes).to_json())
    with pytest.raises(BenchError, match=message):
        read(path)


@pytest.mark.parametrize("schema", [1, 2])
def test_a_record_whose_id_is_not_that_of_its_configuration_is_refused(tmp_path, schema):
    """Its checksum is right: another program wrote it, or somebody moved an id to a better run."""
    other = RunConfig(budget=14016)
    content = json.loads(replace(make(), config=other).to_json())
    del content["checksum"]
    if schema == 1:
        content["schema"] = 1
        del content["cause"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
    path = path_of(tmp_path, "s", make().run_id)
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    told = f"it has the id '{make().run_id}', but its configuration is that of '{other.run_id}'"
    with pytest.raises(BenchError, match=told):
        read(path)
    records, (line,) = load(tmp_path)
    assert records == []
    assert told in line
    write(make(), tmp_path)
    assert load(tmp_path) == ([make()], [])


def test_a_number_that_is_none_is_refused_whatever_the_checksum(tmp_path):
    """A checksum of the text that a faster writer makes of it, which has null for NaN."""
    path = tmp_path / "any.json"
    for text, why in (("NaN", "not a record"), ("1e999", "not a record")):
        content = json.loads(make().to_json())
        del content["checksum"]
        content["found"]["extra"] = None
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        content["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
        path.write_text(json.dumps(content).replace('"extra": null', f'"extra": {text}'))
        with pytest.raises(BenchError, match=why):
            read(path)


def test_a_small_number_is_read_as_it_was_written(tmp_path):
    """Python writes 1e-06 where msgspec writes 1e-6: the checksum is of Python's text."""
    record = make(found=make().found | {"warnings": ["×"], "width": 7})
    tiny = replace(record, cost=record.cost | {"train_seconds": 1e-06})
    assert read(write(tiny, tmp_path)) == tiny


@pytest.mark.parametrize(
    "number", [1e-06, -1e-06, 1e-05, 1.03e-05, -3.3e-05, 9.99e-05, 1e-04, 2.5e-07, 1e-10, 0.5]
)
def test_a_number_of_any_size_is_proven_without_pythons_reader(tmp_path, number, monkeypatch):
    numbers = {"last": number, "list": [number, number]}
    record = make(found=make().found | {"extra": numbers})
    path = write(record, tmp_path)
    monkeypatch.setattr(json, "loads", None)
    assert read(path) == record


def test_a_text_that_looks_like_a_small_number_stays_as_it_is(tmp_path):
    record = make(found=make().found | {"extra": ["1e-6,", "a,0.00001,", 1e-06, 1e22]})
    assert read(write(record, tmp_path)) == record


@pytest.mark.parametrize(
    ("before", "after"), [("[1e-06,", "[1e-6,"), ("lr:1.5e-05]", "lr:0.000015]")]
)
def test_a_text_that_was_altered_to_a_number_of_equal_size_is_refused(before, after):
    record = failure(
        RunConfig(),
        study="s",
        phase="run",
        cause="input",
        error="bad steps [1e-06,0.5] and lr:1.5e-05]",
    )
    text = record.to_json()
    assert parse(text.encode(), "x") == record
    with pytest.raises(BenchError, match="does not match its checksum"):
        parse(text.replace(before, after).encode(), "x")


def test_a_measurement_of_speed_with_the_id_of_another_case_is_refused(tmp_path):
    case = SpeedCase(case="start", quick=True)
    cost = {"lines": []}
    found = {"title": "t"}
    made = SpeedRecord(
        run_id="a", study="speed", config=case, found=found, cost=cost, env=make_speed_env()
    )
    write(made, tmp_path)
    records, (line,) = load(tmp_path)
    assert (records, case.run_id in line) == ([], True)


def test_a_pipe_is_no_record_and_is_not_waited_for(tmp_path):
    write(make(), tmp_path)
    os.mkfifo(tmp_path / "s" / "a.json")
    records, skipped = load(tmp_path)
    assert records == [make()]
    assert len(skipped) == 1
    assert "it is a named pipe, and not a regular file" in skipped[0]


def test_a_measurement_of_speed_is_no_run(tmp_path):
    case = SpeedCase(case="start", quick=True)
    line = {"what": "w", "value": 1.0, "unit": "s", "beside": {}, "claims": [], "note": ""}
    found, cost = {"title": "Start"}, {"lines": [line]}
    env = make_speed_env()
    made = SpeedRecord(
        run_id=case.run_id, study="speed", config=case, found=found, cost=cost, env=env
    )
    write(made, tmp_path)
    write(make(), tmp_path)
    assert load(tmp_path)[0] == [make(), made]
    assert load_runs(tmp_path) == ([make()], [])


def test_a_record_from_before_a_field_keeps_its_id_and_its_meaning(tmp_path):
    """The field is filled in with what runs did before it existed, not with its default."""
    before = tuple(name for name, known in SETTINGS.items() if known.before is not AS_DEFAULT)
    config = RunConfig.from_stored({"budget": 28032})
    record = make(config=config, run_id=config.run_id)
    old = fake.reread(record, without=before)
    assert old == record
    assert old.run_id == old.config.run_id == "283b78ebe17f7ff0"
    assert make().run_id != old.run_id
    assert read(write(old, tmp_path)) == old


def test_what_cannot_be_removed_from_a_folder_is_left(tmp_path, monkeypatch):
    """In a folder of two users with the sticky bit, each removes files of their own alone."""
    (tmp_path / ".of-somebody.tmp").mkdir()
    (tmp_path / ".of-another.tmp").touch()

    def unlink(self, missing_ok=False):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with alone(tmp_path):
            pass
    with alone(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".of-somebody.tmp"]


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    for study in ("mine", "of-another"):
        write(replace(make(), study=study), tmp_path)
    list_folder = os.listdir

    def listdir(folder):
        if Path(folder).name == "of-another":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return list_folder(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    records, skipped = load(tmp_path)
    assert [record.study for record in records] == ["mine"]
    assert skipped == [f"{tmp_path / 'of-another'}: it cannot be read (Permission denied)"]
