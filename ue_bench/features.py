"""Categorical features: what they are, how raw values are read, and crosses (`a*b`)."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import islice, product
from typing import Any, TypeVar

import numpy as np
import polars as pl

from ue_bench.categories import (
    Repeated,
    Rule,
    is_missing,
    plain_column,
    short_texts_of,
    texts_of,
)
from ue_bench.errors import BenchError, unknown
from ue_bench.hashing import is_few, to_bytes, to_column

# Joins the values of a crossed feature. The ASCII unit separator occurs in no data set.
CROSS = "\x1f"
_SINGLE = (str, bytes, bool, int)  # common types of a value that is neither missing nor a list
MOST_NAMED = 20  # names of columns in an error

Item = TypeVar("Item", bound=Hashable)
Value = TypeVar("Value")
# The categories of a column, as a list where they are few; or a list of them for each row.
Column = pl.Series | list[Any]


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


def canonical_feature(name: str) -> str:
    """Return the name under which a feature is hashed: a cross has no spaces beside its stars."""
    return "*".join(parts(name)) if "*" in name else name


def by_canonical_feature(given: Mapping[str, Value]) -> dict[str, Value]:
    """Return what is given by feature, by the names under which these are hashed.

    Raises BenchError where two names are one feature.
    """
    by_name: dict[str, Value] = {}
    for name, value in given.items():
        canonical = canonical_feature(name)
        if canonical in by_name:
            raise BenchError(f"feature {canonical!r} is given twice, with and without spaces")
        by_name[canonical] = value
    return by_name


def needed(features: Sequence[str]) -> list[str]:
    """Return the raw columns that features are made from, in the order of their first use."""
    raw = []
    for feature in features:
        raw += parts(feature)
    return distinct(raw)


@dataclass(frozen=True)
class ColumnReader:
    """Turns raw rows into one column of categories for each feature.

    A row is read by itself: it has the same categories alone and among other rows.

    features: names of features; a cross (`a*b`) is made from the columns of its parts.
    rules: how raw values become categories, by raw column. The values of a column without a rule
    are categories as they are: text, bytes or whole numbers.
    separators: of raw columns with several values a row, the character between the values where
    they are given as one text.
    """

    features: tuple[str, ...]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)

    def read(self, given: Any) -> list[Any]:
        """Return one column of N categories for each feature, as `hash_rows` and a vocabulary take
        them; N lists where rows hold lists.

        given: a mapping from name to N values; a mapping from name to one value, which is one row;
        a list of such rows; a DataFrame or LazyFrame of polars, a DataFrame of pandas, or a Table
        or RecordBatch of pyarrow. Columns that no feature needs are ignored. A value is a category,
        or a list of categories. A cross is made from its parts' values, joined by `CROSS`, unless a
        column has the name of the cross; lists are crossed each with each.

        Raises BenchError for a column that is missing or of another length than the others, and for
        a value that is no category.
        """
        return [_each_row(column) for column in self.read_distinct(given)]

    def read_distinct(self, given: Any) -> list[Any]:
        """Return what `read` returns, where a column may be `Repeated`: its distinct texts."""
        read = {name: self._read(name, values) for name, values in self.raw(given).items()}
        _require_equal_lengths(read)
        return [read[name] if name in read else _crossed(name, read) for name in self.features]

    def raw(self, given: Any) -> dict[str, Any]:
        """Return the raw columns that the features are made from, by name.

        `given` is that of `read`. Raises BenchError for a missing column.
        """
        names, columns = self._named(given)
        raw: dict[str, Any] = {}
        for feature, made_from in self._made_from.items():
            for name in made_from if feature not in columns else (feature,):
                if name not in columns:
                    raise self._missing(name, feature, names)
                raw[name] = columns[name]
        return raw

    @cached_property
    def _made_from(self) -> dict[str, list[str]]:
        """The columns that each feature is made from."""
        return {feature: parts(feature) for feature in self.features}

    @cached_property
    def _allowed(self) -> list[str]:
        """The columns that can be of use."""
        return distinct([*needed(self.features), *self.features])

    def _named(self, given: Any) -> tuple[Sequence[str], Mapping[str, Any]]:
        """Return the names of all columns, and the columns that can be of use by name."""
        allowed = self._allowed
        if isinstance(given, (list, tuple)):
            return _rows_as_columns(given, allowed)
        if isinstance(given, Mapping):
            return list(given), _mapping_as_columns(given, allowed)
        try:
            return self._named_in_frame(given)
        except pl.exceptions.PolarsError as error:
            raise BenchError(f"columns: the frame cannot be read: {error}") from error

    def _named_in_frame(self, given: Any) -> tuple[Sequence[str], Mapping[str, Any]]:
        names = _names_of_frame(given)
        if names is None:
            example = ", ".join(f"{name!r}: [...]" for name in needed(self.features)[:2])
            raise BenchError(
                f"columns: one {type(given).__name__} was given; give the values by name, as in "
                f"{{{example}}}, or a frame, or a list of rows"
            )
        used = [name for name in self._allowed if name in names]
        for name in used:
            if names.count(name) > 1:
                raise BenchError(f"columns: two are named {name!r}; rename one")
        return names, _frame_as_columns(given, used)

    def _missing(self, name: str, feature: str, names: Sequence[str]) -> BenchError:
        purpose = f" (for {feature!r})" if name != feature else ""
        given = ", ".join(map(repr, names[:MOST_NAMED])) or "none"
        if len(names) > MOST_NAMED:
            given += f" and {len(names) - MOST_NAMED:,} others"
        message = f"column {name!r} is missing{purpose}; {given} was given"
        others = [str(other) for other in names if other not in needed(self.features)]
        for misspelt in get_close_matches(name, others, n=1, cutoff=0.5):
            message += f"; {unknown('column', misspelt, needed(self.features))}"
        return BenchError(message)

    def _read(self, name: str, values: Any) -> Column | Repeated:
        """Return the categories of a column, or lists of them.

        They are lists if the first row that is not missing holds one, or if the column has a
        separator.
        """
        try:
            column = _plain(values)
            if name in self.separators or _holds_lists(column):
                return self._read_lists(name, column)
            return self._categories(name, column)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise BenchError(f"column {name!r}: {error}") from error

    def _categories(self, name: str, column: pl.Series | Sequence[Any]) -> Column | Repeated:
        if name in self.rules:
            return short_texts_of(column, self.rules[name])
        return _as_they_are(column)

    def _read_lists(self, name: str, column: pl.Series | Sequence[Any]) -> list[list[Any]]:
        """Return the categories of each row: of a list, or of a text with a separator.

        Missing members of a list are left out. A text is read as a whole, and then split.
        """
        rows = _rows_of(column)
        lists = iter(self._of_lists(name, [row for row in rows if _is_list(row)]))
        others = iter(self._of_texts(name, [row for row in rows if not _is_list(row)]))
        return [next(lists) if _is_list(row) else next(others) for row in rows]

    def _of_lists(self, name: str, rows: Sequence[Any]) -> list[list[Any]]:
        members = []
        sizes = []
        for row in rows:
            held = [member for member in row if not is_missing(member)]
            members += held
            sizes.append(len(held))
        rule = self.rules.get(name)
        if rule is None:
            categories = iter(_as_they_are(members))
        else:  # an absent text is that of a whole row
            categories = iter(_each_row(short_texts_of(members, replace(rule, absent=()))))
        read = [list(islice(categories, size)) for size in sizes]
        if rule is None or not rule.absent:
            return read
        separator = self.separators.get(name, CROSS)
        return [[] if separator.join(texts) in rule.absent else texts for texts in read]

    def _of_texts(self, name: str, rows: Sequence[Any]) -> list[list[Any]]:
        if name not in self.rules:
            rows = ["" if is_missing(row) else row for row in rows]
        separator = self.separators.get(name)
        read: list[list[Any]] = []
        for text in _each_row(self._categories(name, rows)):
            if separator is not None and isinstance(text, str):
                read.append(text.split(separator))
            else:
                read.append([text])
        return read


def column(name: str, values: Any) -> pl.Series:
    """Return the raw values of one column as text or bytes, as `hash_rows` takes them.

    Raises BenchError for a value that is no category.
    """
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


# How rows are given


def _rows_as_columns(
    rows: Sequence[Any], allowed: Sequence[str]
) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the names in a list of rows, and its columns. Raises BenchError for a torn row."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise BenchError(
                f"row {number} is one {type(row).__name__}; give each row's values by name, as in "
                f"{{{allowed[0]!r}: ...}}"
            )
    if not rows:
        return list(allowed), {name: [] for name in allowed}
    columns = {}
    for name in allowed:
        if name not in rows[0]:
            continue
        for number, row in enumerate(rows, 1):
            if name not in row:
                raise BenchError(
                    f"row {number}: column {name!r} is missing, which row 1 has; "
                    "give None for a missing value"
                )
        columns[name] = [row[name] for row in rows]
    return list(rows[0]), columns


def _mapping_as_columns(given: Mapping[str, Any], allowed: Sequence[str]) -> dict[str, Any]:
    """Return the columns of a mapping, whose values are one row if one of them is no column."""
    columns = {name: given[name] for name in allowed if name in given}
    if any(map(_is_one_value, columns.values())):
        return {name: [value] for name, value in columns.items()}
    return columns


def _is_one_value(value: Any) -> bool:
    if isinstance(value, (str, bytes)) or getattr(value, "ndim", 1) == 0:
        return True
    return not hasattr(value, "__len__") and not hasattr(value, "__arrow_c_array__")


def _names_of_frame(given: Any) -> list[str] | None:
    """Return the names of a frame's columns; None for what is no frame."""
    if isinstance(given, pl.LazyFrame):
        return given.collect_schema().names()
    if _is_of_arrow(given) and hasattr(given, "schema"):
        return list(given.schema.names)
    if hasattr(given, "columns"):
        return list(given.columns)
    return None


