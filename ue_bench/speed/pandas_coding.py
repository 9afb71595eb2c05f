"""From a folder of ML-25M to the codes of its `base` features in pandas, as one writes it: what the
case `coding` and first contact are compared with.

It is written for speed: column types are narrow, one merge brings the movies' attributes, and one
`factorize` numbers a column.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ue_bench.data.movielens.attributes import release_year
from ue_bench.errors import BenchError

COLUMNS = ("userId", "movieId", "rating", "timestamp")
SCALE = (0.5, 5.0)  # stars
FEATURES = ("user_id", "movie_id", "release_year", "genres")  # `base` without users' attributes


class Coded(NamedTuple):
    """What `data.Encoded` has of the same rows.

    codes: int64 [N, F].
    values: a list a feature, with those that occur in training first.
    """

    codes: np.ndarray
    values: list[list[str]]
    n_seen: list[int]
    counts: list[list[int]]
    ratings: np.ndarray
    parts: np.ndarray
    user_seen: np.ndarray
    item_seen: np.ndarray


def encode_with_pandas(folder: Path, split_seed: int = 0) -> Coded:
    """Read the files, split them at random into 80 / 10 / 10 %, and encode the features.

    Rows, parts and codes are those of `load`, `split` and `encode`.
    """
    rows = _rows(folder)
    parts = _random_parts(len(rows), split_seed)
    is_train = parts == 0
    train_first = np.concatenate([np.flatnonzero(is_train), np.flatnonzero(~is_train)])
    n_train = int(is_train.sum())
    codes = np.empty((len(rows), len(FEATURES)), np.int64)
    values = []
    n_seen = []
    counts = []
    for column, name in enumerate(FEATURES):
        column_codes, distinct = pd.factorize(rows[name].iloc[train_first])
        codes[train_first, column] = column_codes
        values.append(distinct.astype(str).to_list())
        n_seen.append(int(column_codes[:n_train].max()) + 1)
        counts.append(np.bincount(column_codes[:n_train]).tolist())
    return Coded(
        codes=codes,
        values=values,
        n_seen=n_seen,
        counts=counts,
        ratings=rows["rating"].to_numpy(),
        parts=parts,
        user_seen=codes[:, 0] < n_seen[0],
        item_seen=codes[:, 1] < n_seen[1],
    )


def keep_with_pandas(folder: Path, out: Path) -> int:
    """Read and check the files, code their columns, and write what a later run reads into `out`.

    Of each column of ids that is an int32 code a row; of a movie's attributes, a code a movie; the
    values as text; ratings and times. Returns the bytes of the arrays.
    Raises BenchError for rows that are no ratings.
    """
    ratings = _ratings(folder)
    movies = _movies(folder)
    _check(ratings, movies)
    arrays = {"rating": ratings["rating"].to_numpy(), "time": ratings["timestamp"].to_numpy()}
    values = {}
    for name, column in (("user_id", "userId"), ("movie_id", "movieId")):
        codes, values[name] = pd.factorize(ratings[column])
        arrays[name] = codes.astype(np.int32)
    of_movies = movies.set_index("movieId").loc[values["movie_id"]]
    for name in ("release_year", "genres"):
        codes, values[name] = pd.factorize(of_movies[name])
        arrays[name] = codes.astype(np.int32)
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    for name, texts in values.items():
        (out / f"{name}.txt").write_text("\n".join(texts.astype(str)), encoding="utf-8")
    return sum(array.nbytes for array in arrays.values())


def _check(ratings: pd.DataFrame, movies: pd.DataFrame) -> None:
    """Raise BenchError for what is no rating. Types were checked as the file was read."""
    known = pd.Index(movies["movieId"])
    is_right = (
        tuple(ratings.columns) == COLUMNS
        and known.is_unique
        and not ratings["rating"].isna().any()
        and bool(ratings["rating"].between(*SCALE).all())
        and bool(ratings["movieId"].isin(known).all())
    )
    if not is_right:
        raise BenchError("ratings.csv: a row is no rating of a movie; give the official files")


def _rows(folder: Path) -> pd.DataFrame:
    ratings = _ratings(folder)
    attributes = _movies(folder)[["movieId", "release_year", "genres"]]
    rows = ratings.merge(attributes, on="movieId", how="left")
    return rows.rename(columns={"userId": "user_id", "movieId": "movie_id"})


def _ratings(folder: Path) -> pd.DataFrame:
    types = dict(zip(COLUMNS, ("int32", "int32", "float32", "int64"), strict=True))
    # The stubs of pandas refuse plain str as types.
    path = folder / "ratings.csv"
    return pd.read_csv(path, dtype=types, skip_blank_lines=False)  # type: ignore[arg-type]


def _movies(folder: Path) -> pd.DataFrame:
    movies = pd.read_csv(folder / "movies.csv", dtype={"movieId": "int32"})
    movies["release_year"] = movies["title"].map(release_year)
    return movies


def _random_parts(n: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(n)
    parts = np.zeros(n, np.uint8)
    parts[order[n * 8 // 10 : n * 9 // 10]] = 1
    parts[order[n * 9 // 10 :]] = 2
    return parts
