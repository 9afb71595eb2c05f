"""Optuna's SQLite file: read whole when it is opened, and set aside where it is damaged."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ue_bench.progress import note

# SQLite's codes for what is wrong around the file. Any other error is about its content, which can
# be made anew.
OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
}
INSIDE = {sqlite3.SQLITE_IOERR_SHORT_READ}  # codes with detail that are about the content
# What SQLite keeps in files of its own beside the file.
COMPANIONS = ("-journal", "-wal", "-shm")
HEADER = b"SQLite format 3\0"
WAYS_TO_WRITE = (1, 2)  # in bytes 18 and 19 of the header: with a journal or a write-ahead log
VERSION_TABLES = {"version_info", "alembic_version"}
MOST_WORDS = 200  # characters of a reason; the file may hold any text

Columns = dict[str, list[tuple[Any, ...]]]  # the columns of each table


class Damaged(Exception):
    """A file, or a database, does not hold what Optuna wrote."""


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, check_same_thread=False)


def _connect_without_waiting(file: Path) -> sqlite3.Connection:
    """Connect to a file that is made anew from the records if a power cut damages it.

    A new file takes some forty commits, and a disk several milliseconds for each.
    """
    connection = _connect(file)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def open_study(file: Path, begin: Callable[[RDBStorage], optuna.Study]) -> optuna.Study:
    """Return the study that `begin` makes or finds in the storage in `file`.

    A damaged file is set aside under another name, reported in one line, and replaced by a new
    one. It is damaged if Optuna cannot read all of its content, or if `begin` fails with it and not
    with a new file. Raises an error of SQLite, SQLAlchemy, Optuna or the system if the cause lies
    outside the file.
    """
    try:
        return begin(sound_storage(file))
    except MemoryError:
        raise
    # Damage can raise whatever SQLite, SQLAlchemy, Optuna and its decoders raise. An error that is
    # none of the file's comes again with the new one.
    except Exception as error:
        if not os.path.lexists(file) or is_outside(error):
            raise
        why = reason(error)
    name = _set_aside(file)
    note(f"{file}: {why}; set aside as {name} and made anew from the records")
    return begin(storage_in(file))


def sound_storage(file: Path) -> RDBStorage:
    """Return Optuna's storage in a file of which everything can be read.

    A file that does not exist is made. Raises any kind of error if the file is damaged, and one for
    which `is_outside` is true if it cannot be used for another reason.
    """
    _require_sound(file)
    verbosity = optuna.logging.get_verbosity()
    # Optuna's warnings about damage would come beside the one line.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = storage_in(file)
        for study in storage.get_all_studies():
            study_id = storage.get_study_id_from_name(study.study_name)
            storage.get_all_trials(study_id, deepcopy=False)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return storage


def storage_in(file: Path) -> RDBStorage:
    """Return Optuna's storage in a SQLite file, whatever characters the path contains.

    The path goes to SQLite as it is. In a URL, `?`, `%`, `#` and braces would mean something.
    """
    return RDBStorage("sqlite://", engine_kwargs=engine_options(file, _connect_without_waiting))


def engine_options(
    file: Path, connect: Callable[[Path], sqlite3.Connection] = _connect
) -> dict[str, Any]:
    """Return the options with which SQLAlchemy opens this SQLite file, given the URL sqlite://."""
    # An absolute path is never taken for a database in memory or for a URI.
    return {"creator": partial(connect, file.absolute()), "poolclass": QueuePool}


def is_outside(error: BaseException) -> bool:
    """Return whether the cause of an error lies outside the file: a lock, a right, a full disk."""
    cause = root(error)
    if isinstance(cause, OSError):
        return True
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None or code in INSIDE:
        return False
    return code & 0xFF in OUTSIDE  # without the detail


def root(error: BaseException) -> BaseException:
    """Return the error of SQLite that SQLAlchemy and Optuna wrap."""
    while error.__cause__:
        error = error.__cause__
    return error


def _require_sound(file: Path) -> None:
    """Raise an error if the file is none of SQLite, is damaged, or has other tables than Optuna's.

    A command that is killed early leaves no file, an empty one, or one without a study and without
    some of the tables. These are sound.
    """
    require_intact(file)
    if not file.exists() or file.stat().st_size == 0:
        return
    with closing(_connect(file.absolute())) as connection:
        _require_tables(connection)


