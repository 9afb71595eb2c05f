"""The URL of a storage: what it names, how messages call it, and which parts no message shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ue_bench.errors import BenchError, unknown

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "sqlite": "sqlite",
}
HIDDEN = "***"
USER = re.compile(r"^[^:/]*(:[^@]*)?@")  # as SQLAlchemy reads it
HOST = re.compile(r"[\w.,%:-]*")
PLAIN = re.compile(r"[\w.@ -]*")  # users and databases that are shown
# Options in the query whose values a message of the driver may show.
SHOWN = {
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "passfile",
    "port",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
}
NAME_BYTES = 63  # PostgreSQL cuts longer names in its messages
SHORT = 4  # characters; a shorter secret is hidden where it is a word, not within others
FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
ESCAPES = "with @, /, :, ? and & in a password as %40, %2F, %3A, %3F and %26"


@dataclass(frozen=True)
class StorageUrl:
    """A URL that names a storage.

    name: what messages call it. secrets: texts of which no message shows any, the longest first.
    """

    url: URL
    name: str
    secrets: tuple[str, ...]

    @property
    def is_file(self) -> bool:
        return self.url.drivername == "sqlite"

    def hide(self, text: str) -> str:
        """Return a message of the driver without the secrets."""
        for secret in self.secrets:
            pattern = re.escape(secret)
            if len(secret) < SHORT:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
        return text


def parse_url(given: str) -> StorageUrl:
    """Return what a URL names. Raises BenchError, which shows no part that may be a password."""
    text = given.strip()
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The error quotes a part of the URL.
        raise _unreadable() from None
    scheme = url.drivername.lower()
    if scheme == "grpc":
        raise BenchError(
            "storage: a gRPC proxy passes no heartbeats on, so that a lost worker's run would "
            "never be run again; give the URL of the database, postgresql://..."
        )
    if scheme not in DRIVERS:
        raise unknown("storage", f"{scheme}://", ["postgresql://", "sqlite://"])
    url = url.set(drivername=DRIVERS[scheme])
    if scheme == "sqlite":
        _require_file(url)
        return StorageUrl(url, f"sqlite:///{url.database}", ())
    _require_readable(text, url)
    _require_known_options(url)
    return StorageUrl(url, _name(url), _secrets(url))


def _unreadable() -> BenchError:
    return BenchError(f"storage: no URL was given that can be read; write {FORM}, {ESCAPES}")


def _require_file(url: URL) -> None:
    """Raise BenchError unless a SQLite URL names a file and nothing else."""
    if url.host or url.port or url.username is not None or url.password is not None:
        raise BenchError("storage: a SQLite URL names a host; write sqlite:///FILE")
    database = url.database or ""
    if database in ("", ":memory:", "file::memory:") or url.query.get("mode") == "memory":
        raise BenchError(
            "storage: a SQLite database in memory ends with the worker, and all runs with it; "
            f"write sqlite:///FILE or {FORM}"
        )
    if url.query or database.startswith("file:"):
        raise BenchError(
            "storage: a SQLite URL has options or a URI within; write sqlite:///FILE, "
            "with ? in the name of the file as %3F"
        )


def _require_readable(text: str, url: URL) -> None:
    """Raise BenchError where a part of the password may be taken for another part of the URL."""
    place = USER.sub("", text.partition("://")[2], count=1)
    location, _, options = place.partition("?")
    shown = [value for key in SHOWN - {"user"} for value in _values(url, key)]
    readable = (
        text.isprintable()
        and HOST.fullmatch(url.host or "") is not None
        and "@" not in location
        and not any("@" in value for value in shown)
        and all("=" in option for option in options.split("&") if option)
    )
    if not readable:
        raise _unreadable()


def _require_known_options(url: URL) -> None:
    """Raise BenchError for an option that the library of PostgreSQL does not know.

    It may be what follows an & in a password, so that the message does not show it.
    """
    try:
        from psycopg import pq
    except ImportError:  # reported when the storage is opened
        return
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    for key, value in url.query.items():
        if key not in known:
            raise BenchError(
                "storage: the query of the URL, after the ?, has an option that PostgreSQL does "
                "not know; write options as in ?sslmode=require, and & in a password as %26"
            )
        if not isinstance(value, str) and key != "host":
            raise BenchError(
                "storage: the query of the URL, after the ?, has an option twice; give it once"
            )


def _name(url: URL) -> str:
    """Return the URL with neither password nor query."""
    name = f"{url.drivername}://"
    if url.username is not None:
        name += _plain(url.username)
        if url.password is not None:
            name += f":{HIDDEN}"
        name += "@"
    host = url.host or ""
    name += f"[{host}]" if ":" in host else host
    if url.port is not None:
        name += f":{url.port}"
    if url.database is not None:
        name += f"/{_plain(url.database)}"
    return name


def _plain(text: str) -> str:
    return text if PLAIN.fullmatch(text) else HIDDEN


def _secrets(url: URL) -> tuple[str, ...]:
    """Return all secret texts of a URL in the forms in which a message may contain them."""
    forms = set()
    for text in _secret_texts(url):
        cut = text.encode(errors="replace")[:NAME_BYTES].decode(errors="ignore")
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        coded = text.encode(errors="replace")
        forms |= {text, cut, escaped, repr(text)[1:-1], quote(coded), quote_plus(coded)}
    forms.discard("")
    return tuple(sorted(forms, key=len, reverse=True))


def _secret_texts(url: URL) -> Iterator[str]:
    if url.password is not None:
        yield str(url.password)
    for part in (url.username, url.database):
        if part and not PLAIN.fullmatch(part):
            yield part
    for key in url.query.keys() - SHOWN:
        for value in _values(url, key):
            yield value
            # The server quotes single settings of `options`, in whose names it replaces hyphens.
            for word in re.split(r"[\s=\\]+", value):
                if len(word) >= SHORT:
                    yield word
                    yield word.replace("-", "_")


def _values(url: URL, key: str) -> list[str]:
    """Return the values of an option in the query."""
    value = url.query.get(key, ())
    return [value] if isinstance(value, str) else list(value)
