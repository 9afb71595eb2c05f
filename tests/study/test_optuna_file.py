"""Optuna's file of a search: paths with any characters, and damage of every kind."""

import gc
import os
import random
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Search
from ue_bench.study.optuna_file import is_outside, open_study, sound_storage
from ue_bench.study.sampler import Sampler
from ue_bench.study.search_records import Answered
from ue_bench.training.resolve import resolve

BASE = resolve(RunConfig(strategy="memcom", regions="separate", budget=56064, measure="quality"))
SEARCH = Search(BASE, {"lr": (1e-3, 4e-3), "options.bias": (False, True)}, trials=3, trial_seeds=1)
SQLITE_NAME = "optuna.sqlite3"


def record_of(config: RunConfig) -> Record:
    return Record(
        run_id=config.run_id,
        study="s",
        phase="search",
        status="ok",
        config=config,
        quality={"val_mse": 1.0},
        cost={"total_bytes": 1},
    )


def searched(file: Path) -> Sampler:
    """Make two proposals of the search, and report the value of one of them."""
    sampler = Sampler(SEARCH, BASE, file, 0, [])
    trial, config = sampler.ask()
    sampler.learn([Answered(0, config, (record_of(config),))])
    sampler.dismiss(trial)
    sampler.dismiss(sampler.ask()[0])
    return sampler


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- paths ---

PATHS = (
    "what?",
    "100%20sure",
    "a#b",
    "with space",
    "quotes\"and'more",
    "{braces}",
    ":memory:",
    "file:x",
    "file:x?mode=memory",
    "größer-表-🙂",
    "back\\slash",
    "new\nline",
    os.fsdecode(b"no\xffutf8"),
    "mode=memory&uri=true",
)


def n_trials(file: Path) -> int:
    with closing(sqlite3.connect(os.path.abspath(file))) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM trials")
    return count


