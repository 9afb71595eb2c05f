"""What a file of a table may unpack to: a small file may hold more than any memory has.

Packed text of equal rows, and Parquet's runs of equal values, take next to no room. The rule is
that of the archives (see `archive`): what is unpacked is held against what is stored. A file is
refused where both are true:

* it unpacks to more than SMALL bytes, which a machine that trains can read in any case, and
* it unpacks to more than MOST_RATIO bytes for each of its own.

No data from which something can be learned are so. A billion rows whose only content is a label of
one bit take 125 MB, which allows 125 GB of text, or 30 values a row. Text of a table packs to a
fifth or a fiftieth; deflate ends at 1,032 to 1, and reaches that for one line without end.
"""

import os
from pathlib import Path

import pyarrow as pa

from ue_bench.errors import BenchError

SMALL = 1 << 30
MOST_RATIO = 1_000


def require_ratio(path: Path, what: str, unpacked: int, stored: int, advice: str) -> None:
    """Raise BenchError for bytes that are too many, and far more than are stored.

    what: unpacks to these bytes, with its verb. advice: for who knows that the file is right.
    """
    if unpacked > max(SMALL, MOST_RATIO * stored):
        raise BenchError(
            f"{path} is refused: {what} {unpacked:,} bytes out of {stored:,}, "
            f"more than {MOST_RATIO:,} to 1; if it is right, {advice}"
        )


def require_memory(path: Path, what: str, n_bytes: int) -> None:
    """Raise BenchError for what is larger than all memory of the machine.

    what: needs these bytes. A table whose codes alone take more cannot be read by any means.
    """
    memory = memory_bytes()
    if n_bytes > memory:
        raise BenchError(
            f"{path} is refused: {what} take {n_bytes:,} bytes, and this machine has {memory:,} of "
            "memory; give fewer rows or columns, or take a larger machine"
        )


def memory_bytes() -> int:
    """Return the bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class BoundedStream:
    """A stream of unpacked text, which ends in a BenchError where it is too much of a packed file.

    It is what pyarrow asks of a file of Python's. stored: bytes of the packed file.
    """

    def __init__(self, path: Path, stream: pa.NativeFile, stored: int) -> None:
        self._path = path
        self._stream = stream
        self._stored = stored
        self._n_read = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes more."""
        piece: bytes = self._stream.read(size)
        self._n_read += len(piece)
        require_ratio(
            self._path,
            "it unpacks to at least",
            self._n_read,
            self._stored,
            "unpack it, and give the text",
        )
        return piece

    @property
    def closed(self) -> bool:
        """Whether nothing can be read any more."""
        return bool(self._stream.closed)

    def close(self) -> None:
        """Close the packed file."""
        self._stream.close()
