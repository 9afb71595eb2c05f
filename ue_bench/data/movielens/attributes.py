"""What MovieLens's text files say of users and movies, as frames of String columns."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from ue_bench.data.movielens.files import Files
from ue_bench.data.movielens.text_lines import identifier, is_id, text_lines
from ue_bench.errors import BenchError

GENRES_100K = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
UNKNOWN = "unknown"  # a missing release year or genre
USER_COLUMNS = {
    "user_id": pl.String,
    "gender": pl.String,
    "age": pl.String,
    "occupation": pl.String,
    "zip_code": pl.String,
}
ITEM_COLUMNS = {"movie_id": pl.String, "release_year": pl.String, "genres": pl.String}
_N_USER_FIELDS = 5
_N_ITEM_FIELDS = 3
_FIRST_GENRE = 5  # index of the first genre flag in a line of ML-100K
_TITLE_YEAR = re.compile(r"\((?:\d{4}\s*[-–]\s*)?(\d{4})\)?\s*$", re.ASCII)
_DATE_YEAR = re.compile(r"(\d{4})\s*$", re.ASCII)


class _Row(NamedTuple):
    """A user or a movie. where: file and line. fields: the id, then the attributes."""

    where: str
    fields: tuple[str, ...]


def read_users(files: Files, name: str) -> pl.DataFrame:
    """Read the file of users: columns USER_COLUMNS."""
    where = files.where(name)
    rows = _users_100k(files, name) if files.layout_name == "100k" else _users_1m(files, name)
    return _frame(rows, USER_COLUMNS, "user", where)


def read_items(files: Files) -> pl.DataFrame:
    """Read the file of movies: columns ITEM_COLUMNS."""
    name = files.layout.items
    rows = _READ_ITEMS[files.layout_name](files, name)
    return _frame(rows, ITEM_COLUMNS, "movie", files.where(name))


def items_of_100k(frame: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Return the rows of ITEM_COLUMNS from a frame with the columns of ML-100K's u.item."""
    rows = []
    for row in frame.iter_rows(named=True):
        year = release_year(row["movie_title"], row["release_date"] or "")
        flags = [str(row[genre]) for genre in GENRES_100K]
        rows.append((str(row["movie_id"]), year, _genres(flags)))
    return rows


def release_year(title: str, date: str = "") -> str:
    """Return the year of a release date (`01-Jan-1995`), else that of a title.

    A title ends in its year (`Toy Story (1995)`); without a year the result is `unknown`.
    """
    match = _DATE_YEAR.search(date) or _TITLE_YEAR.search(title)
    return match[1] if match else UNKNOWN


def _genres(flags: Sequence[str]) -> str:
    """Return the names of the genres of ML-100K whose flag is `1`, joined by `|`."""
    names = [name for name, flag in zip(GENRES_100K, flags, strict=True) if flag == "1"]
    return "|".join(names) or UNKNOWN


def _frame(
    rows: Iterator[_Row], columns: dict[str, type[pl.String]], noun: str, where: str
) -> pl.DataFrame:
    """Return a frame of the rows. Raises BenchError for an id that occurs twice and without rows.

    noun: what the rows are, for messages. where: the file, for messages.
    """
    by_id: dict[str, tuple[str, ...]] = {}
    for row_where, fields in rows:
        key = identifier(fields[0], noun, row_where)
        if key in by_id:
            raise BenchError(f"{row_where}: {noun} {key} occurs twice; leave one line out")
        by_id[key] = (key, *fields[1:])
    if not by_id:
        raise BenchError(f"{where}: the file holds no {noun}s; give the official file")
    return pl.DataFrame(list(by_id.values()), schema=columns, orient="row")


def _users_100k(files: Files, name: str) -> Iterator[_Row]:
    for where, line in text_lines(files.read(name), files.where(name)):
        fields = line.split("|")
        _check_user(where, line, fields, "id|age|gender|occupation|zip")
        number, age, gender, occupation, zip_code = fields
        _check_age(where, age)
        yield _Row(where, (number, gender, age, occupation, zip_code))


def _users_1m(files: Files, name: str) -> Iterator[_Row]:
    for where, line in text_lines(files.read(name), files.where(name)):
        fields = line.split("::")
        _check_user(where, line, fields, "id::gender::age::occupation::zip")
        _check_age(where, fields[2])
        yield _Row(where, tuple(fields))


def _check_user(where: str, line: str, fields: list[str], form: str) -> None:
    filled = [field for field in fields if field]
    if len(fields) != _N_USER_FIELDS or len(filled) != _N_USER_FIELDS:
        raise BenchError(
            f"{where}: {len(filled)} of {_N_USER_FIELDS} fields ({form}) are there in "
            f"{line[:60]!r}; is the file cut short?"
        )


def _check_age(where: str, age: str) -> None:
    if not is_id(age):
        raise BenchError(f"{where}: age {age!r} is not a whole number")


def _items_100k(files: Files, name: str) -> Iterator[_Row]:
    n_fields = _FIRST_GENRE + len(GENRES_100K)
    for where, line in text_lines(files.read(name), files.where(name)):
        fields = line.split("|")
        if len(fields) != n_fields:
            raise BenchError(
                f"{where}: {len(fields)} fields separated by '|', but {n_fields} are needed"
            )
        flags = fields[_FIRST_GENRE:]
        if not set(flags) <= {"0", "1"}:
            raise BenchError(
                f"{where}: the {len(GENRES_100K)} genre flags must be 0 or 1, "
                f"not {'|'.join(flags)!r}"
            )
        number, title, date = fields[:3]
        yield _Row(where, (number, release_year(title, date), _genres(flags)))


def _items_dat(files: Files, name: str) -> Iterator[_Row]:
    for where, line in text_lines(files.read(name), files.where(name)):
        fields = line.split("::")
        if len(fields) != _N_ITEM_FIELDS or not fields[2]:
            raise BenchError(f"{where}: 3 fields (id::title::genres) are needed, not {line[:60]!r}")
        number, title, genres = fields
        yield _Row(where, (number, release_year(title), genres))


def _items_csv(files: Files, name: str) -> Iterator[_Row]:
    file_where = files.where(name)
    lines = (line for _, line in text_lines(files.read(name), file_where))
    reader = csv.reader(lines, strict=True)
    try:
        for fields in reader:
            where = f"{file_where}:{reader.line_num}"
            if reader.line_num == 1:
                _check_header(where, fields)
                continue
            if len(fields) != _N_ITEM_FIELDS or not fields[2]:
                raise BenchError(
                    f"{where}: 3 fields (movieId,title,genres) are needed, {len(fields)} were found"
                )
            number, title, genres = fields
            yield _Row(where, (number, release_year(title), genres))
    except csv.Error as error:
        raise BenchError(f"{file_where}:{reader.line_num}: {error}") from error


def _check_header(where: str, names: list[str]) -> None:
    if names != ["movieId", "title", "genres"]:
        raise BenchError(
            f"{where}: the header is {','.join(names)!r}, it must be 'movieId,title,genres'"
        )


_READ_ITEMS = {"100k": _items_100k, "1m": _items_dat, "10m": _items_dat, "csv": _items_csv}
