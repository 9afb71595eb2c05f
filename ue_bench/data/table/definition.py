"""What a table is as a data set: which files, which column is predicted, which are features. Strict, and with one form."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ue_bench.errors import BenchError, unknown


@dataclass(frozen=True)
class Form:
    """How rows are written.

    parquet: else it is text. quotes: whether values may stand in quotes. columns: their names, where there is no header.
    """

    parquet: bool = False
    separator: str = ","
    quotes: bool = True
    columns: tuple[str, ...] = ()


# of the files that can be read, by the ends of their names
FORMS = {
    ".csv": Form(),
    ".csv.gz": Form(),
    ".tsv": Form(separator="\t"),
    ".tsv.gz": Form(separator="\t"),
    ".parquet": Form(parquet=True),
}


def form_of(name: str) -> Form | None:
    """The form of a file by the end of its name, or None: it is no table."""
    return next((form for suffix, form in FORMS.items() if name.lower().endswith(suffix)), None)


@dataclass(frozen=True)
class Definition:
    """A table as `RunConfig.table` holds it. Raises BenchError for what cannot be.

    files: the name of a file, or a pattern (`part-*.parquet`), without a folder. target: the column that is predicted.
    features: the columns that are looked up, in order. time: a column that orders the rows. entities: the two features that play
    user and item; None: the two with the most values. numeric: features that are bucketised although their values are whole.
    wide: crosses that the feature set `wide` adds; None: those of the entities with the features of the most values.
    missing: texts that stand for a missing value in CSV files, besides none and NaN. checksum: of the files; None: any.
    """

    files: str
    target: str
    features: tuple[str, ...]
    time: str | None = None
    entities: tuple[str, str] | None = None
    numeric: tuple[str, ...] = ()
    wide: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ()
    checksum: str | None = None

    def __post_init__(self) -> None:
        if not self.files or "/" in self.files or "\\" in self.files:
            raise BenchError(
                f"table: files {self.files!r} must be the name of a file, or a pattern, without its folder"
            )
        if not self.features:
            raise BenchError("table: no feature was given; name its columns (features)")
        for kind, names in (("feature", self.features), ("numeric feature", self.numeric)):
            for place, name in enumerate(names):
                if name in names[:place]:
                    raise BenchError(f"table: the {kind} {name!r} is given twice; leave one out")
        for name in self.features:
            if not name or name != name.strip() or "," in name or "*" in name:
                raise BenchError(
                    f"table: the column {name!r} cannot be a feature: no comma, star or space at the ends; rename it"
                )
        if self.target in self.features:
            raise BenchError(
                f"table: {self.target!r} is the target and a feature too; leave it out of the features"
            )
        for name in (*self.numeric, *(self.entities or ())):
            if name not in self.features:
                raise unknown("feature", name, self.features)
        for cross in self.wide or ():
            parts = [part.strip() for part in cross.split("*")]
            if len(set(parts)) < 2 or len(set(parts)) < len(parts):
                raise BenchError(
                    f"table: wide has {cross!r}; it must be a cross of different features: a*b"
                )
            for part in parts:
                if part not in self.features:
                    raise unknown(f"feature in {cross!r}", part, self.features)
        if self.entities is not None and len(self.entities) != 2:
            raise BenchError(
                f"table: {len(self.entities)} entities were given; name two features, the user's and the item's"
            )

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Definition":
        """Inverse of `to_dict`. Raises BenchError for an unknown key, one that is missing and one of the wrong kind."""
        names = [f.name for f in fields(cls)]
        for name, value in given.items():
            if name not in names:
                raise unknown("key of a table", name, names)
            wanted = list if name in ("features", "entities", "numeric", "wide", "missing") else str
            if not isinstance(value, wanted) or (
                wanted is list and not all(isinstance(one, str) for one in value)
            ):
                kind = "a list of names" if wanted is list else "text"
                raise BenchError(f"table: {name} is {value!r}; it must be {kind}")
        for name in ("files", "target", "features"):
            if name not in given:
                raise BenchError(
                    f"table: {name} is missing; a table needs files, target and features"
                )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """What was given, as JSON can hold it; defaults are left out, so that one table has one form."""
        values = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }
        if self.numeric:  # a set: in the order of the features
            values["numeric"] = tuple(name for name in self.features if name in self.numeric)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        return tuple(
            dict.fromkeys((*self.features, self.target, *([self.time] if self.time else [])))
        )


def largest(
    cardinalities: Mapping[str, int], n: int, without: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The n features of the most values, in the order in which they are listed; of equally many the ones listed first."""
    names = [name for name in cardinalities if name not in without]
    chosen = sorted(names, key=lambda name: -cardinalities[name])[:n]
    return tuple(name for name in names if name in chosen)


def entities_of(cardinalities: Mapping[str, int], rather_not: Collection[str]) -> tuple[str, str]:
    """The two features of the most values, those of `rather_not` only where there are no two others; a single one plays both."""
    names = [name for name in cardinalities if name not in rather_not]
    found = largest({name: cardinalities[name] for name in names}, 2)
    found += largest(cardinalities, 2 - len(found), found)
    return found[0], found[-1]


def crosses_of(cardinalities: Mapping[str, int], entities: tuple[str, ...]) -> tuple[str, ...]:
    """Each entity with each of the two other features of the most values; where there are no others, the entities' own cross."""
    entities = tuple(dict.fromkeys(entities))
    others = largest(cardinalities, 2, entities)
    if not others:
        return ("*".join(entities),) if len(entities) == 2 else ()
    return tuple(f"{entity}*{other}" for entity in entities for other in others)