def _frame_as_columns(frame: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(frame, pl.LazyFrame):
        frame = frame.select(names).collect()
    elif _is_of_arrow(frame):
        return {name: frame.column(name) for name in names}
    return {name: frame[name] for name in names}


def _is_of_arrow(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "pyarrow"  # which is not imported for this


def _require_equal_lengths(read: Mapping[str, Column | Repeated]) -> None:
    first = next(iter(read))
    for name, values in read.items():
        if len(values) != len(read[first]):
            raise BenchError(
                f"column {name!r} has {len(values)} values and column {first!r} has "
                f"{len(read[first])}; give one for each row"
            )


# What a column holds


def _plain(values: Any) -> pl.Series | Sequence[Any]:
    """Return a column as `plain_column` does; the rows of a matrix are lists."""
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return list(values)
    return plain_column(values)


def _as_they_are(column: pl.Series | Sequence[Any]) -> Column:
    """Return text, bytes and whole numbers as categories. Raises TypeError for anything else."""
    if not isinstance(column, pl.Series) and is_few(len(column)):
        return [value if type(value) is str else to_bytes(value) for value in column]
    categories = to_column(column)
    return categories.to_list() if is_few(len(categories)) else categories


def _rows_of(column: pl.Series | Sequence[Any]) -> Sequence[Any]:
    """Return the rows of a column with lists as Python's values."""
    if not isinstance(column, pl.Series):
        return column
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List):
        return column.to_list()
    sizes = column.list.len().fill_null(0)
    members = column.filter(sizes > 0).explode()
    if members.dtype.is_temporal():  # which Python does not hold down to nanoseconds
        members = texts_of(members, Rule()).set(members.is_null(), None)
    remaining = iter(members.to_list())
    return [list(islice(remaining, size)) for size in sizes]


def _holds_lists(column: pl.Series | Sequence[Any]) -> bool:
    """Return whether the first value that is not missing is a list."""
    if isinstance(column, pl.Series):
        return isinstance(column.dtype, (pl.List, pl.Array))
    for value in column:
        if type(value) in _SINGLE:
            return False
        if _is_list(value):
            return True
        if not is_missing(value):
            return False
    return False


def _is_list(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple, set, frozenset, pl.Series))


