"""The ratings file of any layout, read a few million bytes at a time: its text is never in memory as a whole."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import polars as pl

from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.files import Files
from ue_bench.data.lines import CSV_HEADER, LONGEST, SCALE, first_fault
from ue_bench.data.numbering import DENSE
from ue_bench.errors import BenchError

BLOCK = 1 << 22  # bytes: parsed at once, and small enough to stay in a cache between reading and parsing
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
    where, separator, header = files.where(layout.ratings), _SEPARATORS[files.layout], files.layout == "csv"
    checks = {"movie_id": _known(items["movie_id"])} | ({} if users is None else {"user_id": _known(users["user_id"])})
    found: list[pl.DataFrame] = []
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
                found.append(frame)
        except (pl.exceptions.PolarsError, _TooLong) as error:
            trouble = error
        while trouble is not None and file.read(BLOCK):
            pass  # to the end: only there a zip says whether it is damaged, which is then what is wrong
    if trouble is None:
        if not found:
            raise BenchError(f"{where}: the file holds no ratings")
        return _joined(found)
    with files.open(layout.ratings) as file:
        known = [None if frame is None else set(frame[frame.columns[0]].cast(int).to_list()) for frame in (users, items)]
        fault = first_fault(file, where, separator, header, known[0], known[1] or set(), (layout.users or "", layout.items))
    raise fault or BenchError(f"{where}: cannot be read ({str(trouble).splitlines()[0]})") from trouble


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
    return pl.read_csv(block, separator=separator, has_header=False, schema=_SCHEMA, quote_char=None)


def _is_good(frame: pl.DataFrame, checks: dict[str, Known]) -> bool:
    if frame.null_count().sum_horizontal().item() > 0:  # a short or a blank line
        return False
    return bool(frame["rating"].is_between(*SCALE).all()) and all(check(frame[name]) for name, check in checks.items())


def _known(ids: pl.Series) -> Known:
    """Tells whether all of a UInt32 column are among some ids (text), by a table unless one of these is too large for it."""
    numbers = ids.cast(pl.UInt32)
    largest = int(numbers.max())  # type: ignore[arg-type]  # a table of ids is not empty
    if largest >= DENSE:
        return lambda column: bool(np.isin(column.to_numpy(), numbers.to_numpy()).all())
    exists = np.zeros(largest + 1, bool)
    exists[numbers.to_numpy()] = True
    return lambda column: int(column.max()) <= largest and bool(exists[column.to_numpy()].all())  # type: ignore[arg-type]


def _joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One frame, a column at a time: what was joined is given back before the next one is."""
    columns = {name: [frame[name] for frame in frames] for name in _SCHEMA}
    frames.clear()
    return pl.DataFrame({name: pl.concat(columns.pop(name), rechunk=True) for name in _SCHEMA})
