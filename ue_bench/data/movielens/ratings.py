"""The ratings file of any layout, read a few million bytes at a time.

Its text is never in memory as a whole.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ue_bench.data.movielens.files import Files
from ue_bench.data.movielens.text_lines import is_id
from ue_bench.errors import BenchError

DENSE = 1 << 24  # whether an id below this exists is looked up in a table
# Bytes parsed at once: few enough to stay in a cache between reading and parsing.
BLOCK = 1 << 22
LONGEST = 1 << 20  # bytes of a line; a real one has some thirty
SCALE = (0.5, 5.0)  # lowest and highest rating of any MovieLens
THREADS = 2  # that parse; one more reads the file, checks and copies
CSV_HEADER = "userId,movieId,rating,timestamp"
SCHEMA = {"user_id": pl.UInt32, "movie_id": pl.UInt32, "rating": pl.Float32, "timestamp": pl.Int64}
_NUMPY_TYPES = {
    "user_id": np.uint32,
    "movie_id": np.uint32,
    "rating": np.float32,
    "timestamp": np.int64,
}
_SEPARATORS = {"100k": "\t", "1m": "::", "10m": "::", "csv": ","}
_FIELDS = ("user", "movie", "rating", "timestamp")
_TIME = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d*)?", re.ASCII)
_AllExist = Callable[[pl.Series], bool]
Block = tuple[bytes, int]  # whole lines, and how many lines are before them


class _BadRows(Exception):
    """A block has a row that cannot be a rating."""


def read_ratings(files: Files, users: pl.DataFrame | None, items: pl.DataFrame) -> pl.DataFrame:
    """Read the ratings: columns and types of SCHEMA, in file order.

    users, items: frames whose first column has the ids that exist, as text. users None: any.
    Raises BenchError that names file and line of the first fault, and for a file without ratings.
    """
    name = files.layout.ratings
    where = files.where(name)
    header = files.layout_name == "csv"
    separator = _SEPARATORS[files.layout_name]
    ids = {"movie_id": (items["movie_id"], files.layout.items)}
    if users is not None:
        ids["user_id"] = (users["user_id"], files.layout.users or "")
    checks = {column: _all_exist(existing) for column, (existing, _) in ids.items()}
    columns = _GrowingColumns(files.size(name))
    with files.open(name) as file:
        if header:
            _check_header(file, where)
        for parsed, (block, n_before) in _parsed(blocks(file, where, header), separator):
            try:
                rows = parsed.result()
                if rows.is_empty():  # a byte order mark and nothing else
                    continue
                _check(rows, checks)
            except (pl.exceptions.PolarsError, _BadRows) as error:
                while file.read(BLOCK):  # only at its end a zip reports damage: the real fault
                    pass
                found = _first_bad_line(block, n_before, separator, ids)
                fault = found or f" it cannot be read ({str(error).splitlines()[0]})"
                raise BenchError(f"{where}:{fault}") from error
            columns.add(rows, len(block))
    if columns.n == 0:
        raise BenchError(f"{where}: the file holds no ratings; give the official file")
    return columns.frame()


def blocks(file: BinaryIO, where: str, header: bool) -> Iterator[Block]:
    """Yield the rest of a file in blocks of whole lines, each with how many lines are before it.

    Two line ends or more at the end of a file count as one.
    header: whether a line was read before. Raises BenchError for a line of more than LONGEST bytes:
    this is no text file, and a line is read as a whole.
    """
    held = b""
    n_before = n_lines = int(header)  # before the block that is held, and before the next one
    while block := file.read(BLOCK):
        if len(block) == BLOCK:
            rest = file.readline(LONGEST)
            if len(rest) == LONGEST:
                number = n_lines + block.count(b"\n") + 1
                raise BenchError(
                    f"{where}:{number}: a line of more than {LONGEST:,} bytes; "
                    "is this the file of ratings?"
                )
            block += rest
        n_here = block.count(b"\n")
        if held and block.isspace():
            # The end of the file, or a fault. Of many blank lines the last few bytes suffice.
            held += block if len(held) < 2 * BLOCK else block[-4:]
        else:
            if held:
                yield held, n_before
            held, n_before = block, n_lines
        n_lines += n_here
    before = b"\n" if header else b""
    if (before + held).endswith((b"\n\n", b"\n\r\n")):
        held = held.rstrip()
    if held.strip():
        yield held, n_before


def _check_header(file: BinaryIO, where: str) -> None:
    first = file.readline(LONGEST).decode("utf-8-sig", "replace").strip()
    if first != CSV_HEADER:
        raise BenchError(f"{where}:1: the header is {first[:60]!r}, it must be {CSV_HEADER!r}")


def _parsed(texts: Iterator[Block], separator: str) -> Iterator[tuple[Future[pl.DataFrame], Block]]:
    """Yield each block with its rows, in order, while later ones are parsed.

    Polars parses so small a block in one thread, and lets others run beside it.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        ahead: deque[tuple[Future[pl.DataFrame], Block]] = deque()
        for block in texts:
            ahead.append((threads.submit(_parse, block[0], separator), block))
            if len(ahead) > THREADS:
                yield ahead.popleft()
        yield from ahead


