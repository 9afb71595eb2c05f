"""The ratings file of any layout, read a few million bytes at a time.

Its text is never in memory as a whole.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ue_bench.data.movielens.files import Files
from ue_bench.data.movielens.first_bad_line import LONGEST, SCALE, RatingsForm, first_bad_line
from ue_bench.errors import BenchError

DENSE = 1 << 24  # whether an id below this exists is looked up in a table
# Bytes parsed at once: few enough to stay in a cache between reading and parsing.
BLOCK = 1 << 22
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
_AllExist = Callable[[pl.Series], bool]


class _LineTooLong(Exception):
    """A line of more than LONGEST bytes: this is no text file, and a line is read as a whole."""


class _BadRows(Exception):
    """A block has a row that cannot be a rating."""


def read_ratings(files: Files, users: pl.DataFrame | None, items: pl.DataFrame) -> pl.DataFrame:
    """Read the ratings: columns and types of SCHEMA, in file order.

    users, items: frames whose first column has the ids that exist, as text. users None: any.
    Raises BenchError that names file and line of the first fault, and for a file without ratings.
    """
    name = files.layout.ratings
    where = files.where(name)
    separator = _SEPARATORS[files.layout_name]
    header = files.layout_name == "csv"
    checks = {"movie_id": _all_exist(items["movie_id"])}
    if users is not None:
        checks["user_id"] = _all_exist(users["user_id"])
    columns = _GrowingColumns(files.size(name))
    failure: Exception | None = None
    with files.open(name) as file:
        if header:
            _check_header(file, where)
        try:
            for rows, n_bytes in _parsed(blocks(file, header), separator):
                if rows.is_empty():  # a byte order mark and nothing else
                    continue
                _check(rows, checks)
                columns.add(rows, n_bytes)
        except (pl.exceptions.PolarsError, _LineTooLong, _BadRows) as error:
            failure = error
            _read_to_the_end(file)
    if failure is not None:
        form = RatingsForm(
            separator=separator,
            header=header,
            movies=_ids(items),
            movies_file=files.layout.items,
            users=None if users is None else _ids(users),
            users_file=files.layout.users or "",
        )
        raise _bad_line(files, where, form, failure) from failure
    if columns.n == 0:
        raise BenchError(f"{where}: the file holds no ratings; give the official file")
    return columns.frame()


def blocks(file: BinaryIO, header: bool) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of whole lines.

    Two line ends or more at the end of a file count as one.
    header: whether a line was read before. Raises _LineTooLong.
    """
    held = b""
    while block := file.read(BLOCK):
        if len(block) == BLOCK:
            block += _rest_of_line(file)
        if held and block.isspace():
            # The end of the file, or a fault. Of many blank lines the last few bytes suffice.
            held += block if len(held) < 2 * BLOCK else block[-4:]
            continue
        if held:
            yield held
        held = block
    before = b"\n" if header else b""
    if (before + held).endswith((b"\n\n", b"\n\r\n")):
        held = held.rstrip()
    if held.strip():
        yield held


def _rest_of_line(file: BinaryIO) -> bytes:
    rest = file.readline(LONGEST)
    if len(rest) == LONGEST:
        raise _LineTooLong("a line is too long")
    return rest


def _read_to_the_end(file: BinaryIO) -> None:
    """Read what is left: only at its end a zip reports damage, which is then the real fault."""
    while file.read(BLOCK):
        pass


def _check_header(file: BinaryIO, where: str) -> None:
    first = file.readline(LONGEST).decode("utf-8-sig", "replace").strip()
    if first != CSV_HEADER:
        raise BenchError(f"{where}:1: the header is {first[:60]!r}, it must be {CSV_HEADER!r}")


def _parsed(texts: Iterator[bytes], separator: str) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the rows of each block with its bytes, in order, while later ones are parsed.

    Polars parses so small a block in one thread, and lets others run beside it.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        ahead: deque[tuple[Future[pl.DataFrame], int]] = deque()
        try:
            for block in texts:
                ahead.append((threads.submit(_parse, block, separator), len(block)))
                if len(ahead) > THREADS:
                    rows, n_bytes = ahead.popleft()
                    yield rows.result(), n_bytes
            while ahead:
                rows, n_bytes = ahead.popleft()
                yield rows.result(), n_bytes
        finally:
            for rows, _ in ahead:
                rows.cancel()


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


def _ids(frame: pl.DataFrame) -> set[int]:
    return set(frame[frame.columns[0]].cast(int).to_list())


def _bad_line(files: Files, where: str, form: RatingsForm, failure: Exception) -> BenchError:
    with files.open(files.layout.ratings) as file:
        error = first_bad_line(file, where, form)
    if error is None:
        return BenchError(f"{where}: cannot be read ({str(failure).splitlines()[0]})")
    return error


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
