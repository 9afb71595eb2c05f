"""From what the command line or a TOML file says of a data set to the fields of a run's configuration, and where its files lie.

A record holds names and no folders: the folder goes its own way, as `--data-dir` does.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.data import DATASETS, Definition, define
from ue_bench.data.table.definition import FORMS, form_of
from ue_bench.errors import BenchError, unknown

TABLE_KEYS = tuple(f.name for f in fields(Definition))
# fields of a configuration that belong to the data as much as its columns do, where this version has them
RUN_KEYS = tuple(
    {"task", "negative_at_most", "positive_at_least", "multi_valued"}
    & {f.name for f in fields(RunConfig)}
)
OPTIONS = (
    "target",
    "time",
    "numeric",
    "entities",
)  # that a command has for a table, besides `features`


class Asked(NamedTuple):
    """fields: of `RunConfig`; `dataset` is there, and `table` where it is one. data_dir: the folder of a table's files, or what
    was given."""

    fields: dict[str, Any]
    data_dir: Path | None


def ask(
    dataset: str, data_dir: Path | None, features: str | None, options: Mapping[str, str | None]
) -> Asked:
    """A data set by its name, the path of a table whose columns the options name, or the path of a TOML file.

    features: names with commas between. Single ones are the table's features (the set `base`); crosses are what `wide` adds.
    options: by OPTIONS. Raises BenchError for what is unknown, missing or of no use.
    """
    given = {name: value for name, value in options.items() if value is not None}
    toml = dataset.lower().endswith(".toml")
    if given and (toml or dataset in DATASETS):
        first = next(iter(given))
        why = "has these in the file" if toml else "is no table"
        raise BenchError(
            f"--{first}: {given[first]!r} was given with --dataset {dataset}, which {why}; leave it out"
        )
    if toml:
        return _from_toml(Path(dataset), data_dir)
    if dataset in DATASETS or not (given or form_of(dataset)):
        if dataset not in DATASETS:
            raise BenchError(
                f"{unknown('data set', dataset, DATASETS)}; or give the path of a table ({', '.join(FORMS)}, .toml)"
            )
        task = DATASETS[dataset].task
        return Asked(
            {"dataset": dataset} | ({} if task == RunConfig().task else {"task": task}), data_dir
        )
    path = _place(dataset, data_dir)
    if "target" not in given:
        raise BenchError(
            f"{dataset}: no target was given; name the column to predict: --target COLUMN"
        )
    if features is None:
        raise BenchError(
            f"{dataset}: no features were given; name the columns to embed: --features COLUMN,COLUMN"
        )
    names = _split(features)
    crosses = [name for name in names if "*" in name]
    table: dict[str, Any] = {
        "files": path.name,
        "target": given["target"],
        "features": [n for n in names if n not in crosses],
    }
    table |= {name: _split(given[name]) for name in ("numeric", "entities") if name in given}
    table |= {"time": given["time"]} if "time" in given else {}
    table |= {"wide": crosses} if crosses else {}
    return _table(path.name, table, path.parent)


def fields_of(given: Mapping[str, Any], data_dir: Path | None) -> Asked:
    """What the options of one run say, with OPTIONS among them: the fields that they ask for, null where they say nothing.

    The run has all features that it names: those of a table that these options define are its set `base`, or `wide` with crosses.
    What stands in a TOML file gives way to an option. Raises BenchError, as `ask` does.
    """
    options = {name: given[name] for name in OPTIONS}
    fields = {name: value for name, value in given.items() if name not in options}
    dataset, defines = fields["dataset"], any(value is not None for value in options.values())
    if dataset is None and not defines:
        return Asked(fields, data_dir)
    asked = ask(
        RunConfig().dataset if dataset is None else dataset, data_dir, fields["features"], options
    )
    if defines:
        fields["features"] = "wide" if "*" in fields["features"] else "base"
    set_here = {
        name: value for name, value in fields.items() if value is not None and name != "dataset"
    }
    return Asked({**fields, **asked.fields, **set_here}, asked.data_dir)


def _from_toml(path: Path, data_dir: Path | None) -> Asked:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # the second: no TOML, or no text
        raise BenchError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; give a TOML file"
        ) from error
    allowed = ("name", *TABLE_KEYS, *RUN_KEYS)
    for key in given:
        if key not in allowed:
            raise unknown(f"key of {path}", key, allowed)
    files = given.get("files")
    if not isinstance(files, str):
        raise BenchError(
            f"{path}: files is {files!r}; it must be the path of a CSV or Parquet file, or a pattern of several"
        )
    place = _place(files, path.parent if data_dir is None else data_dir)
    name = given.get("name", place.name)
    if not isinstance(name, str) or not name.strip() or "/" in name or name in DATASETS:
        raise BenchError(
            f"{path}: name is {name!r}; it must be text without a slash, and not the name of another data set"
        )
    table = {key: value for key, value in given.items() if key in TABLE_KEYS} | {
        "files": place.name
    }
    asked = _table(name, table, place.parent)
    return Asked(
        asked.fields | {key: given[key] for key in RUN_KEYS if key in given}, asked.data_dir
    )


def _table(name: str, table: Mapping[str, Any], folder: Path) -> Asked:
    return Asked({"dataset": name, "table": define(Definition.from_dict(table), folder)}, folder)


def _place(files: str, folder: Path | None) -> Path:
    path = Path(files) if folder is None else folder / files
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BenchError(f"{files}: {error}") from error


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