def require_intact(file: Path) -> None:
    """Raise an error if SQLite cannot read a file whole, whichever tables it has.

    A file that does not exist is sound, and so is an empty one.
    """
    for path in _with_companions(file):
        try:
            mode = path.stat().st_mode
        except OSError:  # it is not there, or SQLite says why it cannot be used
            continue
        if not stat.S_ISREG(mode):
            raise Damaged(f"{path.name} is no regular file")
    if not file.exists() or file.stat().st_size == 0:
        return
    _require_header(file)
    with closing(_connect(file.absolute())) as connection:
        for (message,) in connection.execute("PRAGMA integrity_check(1)"):
            if message != "ok":
                raise Damaged(message)
        for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            raise Damaged(f"a row of the table {table} belongs to none of {parent}")


def _require_header(file: Path) -> None:
    with file.open("rb") as stream:
        start = stream.read(20)
    if not start.startswith(HEADER):
        raise Damaged("it is no SQLite database")
    # SQLite would take the file for one that may only be read.
    if not set(start[18:]) <= set(WAYS_TO_WRITE):
        raise Damaged("its header has an unknown format")


def _require_tables(connection: sqlite3.Connection) -> None:
    """Raise Damaged unless the tables are Optuna's, and all there if the file has a study."""
    expected = _columns_of_optuna()
    tables = _columns(connection)
    for table, columns in tables.items():
        if table not in expected:
            raise Damaged(f"it has {table!r}, which is no table of Optuna's")
        if columns != expected[table]:
            raise Damaged(f"its table {table!r} has other columns than Optuna's")
    missing = sorted(expected.keys() - tables.keys())
    if missing and _has_content(connection, tables):
        raise Damaged(f"it has no table {missing[0]!r}")


def _has_content(connection: sqlite3.Connection, tables: Columns) -> bool:
    """Return whether a table other than those of versions has a row."""
    for table in tables.keys() - VERSION_TABLES:
        query = f"SELECT 1 FROM {table} LIMIT 1"  # nosec B608 # names of tables that Optuna creates
        if connection.execute(query).fetchone():
            return True
    return False


def columns_of_optuna() -> dict[str, list[str]]:
    """Return the names of the columns of each table that the installed Optuna creates."""
    return {table: [row[1] for row in rows] for table, rows in _columns_of_optuna().items()}


@cache
def _columns_of_optuna() -> Columns:
    """Return the columns of the tables that the installed Optuna creates."""
    storage = RDBStorage("sqlite://")
    pooled = storage.engine.raw_connection()
    try:
        return _columns(pooled.driver_connection)
    finally:
        pooled.close()


def _columns(connection: Any) -> Columns:
    found = {}
    # Optuna has neither views nor triggers: they count as tables of somebody else.
    names = connection.execute("SELECT name FROM sqlite_master WHERE type != 'index'").fetchall()
    for (name,) in names:
        query = "SELECT * FROM pragma_table_xinfo(?)"
        found[name] = connection.execute(query, (name,)).fetchall()
    return found


def reason(error: Exception) -> str:
    """Return in one line what is wrong with the content."""
    cause = root(error)
    known = isinstance(cause, (Damaged, sqlite3.Error, RuntimeError))
    if not known and not isinstance(error, (SQLAlchemyError, StorageInternalError)):
        cause = error  # a decoder's, which says more than what it rests on
    text = " ".join(str(cause).split())
    if not known:
        text = f"it cannot be read ({type(cause).__name__}: {text})"
    if len(text) > MOST_WORDS:
        text = f"{text[:MOST_WORDS]}..."
    return text


def _set_aside(file: Path) -> str:
    """Rename a file and its companions, and return the new name of the file.

    A link to a regular file stays, and the file that it leads to is renamed.
    """
    if file.is_file():
        file = file.resolve()
    number = 1
    while any(map(os.path.lexists, _with_companions(_damaged(file, number)))):
        number += 1
    aside = _damaged(file, number)
    for source, target in zip(_with_companions(file), _with_companions(aside), strict=True):
        if os.path.lexists(source):
            source.rename(target)
    return aside.name


def _damaged(file: Path, number: int) -> Path:
    """Return the name under which a damaged file is set aside; its suffix stays."""
    return file.with_name(f"{file.stem}.damaged-{number}{file.suffix}")


def _with_companions(file: Path) -> list[Path]:
    return [file, *(file.with_name(file.name + ending) for ending in COMPANIONS)]