@pytest.mark.parametrize("name", PATHS, ids=ascii)
def test_the_file_is_where_its_path_says(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    searched(folder / SQLITE_NAME)
    monkeypatch.chdir(folder)
    searched(Path(name))
    assert names_in(folder) == {SQLITE_NAME, name}
    assert names_in(tmp_path) == {folder.name}
    assert n_trials(folder / SQLITE_NAME) == n_trials(folder / name) == 3


# --- damage ---


def cut(n_bytes: int, file: Path) -> None:
    """Shorten a file; a negative number: by so many bytes."""
    if n_bytes < 0:
        n_bytes += file.stat().st_size
    os.truncate(file, n_bytes)


def overwrite(start: int, content: bytes, file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(start)
        stream.write(content)


def flip(position: int, file: Path) -> None:
    (byte,) = file.read_bytes()[position : position + 1]
    overwrite(position, bytes([byte ^ 0xFF]), file)


def flip_some(seed: int, file: Path) -> None:
    """Flip ten bytes anywhere in the file."""
    chance = random.Random(seed)
    for _ in range(10):
        flip(chance.randrange(file.stat().st_size), file)


def fill_page(number: int, byte: int, file: Path) -> None:
    overwrite(number * PAGE, bytes([byte]) * PAGE, file)


def swap_pages(first: int, second: int, file: Path) -> None:
    content = file.read_bytes()
    overwrite(first * PAGE, content[second * PAGE :][:PAGE], file)
    overwrite(second * PAGE, content[first * PAGE :][:PAGE], file)


def execute(statements: str, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(statements)


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "kept.txt").write_text("mine")


def replace_by_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_by_link_to_folder(file: Path) -> None:
    file.unlink()
    file.symlink_to(os.sep)


def write(content: bytes, file: Path) -> None:
    file.write_bytes(content)


def replace_by_other_program(file: Path) -> None:
    file.unlink()
    execute("CREATE TABLE songs (song TEXT); INSERT INTO songs VALUES ('la')", file)


PAGE = 4096
TABLES = (
    "studies",
    "version_info",
    "study_directions",
    "study_user_attributes",
    "study_system_attributes",
    "trials",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
    "trial_heartbeats",
    "alembic_version",
)
ATTRIBUTES = [table for table in TABLES if table.endswith("_attributes")]
NO_JSON = ("{", "", "[" * 100_000, "nan!")
ROWS = {  # statements that give rows what Optuna never writes
    "state": "UPDATE trials SET state = 'SINGING'",
    "state null": "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = "
    "replace(sql, 'state VARCHAR(8) NOT NULL', 'state VARCHAR(8)') WHERE name = 'trials'",
    "start": "UPDATE trials SET datetime_start = 'yesterday'",
    "end": "UPDATE trials SET datetime_complete = 12",
    "orphan": "UPDATE trials SET study_id = 77",
    "direction": "UPDATE study_directions SET direction = 'SIDEWAYS'",
    "distribution": "UPDATE trial_params SET distribution_json = '{'",
    "distribution name": """UPDATE trial_params SET distribution_json = '{"name": "Cauchy"}'""",
    "distribution keys": "UPDATE trial_params SET distribution_json = "
    """'{"name": "CategoricalDistribution", "attributes": {"colours": []}}'""",
    "distribution null": "UPDATE trial_params SET distribution_json = NULL",
    "choice": "UPDATE trial_params SET param_value = 12.0",
    "choice text": "UPDATE trial_params SET param_value = 'big'",
    "choice blob": "UPDATE trial_params SET param_value = x'ff00'",
    "choice null": "UPDATE trial_params SET param_value = NULL",
    "value kind": "UPDATE trial_values SET value_type = 'LARGE'",
    "no utf8": "UPDATE trial_params SET distribution_json = CAST(x'ff' AS TEXT)",
    "no utf8 in a name": "UPDATE studies SET study_name = CAST(x'ff' AS TEXT)",
    "another version": "UPDATE alembic_version SET version_num = 'v0.9.0.a'",
    "unknown version": "UPDATE alembic_version SET version_num = 'v99'",
    "versions": "INSERT INTO alembic_version VALUES ('v0.9.0.a')",
    "two of a name": "DROP INDEX ix_studies_study_name; "
    "INSERT INTO studies (study_name) SELECT study_name FROM studies",
    "trigger": "CREATE TRIGGER no BEFORE INSERT ON trials BEGIN SELECT RAISE(ABORT, 'no'); END",
    "view": "ALTER TABLE trials RENAME TO hidden; CREATE VIEW trials AS SELECT * FROM hidden",
    "column less": "ALTER TABLE trials DROP COLUMN datetime_start",
    "column more": "ALTER TABLE trials ADD COLUMN song TEXT NOT NULL DEFAULT 'la'",
    "column renamed": "ALTER TABLE trial_values RENAME COLUMN value TO song",
    "foreign table": "CREATE TABLE songs (song TEXT)",
}


def broken_attributes() -> dict[str, str]:
    statements = {}
    for table in ATTRIBUTES:
        owner = "study_id" if table.startswith("study") else "trial_id"
        for number, text in enumerate(NO_JSON):
            statements[f"{table} {number}"] = (
                f"INSERT INTO {table} ({owner}, key, value_json) VALUES (1, 'k', '{text}')"
            )
    return statements


# Each of these kinds must be found on opening.
FOUND = {
    "folder": replace_by_folder,
    "pipe": replace_by_fifo,
    "link to a folder": replace_by_link_to_folder,
    "text": partial(write, b"Dear diary, " * 1000),
    "short text": partial(write, b"Dear diary"),
    "zeros": partial(write, bytes(3 * PAGE)),
    "one byte": partial(write, b"S"),
    "header alone": partial(write, b"SQLite format 3\0"),
    "another program's": replace_by_other_program,
    "pages swapped": partial(swap_pages, 2, 7),
    "first page elsewhere": partial(swap_pages, 0, 3),
    "journal is a folder": lambda file: file.with_name(file.name + "-journal").mkdir(),
    "log is a folder": lambda file: file.with_name(file.name + "-wal").mkdir(),
}
for _n_bytes in (1, 15, 16, 18, 20, 50, 99, 100, 101, 511, 512, 4095, 4096, 4097, 8192, 50_000):
    FOUND[f"cut at {_n_bytes}"] = partial(cut, _n_bytes)
for _n_bytes in (-1, -100, -PAGE, -2 * PAGE - 7):
    FOUND[f"cut by {-_n_bytes}"] = partial(cut, _n_bytes)
for _position in (*range(16), 16, 18, 19, 20, 21, 22, 23, 47, 59):
    FOUND[f"byte {_position} of the header"] = partial(flip, _position)
for _page in range(20):
    FOUND[f"page {_page} of zeros"] = partial(fill_page, _page, 0)
for _page in (0, 1, 5, 12):
    FOUND[f"page {_page} of ones"] = partial(fill_page, _page, 255)
for _table in TABLES:
    FOUND[f"without {_table}"] = partial(execute, f"DROP TABLE {_table}")
for _name, _statements in {**ROWS, **broken_attributes()}.items():
    FOUND[_name] = partial(execute, _statements)

# SQLite and Optuna can work with some of these files, which then stay.
ANY = {"empty": partial(cut, 0), "gone": lambda file: file.unlink()}
ANY["number"] = partial(execute, "UPDATE trials SET number = 'one' WHERE number = 1")
for _position in range(24, 100):
    ANY[f"byte {_position} of the header"] = partial(flip, _position)
for _seed in range(40):
    ANY[f"ten bytes, seed {_seed}"] = partial(flip_some, _seed)
for _table in TABLES:
    ANY[f"without rows of {_table}"] = partial(execute, f"DELETE FROM {_table}")


@pytest.fixture(scope="module")
def searched_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("searched") / SQLITE_NAME
    searched(file)
    return file


@pytest.fixture
def file(tmp_path, searched_file):
    """Return a copy of the file of a search, alone in its folder."""
    folder = tmp_path / "s"
    folder.mkdir()
    return shutil.copy(searched_file, folder / SQLITE_NAME)


def test_a_sound_file_stays(file, capfd):
    searched(file)
    assert names_in(file.parent) == {SQLITE_NAME}
    assert capfd.readouterr().err == ""


def error_of(file: Path) -> BaseException:
    """Return what opening a damaged file raises, of whichever kind it is."""
    try:
        sound_storage(file)
    except Exception as error:
        return error
    raise AssertionError("the damage was not found")


@pytest.fixture
def no_collection():
    """Keep garbage: a finalizer that is called deep in nested JSON has no room, and complains."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("kind", FOUND)
def test_damage_is_found_when_the_file_is_opened(file, kind):
    FOUND[kind](file)
    assert not is_outside(error_of(file))


ALSO_IN_SHORT = {
    "folder",
    "pipe",
    "link to a folder",
    "text",
    "another program's",
    "journal is a folder",
    "cut at 20",
    "cut at 50000",
    "byte 18 of the header",
    "page 5 of zeros",
    "without trials",
    "state",
    "choice text",
    "no utf8",
    "another version",
    "trial_user_attributes 3",
}


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ALSO_IN_SHORT else pytest.param(kind, marks=pytest.mark.slow)
        for kind in FOUND
    ],
)
def test_a_search_goes_on_beside_the_damaged_file(file, kind, capfd):
    FOUND[kind](file)
    searched(file)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{file}: ")
    assert line.endswith("; set aside as optuna.damaged-1.sqlite3 and made anew from the records")
    assert n_trials(file) == 3
    aside = {name for name in names_in(file.parent) if name.startswith("optuna.damaged-1.sqlite3")}
    assert names_in(file.parent) - aside == {SQLITE_NAME}
    searched(file)  # the new file is sound
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "kind",
    [
        kind
        if kind.endswith(("0", "5", "gone", "number"))
        else pytest.param(kind, marks=pytest.mark.slow)
        for kind in ANY
    ],
)
def test_a_search_goes_on_whatever_happened_to_the_file(file, kind):
    ANY[kind](file)
    searched(file)
    assert n_trials(file) == 3


def test_what_is_set_aside_is_as_it_was_and_never_replaced(file, capfd):
    for number in (1, 2, 3):
        content = f"diary {number}"
        file.write_text(content)
        file.with_name(f"{SQLITE_NAME}-journal").write_text("notes")
        searched(file)
        assert file.with_name(f"optuna.damaged-{number}.sqlite3").read_text() == content
        assert file.with_name(f"optuna.damaged-{number}.sqlite3-journal").read_text() == "notes"
        assert f"set aside as optuna.damaged-{number}.sqlite3 " in capfd.readouterr().err


def test_a_link_to_a_damaged_file_stays_a_link(tmp_path, file):
    link = tmp_path / "link.sqlite3"
    link.symlink_to(file)
    file.write_text("Dear diary")
    searched(link)
    assert link.is_symlink()
    assert n_trials(file) == 3
    assert file.with_name("optuna.damaged-1.sqlite3").read_text() == "Dear diary"


def test_a_study_with_other_directions_is_replaced(file):
    execute("UPDATE study_directions SET direction = 'MAXIMIZE'; DELETE FROM trials", file)
    execute("DELETE FROM trial_params; DELETE FROM trial_values", file)
    execute(
        "INSERT INTO study_directions (direction, study_id, objective) VALUES ('MINIMIZE', 1, 1)",
        file,
    )
    searched(file)
    assert n_trials(file) == 3
    assert names_in(file.parent) == {SQLITE_NAME}


def test_what_lies_outside_the_file_sets_nothing_aside(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            BenchError, match=r"optuna\.sqlite3: database is locked; end what uses it"
        ):
            Sampler(SEARCH, BASE, file, 0, [])
    assert names_in(file.parent) == {SQLITE_NAME}


def test_a_bug_is_no_damage(file):
    def bug(storage: RDBStorage) -> optuna.Study:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        open_study(file, bug)
