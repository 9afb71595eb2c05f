"""Checksums of files: MD5 of an archive, SHA-256 over the names and contents of several files."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from ue_bench.data.reading import cannot_read

_PIECE = 1 << 20  # bytes read at once


class HasChecksum(Protocol):
    """Files that know their checksum."""

    @property
    def checksum(self) -> str: ...


@contextmanager
def checksum_beside(files: HasChecksum) -> Iterator[Future[str]]:
    """Compute the checksum of files in a thread while the caller parses them.

    Hashing leaves the interpreter free for the parser.
    """
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(lambda: files.checksum)


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, 32 hex digits. Raises BenchError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error


def content_checksum(contents: Mapping[str, bytes]) -> str:
    """Return `sha256:` over names, lengths and contents, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(_heading(name, len(contents[name])))
        digest.update(contents[name])
    return f"sha256:{digest.hexdigest()}"


def folder_checksum(folder: Path, names: Iterable[str]) -> str:
    """Return the `content_checksum` of files in a folder, without holding one in memory.

    Raises BenchError for a file that cannot be read.
    """
    digest = hashlib.sha256()
    for name in sorted(names):
        path = folder / name
        try:
            digest.update(_heading(name, path.stat().st_size))
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except OSError as error:
            raise cannot_read(path, error) from error
    return f"sha256:{digest.hexdigest()}"


def frames_checksum(frames: Iterable[pl.DataFrame | None]) -> str:
    """Return `sha256:` over the values of frames of texts and numbers, in their order."""
    digest = hashlib.sha256()
    for frame in frames:
        columns = () if frame is None else frame.get_columns()
        for column in columns:
            digest.update(_heading(column.name, len(column)))
            digest.update(_bytes(column.is_null()))
            if column.dtype == pl.String:
                texts = column.fill_null("")
                digest.update(_bytes(texts.str.len_bytes()))
                digest.update(texts.str.join("").item().encode())
            else:
                digest.update(_bytes(column.fill_null(0)))
    return f"sha256:{digest.hexdigest()}"


def _bytes(numbers: pl.Series) -> memoryview:
    """The numbers of a column without nulls as bytes, which are copied only if they lie apart."""
    return np.ascontiguousarray(numbers.to_numpy()).data


def _heading(name: str, size: int) -> bytes:
    return f"{name}\n{size}\n".encode()
