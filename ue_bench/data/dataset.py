"""What every data set offers: rows with a target, and features whose values are text."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories import Rule
from ue_bench.config.entities import OWN
from ue_bench.data.coded import ABSENT, Coded, number_pairs
from ue_bench.errors import BenchError, unknown
from ue_bench.features import CROSS, canonical_feature, parts

NAMED_SETS = ("base", "wide")


class Dataset(ABC):
    """N rows of a target and of features.

    name: as in `RunConfig.dataset`.
    source, checksum: where the rows came from, and the checksum of the files.
    refused: why a column of the source is no feature, by its name.
    """

    name: str
    source: str
    checksum: str
    refused: Mapping[str, str] = MappingProxyType({})

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """All single features, without crosses."""

    @property
    @abstractmethod
    def base(self) -> tuple[str, ...]:
        """The features of the set `base`."""

    @property
    @abstractmethod
    def wide(self) -> tuple[str, ...]:
        """The features of the set `wide`."""

    @property
    @abstractmethod
    def entities(self) -> tuple[str, str]:
        """The features that play user and item.

        Trivial predictors, warm and cold slices and the temporal split by user are based on them.
        """

    @property
    def entities_chosen(self) -> tuple[str, str]:
        """How the user and how the item was chosen, in the words of `config.entities`."""
        return OWN, OWN

    @property
    def separators(self) -> Mapping[str, str]:
        """The character between the values of each feature that has several values a row."""
        return {}

    @property
    def rules(self) -> Mapping[str, Rule]:
        """How the raw values of a feature become categories, for features of tables.

        The values of other features are categories as they are.
        """
        return {}

    @property
    def rows_checksum(self) -> str | None:
        """`sha256:` over the rows, which is that of the same rows in other files too.

        None where only the checksum of the files tells data apart.
        """
        return None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Further entries of a record's `found`."""
        return {
            "entities": list(self.entities),
            "entities_chosen": list(self.entities_chosen),
        }

    def warnings(self, several_values: Collection[str] = ()) -> tuple[str, ...]:
        """Return one line for each column that says nothing, or nothing that can be learned.

        several_values: further features whose texts are several values.
        """
        lines = [self.feature_warning(name, name in several_values) for name in self.features]
        lines.append(self.time_warning)
        return tuple(line for line in lines if line is not None)

    def feature_warning(self, feature: str, has_several_values: bool) -> str | None:
        """Return why a feature says nothing, None where it may say something.

        has_several_values: whether its texts are several values.
        """
        return None

    @property
    def time_warning(self) -> str | None:
        """Why the times say nothing; None where they may say something, and without times."""
        return None

    @property
    def time_column(self) -> str | None:
        """The column of a table that has its times."""
        return None

    @property
    def rows_without_time(self) -> int:
        """How many rows have no time, where others have one."""
        return 0

    @property
    def unit(self) -> str:
        """What the rows are."""
        return "rows"

    @property
    def stars(self) -> bool:
        """Whether the target is ratings in stars, the scale matrix factorisation was tuned on."""
        return False

    @property
    @abstractmethod
    def target(self) -> np.ndarray:
        """The numbers to predict: float32 [N], finite, read-only."""

    @property
    @abstractmethod
    def times(self) -> np.ndarray | None:
        """Times of the rows, int64 [N], of which only the order counts; None without times.

        Raises BenchError where only some rows have a time.
        """

    @property
    def best(self) -> np.ndarray | None:
        """The prediction of each row by who knows how it was made, float32 [N]; None: nobody does.

        Of labels it is the probability of a 1.
        """
        return None

    @property
    def is_test(self) -> np.ndarray | None:
        """Which rows are the test part of every split: bool [N]; None: a split chooses them."""
        return None

    @abstractmethod
    def single(self, feature: str) -> Coded:
        """Return one of `features` as integers: for one feature, always the very same arrays."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return counts and ranges as JSON can hold them.

        `name`, `features` (cardinality by name), `source` and `checksum` are among them.
        """

    @abstractmethod
    def summary(self, description: Mapping[str, Any]) -> str:
        """Return the rest of the line that `headline` returns, which has no name in it."""

    def headline(self, description: Mapping[str, Any]) -> str:
        """Return one line about what `describe` returned."""
        return f"{description['name']}: {self.summary(description)}"

    def remark(self, feature: str) -> str:
        """Return what else is known of a feature, to follow its line: empty, or with a comma."""
        return ""

    @property
    def n_rows(self) -> int:
        return len(self.target)

    def feature_names(self, spec: str) -> tuple[str, ...]:
        """Return the features that a text asks for, in its order.

        spec: `base`, `wide`, or names and crosses (`a*b`) separated by commas. Spaces beside commas
        and stars change nothing.
        Raises BenchError when there are none, for an unknown one and for one that is given twice.
        """
        if spec == "base":
            names = self.base
        elif spec == "wide":
            names = self.wide
        else:
            names = tuple(canonical_feature(name.strip()) for name in spec.split(","))
            self._check_names(names)
        first_by_parts: dict[tuple[str, ...], str] = {}
        for name in names:
            crossed = tuple(sorted(self._parts(name)))
            if crossed in first_by_parts:
                raise BenchError(
                    f"features: {name!r} is given twice (first as {first_by_parts[crossed]!r}); "
                    "leave one out"
                )
            first_by_parts[crossed] = name
        return names

    def _check_names(self, names: tuple[str, ...]) -> None:
        if not any(names):
            raise BenchError(
                f"features: none given; give {', '.join(NAMED_SETS)}, "
                f"or some of {', '.join(self.features)}"
            )
        if len(names) == 1 and "*" not in names[0] and names[0] not in self.features:
            self._require_feature(names[0], NAMED_SETS)

    def _require_feature(self, name: str, others: Sequence[str] = ()) -> None:
        """Raise BenchError unless it is a feature. others: what could have been given, too."""
        if name in self.refused:
            raise BenchError(
                f"feature {name!r}: {self.refused[name]}; choose from {', '.join(self.features)}"
            )
        if name not in self.features:
            raise unknown("feature", name, (*others, *self.features))

    def column(self, feature: str) -> pl.Series:
        """Return the feature's value in each row: String [N].

        A cross has the values of its parts, joined by `features.CROSS`.
        """
        coded = self.coded(feature)
        return coded.values.gather(pl.Series(coded.codes)).alias(feature)

    def coded(self, feature: str) -> Coded:
        """Return a feature or a cross as integers.

        Raises BenchError for a feature that this data set lacks.
        """
        first, *others = self._parts(feature)
        coded = self.single(first)
        for other in others:
            coded = _crossed(coded, self.single(other))
        return coded

    def _parts(self, feature: str) -> list[str]:
        names = parts(feature)
        for name in names:
            self._require_feature(name)
        if len(set(names)) != len(names):
            raise BenchError(
                f"feature {feature!r} crosses a feature with itself; cross different ones"
            )
        return names


