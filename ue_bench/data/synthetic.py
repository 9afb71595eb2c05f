"""Planted worlds: small data sets whose ratings follow a known formula.

Theory says which strategy must be best on them. They have the form of MovieLens, are made in memory
and follow from their name alone: nothing is downloaded, and every seed of a run keeps its meaning.
A world may be drawn anew: `planted-small#17` has the formula of `planted-small` and other effects,
rows and noise.
All effects are drawn at random and then scaled to mean 0 and variance 1 over the values of their
feature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from ue_bench.config.drawn_worlds import world_of
from ue_bench.data.checksums import content_checksum
from ue_bench.data.movielens.layouts import Frames

MEAN = 3.5  # of the ratings of every world
HOUR = 3_600  # seconds between two ratings
# Distinct values of the attributes of users and of movies.
OF_USERS = {"gender": 2, "age": 7, "occupation": 21, "zip_code": 50}
OF_ITEMS = {"release_year": 10, "genres": 20}
# Of the world of rare values: so many movies have half of the ratings.
FREQUENT = 50


class Planted(NamedTuple):
    """The frames of a world. checksum: `sha256:` over its ratings and attributes."""

    frames: Frames
    checksum: str


class Draw(NamedTuple):
    """The rows of a world before they have a rating.

    codes: int64 [rows], by feature. sizes: number of distinct values, by feature.
    """

    codes: dict[str, np.ndarray]
    sizes: dict[str, int]
    random: np.random.Generator

    def effect(self, feature: str) -> np.ndarray:
        """Draw one number for each value and return it in each row: float64 [rows].

        The numbers have mean 0 and variance 1 over the values.
        """
        of_values = standard(self.random.standard_normal(self.sizes[feature]))
        return of_values[self.codes[feature]]


@dataclass(frozen=True)
class World:
    """A formula: rating = 3.5 + signal + noise * a standard normal number.

    users, items, rows: their numbers; users take turns, so that all have equally many rows.
    noise: standard deviation. signal: float64 [rows] from a draw.
    frequent: so many movies, the first ones, have half of the rows; 0: every movie is as frequent
    as every other.
    """

    users: int
    items: int
    rows: int
    noise: float
    signal: Callable[[Draw], np.ndarray]
    frequent: int = 0

    @property
    def noise_variance(self) -> float:
        """The MSE of a model that knows the formula."""
        return self.noise**2


def _additive(draw: Draw) -> np.ndarray:
    names = ("gender", "age", "occupation", "zip_code", "genres")
    return np.sum([draw.effect(name) for name in names], axis=0)


def _one_feature(draw: Draw) -> np.ndarray:
    return draw.effect("user_id")


def _one_small_feature(draw: Draw) -> np.ndarray:
    return draw.effect("gender")


def _low_rank(draw: Draw) -> np.ndarray:
    products = [draw.effect("user_id") * draw.effect("movie_id") for _ in range(2)]
    return np.sum(products, axis=0) / np.sqrt(2)


def _user_and_movie(draw: Draw) -> np.ndarray:
    return (draw.effect("user_id") + draw.effect("movie_id")) / np.sqrt(2)


def _rare_or_frequent(draw: Draw) -> np.ndarray:
    return np.where(draw.codes["movie_id"] < FREQUENT, 1.0, -1.0)


def _nothing(draw: Draw) -> np.ndarray:
    return np.zeros(len(draw.codes["user_id"]))


WORLDS: dict[str, World] = {
    "planted-additive": World(users=500, items=200, rows=10_000, noise=0.5, signal=_additive),
    "planted-one-feature": World(
        users=1_000, items=400, rows=16_000, noise=0.2, signal=_one_feature
    ),
    "planted-noise": World(users=500, items=200, rows=10_000, noise=1.0, signal=_nothing),
    "planted-low-rank": World(users=200, items=200, rows=16_000, noise=0.2, signal=_low_rank),
    "planted-one-small-feature": World(
        users=4_000, items=100, rows=40_000, noise=1.0, signal=_one_small_feature
    ),
    "planted-small": World(users=100, items=100, rows=2_000, noise=0.5, signal=_user_and_movie),
    "planted-rare-values": World(
        users=200,
        items=8_050,
        rows=16_000,
        noise=0.5,
        signal=_rare_or_frequent,
        frequent=FREQUENT,
    ),
}


def rows_in_use(values: int, rows: int) -> float:
    """Return how many of M rows n values read, in the mean over hash functions.

    A row is read by none of them with probability (1 - 1/M)^n.
    """
    return rows * (1 - (1 - 1 / rows) ** values)


def lost_variance(values: int, rows: int) -> float:
    """Return the share of the variance of one feature's effects that a hashed table cannot hold.

    This is the expectation over hash functions, for n values of equal frequency and M rows. A row
    is best at the mean of the effects in it, so that k values in one row keep 1 / k of their
    variance. A value is alone, and loses nothing, with probability (1 - 1/M)^(n-1); the mean of
    1 / k over the binomial number of those that share its row is rows in use over values.
    """
    return 1 - rows_in_use(values, rows) / values


def standard(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers, shifted and scaled to mean 0 and variance 1."""
    return (numbers - numbers.mean()) / numbers.std()


