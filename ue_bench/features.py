"""Categorical features: what they are, how raw values are read, and crosses (`a*b`)."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

import numpy as np
import polars as pl

from ue_bench.errors import BenchError, unknown
from ue_bench.hashing import FEW, to_bytes, to_column

# Joins the values of a crossed feature. The ASCII unit separator occurs in no data set.
CROSS = "\x1f"

Item = TypeVar("Item", bound=Hashable)
Column = pl.Series | list[list[Any]]  # categories, or a list of them for each row
Texts = Callable[[str, Any], pl.Series]


@dataclass(frozen=True, eq=False)
class Bags:
    """The distinct sets of values that the rows of a multi-valued feature have.

    A bag's vector is the mean of its values' vectors. Bag n has the values
    `members[offsets[n]:offsets[n + 1]]`, which are positions in `Feature.values`: at least one,
    none of them twice.

    offsets: int64 [bags + 1]. members: int64.
    Raises ValueError for a bag without values: a missing value is the value "".
    """

    offsets: np.ndarray
    members: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.offsets) < 1).any():
            raise ValueError(
                "a bag has at least one value; one without has the value '', which stands for "
                "what is missing"
            )

    @classmethod
    def of(cls, bags: Iterable[Sequence[int]]) -> "Bags":
        """Make bags from the positions of each bag's values."""
        members = [np.asarray(bag, np.int64) for bag in bags]
        sizes = [len(bag) for bag in members]
        return cls(
            offsets=np.cumsum([0, *sizes], dtype=np.int64),
            members=np.concatenate([np.empty(0, np.int64), *members]),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, bag: int) -> list[int]:
        members: list[int] = self.members[self.offsets[bag] : self.offsets[bag + 1]].tolist()
        return members


class Held(Sequence[str]):
    """`size` distinct values of the feature `name`, of which only the first are held.

    The others are counted and cannot be read.
    """

    def __init__(self, name: str, held: Sequence[str], size: int) -> None:
        self.name = name
        self.held = held
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        """Return a value or a slice of values. Raises BenchError for values that are not held."""
        positions = range(self.size)[index]
        if isinstance(positions, int):
            self._require(positions)
            return self.held[positions]
        if positions:
            self._require(max(positions[0], positions[-1]))
        return self.held[positions.start : positions.stop : positions.step]

    def _require(self, position: int) -> None:
        if position >= len(self.held):
            raise BenchError(
                f"feature {self.name!r}: {len(self.held):,} of its {self.size:,} values are held "
                "here, and more are asked for; a method that holds a vocabulary, and a call with "
                "codes, need the values"
            )


@dataclass(frozen=True)
class Feature:
    """One categorical feature.

    name: as in the data set, or a cross such as ``user_id*genres``.
    values: every distinct value as text, those that occur in training first. A row's code is the
    position of its value.
    n_seen: ``values[:n_seen]`` occur in training; a code >= n_seen is unseen.
    counts: training rows of each of ``values[:n_seen]``; empty if they were not counted.
    bags: of a multi-valued feature. A row's code is then the number of its bag, and `values` are
    the single values.
    """

    name: str
    values: Sequence[str]
    n_seen: int
    counts: Sequence[int] = ()
    bags: Bags | None = None

    @property
    def cardinality(self) -> int:
        """The number of distinct values in the whole data set, unseen ones included."""
        return len(self.values)

    def raw(self, code: int) -> str | list[str]:
        """Return the value of a code; of a multi-valued feature, the values of its bag."""
        if self.bags is None:
            return self.values[code]
        return [self.values[member] for member in self.bags[code]]

    def holding(self, values: Sequence[str], counts: Sequence[int] = ()) -> "Feature":
        """Return the feature with the same number of values, of which it holds only a few.

        values, counts: some training values and their counts. The new feature has seen no others.
        """
        return replace(
            self,
            values=Held(self.name, values, self.cardinality),
            n_seen=len(values),
            counts=counts,
        )


def distinct(items: Iterable[Item]) -> list[Item]:
    """Return the items without repetitions, in the order in which they first occur."""
    return list(dict.fromkeys(items))


def parts(feature: str) -> list[str]:
    """Return the features that a cross (`a*b`) is made of; for any other feature, itself."""
    return [part.strip() for part in feature.split("*")]


def needed(features: Sequence[str]) -> list[str]:
    """Return the raw columns that features are made from, in the order of their first use."""
    raw = []
    for feature in features:
        raw += parts(feature)
    return distinct(raw)