def without_times(dataset: Dataset) -> BenchError:
    """Return the error for a data set of which some rows have no time."""
    return BenchError(
        f"{dataset.name}: {dataset.rows_without_time:,} rows have no {dataset.time_column}, which "
        "a temporal split needs; choose the random split, or leave these rows out"
    )


def _crossed(left: Coded, right: Coded) -> Coded:
    """Cross two columns: attributes of the same owners once an owner, others once a row."""
    if left.owners is not right.owners:
        codes, values = _pairs(left.codes, left.values, right.codes, right.values)
        return Coded(codes, np.arange(len(values), dtype=np.int32), values)
    used = left.owner_codes != ABSENT
    codes, values = _pairs(
        left.owner_codes[used], left.values, right.owner_codes[used], right.values
    )
    owner_codes = np.full(len(used), ABSENT, np.int32)
    owner_codes[used] = codes
    return Coded(left.owners, owner_codes, values)


def _pairs(
    left: np.ndarray, left_values: pl.Series, right: np.ndarray, right_values: pl.Series
) -> tuple[np.ndarray, pl.Series]:
    """Return the codes of pairs, and the text of each distinct pair."""
    codes, pair_left, pair_right = number_pairs(left, right, len(right_values))
    joined = pl.concat_str(
        left_values.gather(pl.Series(pair_left)),
        right_values.gather(pl.Series(pair_right)),
        separator=CROSS,
    )
    return codes, pl.select(joined).to_series()
