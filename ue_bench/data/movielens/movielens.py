"""MovieLens, and the planted worlds in its form, as a data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ue_bench.data.coded import Coded, number_ids, number_text, spread
from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError

_USER_BASE = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
_ITEM_BASE = ("user_id", "movie_id", "release_year", "genres")


@dataclass(frozen=True, eq=False)
class MovieLens(Dataset):
    """Ratings with what is known about users and items.

    ratings: user_id, movie_id (UInt32), rating (Float32), timestamp (Int64, s); N rows in file order.
    users: user_id first, then attributes (all String), or None where users have none. items: movie_id first, likewise.
    source, checksum: where the files came from and what they were (`Files`); `planted`: it was made.
    `base`: user_id, movie_id, gender, age, occupation, zip_code; where users have no attributes: user_id, movie_id,
    release_year, genres. `wide`: base and genres, user_id*genres, movie_id*occupation, movie_id*gender; where users
    have no attributes: base and user_id*genres, user_id*release_year.
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

    @property
    def features(self) -> tuple[str, ...]:
        of_users = [] if self.users is None else self.users.columns[1:]
        return ("user_id", "movie_id", *of_users, *self.items.columns[1:])

    @property
    def base(self) -> tuple[str, ...]:
        return _ITEM_BASE if self.users is None else _USER_BASE

    @property
    def wide(self) -> tuple[str, ...]:
        if self.users is None:
            return (*_ITEM_BASE, "user_id*genres", "user_id*release_year")
        return (*_USER_BASE, "genres", "user_id*genres", "movie_id*occupation", "movie_id*gender")

    @property
    def target(self) -> np.ndarray:
        return self.ratings["rating"].to_numpy()

    @property
    def times(self) -> np.ndarray:
        return self.ratings["timestamp"].to_numpy()

    def describe(self) -> dict[str, Any]:
        """users, items and cardinalities count what occurs in the ratings."""
        ratings, times = self.target, self.times
        cardinalities = {name: len(self.coded(name).values) for name in self.features}
        return {
            "name": self.name,
            "ratings": self.n_rows,
            "users": cardinalities["user_id"],
            "items": cardinalities["movie_id"],
            "features": cardinalities,
            "rating_scale": [float(ratings.min()), float(ratings.max())],
            "time_span": [
                str(np.datetime64(int(t), "s").astype("datetime64[D]"))
                for t in (times.min(), times.max())
            ],
            "source": self.source,
            "checksum": self.checksum,
        }

    def headline(self, found: Mapping[str, Any]) -> str:
        (low, high), (first, last) = found["rating_scale"], found["time_span"]
        return (
            f"{found['name']}: {found['ratings']:,} ratings of {found['items']:,} items by {found['users']:,} users, "
            f"{low:g} to {high:g}, {first} to {last}"
        )

    @cached_property
    def _users(self) -> Coded:
        return number_ids(self.ratings["user_id"])

    @cached_property
    def _items(self) -> Coded:
        return number_ids(self.ratings["movie_id"])

    def single(self, feature: str) -> Coded:
        if feature == "user_id":
            return self._users
        if feature == "movie_id":
            return self._items
        of_user = self.users is not None and feature in self.users.columns
        owner, table = (self._users, self.users) if of_user else (self._items, self.items)
        assert table is not None  # nosec B101 # for the type checker, `of_user` implies it
        key = table.columns[0]
        attribute = owner.values.to_frame(key).join(
            table.select(key, feature), on=key, how="left", maintain_order="left"
        )
        if attribute[feature].null_count():
            raise BenchError(f"{self.name}: some values of {key} in the ratings have no {feature}")
        codes, values = number_text(attribute[feature])
        return Coded(owner.rows, spread(codes, owner.of), values)