def read_columns(
    features: Sequence[str],
    given: Any,
    texts: Texts | None = None,
    separators: Mapping[str, str] | None = None,
) -> list[Any]:
    """Return one column of N categories for each feature, as `hash_rows` and a vocabulary take
    them; N lists where rows hold lists.

    given: a mapping from name to N values, or a DataFrame of pandas or polars. A value is a
    category, or a list of categories. A cross is made from its parts' values, joined by `CROSS`,
    unless a column has the name of the cross; lists are crossed each with each.
    texts: makes categories of the values of a named column; `column` by default.
    separators: of columns whose lists may also be given as one text, the character between their
    members.
    Raises BenchError for a column that is missing, unknown or of another length than the others,
    and for a value that is no category.
    """
    names = _names(features, given)
    if texts is None:
        texts = column
    if separators is None:
        separators = {}
    read: dict[str, Column] = {}
    for name in names:
        read[name] = _read(name, given[name], texts, separators.get(name))
        if len(read[name]) != len(read[names[0]]):
            raise BenchError(
                f"column {name!r} has {len(read[name])} values and column {names[0]!r} has "
                f"{len(read[names[0]])}; give one for each row"
            )
    columns: list[Any] = []
    for feature in features:
        values = read[feature] if feature in read else _crossed(feature, read)
        if isinstance(values, pl.Series) and len(values) <= FEW:
            columns.append(values.to_list())  # hash_rows is faster with a short list
        else:
            columns.append(values)
    return columns


def column(name: str, values: Any) -> pl.Series:
    """Return the raw values of one column as text or bytes, as `hash_rows` takes them.

    Raises BenchError for a value that is no category.
    """
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _names(features: Sequence[str], given: Any) -> list[str]:
    """The names of the given columns. Raises BenchError unless the features are made from them."""
    if not isinstance(given, Mapping) and not hasattr(given, "columns"):
        example = ", ".join(f"{name!r}: [...]" for name in needed(features)[:2])
        raise BenchError(
            f"columns: one {type(given).__name__} was given; give the values by name, as in "
            f"{{{example}}}"
        )
    names = list(getattr(given, "columns", given))
    allowed = {*features, *needed(features)}
    for name in names:
        if name not in allowed:
            raise unknown("column", name, allowed)
    return names


def _read(name: str, values: Any, texts: Texts, separator: str | None) -> Column:
    """Read the categories of a column.

    Returns lists if the first row that is not missing holds one, or if the texts have a separator.
    A missing row, or a missing member of a row, is left out.
    """
    if separator is None and not _is_list(_first(values)):
        return texts(name, values)
    rows = values.to_list() if isinstance(values, pl.Series) else values
    members: list[Any] = []
    sizes = []
    for row in rows:
        before = len(members)
        for member in _members(row, separator):
            if member is not None and member == member:  # NaN differs from itself
                members.append(member)
        sizes.append(len(members) - before)
    categories = iter(texts(name, members).to_list())
    return [[next(categories) for _ in range(size)] for size in sizes]


def _first(values: Any) -> Any:
    """The first value that is not missing, None if there is none."""
    if isinstance(values, Iterable):
        for value in values:
            if value is not None:
                return value
    return None


def _members(row: Any, separator: str | None) -> Any:
    """The members of one row: of a list, of a text with separators, or the value itself."""
    if separator and isinstance(row, str):
        return row.split(separator)
    if _is_list(row):
        return row
    return [row]


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray, pl.Series))


def _crossed(feature: str, read: Mapping[str, Column]) -> Column:
    """Make the column of a cross from the columns of its parts."""
    for part in parts(feature):
        if part not in read:
            purpose = f" (for {feature!r})" if part != feature else ""
            names = ", ".join(map(repr, read)) or "none"
            raise BenchError(f"column {part!r} is missing{purpose}; {names} was given")
    columns = [read[part] for part in parts(feature)]
    series = [values for values in columns if isinstance(values, pl.Series)]
    if len(series) < len(columns):
        return _crossed_lists(columns)
    if all(values.dtype == pl.String for values in series):
        return pl.select(pl.concat_str(*series, separator=CROSS)).to_series()
    rows = zip(*(values.to_list() for values in series), strict=True)
    return pl.Series([_joined(row) for row in rows], dtype=pl.Binary)


def _crossed_lists(columns: Sequence[Column]) -> list[list[Any]]:
    """Cross the members of each row, each with each. An empty row has the member ""."""
    lists = []
    for values in columns:
        if isinstance(values, pl.Series):
            lists.append([[value] for value in values.to_list()])
        else:
            lists.append([row or [""] for row in values])
    crossed = []
    for rows in zip(*lists, strict=True):
        crossed.append([_joined(members) for members in product(*rows)])
    return crossed


def _joined(values: Sequence[Any]) -> bytes:
    return CROSS.encode().join(map(to_bytes, values))