def is_world(name: str) -> bool:
    """Return whether a data set is a planted world, or a draw of one."""
    return world_of(name) in WORLDS


def plant(name: str) -> Planted:
    """Make the world of a name in WORLDS, or a draw of it."""
    world = WORLDS[world_of(name)]
    random = np.random.Generator(np.random.PCG64(list(name.encode())))
    of_users = _attributes(OF_USERS, world.users, random)
    of_items = _attributes(OF_ITEMS, world.items, random)
    user = np.arange(world.rows) % world.users
    item = _items(world, random)
    codes = {"user_id": user, "movie_id": item}
    for feature, attribute in of_users.items():
        codes[feature] = attribute[user]
    for feature, attribute in of_items.items():
        codes[feature] = attribute[item]
    sizes = {"user_id": world.users, "movie_id": world.items, **OF_USERS, **OF_ITEMS}
    signal = world.signal(Draw(codes, sizes, random))
    noise = world.noise * random.standard_normal(world.rows)
    ratings = pl.DataFrame(
        {
            "user_id": _numbers(user),
            "movie_id": _numbers(item),
            "rating": pl.Series(MEAN + signal + noise, dtype=pl.Float32),
            "timestamp": np.arange(world.rows, dtype=np.int64) * HOUR,
        }
    )
    users = _table("user_id", world.users, of_users)
    items = _table("movie_id", world.items, of_items)
    frames = Frames(ratings, users, items)
    contents = {
        "ratings": ratings.write_csv().encode(),
        "users": users.write_csv().encode(),
        "items": items.write_csv().encode(),
    }
    return Planted(frames, content_checksum(contents))


def _items(world: World, random: np.random.Generator) -> np.ndarray:
    """Draw the movie of each row: int64 [rows]."""
    if not world.frequent:
        return random.integers(world.items, size=world.rows)
    frequent = random.integers(world.frequent, size=world.rows)
    rare = random.integers(world.frequent, world.items, size=world.rows)
    return np.where(random.random(world.rows) < 0.5, frequent, rare)


def _attributes(
    sizes: dict[str, int], n: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the attributes of n users or movies: codes, int64 [n] each."""
    return {feature: random.integers(size, size=n) for feature, size in sizes.items()}


def _table(key: str, n: int, attributes: dict[str, np.ndarray]) -> pl.DataFrame:
    columns = {key: np.arange(n), **attributes}
    return pl.DataFrame({name: _numbers(codes).cast(pl.String) for name, codes in columns.items()})


def _numbers(codes: np.ndarray) -> pl.Series:
    return pl.Series(codes + 1).cast(pl.UInt32)
