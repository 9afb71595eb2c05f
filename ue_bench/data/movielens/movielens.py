"""MovieLens, and the planted worlds in its form, as a data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ue_bench.data.checksums import frames_checksum
from ue_bench.data.coded import Coded, look_up, number_ids, number_text, spread
from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError

_BASE_WITH_USERS = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
_BASE_WITHOUT_USERS = ("user_id", "movie_id", "release_year", "genres")
_CROSSES_WITH_USERS = ("genres", "user_id*genres", "movie_id*occupation", "movie_id*gender")
_CROSSES_WITHOUT_USERS = ("user_id*genres", "user_id*release_year")


@dataclass(frozen=True, eq=False)
class MovieLens(Dataset):
    """Ratings with what is known about users and items.

    ratings: user_id, movie_id (UInt32), rating (Float32), timestamp (Int64, s); N rows in file
    order.
    users: user_id first, then attributes (all String), or None where users have none.
    items: movie_id first, then attributes (all String).
    source, checksum: where the files came from, and their checksum; `planted`: made in memory.

    `base`: user_id, movie_id, gender, age, occupation, zip_code; where users have no attributes:
    user_id, movie_id, release_year, genres. `wide`: base and genres, user_id*genres,
    movie_id*occupation, movie_id*gender; where users have no attributes: base and user_id*genres,
    user_id*release_year.
    """

    name: str
    ratings: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame
    source: str
    checksum: str

    @property
    def entities(self) -> tuple[str, str]:
        return "user_id", "movie_id"

    @property
    def unit(self) -> str:
        return "ratings"

    @property
    def stars(self) -> bool:
        return True

    @cached_property
    def rows_checksum(self) -> str:
        return frames_checksum([self.ratings, self.users, self.items])

    @property
    def features(self) -> tuple[str, ...]:
        of_users = [] if self.users is None else self.users.columns[1:]
        return ("user_id", "movie_id", *of_users, *self.items.columns[1:])

    @property
    def base(self) -> tuple[str, ...]:
        return _BASE_WITHOUT_USERS if self.users is None else _BASE_WITH_USERS

    @property
    def wide(self) -> tuple[str, ...]:
        crosses = _CROSSES_WITHOUT_USERS if self.users is None else _CROSSES_WITH_USERS
        return self.base + crosses

    @property
    def target(self) -> np.ndarray:
        return self.ratings["rating"].to_numpy()

    @property
    def times(self) -> np.ndarray:
        return self.ratings["timestamp"].to_numpy()

    def describe(self) -> dict[str, Any]:
        """Return counts and ranges; users, items and cardinalities count what the ratings have."""
        cardinalities = {name: len(self.coded(name).values) for name in self.features}
        ratings = self.target
        times = self.times
        return {
            "name": self.name,
            "ratings": self.n_rows,
            "users": cardinalities["user_id"],
            "items": cardinalities["movie_id"],
            "features": cardinalities,
            "rating_scale": [float(ratings.min()), float(ratings.max())],
            "time_span": [_day(times.min()), _day(times.max())],
            "source": self.source,
            "checksum": self.checksum,
        }

    def summary(self, description: Mapping[str, Any]) -> str:
        low, high = description["rating_scale"]
        first, last = description["time_span"]
        n_ratings = description["ratings"]
        n_items = description["items"]
        n_users = description["users"]
        return (
            f"{n_ratings:,} ratings of {n_items:,} items "
            f"by {n_users:,} users, {low:g} to {high:g}, {first} to {last}"
        )

    @cached_property
    def _coded_users(self) -> Coded:
        return number_ids(self.ratings["user_id"])

    @cached_property
    def _coded_items(self) -> Coded:
        return number_ids(self.ratings["movie_id"])

    def single(self, feature: str) -> Coded:
        if feature == "user_id":
            return self._coded_users
        if feature == "movie_id":
            return self._coded_items
        if self.users is not None and feature in self.users.columns:
            return self._attribute(self._coded_users, self.users, feature)
        return self._attribute(self._coded_items, self.items, feature)

    def _attribute(self, coded: Coded, table: pl.DataFrame, feature: str) -> Coded:
        """Return an attribute of the owners in `coded`, whose ids are the table's first column."""
        key = table.columns[0]
        attribute = look_up(coded.values, table.select(key, feature))
        if attribute.null_count():
            raise BenchError(f"{self.name}: some values of {key} in the ratings have no {feature}")
        codes, values = number_text(attribute)
        return Coded(coded.owners, spread(codes, coded.owner_codes), values)


def _day(seconds: int) -> str:
    """Return the date of a time in seconds since 1970: ISO 8601."""
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
