"""From the files of any MovieLens generation to three frames of one form."""

import io
from typing import NamedTuple

import polars as pl

from ue_bench.data.movielens.attributes import (
    ITEM_COLUMNS,
    USER_COLUMNS,
    items_of_100k,
    read_items,
    read_users,
)
from ue_bench.data.movielens.files import Files
from ue_bench.data.movielens.ratings import SCHEMA, read_ratings


class Frames(NamedTuple):
    """The frames of a data set.

    ratings: user_id UInt32, movie_id UInt32, rating Float32, timestamp Int64 (seconds since 1970),
    in file order.
    users: user_id, gender, age, occupation, zip_code (all String), or None where users have no
    attributes.
    items: movie_id, release_year, genres (all String); genres is their combination as one value,
    joined by `|`.
    """

    ratings: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame


def parse(files: Files) -> Frames:
    """Parse the files of any layout.

    Raises BenchError that names file and line of the first fault.
    """
    if files.layout_name == "pypi":
        return _parse_parquet(files)
    users = None
    if files.layout.users is not None:
        users = read_users(files, files.layout.users)
    items = read_items(files)
    return Frames(read_ratings(files, users, items), users, items)


def _parse_parquet(files: Files) -> Frames:
    """Read the copy of ML-100K on the package index.

    Its checksum is pinned, so that its content needs no checks.
    """
    ratings = _read_parquet(files, files.layout.ratings)
    users = _read_parquet(files, str(files.layout.users))
    items = _read_parquet(files, files.layout.items)
    return Frames(
        ratings=ratings.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()),
        users=users.select(pl.col(name).cast(pl.String) for name in USER_COLUMNS),
        items=pl.DataFrame(items_of_100k(items), schema=ITEM_COLUMNS, orient="row"),
    )


def _read_parquet(files: Files, name: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(files.read(name)))
