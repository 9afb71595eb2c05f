"""Lines of a text file with their numbers, and the slow, exact search for the first bad line of a ratings file."""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ue_bench.errors import BenchError

LONGEST = 1 << 20  # bytes of a line: a real one has some thirty
SCALE = (0.5, 5.0)  # lowest and highest rating of any MovieLens
CSV_HEADER = "userId,movieId,rating,timestamp"
_FIELDS = ("user", "movie", "rating", "timestamp")
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_TIME = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d*)?", re.ASCII)


def text_lines(data: bytes, where: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) of each line; blank lines at the end are left out.

    UTF-8, or latin-1 where it is not valid UTF-8 (ML-100K, ML-1M). Split at newlines only: latin-1 byte 0x85, which
    `str.splitlines` takes for a line end, occurs in titles. Raises BenchError for an empty file.
    """
    data = data.rstrip()
    if not data:
        raise BenchError(f"{where}: the file is empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.removesuffix("\r")


def is_id(text: str) -> bool:
    """Whether `text` is a whole number, as all MovieLens ids are."""
    return _WHOLE.fullmatch(text) is not None


def identifier(text: str, what: str, at: str) -> str:
    """The id in its one decimal form (`007` -> `7`). Raises BenchError when it is not a whole number."""
    if not is_id(text):
        raise BenchError(f"{at}: {what} id {text!r} is not a whole number")
    return str(int(text))


def first_fault(
    file: BinaryIO,
    where: str,
    separator: str,
    header: bool,
    users: set[int] | None,
    movies: set[int],
    files: tuple[str, str],
) -> BenchError | None:
    """The error for the first bad line of a ratings file, or None when every line is good.

    The fast parser says only that something is wrong; this one reads line by line, far slower, and says what.
    file: at its start. users, movies: the ids that exist (users None: not told). files: names of the users and movies file for
    the message. Blank lines are bad where another line follows.
    """
    blank = 0
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
        if len(raw) == LONGEST:
            return BenchError(
                f"{where}:{number}: a line of more than {LONGEST:,} bytes; is this the file of ratings?"
            )
        line = (
            raw.decode("utf-8", "replace")
            .rstrip("\r\n")
            .removeprefix("\ufeff" if number == 1 else "")
        )
        if header and number == 1:
            continue
        if not line:
            blank = blank or number
            continue
        if blank:
            return BenchError(f"{where}:{blank}: blank line")
        why = _fault(line.split(separator), separator, users, movies, files)
        if why is not None:
            return BenchError(f"{where}:{number}: {why}")
    return None


def _fault(
    values: list[str],
    separator: str,
    users: set[int] | None,
    movies: set[int],
    files: tuple[str, str],
) -> str | None:
    if len(values) != len(_FIELDS):
        return f"{len(values)} fields separated by {separator!r}, but 4 are needed ({', '.join(_FIELDS)})"
    checks: tuple[Callable[[str], object], ...] = (is_id, is_id, _NUMBER.fullmatch, _TIME.fullmatch)
    for name, value, good in zip(_FIELDS, values, checks, strict=True):
        if not good(value):
            return f"{name} {value!r} is not a {'' if name == 'rating' else 'whole '}number"
    if not SCALE[0] <= float(values[2]) <= SCALE[1]:
        return f"rating {values[2]} is off the scale of {SCALE[0]} to {SCALE[1]:g}"
    if users is not None and int(values[0]) not in users:
        return f"user {int(values[0])} is not in {files[0]}; is that file cut short?"
    if int(values[1]) not in movies:
        return f"movie {int(values[1])} is not in {files[1]}; is that file cut short?"
    return None
