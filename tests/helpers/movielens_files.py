"""Writes small MovieLens folders and zips in the official form of each generation, with made-up values."""

import csv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ue_bench.data.catalog import DATASETS
from ue_bench.data.movielens.attributes import GENRES_100K

N_USERS, N_ITEMS, N_RATINGS = 12, 20, 200
JOBS = ("writer", "artist", "none")


def ratings(half_stars: bool = False, seed: int = 0) -> list[tuple[int, int, float, int]]:
    """(user, movie, rating, timestamp), no pair twice, in no order; every user and movie is at most N_*."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(N_USERS * N_ITEMS)[:N_RATINGS]
    scores = rng.integers(1, 11, N_RATINGS) / 2 if half_stars else rng.integers(1, 6, N_RATINGS)
    times = 880_000_000 + rng.permutation(N_RATINGS) * 3600
    return [
        (int(p // N_ITEMS) + 1, int(p % N_ITEMS) + 1, float(s), int(t))
        for p, s, t in zip(pairs, scores, times, strict=True)
    ]


def user(number: int) -> tuple[str, int, str, str]:
    """(gender, age, job, zip) of a user."""
    return "MF"[number % 2], 18 + 7 * (number % 4), JOBS[number % 3], f"{number % 5:05d}"


def movie(number: int) -> tuple[str, int, list[str]]:
    """(title without a year, year, genres) of a movie. Titles hold commas, quotes and accents, as the real ones do."""
    title = f'Caf\xe9 {number}, The "Big" One'
    return (
        title,
        1990 + number % 6,
        [GENRES_100K[1 + number % 5], *([GENRES_100K[8]] if number % 2 else [])],
    )


def _text(path: Path, lines: Sequence[str], encoding: str = "latin-1") -> None:
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def write_100k(folder: Path) -> None:
    _text(folder / "u.data", [f"{u}\t{m}\t{_number(r)}\t{t}" for u, m, r, t in ratings()])
    users = [(n, *user(n)) for n in range(1, N_USERS + 1)]
    _text(
        folder / "u.user",
        [f"{n}|{age}|{gender}|{job}|{code}" for n, gender, age, job, code in users],
    )
    lines = []
    for n in range(1, N_ITEMS + 1):
        title, year, genres = movie(n)
        flags = "|".join(str(int(name in genres)) for name in GENRES_100K)
        lines.append(f"{n}|{title} ({year})|01-Jan-{year}||http://example.org/{n}|{flags}")
    _text(folder / "u.item", lines)


def _write_dat(folder: Path, half_stars: bool, encoding: str) -> None:
    rows = ratings(half_stars)
    _text(folder / "ratings.dat", [f"{u}::{m}::{_number(r)}::{t}" for u, m, r, t in rows])
    movies = [(n, *movie(n)) for n in range(1, N_ITEMS + 1)]
    lines = [f"{n}::{title} ({year})::{'|'.join(genres)}" for n, title, year, genres in movies]
    _text(folder / "movies.dat", lines, encoding)


def write_1m(folder: Path) -> None:
    _write_dat(folder, half_stars=False, encoding="latin-1")
    users = [(n, *user(n)) for n in range(1, N_USERS + 1)]
    _text(
        folder / "users.dat",
        [f"{n}::{gender}::{age}::{job}::{code}" for n, gender, age, job, code in users],
    )


def write_10m(folder: Path) -> None:
    _write_dat(folder, half_stars=True, encoding="utf-8")


def write_csv(folder: Path) -> None:
    rows = [f"{u},{m},{r},{t}" for u, m, r, t in ratings(half_stars=True)]
    _text(folder / "ratings.csv", ["userId,movieId,rating,timestamp", *rows])
    with (folder / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["movieId", "title", "genres"])
        for n in range(1, N_ITEMS + 1):
            title, year, genres = movie(n)
            writer.writerow([n, f"{title} ({year})", "|".join(genres)])


WRITERS: dict[str, Callable[[Path], None]] = {
    "100k": write_100k,
    "1m": write_1m,
    "10m": write_10m,
    "csv": write_csv,
}


def write_folder(root: Path, name: str) -> Path:
    """The folder of data set `name` as its zip unpacks to, under `root`."""
    folder = root / DATASETS[name].folder
    folder.mkdir(parents=True)
    WRITERS[DATASETS[name].layout](folder)
    return folder


def write_zip(root: Path, name: str) -> Path:
    """The zip of data set `name`, under `root`."""
    folder = write_folder(root / "unpacked", name)
    path = root / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in sorted(folder.iterdir()):
            archive.write(member, f"{folder.name}/{member.name}")
    return path
