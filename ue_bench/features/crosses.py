"""The grammar of features: a cross (`a*b`) is made from the columns of its parts."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from ue_bench.errors import BenchError

# Joins the values of a crossed feature. The ASCII unit separator occurs in no data set.
CROSS = "\x1f"
Item = TypeVar("Item", bound=Hashable)
Value = TypeVar("Value")


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
