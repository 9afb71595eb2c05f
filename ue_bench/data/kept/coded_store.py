"""The folder of the data cache that has coded rows: entries by what they were made from.

An entry is named by a digest of all that it follows from: the content of the files, the definition
and the code. It is written under a temporary name and then renamed, so that a folder that exists is
whole. Any entry may be removed at any time: it is made anew when it is needed.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ue_bench.config.units import parse_bytes
from ue_bench.data.cache import alone, cannot_write
from ue_bench.data.kept.code_digest import code_digest
from ue_bench.data.kept.coded_entry import Damaged, Entry, last_use, touch, write_entry
from ue_bench.data.kept.kept_contents import Contents, Holder
from ue_bench.errors import BenchError
from ue_bench.progress import note

FOLDER = "coded"  # in the folder of the cache
SIZE_VARIABLE = "UE_BENCH_CACHE_SIZE"
MOST_BYTES = 32_000_000_000  # of all entries, unless the variable says otherwise
SPARE_BYTES = 1_000_000_000  # that stay free on the disk
OLD_SECONDS = 86_400  # after which a temporary folder belongs to a process that was killed
_left_damaged: set[str] = set()  # entries that this process could not remove


class Listed(NamedTuple):
    """An entry. used: when it was last used, seconds since 1970."""

    folder: Path
    title: str
    n_bytes: int
    used: float


@dataclass(frozen=True)
class Store:
    """The entries in a folder. most_bytes: what they may take together; 0: none is kept."""

    folder: Path
    most_bytes: int

    @classmethod
    def of(cls, cache: Path) -> "Store":
        """Return the store of a cache folder. Raises BenchError for a size that is none."""
        most_bytes = MOST_BYTES
        size = os.environ.get(SIZE_VARIABLE)
        if size:
            most_bytes = parse_bytes(size, SIZE_VARIABLE)
        return cls(cache / FOLDER, most_bytes)

    def find(self, key: str, make: Callable[[], Contents]) -> Holder | None:
        """Return what is kept under a key, or None.

        make: makes it anew where it turns out to be damaged.
        """
        entry = self._open(key)
        return None if entry is None else _Kept(self, key, entry, make)

    def keep(self, key: str, title: str, make: Callable[[], Contents]) -> Holder:
        """Return what is kept under a key; where there is nothing, make it and keep it.

        Of several processes that need one entry, one makes it and the others wait.
        """
        found = self.find(key, make)
        if found is not None:
            return found
        with self.alone(key):
            found = self.find(key, make)  # of a process that was faster
            if found is not None:
                return found
            return self.write(key, title, make(), make)

    def write(
        self, key: str, title: str, contents: Contents, make: Callable[[], Contents]
    ) -> Holder:
        """Keep contents under a key and return what is kept; the contents where they cannot be."""
        try:
            self._write(key, title, contents)
        except OSError as error:
            # The command that started this process has met the same and said it.
            if parent_process() is None:
                note(f"{title}: coded rows are not kept: {cannot_write(self.folder, error)}")
            return contents
        try:
            self.prune(self.most_bytes, but=key)
        except BenchError as error:
            note(str(error))
        return self.find(key, make) or contents

    def alone(self, key: str) -> Any:
        """Hold the lock of a key; where there can be none, go on without it."""
        return alone(self.folder / f"{key}.lock")

    def remove(self, key: str) -> None:
        """Remove an entry, whether it is whole or not."""
        removed = self.folder / f".{key}-{os.getpid()}-{time.monotonic_ns()}"
        os.rename(self.folder / key, removed)  # in one step: no process finds half of it
        shutil.rmtree(removed, ignore_errors=True)

    def entries(self) -> list[Listed]:
        """Return all entries, the last used first."""
        listed = []
        for folder in self._folders():
            try:
                entry = Entry.open(folder)
            except FileNotFoundError:  # removed in this moment
                continue
            except Damaged:
                listed.append(Listed(folder, "damaged", _bytes_in(folder), 0.0))
                continue
            title = entry.manifest.title
            listed.append(Listed(folder, title, entry.n_bytes, last_use(folder)))
        return sorted(listed, key=lambda entry: entry.used, reverse=True)

    def prune(self, most_bytes: int, but: str | None = None) -> list[Listed]:
        """Remove the entries that were used least recently, until the rest has `most_bytes`.

        but: an entry that stays. Returns those that were removed. Raises BenchError where one
        cannot be removed.
        """
        self._remove_leftovers()
        removed = []
        total = 0
        for entry in self.entries():
            total += entry.n_bytes
            if total <= most_bytes or entry.folder.name == but:
                continue
            try:
                self.remove(entry.folder.name)
            except FileNotFoundError:  # by another process
                continue
            except OSError as error:
                raise cannot_write(entry.folder, error) from error
            total -= entry.n_bytes
            removed.append(entry)
        return removed

    def verify(self) -> list[str]:
        """Read all entries, remove those that are damaged, and return a line about each of these.

        Raises BenchError where one cannot be removed.
        """
        lines = []
        for folder in self._folders():
            try:
                Entry.open(folder).verify()
            except FileNotFoundError:  # removed in this moment
                continue
            except Damaged as error:
                lines.append(f"{folder} is damaged ({error}); it was removed")
                try:
                    self.remove(folder.name)
                except OSError as failure:
                    raise cannot_write(folder, failure) from failure
        return lines

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        paths = sorted(self.folder.iterdir())
        return [path for path in paths if path.is_dir() and not path.name.startswith(".")]

    def _open(self, key: str) -> Entry | None:
        folder = self.folder / key
        if str(folder) in _left_damaged:
            return None
        try:
            entry = Entry.open(folder)
        except FileNotFoundError:
            return None
        except Damaged as error:
            self.discard(key, error)
            return None
        touch(folder)
        return entry

    def discard(self, key: str, error: Damaged) -> None:
        """Name a damaged entry and remove it; where it cannot be removed, use it no more."""
        folder = self.folder / key
        note(f"{folder}: coded rows are damaged ({error}); they are made anew")
        try:
            self.remove(key)
        except FileNotFoundError:
            return  # another process was faster
        except OSError:
            _left_damaged.add(str(folder))

    def _write(self, key: str, title: str, contents: Contents) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < contents.n_bytes + SPARE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        temporary = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=self.folder))
        try:
            write_entry(temporary, title, contents)
            temporary.chmod(0o755)  # a temporary folder is for its owner alone
            os.rename(temporary, self.folder / key)
        except OSError:
            if not (self.folder / key).is_dir():  # written by no other process either
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        """Remove the temporary folders of processes that were killed."""
        before = time.time() - OLD_SECONDS
        for path in self.folder.glob(".*-*"):
            if path.is_dir() and path.stat().st_mtime < before:
                shutil.rmtree(path, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    """Return the bytes of the files of a damaged entry; 0 where another process removes it."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:
        return 0


