"""What every data set offers, whatever its files look like: rows with a target, and features whose values are text."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ue_bench.data.coded import ABSENT, Coded, number_pairs
from ue_bench.errors import BenchError, unknown
from ue_bench.features import CROSS

NAMED_SETS = ("base", "wide")


class Dataset(ABC):
    """N rows of a target and of features.

    name: as in `RunConfig.dataset`. source, checksum: where the rows came from, and what they were.
    """

    name: str
    source: str
    checksum: str

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """The features that it has, without crosses."""

    @property
    @abstractmethod
    def base(self) -> tuple[str, ...]:
        """What the feature set `base` stands for."""

    @property
    @abstractmethod
    def wide(self) -> tuple[str, ...]:
        """What the feature set `wide` stands for."""

    @property
    @abstractmethod
    def entities(self) -> tuple[str, str]:
        """(user, item): the features that trivial predictors, warm and cold slices and the temporal split by user rest on."""

    @property
    def separators(self) -> Mapping[str, str]:
        """Of each feature whose values are several at once the character between them."""
        return {}

    @property
    def kinds(self) -> Mapping[str, str]:
        """Of each feature whose raw values follow the rules of tables (`texts`) how they become text; the others are categories
        as they are."""
        return {}

    @property
    def absent(self) -> tuple[str, ...]:
        """Texts that stand for a missing value in the columns of `kinds` that were read as text."""
        return ()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a record's `found` says of the rows besides."""
        return {}

    @property
    def unit(self) -> str:
        """What the rows are."""
        return "rows"

    @property
    def stars(self) -> bool:
        """Whether the target is ratings in stars, the scale that matrix factorisation was tuned on."""
        return False

    @property
    @abstractmethod
    def target(self) -> np.ndarray:
        """What is predicted: float32 [N], finite, not to be written to."""

    @property
    @abstractmethod
    def times(self) -> np.ndarray | None:
        """int64 [N], of which the order counts; None where rows have no time. Raises BenchError where only some have one."""

    @abstractmethod
    def single(self, feature: str) -> Coded:
        """One of `features` as integers. For one feature always the very same arrays."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Counts and spans, as JSON can hold them; `name`, `features` (cardinality by name), `source`, `checksum` among them."""

    @abstractmethod
    def headline(self, found: Mapping[str, Any]) -> str:
        """What `describe` found, in one line."""

    def remark(self, feature: str) -> str:
        """What else there is to say of a feature in one line, after a comma."""
        return ""

    @property
    def n_rows(self) -> int:
        return len(self.target)

    def feature_names(self, spec: str) -> tuple[str, ...]:
        """The features that `spec` stands for, in its order: `base`, `wide`, or names and crosses (`a*b`) with commas between.

        Raises BenchError for none, for one that this data set lacks and for one that comes twice.
        """
        if spec in NAMED_SETS:
            names = self.base if spec == "base" else self.wide
        else:
            names = tuple(name.strip() for name in spec.split(","))
            if (
                len(names) == 1
                and names[0]
                and "*" not in names[0]
                and names[0] not in self.features
            ):
                raise unknown("feature", names[0], (*NAMED_SETS, *self.features))
            if not any(names):
                raise BenchError(
                    f"features: none given; give {', '.join(NAMED_SETS)}, or some of {', '.join(self.features)}"
                )
        met: dict[tuple[str, ...], str] = {}
        for name in names:
            parts = tuple(sorted(self._parts(name)))
            if parts in met:
                raise BenchError(
                    f"features: {name!r} is given twice (first as {met[parts]!r}); leave one out"
                )
            met[parts] = name
        return names

    def column(self, feature: str) -> pl.Series:
        """The feature's value in each row: String [N]. A cross has its parts' values, joined by `feature.CROSS`."""
        coded = self.coded(feature)
        return coded.values.gather(pl.Series(coded.codes)).alias(feature)

    def coded(self, feature: str) -> Coded:
        """`column` as integers, and what makes it cheap: what a user or movie decides is looked up once for each of these.

        Raises BenchError for a feature that this data set lacks.
        """
        first, *others = self._parts(feature)
        found = self.single(first)
        for other in others:
            found = _crossed(found, self.single(other))
        return found

    def _parts(self, feature: str) -> list[str]:
        parts = [part.strip() for part in feature.split("*")]
        for part in parts:
            if part not in self.features:
                raise unknown("feature", part, self.features)
        if len(set(parts)) != len(parts):
            raise BenchError(
                f"feature {feature!r} crosses a feature with itself; cross different ones"
            )
        return parts


def _crossed(one: Coded, other: Coded) -> Coded:
    """A cross of two features; of two attributes of the same users or movies, once for each of these."""
    same = one.rows is other.rows
    used = one.of != ABSENT
    left, right = (one.of[used], other.of[used]) if same else (one.codes, other.codes)
    codes, of_left, of_right = number_pairs(left, right, len(other.values))
    joined = pl.concat_str(
        one.values.gather(pl.Series(of_left)),
        other.values.gather(pl.Series(of_right)),
        separator=CROSS,
    )
    values = pl.select(joined).to_series()
    if not same:
        return Coded(codes, np.arange(len(values), dtype=np.int32), values)
    of = np.full(len(used), ABSENT, np.int32)
    of[used] = codes
    return Coded(one.rows, of, values)
