"""Made-up files in the official layout of ML-25M, of any size, to measure how text becomes codes.

MovieLens may not be redistributed, and a measurement of speed and memory needs its sizes and its
skew, but not its opinions.
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
# The popularity of the m-th movie is 1 / (m + 50): the first then has 0.3 % of all ratings, as in
# ML-25M.
_FLAT = 50.0
_FIRST_DAY, _LAST_DAY = 789_652_009, 1_574_327_703  # first and last timestamp of ML-25M, s
_DAY = 86_400  # seconds
# Rows are made and written for this many users at a time: some 1.2 million rows.
_USERS_AT_ONCE = 8_000
_GENRE_SETS = 1600


def write_official(folder: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Write `ratings.csv` and `movies.csv` into `folder`, which exists.

    The rows of a user are together, sorted by movie, and no pair occurs twice. Users have 20
    ratings or more, with a log-normal tail; the share of the m-th movie is that of 1 / (m + 50).

    rows: lines of ratings. `ROWS` of them have the users and movies of ML-25M. Fewer rows have
        proportionally fewer users, and movies as the square root.

    Raises BenchError for fewer rows than one user has.
    """
    if rows < LEAST_A_USER:
        raise BenchError(
            f"rows: {rows} was given; it must be at least {LEAST_A_USER}, the ratings of one user"
        )
    random = np.random.default_rng(seed)
    n_users = max(1, round(USERS * rows / ROWS))
    n_movies = max(4 * LEAST_A_USER, round(MOVIES * (rows / ROWS) ** 0.5))
    largest_id = max(LARGEST_MOVIE_ID, n_movies)
    drawn_ids = random.choice(largest_id, n_movies, replace=False) + 1
    movie_ids = np.sort(drawn_ids).astype(np.uint32)
    _write_movies(folder / "movies.csv", movie_ids, random)
    movie_effects = random.normal(0.0, 0.5, n_movies).astype(np.float32)
    counts = _ratings_a_user(rows, n_users, n_movies, random)
    with (folder / "ratings.csv").open("wb") as file:
        file.write(f"{CSV_HEADER}\n".encode())
        for first in range(0, n_users, _USERS_AT_ONCE):
            some_counts = counts[first : first + _USERS_AT_ONCE]
            frame = _ratings(some_counts, first, movie_ids, movie_effects, random)
            frame.write_csv(file, include_header=False)


def _ratings_a_user(
    rows: int, n_users: int, n_movies: int, random: np.random.Generator
) -> np.ndarray:
    """Return the ratings of each user: int64 [users], `rows` in all, from 20 to half the movies."""
    most = max(n_movies // 2, -(-rows // n_users))
    weight = random.lognormal(0.0, 1.35, n_users)
    rows_a_weight = (rows - LEAST_A_USER * n_users) / weight.sum()
    counts = LEAST_A_USER + np.floor(weight * rows_a_weight).astype(np.int64)
    counts = np.minimum(counts, most)
    while True:
        missing = rows - int(counts.sum())  # because of rounding and of the upper bound
        if not missing:
            return counts
        below_most = np.flatnonzero(counts < most)
        users = random.permutation(below_most)[:missing]
        more = max(1, missing // len(below_most))
        counts[users] += np.minimum(most - counts[users], more)


def _ratings(
    counts: np.ndarray,
    first: int,
    movie_ids: np.ndarray,
    movie_effects: np.ndarray,
    random: np.random.Generator,
) -> pl.DataFrame:
    """Return the rows of some users, of whom `first` come before."""
    n_users = len(counts)
    user = np.repeat(np.arange(n_users), counts)
    n_rows = len(user)
    movie = _movies_of_users(user, counts, len(movie_ids), random)
    user_effects = random.normal(0.0, 0.4, n_users).astype(np.float32)
    noise = random.standard_normal(n_rows, np.float32) * np.float32(0.8)
    stars = 3.55 + user_effects[user] + movie_effects[movie] + noise
    half_stars = np.round(stars * 2) / 2
    start = random.integers(_FIRST_DAY, _LAST_DAY - _DAY, n_users)
    return pl.DataFrame(
        {
            "userId": (user + (first + 1)).astype(np.uint32),
            "movieId": movie_ids[movie],
            "rating": np.clip(half_stars, 0.5, 5.0).astype(np.float32),
            "timestamp": start[user] + random.integers(0, _DAY, n_rows),
        }
    )


def _movies_of_users(
    user: np.ndarray, counts: np.ndarray, n_movies: int, random: np.random.Generator
) -> np.ndarray:
    """Return the movie of each row: increasing within a user, without repetition."""
    first_rows = np.cumsum(counts) - counts
    position = np.arange(len(user)) - np.repeat(first_rows, counts)  # 0, 1, ... within a user
    n = counts[user]
    # One draw from each of n equal slices of the distribution: sorted, and with the right skew.
    share = (position + random.random(len(user))) / n
    movie = (_FLAT * ((1 + n_movies / _FLAT) ** share - 1)).astype(np.int64)
    # Every movie is at least one above the previous one, and low enough for those to come.
    movie = np.minimum(movie, n_movies - n + position) - position
    before_user = user * n_movies
    return np.maximum.accumulate(movie + before_user) - before_user + position


def _write_movies(path: Path, movie_ids: np.ndarray, random: np.random.Generator) -> None:
    """Write titles with a year, and one to four genres.

    One title in five hundred has no year, and one movie in a hundred no genres.
    """
    n_movies = len(movie_ids)
    ages = np.minimum(random.exponential(18.0, n_movies), 110).astype(int)
    years = 2019 - ages
    genre_sets = []
    for size in random.integers(1, 5, _GENRE_SETS):
        chosen = sorted(random.choice(len(GENRES), size, replace=False))
        genre_sets.append("|".join(GENRES[genre] for genre in chosen))
    # A few sets are frequent, most are rare.
    genre_set = (_GENRE_SETS * random.random(n_movies) ** 3).astype(int)
    has_no_genres = random.random(n_movies) < 0.01
    has_no_year = random.random(n_movies) < 0.002
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("movieId,title,genres\n")
        for index, movie_id in enumerate(movie_ids.tolist()):
            title = f"Title, The {movie_id}"
            if not has_no_year[index]:
                title += f" ({years[index]})"
            genres = genre_sets[genre_set[index]]
            if has_no_genres[index]:
                genres = "(no genres listed)"
            file.write(f'{movie_id},"{title}",{genres}\n')
