"""The storage that workers share: opened from a URL, with every way in which that fails told in one line without the password."""

import os
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, get_storage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError

from ue_bench.errors import BenchError, unknown

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "sqlite": "sqlite",
}
HEARTBEAT = 20  # seconds
GRACE = 3  # heartbeats: a trial whose worker has been silent for longer is lost
RETRIES = 5  # of one run whose workers were lost: it may be what ends them
OPENINGS = 10  # workers that start at once make the tables at once, and all but one fail
T = TypeVar("T")


class Storage:
    """An open storage. heartbeat: seconds, the same for all workers of a study.

    Raises BenchError for a URL that names no storage, a missing driver, and a server that cannot be reached or refuses.
    """

    def __init__(self, url: str, heartbeat: int = HEARTBEAT) -> None:
        parsed = _parse(url)
        self.name = parsed.render_as_string(hide_password=True)
        self.heartbeat, self.grace = heartbeat, GRACE * heartbeat
        os.environ["PGTZ"] = (
            "UTC"  # heartbeats of all workers are compared as the database writes them, without their time zones
        )
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with quiet():
            self.retry = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
            self.backend = self._open(parsed)
            self.cached = get_storage(self.backend)

    def _open(self, url: URL) -> RDBStorage:
        connect = {}
        if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
            connect = {
                "connect_timeout": 10
            }  # seconds; a host that swallows packets is waited for no longer
        for opening in range(OPENINGS):
            try:
                return RDBStorage(
                    url.render_as_string(hide_password=False),
                    engine_kwargs={"pool_pre_ping": True, "connect_args": connect},
                    heartbeat_interval=self.heartbeat,
                    grace_period=self.grace,
                    heartbeat_stale_trial_callback=self.retry,
                )
            except ImportError as error:
                raise BenchError(
                    f"{self.name} needs the driver psycopg; run: pip install 'psycopg[binary]'"
                ) from error
            except RuntimeError as error:  # made by an Optuna with other tables
                raise BenchError(f"{self.name}: {_line(error)}") from error
            except (DBAPIError, StorageInternalError) as error:
                cause = error.__cause__ if isinstance(error, StorageInternalError) else error
                told = self._told(error)
                at_once = (
                    isinstance(cause, (ProgrammingError, IntegrityError))
                    or "already exists" in told
                    or "locked" in told
                )
                if not at_once or opening == OPENINGS - 1:
                    raise BenchError(f"{self.name} cannot be used: {told}") from error
                time.sleep(random.uniform(0.05, 0.3))
        raise AssertionError("the last opening returned or raised")

    def _told(self, error: Exception) -> str:
        cause = error.__cause__ or error
        return _line(cause.orig if isinstance(cause, DBAPIError) and cause.orig else cause)

    def steadily(self, action: Callable[[], T]) -> T:
        """What `action` returns; tried again while the server does not answer, for as long as a worker may be silent.

        Raises BenchError when it still does not.
        """
        until = time.monotonic() + self.grace
        while True:
            try:
                with quiet():
                    return action()
            except StorageInternalError as error:
                if time.monotonic() > until:
                    raise BenchError(
                        f"{self.name} no longer answers: {self._told(error)}; start the worker again later; "
                        "runs that are in the storage stay there"
                    ) from error
                time.sleep(self.heartbeat / 4)

    def study(self, name: str, objectives: int) -> optuna.Study:
        """The Optuna study of that name, made where it is not there yet."""
        return self.steadily(
            lambda: optuna.create_study(
                storage=self.cached,
                study_name=name,
                directions=["minimize"] * objectives,
                load_if_exists=True,
            )
        )

    def names(self) -> list[str]:
        """The names of all Optuna studies in the storage, in the order in which they were made."""
        return [study.study_name for study in self.steadily(self.backend.get_all_studies)]


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's warnings that the heartbeat is experimental, and meant for its own loop: ours beats the same way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Heartbeat of storage")
        yield


def _parse(given: str) -> URL:
    try:
        url = make_url(given)
        scheme = url.drivername
    except (ArgumentError, ValueError) as error:  # the text itself may hold a password
        raise BenchError(
            "storage: no URL was given that can be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with @, / and : in a password as %40, %2F and %3A"
        ) from error
    if scheme == "grpc":
        raise BenchError(
            "storage: a gRPC proxy passes no heartbeats on, so that a lost worker's run would never be run again; "
            "give the URL of the database, postgresql://..."
        )
    if scheme not in DRIVERS:
        raise unknown(
            "storage", f"{scheme}://", [f"{name}://" for name in ("postgresql", "sqlite")]
        )
    return url.set(drivername=DRIVERS[scheme])


def _line(error: Any) -> str:
    return " ".join(str(error).split())
