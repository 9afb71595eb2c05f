"""The lock of a study's folder: one command at a time writes in it.

Reading needs no lock: a record that is there is whole.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
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
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise BenchError(
            f"{folder}: another command works in this folder; "
            "wait until it ends, or end it, or give another --results"
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BenchError(
                f"cannot lock {folder}: {folder / LOCK} is a symbolic link, which is not followed; "
                "delete the link"
            ) from error
        raise BenchError(
            f"cannot lock {folder}: {error.strerror or error}; "
            "choose another folder or free the space"
        ) from error
    try:
        sweep(folder)
        yield
    finally:
        sweep(folder)
        # removed while it is held: the next command makes a new file
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def sweep(folder: Path) -> None:
    """Remove the temporary files of records."""
    for temporary in folder.glob(".*.tmp"):
        temporary.unlink(missing_ok=True)
