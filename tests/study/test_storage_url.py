"""URLs of a storage: none shows a password in any message, and none names a database in memory."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.study.shared import Storage, storage
from ue_bench.study.shared.storage_url import parse_url

HERE = "127.0.0.1:1"  # nothing listens there
SECRETS = ("hunter2", "swordfish", "xyzzy", "%68unter2", "hunter%32")
WITH_PASSWORD = (
    # readable
    f"postgresql://ue:hunter2@{HERE}/ue",
    f"postgres://ue:hunter2@{HERE}/ue",
    f"POSTGRESQL://ue:hunter2@{HERE}/ue",
    f"Postgres://ue:hunter2@{HERE}",
    f"postgresql+psycopg://:hunter2@{HERE}/ue",
    f" postgresql://ue:hunter2@{HERE}/ue\n",
    f"postgresql://ue:%68unter2%40swordfish@{HERE}/ue",
    f"postgresql://ue:hunter%32{{xyzzy}}@{HERE}/ue",
    f"postgresql://ue:hunter2/swordfish?xyzzy@{HERE}/ue",
    f"postgresql://ue:hunter2:swordfish#xyzzy@{HERE}/ue",
    f"postgresql://ue@server:hunter2@{HERE}/ue",
    f"postgresql://ue%3Ahunter2@{HERE}/ue",
    f"postgresql://{HERE}/ue?user=ue&password=hunter2",
    f"postgresql://{HERE}/ue?user=ue&password=%68unter2%26swordfish",
    f"postgresql://ue:hunter2@{HERE}/ue?password=swordfish",
    f"postgresql://ue@{HERE}/ue?sslpassword=hunter2&sslmode=disable",
    f"postgresql://ue@{HERE}/ue?options=-c%20hunter2%3Dswordfish",
    f"postgresql://ue@{HERE}/ue?application_name=hunter2",
    f"postgresql://ue@{HERE}/ue?scram_client_key=hunter2",
    f"postgresql://ue@{HERE}/ue?sslkey=/nowhere&sslpassword=hunter2",
    f"postgresql://ue@{HERE}/password%3Dhunter2",
    f"postgresql://ue@{HERE}/ue&password=hunter2",
    f"postgresql://ue@{HERE}/ue#hunter2",
    "postgresql:///ue?host=127.0.0.1&port=1&user=ue&password=hunter2",
    "postgresql://ue:hunter2@/ue?host=127.0.0.1:1&host=127.0.0.1:2",
    "postgresql://ue:hunter2@/ue?host=a:b:c&host=d",
    f"postgresql://ue:hunter2@{HERE}/ue?connect_timeout=soon",
    f"postgresql://ue:hunter2@{HERE}/ue?sslmode=swordfish2&options=swordfish2",
    f"postgresql://ue:hunter2@{HERE}/ue?client_encoding=xyzzy",
    f"postgresql://ue:hunter2@{HERE}/ue?require_auth=hunter2",
    # a part of the password may be taken for another part
    f"postgresql://ue:hunter2@swordfish@{HERE}/ue",
    f"postgresql://ue:hunter2@swordfish:xyzzy@{HERE}/ue",
    f"postgresql://ue:hunter2@swordfish/xyzzy@{HERE}/ue",
    f"postgresql://ue:hunter2@swordfish?xyzzy@{HERE}/ue",
    f"postgresql://ue:hunter2@swordfish?a=xyzzy@{HERE}/ue",
    f"postgresql://ue:hunter2@5432@{HERE}/ue",
    f"postgresql://u/e:hunter2@{HERE}/ue",
    f"postgresql://{HERE}/ue?user=ue&password=hunter2&swordfish",
    f"postgresql://{HERE}/ue?user=ue&password=hunter2&swordfish=xyzzy",
    f"postgresql://{HERE}/ue?PASSWORD=hunter2",
    f"postgresql://{HERE}/ue?password=hunter2&password=swordfish",
    f"postgresql://{HERE}/ue?passwrod=hunter2",
    f"postgresql://{HERE}/ue?hunter2=1",
    f"postgresql://{HERE}/ue?plugin=hunter2",
    f"postgresql://{HERE}/ue?host=ue:hunter2@there",
    f"postgresql://{HERE}/ue?dbname=postgresql://ue:hunter2@there/ue",
    # no URL that can be read
    f"postgresql://ue:hunter2@{HERE}hunter2/ue",
    "postgresql://ue:54x32hunter2",
    "postgresql://ue:hunter2@[::1/ue",
    "postgresql://ue:hunter2@host\x00/ue",
    "postgresql://ue:hunter2@ho st/ue",
    "postgresql://ue:hunter2@host\nswordfish/ue",
    "postgresql:ue:hunter2@host/ue",
    "postgresql:/ue:hunter2@host/ue",
    "ue:hunter2@host/ue",
    "host=there user=ue password=hunter2",
    "hunter2",
    "",
    # no such storage
    "mysql://ue:hunter2@host/ue",
    "postgresql+asyncpg://ue:hunter2@host/ue",
    "grpc://ue:hunter2@host:1",
    "redis://:hunter2@host",
    "sqlite://ue:hunter2@host/ue",
    "sqlite:///file.sqlite3?password=hunter2",
    "sqlite:////nowhere/file.sqlite3?key=hunter2",
)


def require_hidden(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@pytest.mark.parametrize("given", WITH_PASSWORD, ids=range(len(WITH_PASSWORD)))
def test_no_message_shows_a_password(given):
    done = CliRunner().invoke(main, ["pull", "--storage", given])
    assert done.exit_code == 2
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1
    require_hidden(done.output)
    # What a program that uses the package would print.
    with pytest.raises(BenchError) as caught:
        Storage(given)
    require_hidden("".join(traceback.format_exception(caught.value)))


def test_a_readable_url_is_named_by_what_is_no_secret():
    named = parse_url("POSTGRES://ue:hunter2@db.example:54/own?sslmode=require&password=xyzzy")
    assert named.name == "postgresql+psycopg://ue:***@db.example:54/own"
    assert parse_url("postgresql://ue@[::1]:54/own").name == "postgresql+psycopg://ue@[::1]:54/own"
    assert parse_url("sqlite:////data/own.sqlite3").name == "sqlite:////data/own.sqlite3"


def test_what_the_driver_says_is_shown_without_secrets():
    named = parse_url("postgresql://ue:a@h/ue?options=-c%20hunter2%3Dswordfish&password=it's\\%20")
    said = "unrecognized \"hunter2\"; a database; SWORDFISH; password=it\\'s\\\\ ; it's\\ "
    assert named.hide(said) == 'unrecognized "***"; *** database; ***; password=***; ***'


def of_driver(said: str) -> Exception:
    return OperationalError("SELECT 1", {}, psycopg.OperationalError(said))


def of_optuna(said: str) -> Exception:
    error = StorageInternalError("failed")
    error.__cause__ = of_driver(said)
    return error


URL_WITH_SECRETS = "postgresql://ue:hunter2@h/ue?password=swordfish&options=xyzzy"


@pytest.mark.parametrize("said", ['no "hunter2"', "bad\nswordfish here", "not 'xyzzy'"])
@pytest.mark.parametrize("kind", [of_driver, of_optuna, ValueError, TypeError, RuntimeError])
@pytest.mark.parametrize("opens", ["require_tables", "RDBStorage"])
def test_an_error_on_the_way_shows_no_password(monkeypatch, said, kind, opens):
    def fail(*given: object, **options: object) -> None:
        raise kind(said)

    # the first of the two that open the storage must not look for a host
    monkeypatch.setattr(storage, "require_tables", lambda *_: None)
    monkeypatch.setattr(storage, opens, fail)
    with pytest.raises(
        BenchError, match=r"^postgresql\+psycopg://ue:\*\*\*@h/ue.*\*\*\*"
    ) as caught:
        Storage(URL_WITH_SECRETS)
    require_hidden("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["worker", "--help"],
        ["pull", "--help"],
        ["pull", "URL"],
        ["URL"],
        ["worker", "--study", "URL"],
        ["worker", "--study", "article", "--heartbeat", "URL"],
        ["worker", "--study", "article", "--seed=URL"],
        ["worker", "--storag", "URL"],
        ["pull", "--storag=URL"],
        ["pull", "--study", "URL"],
        ["study", "URL"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "url",
    ["postgresql://ue:hunter2@sword fish/xyzzy@h/ue", "postgres://h/ue?user=ue&password=hunter2"],
)
def test_a_url_at_the_wrong_place_shows_no_password(arguments, url):
    given = [argument.replace("URL", url) for argument in arguments]
    done = CliRunner().invoke(main, given, env={"UE_BENCH_STORAGE": url})
    require_hidden(done.output)


IN_MEMORY = (
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///%3Amemory%3A",
    "SQLite:///:memory:",
    "sqlite:///?mode=memory",
    "sqlite:///x?mode=memory",
    "sqlite:///x?mode=memory&uri=true",
    "sqlite:///file::memory:?uri=true",
    "sqlite:///file:x?mode=memory&cache=shared&uri=true",
)


@pytest.mark.parametrize("given", IN_MEMORY)
def test_a_database_in_memory_is_refused(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["worker", "--study", "article", "--storage", given])
    assert done.exit_code == 2
    last = done.output.splitlines()[-1]
    assert last.startswith(
        "Error: storage: a SQLite database in memory ends with the worker, and all runs with it"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["sqlite:///x?uri=true", "sqlite:///file:x", "sqlite:///x?a=b"])
def test_a_url_of_sqlite_names_a_file_alone(given):
    with pytest.raises(BenchError, match="write sqlite:///FILE"):
        Storage(given)


@pytest.mark.parametrize("name", ["what%3F", "a b#c{d}", "größe"])
def test_a_shared_file_is_where_its_url_says(tmp_path, name):
    Storage(f"sqlite:///{tmp_path}/{name}").names()
    (file,) = tmp_path.iterdir()
    assert file.name == name.replace("%3F", "?")
    with closing(sqlite3.connect(Path(file))) as connection:
        assert connection.execute("SELECT count(*) FROM studies").fetchall() == [(0,)]
