"""Optuna's file of a search: paths with any characters, and damage of every kind."""

import gc
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from damaged_optuna import ANY, FOUND, execute
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


# --- names ---

HOSTILE = "<b>\x1b[2J\n\r\0%s %(x)s {x} :x ? $1 \"'); DROP TABLE trials; --\u202e\ud800"


def test_names_that_mean_something_to_sql_are_text_in_the_file(tmp_path):
    """The knobs of a search are called after features and options, whose names anybody chooses."""
    name = HOSTILE.replace("\0", "").replace("\ud800", "")
    feature, option = f"lookups.{name}", f"options.{name}"
    base = replace(BASE, lookups={name: 1}, options={name: name})
    search = replace(
        SEARCH, base=base, space={feature: (1, 2), option: (name, HOSTILE.replace("\0", ""))}
    )
    for _ in range(2):  # the second time the study is there
        sampler = Sampler(search, base, tmp_path / SQLITE_NAME, 0, [])
        _, config = sampler.ask()
        sampler.learn([Answered(0, config, (record_of(config),))])
        trials = sampler.study.get_trials()
        assert set(trials[0].params) == {feature, option}
        assert trials[1].params == {feature: config.lookups[name], option: config.options[name]}
    assert names_in(tmp_path) == {SQLITE_NAME}
    sound_storage(tmp_path / SQLITE_NAME)


# --- damage ---


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
