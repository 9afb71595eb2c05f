"""What can happen to Optuna's SQLite file: damage of every kind, by name."""

import os
import random
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path


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
    "no utf8 in a name": "UPDATE studies SET study_name = CAST(x'ff' AS TEXT) WHERE study_id = 1",
    "another version": "UPDATE alembic_version SET version_num = 'v0.9.0.a'",
    "unknown version": "UPDATE alembic_version SET version_num = 'v99'",
    "versions": "INSERT INTO alembic_version VALUES ('v0.9.0.a')",
    "two of a name": "DROP INDEX ix_studies_study_name; "
    "INSERT INTO studies (study_name) SELECT study_name FROM studies WHERE study_id = 1",
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
