"""Writes a file in one step: whoever reads it finds the old content or the whole new one.

The file stays what it was. A link stays a link, and the file that it leads to is replaced; mode and
owner stay. What is no regular file (a device, a pipe, a folder) is never replaced.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ue_bench.errors import BenchError

TEMPORARY = ".tmp"  # how the name of a file ends that is being written

_ADVICE = {  # where another folder is of no use
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EMFILE: "ask for fewer --workers, or raise the limit of open files (ulimit -n)",
}
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link that leads back to itself"),
)


def write_whole(path: Path, content: str | bytes) -> Path:
    """Replace `path` by `content` in one step, and return it. Text is written as UTF-8.

    Folders that are missing are made. Raises BenchError for what is no regular file, for a file of
    another user, and when the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def cannot_write(path: Path, error: OSError) -> BenchError:
    """Return the error for a file or a folder that the system does not let us write."""
    reason = error.strerror or error
    advice = _ADVICE.get(error.errno or 0, "choose another folder or free the space")
    return BenchError(f"cannot write {path}: {reason}; {advice}")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file that takes the place of `path` at the end.

    An error before the end leaves `path` as it was. Raises OSError where the folder cannot be
    written, and BenchError as `write_whole` does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = require_regular(path)
    with tempfile.NamedTemporaryFile(
        prefix=f".{target.stem}-", suffix=TEMPORARY, dir=target.parent, delete=False
    ) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _take_over(Path(file.name), target)
            os.replace(file.name, target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def move(source: Path, path: Path) -> None:
    """Replace `path` by the file `source`.

    source: in the file system of the folder of `path`. Errors are those of `replacing`.
    """
    target = require_regular(path)
    if target.parent == Path(os.path.realpath(path.parent)):
        _take_over(source, target)
        os.replace(source, target)
        return
    with source.open("rb") as content, replacing(target) as file:  # perhaps another file system
        shutil.copyfileobj(content, file)
    source.unlink()


def require_regular(path: Path) -> Path:
    """Return the file that is replaced where `path` is written: that at the end of its links.

    Raises BenchError where something else is there.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return target
    words = special_kind(mode)
    if words is not None:
        raise BenchError(
            f"cannot write {path}: it is {words}, and only a regular file is replaced; "
            "name another file"
        )
    return target


def special_kind(mode: int) -> str | None:
    """Return what a file of this mode is, in words; None for a regular file."""
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return words
    return None


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Return the content of a regular file. Raises OSError as `require_readable` does."""
    require_readable(path, most)
    return path.read_bytes()


def require_readable(path: Path, most: int | None = None) -> None:
    """Raise OSError for what is no regular file, and for one that is not there or too large.

    The end of a pipe, a socket or a device may never come. most: bytes that a file may have; None:
    as many as it has.
    """
    status = os.stat(path)
    words = special_kind(status.st_mode)
    if words is not None:
        raise OSError(errno.EINVAL, f"it is {words}, and not a regular file")
    if most is not None and status.st_size > most:
        raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes, more than {most:,}")


def _take_over(temporary: Path, target: Path) -> None:
    """Give a temporary file the owner and the mode of the file that it replaces.

    A new file has the mode of any new file. Raises BenchError where the owner cannot be kept.
    """
    try:
        before = os.stat(target)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # that of a temporary file is for its owner alone
        return
    now = os.stat(temporary)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.chown(temporary, before.st_uid, before.st_gid)
        except PermissionError as error:
            raise BenchError(
                f"cannot write {target}: it belongs to user {before.st_uid} and group "
                f"{before.st_gid}, which only they or root can keep; delete it or name another file"
            ) from error
    os.chmod(temporary, stat.S_IMODE(before.st_mode))  # after the owner, whose change takes bits
