"""The lock of a study's folder: one command at a time writes in it.

Reading needs no lock: a record that is there is whole.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ue_bench.errors import BenchError

LOCK = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process, and remove what interrupted commands left half-written.

    The lock is the system's and ends with the process, however that ends; a lock file that is left
    behind locks nobody out. Raises BenchError when another command holds the folder.
    """
    path = folder / LOCK
    with _held(path):
        try:
            sweep(folder)
            yield
        finally:
            sweep(folder)
            _remove(path)  # while it is held: the next command makes a new file


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock file."""
    folder = path.parent
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BenchError(
            f"{folder}: another command works in this folder; "
            "wait until it ends, or end it, or give another --results"
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BenchError(
                f"cannot lock {folder}: {path} is a symbolic link, which is not followed; "
                "delete the link"
            ) from error
        raise BenchError(
            f"cannot lock {folder}: {error.strerror or error}; "
            "choose another folder or free the space"
        ) from error
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Remove the temporary files of records."""
    for temporary in folder.glob(".*.tmp"):
        _remove(temporary)


def _remove(path: Path) -> None:
    """Remove a file, and leave a folder and what only another user may remove where it is.

    Two users may share the folder, where the system lets each remove files of their own alone.
    """
    with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        path.unlink()
