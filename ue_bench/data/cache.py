"""The folder in which downloaded data are kept between runs."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock
from platformdirs import user_cache_path

from ue_bench.data.reading import reason_of
from ue_bench.errors import BenchError

CACHE_VARIABLE = "UE_BENCH_CACHE"


def cache_folder() -> Path:
    """Return $UE_BENCH_CACHE, or the user's cache folder of this platform.

    A variable that is empty counts as one that is not set.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return user_cache_path("ue_bench")


def require_certain_cache(why: str) -> None:
    """Raise BenchError where the variable is set and empty, for what removes from the cache.

    Another folder may be meant: `UE_BENCH_CACHE=$SCRATCH` is empty where SCRATCH is not set.
    why: what asks.
    """
    if os.environ.get(CACHE_VARIABLE) == "":
        raise BenchError(
            f"{why}: {CACHE_VARIABLE} is set and empty, and the user's cache folder may not be "
            "what is meant; set it to a folder, or unset it"
        )


def usable_cache() -> Path | None:
    """Return the folder of the cache; None where it is in a home folder that does not exist."""
    try:
        return cache_folder()
    except RuntimeError:
        return None


def cannot_write(path: Path, error: OSError) -> BenchError:
    """Return the error for a cache that cannot be written."""
    return BenchError(
        f"cannot write to {path}: {reason_of(error)}; set {CACHE_VARIABLE} to another folder"
    )


def store_folder(contents: Mapping[str, bytes], cache: Path, name: str) -> Path:
    """Write files into the folder `name` of the cache, and return it.

    The files are written under a temporary name first, so that a folder that exists is whole.
    Raises BenchError when the cache cannot be written.
    """
    target = cache / name
    temporary: Path | None = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
        for file_name, content in contents.items():
            (temporary / file_name).write_bytes(content)
        _rename(temporary, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _rename(temporary: Path, target: Path) -> None:
    """Rename a folder, unless another process has stored the same files in the meantime."""
    try:
        os.replace(temporary, target)
    except OSError:
        if not target.is_dir():
            raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of an entry; go on without it where there can be none.

    The file is removed while it is held: whoever waits for it finds the entry, and so does whoever
    comes later.
    """
    lock = FileLock(path)
    is_held = _acquire(lock, path)
    try:
        yield
    finally:
        if is_held:
            path.unlink(missing_ok=True)
            lock.release()


def _acquire(lock: BaseFileLock, path: Path) -> bool:
    """Wait for the lock; return False for a folder that is read-only or has no locks."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):
        return False
    return True
