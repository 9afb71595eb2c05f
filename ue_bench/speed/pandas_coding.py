"""From a folder of ML-25M to the codes of its `base` features in pandas, as one writes it: the yardstick of `coding`.

Nothing is held back: column types are narrow, the movies' attributes come by one merge, a column is numbered by one `factorize`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ue_bench.data.movielens.attributes import release_year

FEATURES = (
    "user_id",
    "movie_id",
    "release_year",
    "genres",
)  # `base` where users have no attributes


class Coded(NamedTuple):
    """What `data.Encoded` has of the same rows. codes: int64 [N, F]. values: one a feature, those seen in training first."""

    codes: np.ndarray
    values: list[list[str]]
    n_seen: list[int]
    counts: list[list[int]]
    ratings: np.ndarray
    parts: np.ndarray
    user_seen: np.ndarray
    item_seen: np.ndarray


def encode_with_pandas(folder: Path, split_seed: int = 0) -> Coded:
    """Read, split at random 80 / 10 / 10 %, and encode: the same rows, parts and codes as load, split and encode give."""
    types = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
    ratings = pd.read_csv(folder / "ratings.csv", dtype=types)  # type: ignore[arg-type]  # the stubs want no plain str
    movies = pd.read_csv(folder / "movies.csv", dtype={"movieId": "int32"})
    movies["release_year"] = movies["title"].map(release_year)
    rows = ratings.merge(movies[["movieId", "release_year", "genres"]], on="movieId", how="left")
    rows = rows.rename(columns={"userId": "user_id", "movieId": "movie_id"})

    n = len(rows)
    order = np.random.default_rng(split_seed).permutation(n)
    parts = np.zeros(n, np.uint8)
    parts[order[n * 8 // 10 : n * 9 // 10]] = 1
    parts[order[n * 9 // 10 :]] = 2

    seen_first = np.concatenate([np.flatnonzero(parts == 0), np.flatnonzero(parts != 0)])
    n_train = int((parts == 0).sum())
    codes = np.empty((n, len(FEATURES)), np.int64)
    values, n_seen, counts = [], [], []
    for column, name in enumerate(FEATURES):
        found, distinct = pd.factorize(rows[name].iloc[seen_first])
        codes[seen_first, column] = found
        values.append(distinct.astype(str).to_list())
        n_seen.append(int(found[:n_train].max()) + 1)
        counts.append(np.bincount(found[:n_train]).tolist())
    user_seen, item_seen = codes[:, 0] < n_seen[0], codes[:, 1] < n_seen[1]
    return Coded(
        codes, values, n_seen, counts, rows["rating"].to_numpy(), parts, user_seen, item_seen
    )
