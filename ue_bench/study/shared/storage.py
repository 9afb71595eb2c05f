"""The storage that workers share, opened from a URL.

Each way in which this fails is reported in one line, without the password.
"""

import os
import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import (
    ExperimentalWarning,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, get_storage
from sqlalchemy import create_engine
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    MultipleResultsFound,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from ue_bench.errors import BenchError
from ue_bench.progress import note
from ue_bench.study.optuna_file import Damaged, engine_options, is_outside, reason
from ue_bench.study.shared.damage import require_readable, require_tables
from ue_bench.study.shared.storage_url import parse_url

HEARTBEAT = 20  # seconds
GRACE = 3  # heartbeats; a trial whose worker has been silent for longer is lost
RETRIES = 5  # of a run whose workers were lost; the run may be what ends them
PATIENCE = 600.0  # seconds that a worker waits for a server that does not answer
REFUSALS = 3  # of one query: two workers may write the same row at once, and one is refused
OPENINGS = 10  # workers that start together create the tables together, and all but one fail
CONNECT_SECONDS = 10  # to wait for a host that does not answer
# What a query raises when its connection fails. Optuna wraps the driver's errors in the first one,
# but not those of its own rollback on a connection that a signal or a lost server has broken. The
# pool closes such a connection, and the next query has a new one.
NO_ANSWER = (StorageInternalError, OperationalError, InterfaceError, InterruptedError)
# Classes of PostgreSQL's error codes that pass: a connection or a transaction that ended, too few
# resources, something in use, a server that stops or starts, the system around it.
PASSING = ("08", "25", "40", "53", "55", "57", "58")
# What a query raises that the server has answered, and did not do. Optuna raises a KeyError for a
# row that is not there.
REFUSED = (SQLAlchemyError, StorageInternalError, sqlite3.Error, KeyError)
OPENING = (SQLAlchemyError, StorageInternalError, sqlite3.Error, OSError)
T = TypeVar("T")


class StorageDamaged(BenchError):
    """A storage does not hold what Optuna and the workers wrote."""


class Storage:
    """An open storage. heartbeat: seconds, the same for all workers of a study.

    patience: seconds to wait for a server that does not answer. It may be longer than the time
    after which others take the trial of a silent worker, because the server is silent for all.

    Raises BenchError for a URL that names no storage, a missing driver, a server that cannot be
    reached or refuses, and for tables that are damaged.
    """

    def __init__(self, url: str, heartbeat: int = HEARTBEAT, patience: float = PATIENCE) -> None:
        self._url = parse_url(url)
        self.name = self._url.name
        self.heartbeat = heartbeat
        self.grace = GRACE * heartbeat
        self.patience = patience
        self._silent_since: float | None = None
        self._silent_until = -float("inf")
        # The heartbeats of all workers are compared as the database writes them, without zones.
        os.environ["PGTZ"] = "UTC"
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with quiet():
            self.retry = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
            self.backend = self._open()
            self.cached = get_storage(self.backend)

    def steadily(self, action: Callable[[], T]) -> T:
        """Return what `action` returns, and repeat it while the server does not answer.

        Raises BenchError if the server does not answer for as long as the patience lasts, and at
        once for content that another program has damaged.
        """
        first_failure: float | None = None
        told = False
        refusals = 0
        while True:
            try:
                with quiet():
                    result = action()
            except (BenchError, UpdateFinishedTrialError, MemoryError):
                raise
            # Damage can raise whatever the driver, SQLAlchemy, Optuna and its decoders raise.
            except Exception as error:
                if not _is_silence(error):
                    refusals += 1
                    self._require_sound(error, refusals)
                    time.sleep(random.uniform(0.05, 0.3))
                    continue
                self.hear(answer=False)
                if first_failure is None:
                    first_failure = time.monotonic()
                elif time.monotonic() - first_failure > self.patience:
                    raise BenchError(
                        f"{self.name} no longer answers: {self._cause(error)}; start the worker "
                        "again later; runs that are in the storage stay there"
                    ) from None
                elif not told:  # what a signal interrupts is not worth a word
                    told = True
                    note(
                        f"{self.name} does not answer ({self._cause(error)}); waiting "
                        f"for it, {self.patience:,.0f} seconds at most"
                    )
                time.sleep(min(self.heartbeat / 4, self.patience))
            else:
                self.hear(answer=True)
                return result

    def hear(self, answer: bool) -> None:
        """Note whether the server has answered just now."""
        now = time.monotonic()
        if not answer:
            self._silent_since = self._silent_since or now
            return
        since, self._silent_since = self._silent_since, None
        if since is not None and now - since > self.heartbeat:
            self._silent_until = now

    @property
    def heard_all(self) -> bool:
        """Whether workers that live have had the time to record a heartbeat.

        None could do so while the server did not answer.
        """
        return time.monotonic() - self._silent_until > self.grace

    def study(self, name: str, n_objectives: int) -> optuna.Study:
        """Return the Optuna study of that name; create it if it does not exist."""
        return self.steadily(
            lambda: optuna.create_study(
                storage=self.cached,
                study_name=name,
                directions=["minimize"] * n_objectives,
                load_if_exists=True,
            )
        )

    def names(self) -> list[str]:
        """Return the names of all Optuna studies, in the order in which they were created."""
        return [study.study_name for study in self.steadily(self.backend.get_all_studies)]

    def _open(self) -> RDBStorage:
        """Open the storage; try again where another worker creates the tables."""
        for attempt in range(1, OPENINGS + 1):
            try:
                self._require_tables()
                return self._connect()
            except Damaged as error:
                raise self._damaged(error) from None
            except ImportError as error:
                raise BenchError(
                    f"{self.name} needs the driver psycopg; run: pip install 'psycopg[binary]'"
                ) from error
            except RuntimeError as error:  # another version of Optuna made the tables
                raise BenchError(f"{self.name}: {self._cause(error)}") from None
            # SQLAlchemy and the driver raise errors of Python too for what they cannot read in a
            # URL. A traceback would show them as they are.
            except (*OPENING, TypeError, ValueError) as error:
                if attempt == OPENINGS or not _is_of_a_race(error):
                    if self._file is not None and not is_outside(error):
                        raise self._damaged(error) from None
                    cause = self._cause(error)
                    raise BenchError(f"{self.name} cannot be used: {cause}") from None
                time.sleep(random.uniform(0.05, 0.3))
        raise AssertionError("the last attempt returned or raised")

    @property
    def _file(self) -> Path | None:
        return Path(self._url.url.database or "") if self._url.is_file else None

    def _address(self) -> tuple[str, dict[str, Any]]:
        """Return the URL and the options with which SQLAlchemy opens the storage."""
        url = self._url.url
        options: dict[str, Any] = {"pool_pre_ping": True}
        if self._file is not None:
            return "sqlite://", options | engine_options(self._file)
        if "connect_timeout" not in url.query:
            options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
        return url.render_as_string(hide_password=False), options

    def _require_tables(self) -> None:
        """Raise Damaged if tables are damaged, before Optuna makes anew what is missing."""
        address, options = self._address()
        engine = create_engine(address, **options)
        try:
            require_tables(engine, self._file)
        finally:
            engine.dispose()

    def _require_sound(self, error: Exception, refusals: int) -> None:
        """Raise what an error that is no silence means, unless it may pass.

        refusals: how often the same query has been refused.
        """
        try:
            require_tables(self.backend.engine, self._file)
            require_readable(self.backend)
        except Exception as found:
            if not _is_silence(found):
                raise self._damaged(found) from None
        if isinstance(error, Damaged):  # and mended since
            return
        if not isinstance(error, REFUSED):
            raise error
        if refusals >= REFUSALS:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> "StorageDamaged":
        why = self._url.hide(reason(error))
        return StorageDamaged(
            f"{self.name} is damaged: {why}; another program has changed it: restore it, or name a "
            "new database; ue-bench pull keeps the records that it can read"
        )

    def _connect(self) -> RDBStorage:
        address, engine_kwargs = self._address()
        # Optuna replaces what is in braces.
        address = address.replace("{", "{{").replace("}", "}}")
        return RDBStorage(
            address,
            engine_kwargs=engine_kwargs,
            heartbeat_interval=self.heartbeat,
            grace_period=self.grace,
            heartbeat_stale_trial_callback=self.retry,
        )

    def _cause(self, error: Exception) -> str:
        """Return the driver's own message, in one line and without secrets."""
        return " ".join(self._url.hide(str(_cause(error))).split())


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Optuna's warnings about heartbeats.

    They say that the heartbeat is experimental and meant for Optuna's own loop. This package
    records heartbeats in the same way.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Heartbeat of storage")
        yield


def _is_silence(error: Exception) -> bool:
    """Return whether an error says that the server did not answer, and may do so later."""
    cause = _cause(error)
    if not isinstance(error, (*NO_ANSWER, sqlite3.Error, OSError)):
        return False
    if isinstance(cause, MultipleResultsFound):  # the server did answer
        return False
    if isinstance(cause, sqlite3.Error):
        return is_outside(cause)
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(PASSING)


def _is_of_a_race(error: Exception) -> bool:
    """Return whether an error comes from another worker that creates the tables now."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, (ProgrammingError, IntegrityError)):
        return True
    text = str(_cause(error))
    return "already exists" in text or "locked" in text


def _cause(error: Exception) -> BaseException:
    """Return the database driver's own error."""
    cause = error.__cause__ or error
    if isinstance(cause, DBAPIError) and cause.orig:
        return cause.orig
    return cause
