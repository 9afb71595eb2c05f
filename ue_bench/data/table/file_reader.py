"""What a reader of each form of file offers, and what all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from ue_bench.data.reading import reason_of
from ue_bench.data.table.definition import Form
from ue_bench.data.table.unpacked_bytes import BoundedStream
from ue_bench.errors import BenchError

BLOCK = 1 << 24  # bytes of text at once; no row is longer
ROWS = 1 << 17  # rows of a Parquet or Arrow file at once
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a text begins, and no text in UTF-8
_BZIP2 = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")  # a block, and an empty stream


class FileReader(ABC):
    """One file of a table, of which only the columns that are asked for are read.

    Every method raises BenchError for a file that cannot be read, and for content of another form.
    """

    def __init__(self, path: Path, form: Form) -> None:
        self.path = path
        self.form = form

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of all columns, each once."""

    @abstractmethod
    def kind(self, name: str) -> pa.DataType:
        """Return the type of a column."""

    @abstractmethod
    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield some rows of these columns at a time, in the order of the schema.

        schema: columns of the file, each with the type that it has in all files of the table. A
        reader of typed values may leave a column in the type of the file.
        """

    def distinct(self, names: list[str]) -> tuple[str, ...]:
        """Return names of columns. Raises BenchError for a name that occurs twice."""
        seen = set()
        for name in names:
            if name in seen:
                raise BenchError(f"{self.path}: two columns are named {name!r}; rename one")
            seen.add(name)
        return tuple(names)


@contextmanager
def readable(path: Path) -> Iterator[list[str]]:
    """Raise BenchError for what pyarrow and the system find wrong with a file.

    Yields a list for the message about a torn row, because pyarrow's own is hard to read.
    """
    torn: list[str] = []
    try:
        yield torn
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = torn[0] if torn else reason_of(error).split("\n")[0]
        if "UTF8" in why:
            why += "; the text must be in UTF-8"
        raise BenchError(f"{path}: {why}") from error


def text_stream(path: Path) -> pa.NativeFile:
    """Open a file of text, which may be compressed, whatever its name is.

    Raises BenchError for text in UTF-16, whose rows would be torn. Reading raises BenchError where
    a compressed file unpacks to too much (see `unpacked_bytes`).
    """
    with path.open("rb") as file:
        start = file.read(10)
    compression = _compression(start)
    with pa.input_stream(str(path), compression=compression) as text:
        if text.read(2) in _UTF_16:
            raise BenchError(
                f"{path}: it begins as text in UTF-16 does; the text must be in UTF-8: write it "
                "anew as that"
            )
    stream = pa.input_stream(str(path), compression=compression)
    if compression is None:
        return stream
    return pa.PythonFile(BoundedStream(path, stream, path.stat().st_size), mode="r")


def _compression(start: bytes) -> str | None:
    """Return how a file is compressed, by its first 10 bytes."""
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    if start.startswith(b"BZh") and start[4:] in _BZIP2:
        return "bz2"
    return None
