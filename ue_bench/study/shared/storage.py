"""The storage that workers share, opened from a URL.

Each way in which this fails is reported in one line, without the password.
"""

import os
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, get_storage
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from ue_bench.errors import BenchError
from ue_bench.study.optuna_file import engine_options
from ue_bench.study.shared.storage_url import parse_url

HEARTBEAT = 20  # seconds
GRACE = 3  # heartbeats; a trial whose worker has been silent for longer is lost
RETRIES = 5  # of a run whose workers were lost; the run may be what ends them
OPENINGS = 10  # workers that start together create the tables together, and all but one fail
CONNECT_SECONDS = 10  # to wait for a host that does not answer
# What a query raises when its connection fails. Optuna wraps the driver's errors in the first one,
# but not those of its own rollback on a connection that a signal or a lost server has broken. The
# pool closes such a connection, and the next query has a new one.
NO_ANSWER = (StorageInternalError, OperationalError, InterfaceError, InterruptedError)
T = TypeVar("T")


class Storage:
    """An open storage. heartbeat: seconds, the same for all workers of a study.

    Raises BenchError for a URL that names no storage, a missing driver, and a server that cannot be
    reached or refuses.
    """

    def __init__(self, url: str, heartbeat: int = HEARTBEAT) -> None:
        self._url = parse_url(url)
        self.name = self._url.name
        self.heartbeat = heartbeat
        self.grace = GRACE * heartbeat
        # The heartbeats of all workers are compared as the database writes them, without zones.
        os.environ["PGTZ"] = "UTC"
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with quiet():
            self.retry = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
            self.backend = self._open()
            self.cached = get_storage(self.backend)

    def steadily(self, action: Callable[[], T]) -> T:
        """Return what `action` returns, and repeat it while the server does not answer.

        Raises BenchError if the server does not answer for as long as a worker may be silent, and
        for content that another program has damaged.
        """
        until = time.monotonic() + self.grace
        while True:
            try:
                with quiet():
                    return action()
            except NO_ANSWER as error:
                if time.monotonic() > until:
                    raise BenchError(
                        f"{self.name} no longer answers: {self._cause(error)}; start the worker "
                        "again later; runs that are in the storage stay there"
                    ) from None
                time.sleep(self.heartbeat / 4)
            except JSONDecodeError as error:
                raise BenchError(
                    f"{self.name} holds an attribute of a study or a trial that is no JSON "
                    f"({error}); another program has changed it: restore the database, or name "
                    "a new one"
                ) from None

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
                return self._connect()
            except ImportError as error:
                raise BenchError(
                    f"{self.name} needs the driver psycopg; run: pip install 'psycopg[binary]'"
                ) from error
            except RuntimeError as error:  # another version of Optuna made the tables
                raise BenchError(f"{self.name}: {self._cause(error)}") from None
            # SQLAlchemy and the driver raise errors of Python too for what they cannot read in a
            # URL. A traceback would show them as they are.
            except (SQLAlchemyError, StorageInternalError, TypeError, ValueError) as error:
                if attempt == OPENINGS or not _is_of_a_race(error):
                    cause = self._cause(error)
                    raise BenchError(f"{self.name} cannot be used: {cause}") from None
                time.sleep(random.uniform(0.05, 0.3))
        raise AssertionError("the last attempt returned or raised")

    def _connect(self) -> RDBStorage:
        url = self._url.url
        engine_kwargs: dict[str, Any] = {"pool_pre_ping": True}
        if self._url.is_file:
            address = "sqlite://"
            engine_kwargs |= engine_options(Path(url.database or ""))
        else:
            address = url.render_as_string(hide_password=False)
            # Optuna replaces what is in braces.
            address = address.replace("{", "{{").replace("}", "}}")
            if "connect_timeout" not in url.query:
                engine_kwargs["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
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
