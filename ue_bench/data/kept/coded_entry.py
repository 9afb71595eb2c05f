"""A folder with what is kept: one file a name, and a manifest with the size and digest of each.

Numbers are .npy files and texts are Arrow files, both without compression, so that a process reads
them by memory map: all processes share one copy, and only what is read is in memory. A file is
verified by its digest when a process uses it first; a large one that has not changed since it was
verified is not read again for that, so that a start takes no longer the more rows there are.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import xxhash

from ue_bench.data.kept.file_digests import remembered
from ue_bench.data.kept.kept_contents import Contents

MANIFEST = "manifest.json"
_NUMBERS = ".npy"
_TEXTS = ".arrow"
_PIECE = 1 << 22  # bytes read at once
_FEW_BYTES = 1 << 16  # a smaller file is read: a map of it takes more time
_verified: set[tuple[str, int, int, int]] = set()  # files of this process


class Damaged(Exception):
    """A folder is not what was written. The message says why."""


class FileFacts(msgspec.Struct, forbid_unknown_fields=True):
    """The size of a file, and the XXH3 of its content as 32 hex digits."""

    bytes: int
    digest: str


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What a folder holds.

    title: what it is of, for a listing. meta: as in `Contents`. digest: of all the rest.
    """

    title: str
    meta: dict[str, Any]
    files: dict[str, FileFacts]
    digest: str = ""

    def own_digest(self) -> str:
        """Return the digest that an undamaged manifest has."""
        rest = [self.title, self.meta, msgspec.to_builtins(self.files)]
        return xxhash.xxh3_128_hexdigest(json.dumps(rest, sort_keys=True).encode())


class Entry:
    """The content of a folder.

    Its methods raise Damaged where a file is not what was written, and FileNotFoundError where the
    folder is gone.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> "Entry":
        """Return the entry in a folder, whose files have their sizes.

        Raises FileNotFoundError where there is no such folder.
        """
        manifest = _read_manifest(folder)
        entry = cls(folder, manifest)
        for name, facts in manifest.files.items():
            size = _stat(folder / name).st_size
            if size != facts.bytes:
                raise Damaged(f"{name} has {size:,} bytes, and {facts.bytes:,} were written")
        return entry

    @property
    def meta(self) -> dict[str, Any]:
        """What JSON can hold."""
        return self.manifest.meta

    @property
    def n_bytes(self) -> int:
        """The bytes of the files."""
        return sum(facts.bytes for facts in self.manifest.files.values())

    def array(self, name: str) -> np.ndarray:
        """Return an array. What is written into it stays in this process."""
        path = self._verified(f"{name}{_NUMBERS}")
        if path.stat().st_size < _FEW_BYTES:
            return np.asarray(np.load(path))
        # as a plain array: a memmap is slower to slice
        return np.asarray(np.load(path, mmap_mode="c"))

    def texts(self, name: str) -> pl.Series:
        """Return a column of texts."""
        import pyarrow as pa  # takes a sixth of a second

        path = self._verified(f"{name}{_TEXTS}")
        with pa.memory_map(str(path)) as file:
            column = pa.ipc.open_file(file).read_all().column(0)
        return pl.Series("", column, dtype=pl.String)

    def verify(self) -> None:
        """Compare the digest of every file."""
        for name in self.manifest.files:
            self._verified(name)

    def _verified(self, name: str) -> Path:
        path = self.folder / name
        state = _stat(path)
        mark = (str(path), state.st_ino, state.st_size, state.st_mtime_ns)
        if mark not in _verified:
            digest = remembered([path], "xxh3", lambda: _digest_of(path))
            if digest != self.manifest.files[name].digest:
                raise Damaged(f"{name} has another content than was written")
            _verified.add(mark)
        return path


def write_entry(folder: Path, title: str, contents: Contents) -> None:
    """Write what is kept into an empty folder, the manifest last. Raises OSError."""
    files = {}
    for path in _write_files(folder, contents):
        files[path.name] = FileFacts(path.stat().st_size, _digest_of(path))
    manifest = Manifest(title, contents.meta, files)
    manifest.digest = manifest.own_digest()
    with (folder / MANIFEST).open("w") as file:
        json.dump(msgspec.to_builtins(manifest), file)
        _flush(file.fileno(), file.flush)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def touch(folder: Path) -> None:
    """Note that an entry was used now."""
    # where nothing can be written, nothing is removed either, and the order of use has no use
    with suppress(OSError):
        os.utime(folder / MANIFEST)


def last_use(folder: Path) -> float:
    """Return when an entry was last used, seconds since 1970; 0 where it is damaged."""
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError:
        return 0.0


def _write_files(folder: Path, contents: Contents) -> Iterator[Path]:
    for name, array in contents.arrays.items():
        path = folder / f"{name}{_NUMBERS}"
        with path.open("wb") as file:
            np.save(file, array)
            _flush(file.fileno(), file.flush)
        yield path
    for name, column in contents.columns.items():
        path = folder / f"{name}{_TEXTS}"
        with path.open("wb") as file:
            # one batch, so that what is read is one piece
            frame = column.rechunk().to_frame("text")
            frame.write_ipc(file, record_batch_size=max(1, len(column)))
            _flush(file.fileno(), file.flush)
        yield path


def _flush(descriptor: int, flush: Any) -> None:
    flush()
    os.fsync(descriptor)


def _read_manifest(folder: Path) -> Manifest:
    _stat(folder / MANIFEST)
    try:
        given = json.loads((folder / MANIFEST).read_bytes())
        manifest = msgspec.convert(given, Manifest)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise Damaged(f"{MANIFEST} cannot be read: {error}") from error
    if manifest.digest != manifest.own_digest():
        raise Damaged(f"{MANIFEST} has another content than was written")
    return manifest


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        if not path.parent.is_dir():
            raise FileNotFoundError(path.parent) from error
        raise Damaged(f"{path.name} is missing") from error


def _digest_of(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
