"""Planted worlds: small data sets whose ratings follow a known formula, so that theory says which strategy must be best.

They have the form of MovieLens, are made in memory and follow from their name alone: nothing is downloaded, and every seed of a
run keeps its meaning. All effects are drawn at random and then scaled to mean 0 and variance 1 over the values of their feature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from ue_bench.data.files import content_checksum
from ue_bench.data.movielens.layouts import Frames

MEAN = 3.5  # of the ratings of every world
HOUR = 3_600  # seconds between two ratings
OF_USERS = {
    "gender": 2,
    "age": 7,
    "occupation": 21,
    "zip_code": 50,
}  # attributes and their distinct values
OF_ITEMS = {"release_year": 10, "genres": 20}


class Planted(NamedTuple):
    """What a world is made of. checksum: `sha256:` over its ratings and attributes."""

    frames: Frames
    checksum: str


class Draw(NamedTuple):
    """The rows of a world before they have a rating. Codes: int64 [rows], by feature. sizes: distinct values, by feature."""

    codes: dict[str, np.ndarray]
    sizes: dict[str, int]
    random: np.random.Generator

    def effect(self, feature: str) -> np.ndarray:
        """One number a value, of mean 0 and variance 1 over the values, in each row: float64 [rows]."""
        return standard(self.random.standard_normal(self.sizes[feature]))[self.codes[feature]]


@dataclass(frozen=True)
class World:
    """rating = 3.5 + signal + noise * a standard normal number. rows: users take turns, so that all have equally many."""

    users: int
    items: int
    rows: int
    noise: float  # standard deviation
    signal: Callable[[Draw], np.ndarray]  # float64 [rows]

    @property
    def noise_variance(self) -> float:
        """MSE of a model that knows the formula."""
        return self.noise**2


def _additive(draw: Draw) -> np.ndarray:
    return np.sum(
        [draw.effect(name) for name in ("gender", "age", "occupation", "zip_code", "genres")],
        axis=0,
    )


def _one_feature(draw: Draw) -> np.ndarray:
    return draw.effect("user_id")


def _low_rank(draw: Draw) -> np.ndarray:
    return np.sum(
        [draw.effect("user_id") * draw.effect("movie_id") for _ in range(2)], axis=0
    ) / np.sqrt(2)


def _nothing(draw: Draw) -> np.ndarray:
    return np.zeros(len(draw.codes["user_id"]))


WORLDS: dict[str, World] = {
    "planted-additive": World(users=500, items=200, rows=10_000, noise=0.5, signal=_additive),
    "planted-one-feature": World(
        users=1_000, items=400, rows=16_000, noise=0.2, signal=_one_feature
    ),
    "planted-noise": World(users=500, items=200, rows=10_000, noise=1.0, signal=_nothing),
    "planted-low-rank": World(users=200, items=200, rows=16_000, noise=0.2, signal=_low_rank),
}


def lost_variance(values: int, rows: int) -> float:
    """Share of the variance of one feature's effects that a hashed table cannot hold, expected over hash functions.

    A row is best at the mean of the effects in it, so that k values in one row keep 1 / k of their variance. A value is alone,
    and nothing of it lost, with chance (1 - 1/M)^(n-1); the mean of 1 / k over the binomial number of those that share its row
    is M (1 - (1 - 1/M)^n) / n: rows in use over values. All values are taken to be equally frequent.
    """
    return 1 - rows * (1 - (1 - 1 / rows) ** values) / values


def standard(numbers: np.ndarray) -> np.ndarray:
    """Shifted and scaled to mean 0 and variance 1."""
    return (numbers - numbers.mean()) / numbers.std()


def plant(name: str) -> Planted:
    """The world of a name in WORLDS."""
    world = WORLDS[name]
    random = np.random.Generator(np.random.PCG64(list(name.encode())))
    users = {feature: random.integers(size, size=world.users) for feature, size in OF_USERS.items()}
    items = {feature: random.integers(size, size=world.items) for feature, size in OF_ITEMS.items()}
    user = np.arange(world.rows) % world.users
    item = random.integers(world.items, size=world.rows)
    codes = {"user_id": user, "movie_id": item}
    codes |= {feature: of[user] for feature, of in users.items()} | {
        feature: of[item] for feature, of in items.items()
    }
    sizes = {"user_id": world.users, "movie_id": world.items, **OF_USERS, **OF_ITEMS}
    ratings = (
        MEAN
        + world.signal(Draw(codes, sizes, random))
        + world.noise * random.standard_normal(world.rows)
    )
    frames = Frames(
        pl.DataFrame(
            {
                "user_id": _numbers(user),
                "movie_id": _numbers(item),
                "rating": pl.Series(ratings, dtype=pl.Float32),
                "timestamp": np.arange(world.rows, dtype=np.int64) * HOUR,
            }
        ),
        pl.DataFrame(
            {
                "user_id": _ids(np.arange(world.users)),
                **{feature: _ids(of) for feature, of in users.items()},
            }
        ),
        pl.DataFrame(
            {
                "movie_id": _ids(np.arange(world.items)),
                **{feature: _ids(of) for feature, of in items.items()},
            }
        ),
    )
    return Planted(
        frames,
        content_checksum(
            {key: frame.write_csv().encode() for key, frame in frames._asdict().items()}
        ),
    )


def _numbers(codes: np.ndarray) -> pl.Series:
    return pl.Series(codes + 1).cast(pl.UInt32)


def _ids(codes: np.ndarray) -> pl.Series:
    return _numbers(codes).cast(pl.String)
