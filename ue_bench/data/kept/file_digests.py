"""Checksums of files that have not changed since they were read.

To read a large file only for its checksum takes seconds in every process. A small file in the cache
therefore keeps the checksum beside what the system says of the files: path, size, inode, and the
times of the last change of content and of inode, in nanoseconds. The checksum counts as long as
nothing of this has changed. No program can set the time of an inode's change back, so that a file
with another content of the same size and time is noticed too.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ue_bench.data.cache import usable_cache
from ue_bench.errors import BenchError
from ue_bench.whole_file import write_whole

FOLDER = "checksums"  # in the folder of the cache
LEAST_BYTES = 32_000_000  # of files whose checksums are remembered: others are read at once
# A file that changes twice within the resolution of the system's clock has one time for both.
SETTLED_SECONDS = 2.0


class _Remembered(msgspec.Struct, forbid_unknown_fields=True):
    """state: as `state_of` returns it."""

    state: list[tuple[str, int, int, int, int]]
    checksum: str


def remembered(paths: Sequence[Path], what: str, compute: Callable[[], str]) -> str:
    """Return the checksum of files, which is computed if they may have changed.

    what: what is computed, which keeps checksums of several kinds apart.
    """
    before = state_of(paths)
    cache = usable_cache()
    if cache is None or before is None or sum(size for _, size, *_ in before) < LEAST_BYTES:
        return compute()
    name = hashlib.sha256(json.dumps([what, before]).encode()).hexdigest()[:32]
    path = cache / FOLDER / f"{name}.json"
    found = _read(path)
    if found is not None and found.state == before:
        return found.checksum
    checksum = compute()
    if _is_settled(before) and state_of(paths) == before:
        # without it, the checksum is computed again the next time
        with suppress(BenchError):
            write_whole(path, msgspec.json.encode(_Remembered(before, checksum)))
    return checksum


def forget() -> None:
    """Forget all checksums, so that files are read again."""
    cache = usable_cache()
    if cache is not None:
        shutil.rmtree(cache / FOLDER, ignore_errors=True)


def state_of(paths: Sequence[Path]) -> list[tuple[str, int, int, int, int]] | None:
    """Return what the system says of files: path, size, times of change, inode; None: an error."""
    state = []
    for path in paths:
        try:
            facts = path.stat()
            real = str(path.resolve())
        except OSError:  # which whoever reads the file reports
            return None
        state.append((real, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino))
    return state


def _is_settled(state: list[tuple[str, int, int, int, int]]) -> bool:
    last_change = max(max(modified, changed) for _, _, modified, changed, _ in state)
    return time.time() - last_change / 1e9 > SETTLED_SECONDS


def _read(path: Path) -> _Remembered | None:
    """Return what was kept, or None where there is nothing, or something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Remembered)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
