"""From a folder of ML-25M to the codes of its `base` features in pandas, as one writes it: what the
case `coding` is compared with.

It is written for speed: column types are narrow, one merge brings the movies' attributes, and one
`factorize` numbers a column.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ue_bench.data.movielens.attributes import release_year

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


def _rows(folder: Path) -> pd.DataFrame:
    types = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
    # The stubs of pandas refuse plain str as types.
    ratings = pd.read_csv(folder / "ratings.csv", dtype=types)  # type: ignore[arg-type]
    movies = pd.read_csv(folder / "movies.csv", dtype={"movieId": "int32"})
    movies["release_year"] = movies["title"].map(release_year)
    attributes = movies[["movieId", "release_year", "genres"]]
    rows = ratings.merge(attributes, on="movieId", how="left")
    return rows.rename(columns={"userId": "user_id", "movieId": "movie_id"})


def _random_parts(n: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(n)
    parts = np.zeros(n, np.uint8)
    parts[order[n * 8 // 10 : n * 9 // 10]] = 1
    parts[order[n * 9 // 10 :]] = 2
    return parts
