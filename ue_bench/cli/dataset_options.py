"""From the data set that the command line or a TOML file names to fields of a run's configuration.

A record holds names and no folders: the folder is passed on beside the fields, as `--data-dir` is.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from ue_bench.cli.table_options import FIELDS, TABLE
from ue_bench.config import RunConfig
from ue_bench.config.separators import separators_of, separators_text
from ue_bench.config.toml_file import read_toml
from ue_bench.data import DATASETS, Definition, define, info_of
from ue_bench.data.table.definition import ENDS, FILES, LISTS, form_of, is_pattern
from ue_bench.data.table.table_paths import Place, place_of
from ue_bench.errors import BenchError, unknown

TABLE_KEYS = tuple(field.name for field in fields(Definition))
CHOICES = ("entities",)  # options of TABLE that win over a TOML file: they add no column
IN_FILE = "has these in the file"
NO_TABLE = "is no table"


class DatasetChoice(NamedTuple):
    """A data set that was asked for.

    fields: of `RunConfig`: `dataset`, and `table` for a table.
    data_dir: the folder of a table's files, or what was given.
    """

    fields: dict[str, Any]
    data_dir: Path | None


def ask(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, Any]
) -> DatasetChoice:
    """Return the data set of a name, of the path of a table, or of the path of a TOML file.

    dataset: several paths of a table are separated by commas.
    features: names separated by commas. Single ones are the table's features (the set `base`);
    crosses are what `wide` adds.
    options: by TABLE, which define a table that is given by its path; and by FIELDS, which are
    fields of a run. FIELDS and CHOICES win over a TOML file. None where an option is not given.
    Raises BenchError for an unknown data set, and for an option that is missing or has no effect.
    """
    given = _given(options, TABLE)
    if _is_toml(dataset):
        chosen = {name: given.pop(name) for name in CHOICES if name in given}
        _refuse(given, dataset, IN_FILE)
        choice = _from_toml(Path(dataset), data_dir, chosen)
    elif info_of(dataset) is not None:
        _refuse(given, dataset, NO_TABLE)
        choice = _by_name(dataset, data_dir)
    elif not given and not _may_be_table(dataset, data_dir):
        raise BenchError(
            f"{unknown('data set', dataset, DATASETS)}; "
            f"or give the path of a table ({ENDS}), of a folder of such files, or of a .toml file"
        )
    else:
        choice = _from_options(dataset, data_dir, features, given)
    return DatasetChoice(choice.fields | _given(options, FIELDS), choice.data_dir)


def ask_for_all(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, Any]
) -> DatasetChoice:
    """Return the data set as `ask` does, for a command whose runs choose their features themselves.

    Raises BenchError also for features where they do not define a table.
    """
    given = _given({"features": features}, ("features",))
    if _is_toml(dataset):
        _refuse(given, dataset, IN_FILE)
    elif info_of(dataset) is not None:
        _refuse(given, dataset, NO_TABLE)
    return ask(dataset, data_dir, features, options)


def fields_of(given: Mapping[str, Any], data_dir: Path | None) -> DatasetChoice:
    """Return the fields that the options of one run ask for, null where they say nothing.

    given: the options by the name of the field, with TABLE among them.
    The run has all features that it names: those of a table that the options define are its set
    `base`, or `wide` with crosses. An option wins over the TOML file.
    Raises BenchError as `ask` does.
    """
    options = {name: given[name] for name in TABLE}
    run_fields = {name: value for name, value in given.items() if name not in TABLE}
    defines_table = any(value is not None for value in options.values())
    dataset = run_fields["dataset"]
    if dataset is None and not defines_table:
        return DatasetChoice(run_fields, data_dir)
    if dataset is None:
        dataset = RunConfig().dataset
    features = run_fields["features"]
    choice = ask(dataset, data_dir, features, options)
    if defines_table and not _is_toml(dataset):
        run_fields["features"] = "wide" if "*" in features else "base"
    for name, value in choice.fields.items():
        if name == "dataset" or run_fields.get(name) is None:
            run_fields[name] = value
    return DatasetChoice(run_fields, choice.data_dir)


def _is_toml(dataset: str) -> bool:
    return dataset.lower().endswith(".toml")


def _given(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}


def _refuse(options: Mapping[str, Any], dataset: str, why: str) -> None:
    for name, value in options.items():
        flag = name.replace("_", "-")
        raise BenchError(
            f"--{flag}: {value!r} was given with --dataset {dataset}, which {why}; leave it out"
        )


def _by_name(name: str, data_dir: Path | None) -> DatasetChoice:
    run_fields = {"dataset": name}
    info = info_of(name)
    if info is not None and info.task != RunConfig().task:
        run_fields["task"] = info.task
    return DatasetChoice(run_fields, data_dir)


def _from_options(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, str]
) -> DatasetChoice:
    paths = _paths(dataset, data_dir)
    test_paths = []
    if "test_files" in options:
        test_paths = _paths(options["test_files"], data_dir)
    if "target" not in options:
        raise BenchError(
            f"{dataset}: no target was given; name the column to predict: --target COLUMN"
        )
    if features is None:
        raise BenchError(
            f"{dataset}: no features were given; "
            "name the columns to embed: --features COLUMN,COLUMN"
        )
    table: dict[str, Any] = {"features": []}
    crosses = []
    for name in _split(features):
        if "*" in name:
            crosses.append(name)
        else:
            table["features"].append(name)
    if crosses:
        table["wide"] = crosses
    table |= _keys_of(options)
    # whoever gives a path may have links in it, to anywhere
    place = place_of(paths, test_paths)
    return _define(_name_of(place), table, place, inside=Path(place.folder.absolute().anchor))


def _keys_of(options: Mapping[str, str]) -> dict[str, Any]:
    """Return options of TABLE as the keys of a TOML file."""
    return {name: _split(value) if name in LISTS else value for name, value in options.items()}


def _from_toml(path: Path, data_dir: Path | None, chosen: Mapping[str, str]) -> DatasetChoice:
    """Return the choice of a TOML file. chosen: options that win over it."""
    content = _read_toml(path) | _keys_of(chosen)
    folder = _expanded("", path.parent if data_dir is None else data_dir)
    paths = [folder / name for name in _names_in(path, "files", content.pop("files", None))]
    test_paths = []
    if "test_files" in content:
        names = _names_in(path, "test_files", content.pop("test_files"))
        test_paths = [folder / name for name in names]
    place = place_of(paths, test_paths)
    name = content.pop("name", _name_of(place))
    if not isinstance(name, str) or not name.strip() or "/" in name or info_of(name):
        raise BenchError(
            f"{path}: name is {name!r}; "
            "it must be text without a slash, and not the name of another data set"
        )
    table: dict[str, Any] = {}
    run_fields: dict[str, Any] = {}
    for key, value in content.items():
        if key == "multi_valued":
            run_fields[key] = separators_text(separators_of(value))
        elif key in FIELDS:
            run_fields[key] = value
        else:
            table[key] = value
    choice = _define(name, table, place, inside=folder)
    return DatasetChoice(choice.fields | run_fields, choice.data_dir)


def _names_in(path: Path, key: str, value: Any) -> list[str]:
    """Return the names of files that a TOML file has, none of which leaves its folder."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise BenchError(
            f"{path}: {key} is {value!r}; it must be the path of a table, of a folder, "
            "or a pattern of several, or a list of these"
        )
    for name in names:
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts or parts[0].startswith("~"):
            raise BenchError(
                f"{path}: {key} has {name!r}, which is not in the folder of the TOML file; "
                "give the folder of the files with --data-dir, and their names in it here"
            )
    return names


