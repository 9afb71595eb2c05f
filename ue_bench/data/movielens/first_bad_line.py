"""The slow, exact search for the first bad line of a ratings file.

The fast parser reports only that something is wrong; this one reads line by line and says what.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ue_bench.data.movielens.text_lines import is_id
from ue_bench.errors import BenchError

LONGEST = 1 << 20  # bytes of a line; a real one has some thirty
SCALE = (0.5, 5.0)  # lowest and highest rating of any MovieLens
_FIELDS = ("user", "movie", "rating", "timestamp")
_TIME = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d*)?", re.ASCII)


@dataclass(frozen=True)
class RatingsForm:
    """The form of a ratings file.

    separator: between the fields of a line. header: whether the first line names the columns.
    movies: the ids that exist. users: likewise; None: any.
    movies_file, users_file: names of the files with these ids, for messages.
    """

    separator: str
    header: bool
    movies: set[int]
    movies_file: str
    users: set[int] | None
    users_file: str


def first_bad_line(file: BinaryIO, where: str, form: RatingsForm) -> BenchError | None:
    """Return the error for the first bad line of a ratings file, or None when all are good.

    file: at its start. where: the file, for messages. A blank line is bad where another line
    follows.
    """
    first_blank = None
    for number, raw in _raw_lines(file):
        if len(raw) == LONGEST:
            return BenchError(
                f"{where}:{number}: a line of more than {LONGEST:,} bytes; "
                "is this the file of ratings?"
            )
        if form.header and number == 1:
            continue
        line = _decoded(raw, number)
        if not line:
            if first_blank is None:
                first_blank = number
            continue
        if first_blank is not None:
            return BenchError(f"{where}:{first_blank}: blank line; leave it out")
        fault = _fault_of(line.split(form.separator), form)
        if fault is not None:
            return BenchError(f"{where}:{number}: {fault}")
    return None


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 1
    while line := file.readline(LONGEST):
        yield number, line
        number += 1


def _decoded(raw: bytes, number: int) -> str:
    line = raw.decode("utf-8", "replace").rstrip("\r\n")
    if number == 1:
        return line.removeprefix("\ufeff")
    return line


def _fault_of(fields: list[str], form: RatingsForm) -> str | None:
    if len(fields) != len(_FIELDS):
        return (
            f"{len(fields)} fields separated by {form.separator!r}, "
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
    if form.users is not None and int(user) not in form.users:
        return f"user {int(user)} is not in {form.users_file}; is that file cut short?"
    if int(movie) not in form.movies:
        return f"movie {int(movie)} is not in {form.movies_file}; is that file cut short?"
    return None
