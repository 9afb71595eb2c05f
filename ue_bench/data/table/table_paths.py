"""The files that a name stands for: a file, a folder with all below it, or a pattern."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from ue_bench.data.table.definition import ENDS, form_of, is_pattern
from ue_bench.errors import BenchError
from ue_bench.whole_file import special_kind

_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # how Hive writes a missing value


class Place(NamedTuple):
    """Where the files of a table are.

    names, test_names: relative to the folder, as `Definition.files` and `.test_files` hold them.
    """

    folder: Path
    names: tuple[str, ...]
    test_names: tuple[str, ...]


def place_of(paths: Sequence[Path], test_paths: Sequence[Path] = ()) -> Place:
    """Return the folder that holds all of these files, folders and patterns, and their names in it.

    The folder of a single file is the one that the file is in, and that of a pattern is the one
    before the first folder with a star. Otherwise it lies above the folders that hold a column
    (`year=2024`).
    """
    starts = [_start(path) for path in (*paths, *test_paths)]
    is_single = len(starts) == 1
    if is_single and len(starts[0][1].parts) == 1:
        folder, name = starts[0]
        return Place(folder, (str(name),), ())
    folder = starts[0][0]
    if not is_single:
        starts = [(start.absolute(), name) for start, name in starts]
        folder = Path(os.path.commonpath([start for start, _ in starts]))
    while "=" in folder.name:
        folder = folder.parent
    names = tuple(str(start.relative_to(folder) / name) for start, name in starts)
    return Place(folder, names[: len(paths)], names[len(paths) :])


def _start(path: Path) -> tuple[Path, Path]:
    """Divide a path before the first part with a star, or before its name."""
    if path.name in ("", "..") or (".." in path.parts and os.path.isdir(path)):
        path = Path(os.path.realpath(path))
    start = Path(*path.parts[:1]) if path.is_absolute() else Path()
    parts = path.parts[1:] if path.is_absolute() else path.parts
    for number, part in enumerate(parts[:-1]):
        if is_pattern(part) and not os.path.exists(start / part):
            return _without_steps_up(start), Path(*parts[number:])
        start /= part
    return _without_steps_up(start), Path(*parts[-1:])


def _without_steps_up(folder: Path) -> Path:
    return Path(os.path.realpath(folder)) if ".." in folder.parts else folder


def _require_regular(path: Path) -> None:
    """Raise BenchError for a pipe, a socket and a device: reading one may never end."""
    kind = special_kind(path.stat().st_mode)
    if kind is not None:
        raise BenchError(
            f"{path} is {kind}, not a file; it is read more than once: "
            "write its content into a file, and give that"
        )


def files_of(folder: Path, name: str) -> list[Path]:
    """Return the files that a name stands for.

    name: relative to the folder. Of a folder, and of a folder that matches a pattern, these are the
    tables in it and below it, without what begins with a dot or an underscore. A pattern of several
    folders leaves these out too, unless it names some.
    Raises BenchError for a name without a file, and for a pipe, a socket or a device; OSError for
    what cannot be read.
    """
    path = folder / name
    if path.is_dir():
        found = _tables_in(path, ())
    elif path.exists():
        found = [path]
    elif os.path.lexists(path):
        raise BenchError(f"{path} is a link to a file that does not exist; mend it")
    elif is_pattern(name):
        found = _matching(folder, name)
    else:
        raise BenchError(f"{path} does not exist; give the path of a table ({ENDS}), or a folder")
    for file in found:
        _require_regular(file)
    return found


def _matching(folder: Path, pattern: str) -> list[Path]:
    asked = PurePosixPath(pattern).parts
    # a pattern within one folder matches all that its text says
    is_within_one = len(asked) == 1 and "**" not in asked
    may_be_hidden = is_within_one or any(map(_is_hidden, asked))
    found = set()
    for path in folder.glob(pattern):
        if not may_be_hidden and any(map(_is_hidden, path.relative_to(folder).parts)):
            continue
        if path.is_dir():
            found |= set(_tables_in(path, (), required=False))
        elif form_of(pattern) is not None or form_of(path.name) is not None:
            if not path.exists():
                raise BenchError(f"{path} is a link to a file that does not exist; mend it")
            found.add(path)
    if not found:
        raise BenchError(
            f"{folder / pattern}: no file matches this pattern; "
            f"put it in quotes, and see what is in {folder}"
        )
    return list(found)


def _tables_in(folder: Path, above: tuple[Path, ...], required: bool = True) -> list[Path]:
    """Return the tables in a folder and below it.

    above: the folders around it, where a link led to it. required: there must be a table.
    """
    real = folder.resolve()
    if real in above:
        raise BenchError(f"{folder} is a link to a folder around it; remove it")
    found = []
    for entry in os.scandir(folder):
        if _is_hidden(entry.name):
            continue
        path = folder / entry.name
        if entry.is_dir():
            found += _tables_in(path, (*above, real), required=False)
        elif form_of(entry.name) is not None:
            if not path.exists():
                raise BenchError(f"{path} is a link to a file that does not exist; mend it")
            found.append(path)
    if required and not found:
        raise BenchError(f"{folder} is a folder without a table ({ENDS}); give another one")
    return found


def _is_hidden(name: str) -> bool:
    """Return whether programs that read folders of tables leave a name out, as Hive does."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def partitions_of(name: str) -> dict[str, str | None]:
    """Return the columns that the folders of a file name hold, as Hive writes them.

    `year=2024/city=New%20York/part.parquet` has year 2024 and city New York. None is a missing
    value. Raises BenchError for a column that two folders hold.
    """
    columns: dict[str, str | None] = {}
    for folder in PurePosixPath(name).parts[:-1]:
        column, equals, text = folder.partition("=")
        if not equals or not column:
            continue
        column = unquote(column)
        if column in columns:
            raise BenchError(
                f"{name}: two of its folders hold the column {column!r}; leave one out"
            )
        columns[column] = None if text == _NO_PARTITION else unquote(text)
    return columns
