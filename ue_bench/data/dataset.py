"""A loaded data set, and the values that a feature takes in its rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ue_bench.data.fetch import locate_files
from ue_bench.data.layouts import parse
from ue_bench.data.numbering import ABSENT, Coded, number_ids, number_pairs, number_text, spread
from ue_bench.data.synthetic import WORLDS, plant
from ue_bench.errors import BenchError, unknown
from ue_bench.feature import CROSS

NAMED_SETS = ("base", "wide")
_USER_BASE = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
_ITEM_BASE = ("user_id", "movie_id", "release_year", "genres")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with what is known about users and items.

    ratings: user_id, movie_id (UInt32), rating (Float32), timestamp (Int64, s); N rows in file order.
    users: user_id first, then attributes (all String), or None where users have none. items: movie_id first, likewise.
    source, checksum: where the files came from and what they were (`Files`); `planted`: it was made.
    """

    name: str
    ratings: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame
    source: str
    checksum: str

    @property
    def features(self) -> tuple[str, ...]:
        """The features this data set has, without crosses."""
        of_users = [] if self.users is None else self.users.columns[1:]
        return ("user_id", "movie_id", *of_users, *self.items.columns[1:])

    def feature_names(self, spec: str) -> tuple[str, ...]:
        """The features that `spec` stands for, in its order.

        `base`: user_id, movie_id, gender, age, occupation, zip_code; where users have no attributes: user_id, movie_id,
        release_year, genres. `wide`: base and genres, user_id*genres, movie_id*occupation, movie_id*gender; where users
        have no attributes: base and user_id*genres, user_id*release_year. Otherwise: names and crosses (`a*b`), with
        commas between. Raises BenchError for none, for one that this data set lacks and for one that comes twice.
        """
        if spec in NAMED_SETS:
            names: tuple[str, ...] = _USER_BASE if self.users is not None else _ITEM_BASE
            if spec == "wide" and self.users is not None:
                names += ("genres", "user_id*genres", "movie_id*occupation", "movie_id*gender")
            elif spec == "wide":
                names += ("user_id*genres", "user_id*release_year")
        else:
            names = tuple(name.strip() for name in spec.split(","))
            if len(names) == 1 and names[0] and "*" not in names[0] and names[0] not in self.features:
                raise unknown("feature", names[0], (*NAMED_SETS, *self.features))
            if not any(names):
                raise BenchError(f"features: none given; give {', '.join(NAMED_SETS)}, or some of {', '.join(self.features)}")
        met: dict[tuple[str, ...], str] = {}
        for name in names:
            parts = tuple(sorted(self._parts(name)))
            if parts in met:
                raise BenchError(f"features: {name!r} is given twice (first as {met[parts]!r}); leave one out")
            met[parts] = name
        return names

    def column(self, feature: str) -> pl.Series:
        """The feature's value in each row: String [N]. A cross has its parts' values, joined by `feature.CROSS`."""
        coded = self.coded(feature)
        return coded.values.gather(pl.Series(coded.codes)).alias(feature)

    def coded(self, feature: str) -> Coded:
        """`column` as integers, and what makes it cheap: attributes are looked up once a user or movie, not once a row.

        Raises BenchError for a feature that this data set lacks.
        """
        first, *others = self._parts(feature)
        found = self._single(first)
        for other in others:
            found = _crossed(found, self._single(other))
        return found

    def describe(self) -> dict[str, Any]:
        """Counts and spans, as JSON can hold them. users, items and cardinalities count what occurs in the ratings."""
        ratings, times = self.ratings["rating"].to_numpy(), self.ratings["timestamp"].to_numpy()
        cardinalities = {name: len(self.coded(name).values) for name in self.features}
        return {
            "name": self.name,
            "ratings": len(self.ratings),
            "users": cardinalities["user_id"],
            "items": cardinalities["movie_id"],
            "features": cardinalities,
            "rating_scale": [float(ratings.min()), float(ratings.max())],
            "time_span": [str(np.datetime64(int(t), "s").astype("datetime64[D]")) for t in (times.min(), times.max())],
            "source": self.source,
            "checksum": self.checksum,
        }

    def _parts(self, feature: str) -> list[str]:
        parts = [part.strip() for part in feature.split("*")]
        for part in parts:
            if part not in self.features:
                raise unknown("feature", part, self.features)
        if len(set(parts)) != len(parts):
            raise BenchError(f"feature {feature!r} crosses a feature with itself; cross different ones")
        return parts

    @cached_property
    def _users(self) -> Coded:
        return number_ids(self.ratings["user_id"])

    @cached_property
    def _items(self) -> Coded:
        return number_ids(self.ratings["movie_id"])

    def _single(self, feature: str) -> Coded:
        if feature == "user_id":
            return self._users
        if feature == "movie_id":
            return self._items
        of_user = self.users is not None and feature in self.users.columns
        owner, table = (self._users, self.users) if of_user else (self._items, self.items)
        assert table is not None  # nosec B101 # for the type checker, `of_user` implies it
        key = table.columns[0]
        attribute = owner.values.to_frame(key).join(table.select(key, feature), on=key, how="left", maintain_order="left")
        if attribute[feature].null_count():
            raise BenchError(f"{self.name}: some values of {key} in the ratings have no {feature}")
        codes, values = number_text(attribute[feature])
        return Coded(owner.rows, spread(codes, owner.of), values)


def _crossed(one: Coded, other: Coded) -> Coded:
    """A cross of two features; of two attributes of the same users or movies, once for each of these."""
    same = one.rows is other.rows
    used = one.of != ABSENT
    left, right = (one.of[used], other.of[used]) if same else (one.codes, other.codes)
    codes, of_left, of_right = number_pairs(left, right, len(other.values))
    joined = pl.concat_str(one.values.gather(pl.Series(of_left)), other.values.gather(pl.Series(of_right)), separator=CROSS)
    values = pl.select(joined).to_series()
    if not same:
        return Coded(codes, np.arange(len(values), dtype=np.int32), values)
    of = np.full(len(used), ABSENT, np.int32)
    of[used] = codes
    return Coded(one.rows, of, values)


def load(name: str, data_dir: Path | None = None, *, cache: Path | None = None) -> Dataset:
    """Find and parse a data set (arguments as in `locate_files`), or make a planted one. Raises BenchError for what is not there,
    or bad, and for a place to read a planted one from."""
    if name in WORLDS:
        if data_dir is not None:
            raise BenchError(
                f"data set {name!r} is made and has no files; leave --data-dir out ({str(data_dir)[:200]} was given)"
            )
        made = plant(name)
        return Dataset(name, *made.frames, source="planted", checksum=made.checksum)
    files = locate_files(name, data_dir, cache)
    with ThreadPoolExecutor(1) as beside:
        checksum = beside.submit(lambda: files.checksum)  # hashing leaves the interpreter free
        ratings, users, items = parse(files)
    return Dataset(name, ratings, users, items, source=files.source, checksum=checksum.result())
