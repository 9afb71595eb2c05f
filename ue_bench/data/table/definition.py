"""The definition of a table as a data set: its files, its target and its features."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Literal

from ue_bench.errors import BenchError, unknown
from ue_bench.features import canonical_feature, parts

LISTS = ("features", "entities", "numeric", "wide", "missing")  # keys that hold a list of names
FILES = ("files", "test_files")  # keys that hold the name of a file, or a list of names
REQUIRED = ("files", "target", "features")


@dataclass(frozen=True)
class Form:
    """How the rows of a file are written.

    kind: `csv` is text with a separator, `json` is one JSON object a line.
    separator, quotes, columns: of `csv`. quotes: whether values may be in quotes. columns: their
    names, for text without a header.
    """

    kind: Literal["csv", "parquet", "arrow", "json"] = "csv"
    separator: str = ","
    quotes: bool = True
    columns: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the values have no types: all of them are text."""
        return self.kind == "csv"


# The forms of files that can be read, by the ends of their names.
FORMS = {
    ".csv": Form(),
    ".tsv": Form(separator="\t"),
    ".jsonl": Form("json"),
    ".ndjson": Form("json"),
    ".parquet": Form("parquet"),
    ".arrow": Form("arrow"),
    ".feather": Form("arrow"),
    ".ipc": Form("arrow"),
}
COMPRESSIONS = (".gz", ".zst", ".bz2")  # of text and of JSON lines


def _ends() -> str:
    """Return the ends of the names of files that can be read, for a message."""
    compressible = [end for end, form in FORMS.items() if form.kind in ("csv", "json")]
    others = [end for end in FORMS if end not in compressible]
    return f"{', '.join(compressible)} (also {', '.join(COMPRESSIONS)}), {', '.join(others)}"


ENDS = _ends()


def form_of(name: str) -> Form | None:
    """Return the form of a file by the end of its name, or None for a file that is no table."""
    lower = name.lower()
    for compression in COMPRESSIONS:
        plain = lower.removesuffix(compression)
        if plain != lower:
            form = _form_by_end(plain)
            return form if form is not None and form.kind in ("csv", "json") else None
    return _form_by_end(lower)


def _form_by_end(name: str) -> Form | None:
    for end, form in FORMS.items():
        if name.endswith(end):
            return form
    return None


def is_pattern(name: str) -> bool:
    """Return whether a file name is a pattern of several, such as `part-*.parquet`."""
    return not set("*?[").isdisjoint(name)


