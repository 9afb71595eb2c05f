"""The files of a MovieLens data set, read piece by piece from a folder or straight out of a zip."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, BinaryIO, cast

from ue_bench.data.archive import check_member, open_zip
from ue_bench.data.catalog import LAYOUTS, Layout
from ue_bench.data.checksums import folder_checksum, md5_of
from ue_bench.data.kept.file_digests import remembered
from ue_bench.data.reading import cannot_read
from ue_bench.errors import BenchError

_BUFFER = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Files:
    """Where the files of a data set are.

    layout_name: key of LAYOUTS.
    source: where the bytes came from in the first place: folder, zip, download or pypi.
    path: the folder or the zip that has them.
    prefix: what precedes their names in the zip; None: `path` is a folder.
    """

    layout_name: str
    source: str
    path: Path
    prefix: str | None = None

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.layout_name]

    @cached_property
    def checksum(self) -> str:
        """`md5:` of the zip, or `sha256:` over names and contents of the files.

        Raises BenchError when they cannot be read.
        """
        if self.prefix is not None:
            return remembered(self.paths, "md5", lambda: f"md5:{md5_of(self.path)}")
        members = self.layout.members
        what = json.dumps(["names and contents", members])
        return remembered(self.paths, what, lambda: folder_checksum(self.path, members))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The zip, or the files."""
        if self.prefix is not None:
            return (self.path,)
        return tuple(self.path / name for name in self.layout.members)

    def where(self, name: str) -> str:
        """Return the path of a file for messages."""
        if self.prefix is None:
            return str(self.path / name)
        return str(self.path / f"{self.prefix}{name}")

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file, to be read once from its start.

        Opening and reading raise BenchError for a file that cannot be read or is damaged.
        """
        where = self.where(name)
        with ExitStack() as stack:
            try:
                file = self._open_unbuffered(name, stack)
            except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
                raise _unreadable(where, error) from error
            buffered = io.BufferedReader(_CheckedFile(file, where), _BUFFER)
            yield cast(BinaryIO, stack.enter_context(buffered))

    def _open_unbuffered(self, name: str, stack: ExitStack) -> IO[bytes]:
        if self.prefix is None:
            return stack.enter_context((self.path / name).open("rb", buffering=0))
        archive = stack.enter_context(open_zip(self.path))
        member = archive.getinfo(f"{self.prefix}{name}")
        check_member(self.path, member, self.layout.most_bytes(name))
        return stack.enter_context(archive.open(member))  # gives no more than was claimed

    def size(self, name: str) -> int:
        """Return the number of bytes of a file, as its folder or zip states it."""
        try:
            if self.prefix is None:
                return (self.path / name).stat().st_size
            with open_zip(self.path) as archive:
                return archive.getinfo(f"{self.prefix}{name}").file_size
        except (OSError, zipfile.BadZipFile) as error:
            raise _unreadable(self.where(name), error) from error

    def read(self, name: str) -> bytes:
        """Return all bytes of a small file. Raises BenchError when it is larger than allowed."""
        most = self.layout.most_bytes(name)
        with self.open(name) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise BenchError(
                f"{self.where(name)}: more than {most:,} bytes, eight times the size of the "
                "largest such file of MovieLens; give the official file"
            )
        return content


class _CheckedFile(io.RawIOBase):
    """A file that raises BenchError for every failure to read, of a damaged zip member too."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file = file
        self._where = where

    def readable(self) -> bool:
        return True

    # `buffer` is any writable buffer, a type for which Python 3.11 has no name.
    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        try:
            return self._file.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise _unreadable(self._where, error) from error


def _unreadable(where: str, error: Exception) -> BenchError:
    if isinstance(error, OSError):
        return cannot_read(where, error)
    return BenchError(f"{where}: damaged zip ({error}); download it again")