def _read_toml(path: Path) -> dict[str, Any]:
    content = read_toml(path)
    allowed = ("name", *TABLE_KEYS, *FIELDS)
    for key in content:
        if key not in allowed:
            raise unknown(f"key of {path}", key, allowed)
    return content


def _define(name: str, table: Mapping[str, Any], place: Place, inside: Path) -> DatasetChoice:
    """Return the choice of a table. inside: the folder that no link may lead out of.

    A target with a positive value is two labels, so that its task is `binary`.
    """
    files = dict(zip(FILES, (list(place.names), list(place.test_names)), strict=True))
    definition = Definition.from_dict({**table, **files})
    run_fields: dict[str, Any] = {
        "dataset": name,
        "table": define(definition, place.folder, inside=inside),
    }
    if definition.positive is not None:
        run_fields["task"] = "binary"
    return DatasetChoice(run_fields, place.folder)


def _name_of(place: Place) -> str:
    """Return the name of a table that has no other: that of its first file."""
    name = Path(place.names[0]).name
    others = len(place.names) - 1
    return f"{name} and {others} more" if others else name


def _paths(text: str, folder: Path | None) -> list[Path]:
    """Return the path that a text is, or the paths that it has between commas.

    A text is one path where there is such a file, even if its name has a comma.
    """
    whole = _expanded(text, folder)
    if "," not in text or os.path.exists(whole) or _matches(whole):
        return [whole]
    names = _split(text)
    if not all(names):
        raise BenchError(f"{text}: no path between two commas; leave the comma out")
    return [_expanded(name, folder) for name in names]


def _matches(pattern: Path) -> bool:
    """Return whether a path is a pattern that some file matches."""
    if not is_pattern(str(pattern)):
        return False
    place = place_of([pattern])
    try:
        return any(place.folder.glob(place.names[0]))
    except (OSError, ValueError):  # no pattern, but perhaps several
        return False


def _may_be_table(dataset: str, data_dir: Path | None) -> bool:
    if form_of(dataset) is not None or is_pattern(dataset):
        return True
    return os.path.isdir(_expanded(dataset, data_dir))


def _expanded(files: str, folder: Path | None) -> Path:
    path = Path(files)
    if folder is not None:
        path = folder / path
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BenchError(f"{files}: {error}") from error


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