@dataclass(frozen=True)
class Definition:
    """A table as `RunConfig.table` holds it.

    files: the name of a file, a folder or a pattern (`part-*.parquet`), or several of them, all
    relative to the folder of the table and inside it.
    target: the column that is predicted. features: the columns that are embedded, in order.
    time: a column that orders the rows.
    entities: the two features that play user and item; None: chosen by name, or else by the number
    of values (see `entity_names`).
    numeric: features that are rounded although their values are whole numbers.
    wide: crosses that the feature set `wide` adds; None: those of the entities with the features of
    the most values.
    missing: texts that stand for a missing value in CSV files, besides an empty text and NaN.
    positive: the value of the target that is 1, where every other value is 0; None: the target
    holds numbers or truth values.
    test_files: names as in `files`. Their rows are the test part of every split, and they are not
    among `files`, whatever matches.
    checksum: of the files; None: any.
    Raises BenchError for a definition that contradicts itself.
    """

    files: str | tuple[str, ...]
    target: str
    features: tuple[str, ...]
    time: str | None = None
    entities: tuple[str, str] | None = None
    numeric: tuple[str, ...] = ()
    wide: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ()
    checksum: str | None = None
    positive: str | None = None
    test_files: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for key in FILES:
            self._order_names(key)
        if not self.files:
            raise BenchError("table: files is empty; name a file, a folder or a pattern")
        if self.wide is not None:
            object.__setattr__(self, "wide", tuple(map(canonical_feature, self.wide)))
        self._check_features()
        self._check_entities()
        for cross in self.wide or ():
            self._check_cross(cross)

    def _order_names(self, key: str) -> None:
        """Check names of files, and write equal ones alike: in order, and one without a list."""
        names = tuple(sorted(_as_names(getattr(self, key))))
        _check_distinct(f"name in {key}", names)
        for name in names:
            _check_inside(key, name)
        value: str | tuple[str, ...] | None = names or None
        if len(names) == 1:
            value = names[0]
        object.__setattr__(self, key, value)

    def _check_features(self) -> None:
        if not self.features:
            raise BenchError("table: no feature was given; name its columns (features)")
        _check_distinct("feature", self.features)
        _check_distinct("numeric feature", self.numeric)
        for name in self.features:
            if not name or name != name.strip() or "," in name or "*" in name:
                raise BenchError(
                    f"table: the column {name!r} cannot be a feature: a name has no comma, no star "
                    "and no space at its ends; rename the column"
                )
        if self.target in self.features:
            raise BenchError(
                f"table: {self.target!r} is the target and a feature too; "
                "leave it out of the features"
            )
        for name in self.numeric:
            if name not in self.features:
                raise unknown("feature", name, self.features)

    def _check_entities(self) -> None:
        if self.entities is None:
            return
        for name in self.entities:
            if name not in self.features:
                raise unknown("feature", name, self.features)
        if len(self.entities) != 2:
            raise BenchError(
                f"table: {len(self.entities)} entities were given; "
                "name two features, the user's and the item's"
            )

    def _check_cross(self, cross: str) -> None:
        names = parts(cross)
        if len(names) < 2 or len(set(names)) < len(names):
            raise BenchError(
                f"table: wide has {cross!r}; it must be a cross of different features: a*b"
            )
        for name in names:
            if name not in self.features:
                raise unknown(f"feature in {cross!r}", name, self.features)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Definition":
        """Return the definition of which `to_dict` returned `given`.

        Raises BenchError for an unknown key, a missing one, and a value of the wrong type.
        """
        keys = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in keys:
                raise unknown("key of a table", key, keys)
            values[key] = _value(key, value)
        for key in REQUIRED:
            if key not in given:
                raise BenchError(
                    f"table: {key} is missing; a table needs files, target and features"
                )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the values that are not defaults, as JSON can hold them.

        Equal tables have equal values.
        """
        values = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name == "numeric":  # a set, listed in the order of the features
                value = [name for name in self.features if name in self.numeric]
            elif isinstance(value, tuple):
                value = list(value)
            values[field.name] = value
        return values

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the files, folders and patterns, in order."""
        return _as_names(self.files)

    @property
    def test_names(self) -> tuple[str, ...]:
        """The names of the files, folders and patterns of the test part, in order."""
        return _as_names(self.test_files)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        columns = [*self.features, self.target]
        if self.time is not None and self.time not in columns:
            columns.append(self.time)
        return tuple(columns)

    def require_content(self, name: str, checksum: str) -> None:
        """Raise BenchError where the files of the table `name` have another checksum."""
        if self.checksum not in (None, checksum):
            raise BenchError(
                f"{name}: its content is {checksum}, but {self.checksum} was asked for; "
                "it has changed since: get the original files, or run on the new ones"
            )


def _check_distinct(noun: str, names: tuple[str, ...]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise BenchError(f"table: the {noun} {name!r} is given twice; leave one out")
        seen.add(name)


def _check_inside(key: str, name: str) -> None:
    """Raise BenchError for a name that is not plain, or that leaves the folder of the table."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
        raise BenchError(
            f"table: {key} {name!r} must be the name of a file, a folder or a pattern, relative to "
            "the folder of the table and inside it; give another folder with --data-dir"
        )


def _as_names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _value(key: str, value: Any) -> Any:
    """Return the value of a key as `Definition` takes it, from JSON or TOML."""
    if key in LISTS or (key in FILES and isinstance(value, list)):
        return _names(key, value)
    return _text(key, value)


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BenchError(f"table: {key} is {value!r}; it must be a list of names")
    return tuple(value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BenchError(f"table: {key} is {value!r}; it must be text")
    return value


def largest(
    cardinalities: Mapping[str, int], n: int, without: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the n features of the most values, in the order in which they are listed.

    Of features with equally many values, the ones that are listed first are taken.
    """
    names = [name for name in cardinalities if name not in without]
    by_size = sorted(names, key=lambda name: -cardinalities[name])
    chosen = by_size[:n]
    return tuple(name for name in names if name in chosen)


def crosses_of(cardinalities: Mapping[str, int], entities: tuple[str, str]) -> tuple[str, ...]:
    """Return each entity crossed with each of the two other features of the most values.

    Without other features, the result is the cross of the entities, or nothing where one feature
    plays both.
    """
    user, item = entities
    others = largest(cardinalities, 2, entities)
    if user == item:
        return tuple(f"{user}*{other}" for other in others)
    if not others:
        return (f"{user}*{item}",)
    of_user = [f"{user}*{other}" for other in others]
    of_item = [f"{item}*{other}" for other in others]
    return (*of_user, *of_item)