class _Kept:
    """An entry that is made anew where a file turns out to be damaged."""

    def __init__(self, store: Store, key: str, entry: Entry, make: Callable[[], Contents]) -> None:
        self._store = store
        self._key = key
        self._make = make
        self._holder: Holder = entry
        self._title = entry.manifest.title

    @property
    def meta(self) -> dict[str, Any]:
        return self._holder.meta

    def array(self, name: str) -> np.ndarray:
        try:
            return self._holder.array(name)
        except (Damaged, FileNotFoundError) as error:
            return self._anew(error).array(name)

    def texts(self, name: str) -> pl.Series:
        try:
            return self._holder.texts(name)
        except (Damaged, FileNotFoundError) as error:
            return self._anew(error).texts(name)

    def _anew(self, error: Damaged | FileNotFoundError) -> Holder:
        if isinstance(error, Damaged):
            self._store.discard(self._key, error)
        self._holder = self._store.keep(self._key, self._title, self._make)
        return self._holder


def key_of(identity: Mapping[str, Any]) -> str:
    """Return the name of an entry: 32 hex digits that follow from what it is made from.

    identity: what JSON can hold.
    """
    digest = hashlib.sha256(code_digest().encode())
    digest.update(json.dumps(identity, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def total_bytes(entries: Iterable[Listed]) -> int:
    """Return the bytes of entries together."""
    return sum(entry.n_bytes for entry in entries)
