"""What a categorical feature is, how its raw values come, and the grammar of crosses (`a*b`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from ue_bench.errors import BenchError, unknown
from ue_bench.hashing import FEW, to_bytes, to_column

CROSS = (
    "\x1f"  # joins the values of a crossed feature (ASCII unit separator: it occurs in no data set)
)


@dataclass(frozen=True, eq=False)
class Bags:
    """The distinct sets of values that rows of a multi-valued feature have. A bag's vector is the mean of its values' vectors.

    Bag n has the values `members[offsets[n]:offsets[n + 1]]`, positions in `Feature.values`: at least one, none of them twice.
    offsets: int64 [bags + 1]. members: int64. Raises ValueError for a bag without values: what is missing is a value, "".
    """

    offsets: np.ndarray
    members: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.offsets) < 1).any():
            raise ValueError(
                "a bag has at least one value; one without has the value '', which stands for what is missing"
            )

    @classmethod
    def of(cls, bags: Iterable[Sequence[int]]) -> "Bags":
        """From the positions of each bag's values."""
        own = [np.asarray(bag, np.int64) for bag in bags]
        members = np.concatenate([np.empty(0, np.int64), *own])
        return cls(np.cumsum([0, *map(len, own)], dtype=np.int64), members)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, bag: int) -> list[int]:
        return self.members[self.offsets[bag] : self.offsets[bag + 1]].tolist()  # type: ignore[no-any-return]


class Held(Sequence[str]):
    """`size` distinct values of the feature `name`, of which only the first are held. The others count and cannot be read."""

    def __init__(self, name: str, held: Sequence[str], size: int) -> None:
        self.name, self.held, self.size = name, held, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        """Raises BenchError for a value that is not held."""
        places = range(self.size)[index]
        last = places if isinstance(places, int) else max(places[0], places[-1]) if places else -1
        if last >= len(self.held):
            raise BenchError(
                f"feature {self.name!r}: {len(self.held):,} of its {self.size:,} values are held here, and more are asked for; "
                "a method that holds a vocabulary, and a call with codes, need the values"
            )
        return (
            self.held[places]
            if isinstance(places, int)
            else self.held[places.start : places.stop : places.step]
        )


@dataclass(frozen=True)
class Feature:
    """One categorical feature.

    name: as in the data set, or a cross such as ``user_id*genres``.
    values: every distinct value as text, those that occur in training first; a row's code is its position here.
    n_seen: ``values[:n_seen]`` occur in training; a code >= n_seen is unseen.
    counts: training rows of each of ``values[:n_seen]``; empty where nobody counted.
    bags: of a multi-valued feature; a row's code is then the number of its bag, and `values` are the single values.
    """

    name: str
    values: Sequence[str]
    n_seen: int
    counts: Sequence[int] = ()
    bags: Bags | None = None

    @property
    def cardinality(self) -> int:
        """Distinct values in the whole data set, unseen ones included."""
        return len(self.values)

    def raw(self, code: int) -> str | list[str]:
        """The value of a code; of a multi-valued feature the values of its bag."""
        return (
            self.values[code]
            if self.bags is None
            else [self.values[member] for member in self.bags[code]]
        )

    def holding(self, values: Sequence[str], counts: Sequence[int] = ()) -> "Feature":
        """The same feature, of as many values, of which only some training values are held, and these are all it has seen."""
        return replace(
            self,
            values=Held(self.name, values, self.cardinality),
            n_seen=len(values),
            counts=counts,
        )


def parts(feature: str) -> list[str]:
    """The features that a cross (`a*b`) is made of; of any other feature, itself."""
    return [part.strip() for part in feature.split("*")]


def needed(features: Sequence[str]) -> list[str]:
    """The raw columns that features are made from, in the order in which they are first needed."""
    return list(dict.fromkeys(part for feature in features for part in parts(feature)))


Texts = Callable[[str, Any], pl.Series]


