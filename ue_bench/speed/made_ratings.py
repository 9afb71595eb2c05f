"""Made-up files in the official layout of ML-25M, of any size, to measure the road from text to codes on.

MovieLens may not be redistributed, and a measurement of speed and memory needs its sizes and its skew, not its opinions.
"""

from pathlib import Path

import numpy as np
import polars as pl

from ue_bench.data.movielens.ratings import CSV_HEADER
from ue_bench.errors import BenchError

ROWS, USERS, MOVIES = 25_000_095, 162_541, 59_047  # of ML-25M
LARGEST_MOVIE_ID = 209_171  # of ML-25M: its ids have gaps
LEAST_A_USER = 20  # MovieLens publishes no user with fewer ratings
GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_FLAT = 50.0  # popularity of the m-th movie is 1 / (m + 50): the first then has 0.3 % of all ratings, as in ML-25M
_FIRST_DAY, _LAST_DAY = 789_652_009, 1_574_327_703  # first and last timestamp of ML-25M, s
_USERS_AT_ONCE = 8_000  # some 1.2 million rows: what is written is made in such pieces


def write_official(folder: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Write `ratings.csv` and `movies.csv` into `folder`, which exists.

    rows: lines of ratings. ROWS of them have the users and movies of ML-25M; fewer have proportionally fewer users, and movies as
    the square root. A user's rows stand together, sorted by movie, and no pair comes twice. Users have 20 ratings or more, with
    a log-normal tail; the m-th movie has a share of 1 / (m + 50). Raises BenchError for fewer rows than one user has.
    """
    if rows < LEAST_A_USER:
        raise BenchError(
            f"rows: {rows} was given; it must be at least {LEAST_A_USER}, what a user has"
        )
    random = np.random.default_rng(seed)
    users = max(1, round(USERS * rows / ROWS))
    movies = max(4 * LEAST_A_USER, round(MOVIES * (rows / ROWS) ** 0.5))
    ids = np.sort(random.choice(max(LARGEST_MOVIE_ID, movies), movies, replace=False) + 1).astype(
        np.uint32
    )
    _write_movies(folder / "movies.csv", ids, random)
    of_movie = random.normal(0.0, 0.5, movies).astype(np.float32)
    counts = _counts(rows, users, movies, random)
    with (folder / "ratings.csv").open("wb") as file:
        file.write(f"{CSV_HEADER}\n".encode())
        for first in range(0, users, _USERS_AT_ONCE):
            _rows(counts[first : first + _USERS_AT_ONCE], first, ids, of_movie, random).write_csv(
                file, include_header=False
            )


def _counts(rows: int, users: int, movies: int, random: np.random.Generator) -> np.ndarray:
    """Ratings of each user: int64 [users], `rows` in all, from 20 to half of the movies."""
    most = max(movies // 2, -(-rows // users))
    weight = random.lognormal(0.0, 1.35, users)
    counts = LEAST_A_USER + np.floor(
        weight * ((rows - LEAST_A_USER * users) / weight.sum())
    ).astype(np.int64)
    counts = np.minimum(counts, most)
    while missing := rows - int(counts.sum()):  # what rounding and the bound left over
        open_ = np.flatnonzero(counts < most)
        share = random.permutation(open_)[:missing]
        counts[share] += np.minimum(most - counts[share], max(1, missing // len(open_)))
    return counts


def _rows(
    counts: np.ndarray,
    first: int,
    ids: np.ndarray,
    of_movie: np.ndarray,
    random: np.random.Generator,
) -> pl.DataFrame:
    """The rows of some users, of whom `first` come before."""
    user = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(user)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )  # 0, 1, ... within a user
    n, movies = counts[user], len(ids)
    # one draw from each of n equal slices of the distribution: sorted already, and of the right skew in all
    share = (place + random.random(len(user))) / n
    movie = (_FLAT * ((1 + movies / _FLAT) ** share - 1)).astype(np.int64)
    # no movie twice: at least one above the one before, and low enough for those to come
    movie = np.minimum(movie, movies - n + place) - place
    movie = np.maximum.accumulate(movie + user * movies) - user * movies + place
    taste = random.normal(0.0, 0.4, len(counts)).astype(np.float32)[user]
    stars = (
        3.55
        + taste
        + of_movie[movie]
        + random.standard_normal(len(user), np.float32) * np.float32(0.8)
    )
    start = random.integers(_FIRST_DAY, _LAST_DAY - 86_400, len(counts))
    return pl.DataFrame(
        {
            "userId": (user + (first + 1)).astype(np.uint32),
            "movieId": ids[movie],
            "rating": np.clip(np.round(stars * 2) / 2, 0.5, 5.0).astype(np.float32),
            "timestamp": start[user] + random.integers(0, 86_400, len(user)),
        }
    )


def _write_movies(path: Path, ids: np.ndarray, random: np.random.Generator) -> None:
    """Titles with a year, one in five hundred without, and one to four genres, one in a hundred without."""
    years = 2019 - np.minimum(random.exponential(18.0, len(ids)), 110).astype(int)
    sets = [
        "|".join(GENRES[g] for g in sorted(random.choice(len(GENRES), size, replace=False)))
        for size in random.integers(1, 5, 1600)
    ]
    chosen = (len(sets) * random.random(len(ids)) ** 3).astype(
        int
    )  # a few combinations are frequent, most are rare
    plain = random.random(len(ids)) < 0.01
    undated = random.random(len(ids)) < 0.002
    rows = zip(
        ids.tolist(), years.tolist(), chosen.tolist(), plain.tolist(), undated.tolist(), strict=True
    )
    lines = (
        f'{n},"Title, The {n}{"" if no_year else f" ({year})"}",{"(no genres listed)" if none else sets[which]}\n'
        for n, year, which, none, no_year in rows
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("movieId,title,genres\n")
        file.writelines(lines)
