"""From the bytes of any MovieLens generation to three frames of one form.

ratings: user_id UInt32, movie_id UInt32, rating Float32, timestamp Int64 (seconds since 1970), in file order.
users:   user_id, gender, age, occupation, zip_code (all String), or None where users have no attributes.
items:   movie_id, release_year, genres (all String); genres is the combination as one value, joined by `|`.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.files import Files
from ue_bench.data.movielens.ratings import read_ratings
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
UNKNOWN = "unknown"  # a release year or a genre that is not told
USER_COLUMNS = ("user_id", "gender", "age", "occupation", "zip_code")
ITEM_COLUMNS = ("movie_id", "release_year", "genres")
_TITLE_YEAR = re.compile(r"\((?:\d{4}\s*[-–]\s*)?(\d{4})\)?\s*$", re.ASCII)
_DATE_YEAR = re.compile(r"(\d{4})\s*$", re.ASCII)


class Frames(NamedTuple):
    """The three frames of a data set, as described above."""

    ratings: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame


def parse(files: Files) -> Frames:
    """Parse the files of any layout. Raises BenchError that names file and line of the first thing wrong."""
    if files.layout == "pypi":
        return _parquet(files)
    layout = LAYOUTS[files.layout]
    users = None
    if layout.users is not None:
        users = _table(_users(files, layout.users), USER_COLUMNS, "user", files.where(layout.users))
    items = _table(
        _ITEMS[files.layout](files, layout.items), ITEM_COLUMNS, "movie", files.where(layout.items)
    )
    return Frames(read_ratings(files, users, items), users, items)


def release_year(title: str, date: str = "") -> str:
    """The year of a release date (`01-Jan-1995`), else that ending a title (`Toy Story (1995)`), else `unknown`."""
    found = _DATE_YEAR.search(date) or _TITLE_YEAR.search(title)
    return found[1] if found else UNKNOWN


def _table(
    rows: Iterator[tuple[str, tuple[str, ...]]], columns: tuple[str, ...], what: str, where: str
) -> pl.DataFrame:
    """A frame of String columns from (place, row) pairs. Raises BenchError for an id that comes twice."""
    found: dict[str, tuple[str, ...]] = {}
    for at, row in rows:
        key = identifier(row[0], what, at)
        if key in found:
            raise BenchError(f"{at}: {what} {key} occurs twice")
        found[key] = (key, *row[1:])
    if not found:
        raise BenchError(f"{where}: the file holds no {what}s")
    return pl.DataFrame(
        list(found.values()), schema=dict.fromkeys(columns, pl.String), orient="row"
    )


def _users(files: Files, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    where, of_100k = files.where(name), files.layout == "100k"
    separator, order = (
        ("|", "id|age|gender|occupation|zip")
        if of_100k
        else ("::", "id::gender::age::occupation::zip")
    )
    for number, line in text_lines(files.read(name), where):
        at, values = f"{where}:{number}", line.split(separator)
        if len(values) != 5 or not all(values):
            filled = sum(map(bool, values))
            raise BenchError(
                f"{at}: {filled} of 5 fields ({order}) are there in {line[:60]!r}; is the file cut short?"
            )
        if of_100k:
            values[1], values[2] = values[2], values[1]
        if not is_id(values[2]):
            raise BenchError(f"{at}: age {values[2]!r} is not a whole number")
        yield at, tuple(values)


def _items_100k(files: Files, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    where, n_fields = files.where(name), 5 + len(GENRES_100K)
    for number, line in text_lines(files.read(name), where):
        at, values = f"{where}:{number}", line.split("|")
        if len(values) != n_fields:
            raise BenchError(
                f"{at}: {len(values)} fields separated by '|', but {n_fields} are needed"
            )
        if not set(values[5:]) <= {"0", "1"}:
            raise BenchError(
                f"{at}: the {len(GENRES_100K)} genre flags must be 0 or 1, not {'|'.join(values[5:])!r}"
            )
        yield at, (values[0], release_year(values[1], values[2]), _genres(values[5:]))


def _genres(flags: list[str]) -> str:
    return (
        "|".join(name for name, flag in zip(GENRES_100K, flags, strict=True) if flag == "1")
        or UNKNOWN
    )


def _items_dat(files: Files, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    where = files.where(name)
    for number, line in text_lines(files.read(name), where):
        at, values = f"{where}:{number}", line.split("::")
        if len(values) != 3 or not values[2]:
            raise BenchError(f"{at}: 3 fields (id::title::genres) are needed, not {line[:60]!r}")
        yield at, (values[0], release_year(values[1]), values[2])


def _items_csv(files: Files, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    where = files.where(name)
    lines = (line for _, line in text_lines(files.read(name), where))
    reader = csv.reader(lines, strict=True)
    try:
        for values in reader:
            at = f"{where}:{reader.line_num}"
            if reader.line_num == 1:
                if values != ["movieId", "title", "genres"]:
                    raise BenchError(
                        f"{at}: the header is {','.join(values)!r}, it must be 'movieId,title,genres'"
                    )
            elif len(values) != 3 or not values[2]:
                raise BenchError(
                    f"{at}: 3 fields (movieId,title,genres) are needed, {len(values)} were found"
                )
            else:
                yield at, (values[0], release_year(values[1]), values[2])
    except csv.Error as error:
        raise BenchError(f"{where}:{reader.line_num}: {error}") from error


_ITEMS = {"100k": _items_100k, "1m": _items_dat, "10m": _items_dat, "csv": _items_csv}


def _parquet(files: Files) -> Frames:
    """The copy of ML-100K on the package index. Its checksum is pinned, so that its content needs no checks."""
    layout = LAYOUTS["pypi"]
    ratings, users, items = (
        pl.read_parquet(io.BytesIO(files.read(name)))
        for name in (layout.ratings, str(layout.users), layout.items)
    )
    movies = [
        (
            str(row["movie_id"]),
            release_year(row["movie_title"], row["release_date"] or ""),
            _genres([str(row[genre]) for genre in GENRES_100K]),
        )
        for row in items.iter_rows(named=True)
    ]
    types = {
        "user_id": pl.UInt32,
        "movie_id": pl.UInt32,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
    }
    return Frames(
        ratings.select(pl.col(name).cast(kind) for name, kind in types.items()),
        users.select(pl.col(name).cast(pl.String) for name in USER_COLUMNS),
        pl.DataFrame(movies, schema=dict.fromkeys(ITEM_COLUMNS, pl.String), orient="row"),
    )
