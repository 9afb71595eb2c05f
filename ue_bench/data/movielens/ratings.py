"""The ratings file of any layout, read a few million bytes at a time: its text is never in memory as a whole."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.files import Files
from ue_bench.data.movielens.text_lines import CSV_HEADER, LONGEST, SCALE, first_fault
from ue_bench.errors import BenchError

DENSE = 1 << 24  # a movie with a smaller id is looked up in a table
BLOCK = (
    1 << 22
)  # bytes: parsed at once, and small enough to stay in a cache between reading and parsing
_SCHEMA = {"user_id": pl.UInt32, "movie_id": pl.UInt32, "rating": pl.Float32, "timestamp": pl.Int64}
_SEPARATORS = {"100k": "\t", "1m": "::", "10m": "::", "csv": ","}
Known = Callable[[pl.Series], bool]


class _TooLong(Exception):
    """A line of more than LONGEST bytes: this is no text file, and a line is read as a whole."""


def read_ratings(files: Files, users: pl.DataFrame | None, items: pl.DataFrame) -> pl.DataFrame:
    """The ratings: user_id UInt32, movie_id UInt32, rating Float32, timestamp Int64, in file order.

    users, items: frames with the ids that exist as text (users None: not told).
    Raises BenchError that names file and line of the first thing wrong, and for a file without ratings.
    """
    layout = LAYOUTS[files.layout]
    where, separator, header = (
        files.where(layout.ratings),
        _SEPARATORS[files.layout],
        files.layout == "csv",
    )
    checks = {"movie_id": _known(items["movie_id"])} | (
        {} if users is None else {"user_id": _known(users["user_id"])}
    )
    found = _Columns(files.size(layout.ratings))
    trouble: Exception | None = None
    with files.open(layout.ratings) as file:
        if header:
            _check_header(file, where)
        try:
            for block in blocks(file, header):
                frame = _parsed(block, separator)
                if not _is_good(frame, checks):
                    trouble = BenchError("a bad line")
                    break
                found.add(frame, len(block))
        except (pl.exceptions.PolarsError, _TooLong) as error:
            trouble = error
        while trouble is not None and file.read(BLOCK):
            pass  # to the end: only there a zip says whether it is damaged, which is then what is wrong
    if trouble is None:
        if not found.n:
            raise BenchError(f"{where}: the file holds no ratings")
        return found.frame()
    with files.open(layout.ratings) as file:
        known = [
            None if frame is None else set(frame[frame.columns[0]].cast(int).to_list())
            for frame in (users, items)
        ]
        fault = first_fault(
            file,
            where,
            separator,
            header,
            known[0],
            known[1] or set(),
            (layout.users or "", layout.items),
        )
    raise fault or BenchError(
        f"{where}: cannot be read ({str(trouble).splitlines()[0]})"
    ) from trouble


def blocks(file: BinaryIO, header: bool) -> Iterator[bytes]:
    """The rest of a file in pieces of whole lines. Two line ends or more at the end of a file count as one.

    header: a line was read already. Raises _TooLong.
    """
    held = b""
    while piece := file.read(BLOCK):
        more = b"" if len(piece) < BLOCK else file.readline(LONGEST)
        if len(more) == LONGEST:
            raise _TooLong
        piece += more
        if held and piece.isspace():  # the end, or a fault: of many of these the last few bytes do
            held += piece if len(held) < 2 * BLOCK else piece[-4:]
            continue
        if held:
            yield held
        held = piece
    if (b"\n" + held if header else held).endswith((b"\n\n", b"\n\r\n")):
        held = held.rstrip()
    if held.strip():
        yield held


def _check_header(file: BinaryIO, where: str) -> None:
    first = file.readline(LONGEST).decode("utf-8-sig", "replace").strip()
    if first != CSV_HEADER:
        raise BenchError(f"{where}:1: the header is {first[:60]!r}, it must be {CSV_HEADER!r}")


def _parsed(block: bytes, separator: str) -> pl.DataFrame:
    if separator == "::":  # polars takes one-byte separators only
        block, separator = block.replace(b"::", b"\t"), "\t"
    return pl.read_csv(
        block, separator=separator, has_header=False, schema=_SCHEMA, quote_char=None
    )


def _is_good(frame: pl.DataFrame, checks: dict[str, Known]) -> bool:
    if frame.null_count().sum_horizontal().item() > 0:  # a short or a blank line
        return False
    return bool(frame["rating"].is_between(*SCALE).all()) and all(
        check(frame[name]) for name, check in checks.items()
    )


def _known(ids: pl.Series) -> Known:
    """Tells whether all of a UInt32 column are among some ids (text), by a table unless one of these is too large for it."""
    numbers = ids.cast(pl.UInt32)
    largest = int(numbers.max())  # type: ignore[arg-type]  # a table of ids is not empty
    if largest >= DENSE:
        return lambda column: bool(np.isin(column.to_numpy(), numbers.to_numpy()).all())
    exists = np.zeros(largest + 1, bool)
    exists[numbers.to_numpy()] = True
    return lambda column: int(column.max()) <= largest and bool(exists[column.to_numpy()].all())  # type: ignore[arg-type]


class _Columns:
    """Columns that grow, each in one piece: what is set aside and not used takes no memory."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes, self._columns, self.n = n_bytes, _empty(0), 0

    def add(self, frame: pl.DataFrame, n_bytes: int) -> None:
        """More rows, from so many bytes of text."""
        end = self.n + len(frame)
        if end > len(self._columns["rating"]):
            grown = _empty(max(end + end // 2, int(1.1 * len(frame) * self._n_bytes / n_bytes)))
            for name, column in self._columns.items():
                grown[name][: self.n] = column[: self.n]
            self._columns = grown
        for name, column in self._columns.items():
            column[self.n : end] = frame[name].to_numpy()
        self.n = end

    def frame(self) -> pl.DataFrame:
        """The rows, without a copy."""
        columns = {name: pa.array(column[: self.n]) for name, column in self._columns.items()}
        return cast(pl.DataFrame, pl.from_arrow(pa.table(columns)))


def _empty(n: int) -> dict[str, np.ndarray]:
    return {
        "user_id": np.empty(n, np.uint32),
        "movie_id": np.empty(n, np.uint32),
        "rating": np.empty(n, np.float32),
        "timestamp": np.empty(n, np.int64),
    }
