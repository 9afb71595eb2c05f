"""From the name of a data set, and what defines it where it is a table, to its rows."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ue_bench.data.dataset import Dataset
from ue_bench.data.fetch import locate_files
from ue_bench.data.movielens.layouts import parse
from ue_bench.data.movielens.movielens import MovieLens
from ue_bench.data.synthetic import WORLDS, plant
from ue_bench.data.table.builtin import TABLES
from ue_bench.data.table.definition import Definition
from ue_bench.errors import BenchError


def load(
    name: str,
    data_dir: Path | None = None,
    table: Mapping[str, Any] | None = None,
    *,
    cache: Path | None = None,
) -> Dataset:
    """Find and parse a data set (arguments as in `locate_files`), make a planted one, or read a table.

    table: what `Definition.to_dict` gives; `data_dir` is then the folder of its files, and `name` a name and nothing else.
    Raises BenchError for what is not there, or bad, for a place to read a planted one from, and for a table whose content has not
    the checksum that it had.
    """
    if table is not None:
        from ue_bench.data.table.table import TableDataset
        from ue_bench.data.table.tabular import find  # loads pyarrow, which no other data set needs

        definition = Definition.from_dict(table)
        return TableDataset(name, definition, find(_folder(data_dir), definition.files))
    if name in WORLDS:
        if data_dir is not None:
            raise BenchError(
                f"data set {name!r} is made and has no files; leave --data-dir out ({str(data_dir)[:200]} was given)"
            )
        made = plant(name)
        return MovieLens(name, *made.frames, source="planted", checksum=made.checksum)
    if name in TABLES:
        from ue_bench.data.table.table import TableDataset

        built_in = TABLES[name]
        return TableDataset(
            name, built_in.definition, built_in.files(data_dir, cache), built_in.source
        )
    files = locate_files(name, data_dir, cache)
    with ThreadPoolExecutor(1) as beside:
        checksum = beside.submit(lambda: files.checksum)  # hashing leaves the interpreter free
        ratings, users, items = parse(files)
    return MovieLens(name, ratings, users, items, source=files.source, checksum=checksum.result())


def define(definition: Definition, data_dir: Path | None) -> dict[str, Any]:
    """`RunConfig.table` of a table in the folder `data_dir`: with the checksum of its content, so that ids follow the data.

    Raises BenchError for files that are not there, a column that they lack, and content that has not the checksum that is given.
    """
    from ue_bench.data.table.tabular import find

    files = find(_folder(data_dir), definition.files)
    files.require(definition.columns)
    if definition.checksum not in (None, files.checksum):
        raise BenchError(
            f"{definition.files}: its content is {files.checksum}, but {definition.checksum} was asked for"
        )
    return replace(definition, checksum=files.checksum).to_dict()


def _folder(data_dir: Path | None) -> Path:
    try:
        return Path("." if data_dir is None else data_dir).expanduser()
    except RuntimeError as error:
        raise BenchError(f"--data-dir {str(data_dir)[:200]} cannot be read: {error}") from error