def _each_row(column: Column | Repeated) -> Column:
    """Return a column with a category for each row."""
    if not isinstance(column, Repeated):
        return column
    texts = column.column()
    return texts.to_list() if is_few(len(texts)) else texts


def _crossed(feature: str, read: Mapping[str, Column | Repeated]) -> Column:
    """Make the column of a cross from the columns of its parts."""
    columns = [_each_row(read[part]) for part in parts(feature)]
    if any(map(_is_of_lists, columns)):
        return _crossed_lists(columns)
    if all(isinstance(values, pl.Series) and values.dtype == pl.String for values in columns):
        return pl.select(pl.concat_str(*columns, separator=CROSS)).to_series()
    joined = [_joined(row) for row in zip(*columns, strict=True)]
    return joined if is_few(len(joined)) else pl.Series(joined, dtype=pl.Binary)


def _is_of_lists(column: Column) -> bool:
    return isinstance(column, list) and bool(column) and isinstance(column[0], list)


def _crossed_lists(columns: Sequence[Column]) -> list[list[Any]]:
    """Cross the members of each row, each with each. An empty row has the member ""."""
    lists = []
    for values in columns:
        if _is_of_lists(values):
            lists.append([row or [""] for row in values])
        else:
            lists.append([[value] for value in values])
    crossed = []
    for rows in zip(*lists, strict=True):
        crossed.append([_joined(members) for members in product(*rows)])
    return crossed


def _joined(values: Sequence[Any]) -> bytes:
    return CROSS.encode().join(map(to_bytes, values))