def _parse(block: bytes, separator: str) -> pl.DataFrame:
    if separator == "::":  # polars takes separators of one byte only
        block = block.replace(b"::", b"\t")
        separator = "\t"
    return pl.read_csv(block, separator=separator, has_header=False, schema=SCHEMA, quote_char=None)


def _check(rows: pl.DataFrame, checks: dict[str, _AllExist]) -> None:
    """Raise _BadRows for a short or blank line, a rating off the scale and an unknown id."""
    if rows.null_count().sum_horizontal().item() > 0:
        raise _BadRows("a short or a blank line")
    if not rows["rating"].is_between(*SCALE).all():
        raise _BadRows("a rating off the scale")
    for name, all_exist in checks.items():
        if not all_exist(rows[name]):
            raise _BadRows(f"an unknown {name}")


def _all_exist(ids: pl.Series) -> _AllExist:
    """Return a function that says whether all of a UInt32 column are among some ids.

    ids: String, at least one. Uses a table by id, unless the largest id is too large for it.
    """
    existing = ids.cast(pl.UInt32).to_numpy()
    largest = int(existing.max())
    if largest >= DENSE:
        return lambda column: bool(np.isin(column.to_numpy(), existing).all())
    exists = np.zeros(largest + 1, bool)
    exists[existing] = True

    def look_up(column: pl.Series) -> bool:
        numbers = column.to_numpy()
        return int(numbers.max()) <= largest and bool(exists[numbers].all())

    return look_up


def _first_bad_line(
    block: bytes, n_before: int, separator: str, ids: dict[str, tuple[pl.Series, str]]
) -> str | None:
    """Return the number of the first bad line of a block, and what is wrong with it.

    n_before: lines before the block. ids: by column, those that exist and the file that has them.
    """
    known = {}
    for column, (existing, file_name) in ids.items():
        known[column] = (set(existing.cast(int).to_list()), file_name)
    lines = block.decode("utf-8", "replace").removeprefix("\ufeff").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=n_before + 1):
        fault = _fault_of(line.removesuffix("\r"), separator, known)
        if fault is not None:
            return f"{number}: {fault}"
    return None


def _fault_of(line: str, separator: str, known: dict[str, tuple[set[int], str]]) -> str | None:
    if not line:
        return "blank line; leave it out"
    fields = line.split(separator)
    if len(fields) != len(_FIELDS):
        return (
            f"{len(fields)} fields separated by {separator!r}, "
            f"but 4 are needed ({', '.join(_FIELDS)})"
        )
    user, movie, rating, timestamp = fields
    if not is_id(user):
        return f"user {user!r} is not a whole number"
    if not is_id(movie):
        return f"movie {movie!r} is not a whole number"
    if not _NUMBER.fullmatch(rating):
        return f"rating {rating!r} is not a number"
    if not _TIME.fullmatch(timestamp):
        return f"timestamp {timestamp!r} is not a whole number"
    lowest, highest = SCALE
    if not lowest <= float(rating) <= highest:
        return f"rating {rating} is off the scale of {lowest} to {highest:g}"
    for column, number in (("user_id", int(user)), ("movie_id", int(movie))):
        if column in known and number not in known[column][0]:
            noun = column.removesuffix("_id")
            return f"{noun} {number} is not in {known[column][1]}; is that file cut short?"
    return None


class _GrowingColumns:
    """Columns that grow, each in one piece; what is set aside and not used takes no memory."""

    def __init__(self, n_bytes: int) -> None:
        """n_bytes: size of the file, from which the number of rows is estimated."""
        self._n_bytes = n_bytes
        self._columns = _empty_columns(0)
        self.n = 0

    def add(self, rows: pl.DataFrame, n_bytes: int) -> None:
        """Append rows that took `n_bytes` of text."""
        end = self.n + len(rows)
        if end > len(self._columns["rating"]):
            estimated = int(1.1 * len(rows) * self._n_bytes / n_bytes)
            self._grow(max(end + end // 2, estimated))
        for name, column in self._columns.items():
            column[self.n : end] = rows[name].to_numpy()
        self.n = end

    def _grow(self, n: int) -> None:
        larger = _empty_columns(n)
        for name, column in self._columns.items():
            larger[name][: self.n] = column[: self.n]
        self._columns = larger

    def frame(self) -> pl.DataFrame:
        """Return the rows, without a copy."""
        columns = {name: pa.array(column[: self.n]) for name, column in self._columns.items()}
        return cast(pl.DataFrame, pl.from_arrow(pa.table(columns)))


def _empty_columns(n: int) -> dict[str, np.ndarray]:
    return {name: np.empty(n, kind) for name, kind in _NUMPY_TYPES.items()}