def columns(
    features: Sequence[str],
    given: Any,
    texts: Texts | None = None,
    separators: Mapping[str, str] | None = None,
) -> list[Any]:
    """One column of N categories for each feature, as `hash_rows` and a vocabulary take them; where rows hold lists, N lists.

    given: a mapping from name to N values, or a DataFrame of pandas or polars. A value is a category, or a list of some. A cross
    is made of its parts' values, joined by `CROSS`, unless a column has its own name; of lists, of each with each.
    texts: makes categories of the values of a named column; None: `column`. separators: of columns whose lists may also be given
    as one text, the character between their members.
    Raises BenchError for a column that is missing, unknown or of another length than the others, and for a value that is no
    category.
    """
    names = (
        list(getattr(given, "columns", given))
        if isinstance(given, Mapping) or hasattr(given, "columns")
        else None
    )
    if names is None:
        raise BenchError(
            f"columns: one {type(given).__name__} was given; give the values by name, as in {_example(features)}"
        )
    allowed = {*features, *needed(features)}
    for name in names:
        if name not in allowed:
            raise unknown("column", name, allowed)
    read: dict[str, pl.Series | list[list[Any]]] = {}
    for name in names:
        read[name] = _read(name, given[name], texts or column, (separators or {}).get(name))
        if len(read[name]) != len(read[names[0]]):
            raise BenchError(
                f"column {name!r} has {len(read[name])} values and column {names[0]!r} has "
                f"{len(read[names[0]])}; give one for each row"
            )
    found = [read[feature] if feature in read else _crossed(feature, read) for feature in features]
    # a short column goes the faster road of hash_rows as a list
    return [
        values if isinstance(values, list) or len(values) > FEW else values.to_list()
        for values in found
    ]


def column(name: str, values: Any) -> pl.Series:
    """Raw values of one column as text or bytes: those of `hash_rows`. Raises BenchError for one that is no category."""
    try:
        return to_column(values)
    except TypeError as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _read(
    name: str, values: Any, texts: Texts, separator: str | None
) -> pl.Series | list[list[Any]]:
    """The categories of a column; a list of them a row where the first row that is not missing holds one, or where texts have a
    separator. A missing row, or member of one, counts as not there."""
    first = (
        next((value for value in values if value is not None), None)
        if isinstance(values, Iterable)
        else None
    )
    if separator is None and not _is_list(first):
        return texts(name, values)
    rows = values.to_list() if isinstance(values, pl.Series) else values
    split = [
        row.split(separator)
        if isinstance(row, str) and separator
        else row
        if _is_list(row)
        else [row]
        for row in rows
    ]
    kept = [[member for member in row if member is not None and member == member] for row in split]
    members = iter(texts(name, [member for row in kept for member in row]).to_list())
    return [[next(members) for _ in row] for row in kept]


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray, pl.Series))


def _crossed(
    feature: str, read: Mapping[str, pl.Series | list[list[Any]]]
) -> pl.Series | list[list[Any]]:
    for part in parts(feature):
        if part not in read:
            also = f" (for {feature!r})" if part != feature else ""
            raise BenchError(
                f"column {part!r} is missing{also}; {', '.join(map(repr, read)) or 'none'} was given"
            )
    own = [read[part] for part in parts(feature)]
    if any(isinstance(values, list) for values in own):
        rows = zip(
            *(
                values if isinstance(values, list) else ([value] for value in values.to_list())
                for values in own
            ),
            strict=True,
        )
        return [list(map(_joined, product(*(row or [""] for row in lists)))) for lists in rows]
    first, *others = (values for values in own if isinstance(values, pl.Series))
    if all(values.dtype == pl.String for values in (first, *others)):
        return pl.select(pl.concat_str(first, *others, separator=CROSS)).to_series()
    return pl.Series(
        list(map(_joined, zip(*(values.to_list() for values in (first, *others)), strict=True))),
        dtype=pl.Binary,
    )


def _joined(values: Sequence[Any]) -> bytes:
    return CROSS.encode().join(map(to_bytes, values))


def _example(features: Sequence[str]) -> str:
    return "{" + ", ".join(f"{name!r}: [...]" for name in needed(features)[:2]) + "}"
