"""From the name of a data set, or the definition of a table, to its rows."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ue_bench.data.cache import usable_cache
from ue_bench.data.checksums import checksum_beside
from ue_bench.data.click_world import ClickWorld, is_click_world
from ue_bench.data.dataset import Dataset
from ue_bench.data.kept.coded_store import Store
from ue_bench.data.kept.source import Source, load_kept
from ue_bench.data.movielens.files import Files
from ue_bench.data.movielens.layouts import parse
from ue_bench.data.movielens.locate import locate_files
from ue_bench.data.movielens.movielens import MovieLens
from ue_bench.data.reading import reason_of
from ue_bench.data.synthetic import is_world, plant
from ue_bench.data.table.builtin import TABLES
from ue_bench.data.table.definition import Definition
from ue_bench.errors import BenchError

if TYPE_CHECKING:
    from ue_bench.data.table.table_files import TableFiles


def load(
    name: str,
    data_dir: Path | None = None,
    table: Mapping[str, Any] | None = None,
    *,
    cache: Path | None = None,
    keep: bool = True,
) -> Dataset:
    """Find and read a data set: MovieLens, a planted world or a table.

    A large one is read once; its coded rows are kept in the cache, for all who load it later.

    name, data_dir, cache: as in `locate_files`.
    table: what `Definition.to_dict` returns; `data_dir` is then the folder of the table's files,
    and `name` only a name.
    keep: False: it is read anew, and nothing is kept.
    Raises BenchError for files that are missing or bad, for a `data_dir` of a planted world, and
    for a table whose content has changed.
    """
    source = _find(name, data_dir, table, cache)
    place = usable_cache() if cache is None else cache
    if place is None or not keep:
        return source.read()
    return load_kept(source, Store.of(place))


def _find(
    name: str, data_dir: Path | None, table: Mapping[str, Any] | None, cache: Path | None
) -> Source:
    if table is not None:
        definition = Definition.from_dict(table)
        return _table(name, definition, _table_files(definition, data_dir), "file", {})
    if is_world(name):
        return Source(name, "planted", lambda: _load_planted(name, data_dir))
    if is_click_world(name):
        _require_no_files(name, data_dir)
        return Source(
            name,
            ClickWorld.source,
            lambda: ClickWorld(name),
            identity={"kind": "click world", "formula": name},
        )
    if name in TABLES:
        built_in = TABLES[name]
        files = built_in.find_files(data_dir, cache)
        return _table(name, built_in.definition, files, built_in.source, built_in.refused)
    return _movielens(name, locate_files(name, data_dir, cache))


def _movielens(name: str, files: Files) -> Source:
    return Source(
        name,
        files.source,
        lambda: _load_movielens(name, replace(files)),  # whose checksum is computed again
        identity={"kind": "movielens", "layout": files.layout_name, "files": files.checksum},
        paths=files.paths,
    )


def _load_movielens(name: str, files: Files) -> Dataset:
    with checksum_beside(files) as checksum:
        ratings, users, items = parse(files)
    return MovieLens(
        name=name,
        ratings=ratings,
        users=users,
        items=items,
        source=files.source,
        checksum=checksum.result(),
    )


def checksum_of(name: str, data_dir: Path | None = None) -> str:
    """Return the checksum of a data set that has a name, without reading its rows.

    Errors are those of `load`.
    """
    if is_world(name) or is_click_world(name):
        return load(name, data_dir).checksum
    if name in TABLES:
        return TABLES[name].find_files(data_dir, None).checksum
    return locate_files(name, data_dir, None).checksum


def define(
    definition: Definition, data_dir: Path | None, *, inside: Path | None = None
) -> dict[str, Any]:
    """Return the value of `RunConfig.table` for a table in the folder `data_dir`.

    It has the checksum of the content, so that the ids of runs follow the data.
    inside: the folder that no link may lead out of; None: `data_dir`.
    Raises BenchError for missing files, a missing column, and content of another checksum than the
    definition's.
    """
    files = _table_files(definition, data_dir, inside or data_dir or Path())
    files.require(definition.columns)
    if definition.checksum not in (None, files.checksum):
        names = ", ".join(definition.file_names)
        raise BenchError(
            f"{names}: its content is {files.checksum}, but {definition.checksum} was "
            "asked for; get the original files, or leave the checksum out"
        )
    return replace(definition, checksum=files.checksum).to_dict()


def _require_no_files(name: str, data_dir: Path | None) -> None:
    """Raise BenchError for a folder of files that a planted world has not."""
    if data_dir is not None:
        raise BenchError(
            f"data set {name!r} is made and has no files; "
            f"leave --data-dir out ({str(data_dir)[:200]} was given)"
        )


def _load_planted(name: str, data_dir: Path | None) -> Dataset:
    _require_no_files(name, data_dir)
    frames, checksum = plant(name)
    return MovieLens(
        name=name,
        ratings=frames.ratings,
        users=frames.users,
        items=frames.items,
        source="planted",
        checksum=checksum,
    )


def _table(
    name: str,
    definition: Definition,
    files: "TableFiles",
    source: str,
    refused: Mapping[str, str],
) -> Source:
    from ue_bench.data.table.table_dataset import TableDataset

    definition.require_content(name, files.checksum)
    return Source(
        name,
        source,
        lambda: TableDataset(name, definition, replace(files), source, refused),
        identity={
            "kind": "table",
            "files": files.checksum,
            "form": asdict(files.form),
            "test_files": files.n_test,
            "definition": replace(definition, checksum=None).to_dict(),
        },
        paths=files.paths,
        refused=refused,
    )


def _table_files(
    definition: Definition, data_dir: Path | None, inside: Path | None = None
) -> "TableFiles":
    from ue_bench.data.table.table_files import find  # loads pyarrow, which only tables need

    try:
        folder = Path("." if data_dir is None else data_dir).expanduser()
    except RuntimeError as error:
        raise BenchError(
            f"--data-dir {str(data_dir)[:200]} cannot be read: {reason_of(error)}"
        ) from error
    return find(folder, definition.file_names, test=definition.test_names, inside=inside)
