"""From the data set that the command line or a TOML file names to fields of a run's configuration.

A record holds names and no folders: the folder is passed on beside the fields, as `--data-dir` is.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.data import DATASETS, Definition, define
from ue_bench.data.table.definition import FORMS, LISTS, form_of
from ue_bench.errors import BenchError, unknown

TABLE_KEYS = tuple(field.name for field in fields(Definition))
# Fields of a configuration that belong to the data as much as its columns do.
RUN_KEYS = ("task", "negative_at_most", "positive_at_least", "multi_valued")
# Options of a command that define a table, besides `features`.
OPTIONS = ("target", "time", "numeric", "entities")


class DatasetChoice(NamedTuple):
    """A data set that was asked for.

    fields: of `RunConfig`: `dataset`, and `table` for a table.
    data_dir: the folder of a table's files, or what was given.
    """

    fields: dict[str, Any]
    data_dir: Path | None


def ask(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, str | None]
) -> DatasetChoice:
    """Return the data set of a name, of the path of a table, or of the path of a TOML file.

    features: names separated by commas. Single ones are the table's features (the set `base`);
    crosses are what `wide` adds.
    options: by OPTIONS; they define a table that is given by its path.
    Raises BenchError for an unknown data set, and for an option that is missing or has no effect.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if dataset.lower().endswith(".toml"):
        _refuse(given, dataset, "has these in the file")
        return _from_toml(Path(dataset), data_dir)
    if dataset in DATASETS:
        _refuse(given, dataset, "is no table")
        return _by_name(dataset, data_dir)
    if not given and form_of(dataset) is None:
        raise BenchError(
            f"{unknown('data set', dataset, DATASETS)}; "
            f"or give the path of a table ({', '.join(FORMS)}, .toml)"
        )
    return _from_options(dataset, data_dir, features, given)


def fields_of(given: Mapping[str, Any], data_dir: Path | None) -> DatasetChoice:
    """Return the fields that the options of one run ask for, null where they say nothing.

    given: the options by the name of the field, with OPTIONS among them.
    The run has all features that it names: those of a table that the options define are its set
    `base`, or `wide` with crosses. An option wins over the TOML file.
    Raises BenchError as `ask` does.
    """
    options = {name: given[name] for name in OPTIONS}
    run_fields = {name: value for name, value in given.items() if name not in OPTIONS}
    defines_table = any(value is not None for value in options.values())
    dataset = run_fields["dataset"]
    if dataset is None and not defines_table:
        return DatasetChoice(run_fields, data_dir)
    if dataset is None:
        dataset = RunConfig().dataset
    features = run_fields["features"]
    choice = ask(dataset, data_dir, features, options)
    if defines_table:
        run_fields["features"] = "wide" if "*" in features else "base"
    for name, value in choice.fields.items():
        if name == "dataset" or run_fields.get(name) is None:
            run_fields[name] = value
    return DatasetChoice(run_fields, choice.data_dir)


def _refuse(options: Mapping[str, str], dataset: str, why: str) -> None:
    for name, value in options.items():
        raise BenchError(
            f"--{name}: {value!r} was given with --dataset {dataset}, which {why}; leave it out"
        )


def _by_name(name: str, data_dir: Path | None) -> DatasetChoice:
    run_fields = {"dataset": name}
    task = DATASETS[name].task
    if task != RunConfig().task:
        run_fields["task"] = task
    return DatasetChoice(run_fields, data_dir)


def _from_options(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, str]
) -> DatasetChoice:
    path = _expanded(dataset, data_dir)
    if "target" not in options:
        raise BenchError(
            f"{dataset}: no target was given; name the column to predict: --target COLUMN"
        )
    if features is None:
        raise BenchError(
            f"{dataset}: no features were given; "
            "name the columns to embed: --features COLUMN,COLUMN"
        )
    table: dict[str, Any] = {"files": path.name, "features": []}
    crosses = []
    for name in _split(features):
        if "*" in name:
            crosses.append(name)
        else:
            table["features"].append(name)
    if crosses:
        table["wide"] = crosses
    for name, value in options.items():
        table[name] = value
        if name in LISTS:
            table[name] = _split(value)
    return _define(path.name, table, path.parent)


def _from_toml(path: Path, data_dir: Path | None) -> DatasetChoice:
    content = _read_toml(path)
    files = content.pop("files", None)
    if not isinstance(files, str):
        raise BenchError(
            f"{path}: files is {files!r}; it must be the path of a CSV or Parquet file, "
            "or a pattern of several"
        )
    if data_dir is None:
        data_dir = path.parent
    place = _expanded(files, data_dir)
    name = content.pop("name", place.name)
    if not isinstance(name, str) or not name.strip() or "/" in name or name in DATASETS:
        raise BenchError(
            f"{path}: name is {name!r}; "
            "it must be text without a slash, and not the name of another data set"
        )
    table: dict[str, Any] = {"files": place.name}
    run_fields: dict[str, Any] = {}
    for key, value in content.items():
        if key in RUN_KEYS:
            run_fields[key] = value
        else:
            table[key] = value
    choice = _define(name, table, place.parent)
    return DatasetChoice(choice.fields | run_fields, choice.data_dir)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: no TOML, or no text
        why = getattr(error, "strerror", None) or error
        raise BenchError(f"{path} cannot be read: {why}; give a TOML file") from error
    allowed = ("name", *TABLE_KEYS, *RUN_KEYS)
    for key in content:
        if key not in allowed:
            raise unknown(f"key of {path}", key, allowed)
    return content


def _define(name: str, table: Mapping[str, Any], folder: Path) -> DatasetChoice:
    definition = Definition.from_dict(table)
    return DatasetChoice({"dataset": name, "table": define(definition, folder)}, folder)


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
