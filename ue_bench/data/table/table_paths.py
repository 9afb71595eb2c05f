"""The files that a name stands for: a file, a folder with all below it, or a pattern.

A folder or a pattern may stand for more than anybody meant: the root of a disk, a folder of
millions of files, links that lead around. Names are therefore counted while folders are read, and
what is beyond the bounds ends in seconds. Rows have no such bound: they may be in few files.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from ue_bench.data.table.definition import ENDS, form_of, is_pattern
from ue_bench.errors import BenchError
from ue_bench.whole_file import special_kind

# A file is opened once for its columns and once for its rows, which takes a minute for so many.
MOST_FILES = 100_000
MOST_NAMES = 1_000_000  # names in folders that are looked at for one name: seconds
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


def _require_text(path: Path) -> None:
    """Raise BenchError for a path that is no text: no record and no library can hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise BenchError(f"the name of {path} is no text in UTF-8; rename it") from error


def files_of(folder: Path, name: str) -> list[Path]:
    """Return the files that a name stands for.

    name: relative to the folder. Of a folder, and of a folder that matches a pattern, these are the
    tables in it and below it, without what begins with a dot or an underscore. A pattern of several
    folders leaves these out too, unless it names some.
    Raises BenchError for a name without a file, for one that is no text, for a pipe, a socket or a
    device, for a link to a folder around it, and beyond MOST_FILES and MOST_NAMES; OSError for what
    cannot be read.
    """
    path = folder / name
    walk = _Walk(path)
    if path.is_dir():
        found = walk.tables_in(path)
        if not found:
            raise BenchError(f"{path} is a folder without a table ({ENDS}); give another one")
    elif path.exists():
        found = [path]
    elif os.path.lexists(path):
        raise _leads_nowhere(path)
    elif is_pattern(name):
        found = _matching(folder, name, walk)
    else:
        raise BenchError(f"{path} does not exist; give the path of a table ({ENDS}), or a folder")
    for file in found:
        _require_text(file)
        _require_regular(file)
    return found


def require_few_files(path: Path, n_files: int) -> None:
    """Raise BenchError for a table of more than MOST_FILES files. path: what names them."""
    if n_files > MOST_FILES:
        raise BenchError(
            f"{path}: more than {MOST_FILES:,} files, and a table has at most so many; "
            "name fewer, or write their rows into fewer files"
        )


def _leads_nowhere(path: Path) -> BenchError:
    return BenchError(f"{path} is a link to a file that does not exist; mend it")


def _matching(folder: Path, pattern: str, walk: "_Walk") -> list[Path]:
    asked = PurePosixPath(pattern).parts
    # a pattern within one folder matches all that its text says
    is_within_one = len(asked) == 1 and "**" not in asked
    with_hidden = is_within_one or any(map(_is_hidden, asked))
    found: set[Path] = set()
    for path in walk.matching(folder, asked, with_hidden):
        if path.is_dir():
            found.update(walk.tables_in(path))
        elif form_of(pattern) is not None or form_of(path.name) is not None:
            if not path.exists():
                raise _leads_nowhere(path)
            found.add(path)
        require_few_files(walk.asked, len(found))
    if not found:
        raise BenchError(
            f"{folder / pattern}: no file matches this pattern; "
            f"put it in quotes, and see what is in {folder}"
        )
    return list(found)


class _Walk:
    """Reads folders for one name, and counts what it looks at.

    asked: the path or pattern, for messages.
    """

    def __init__(self, asked: Path) -> None:
        self.asked = asked
        self._n_names = 0

    def tables_in(self, folder: Path, above: tuple[Path, ...] = ()) -> list[Path]:
        """Return the tables in a folder and below it.

        above: the folders around it, without links.
        """
        above = _within(folder, above)
        found: list[Path] = []
        for entry in self._entries(folder):
            if _is_hidden(entry.name):
                continue
            path = folder / entry.name
            if entry.is_dir():
                found += self.tables_in(path, above)
            elif form_of(entry.name) is not None:
                if not path.exists():
                    raise _leads_nowhere(path)
                found.append(path)
            require_few_files(self.asked, len(found))
        return found

    def matching(
        self, folder: Path, parts: Sequence[str], with_hidden: bool, above: tuple[Path, ...] = ()
    ) -> Iterator[Path]:
        """Yield what the parts of a pattern match in a folder, maybe several times.

        `**` is the folder and all below it, and does not follow links. Folders that may not be read
        are passed over. with_hidden: whether a star matches hidden names. above: as in `tables_in`.
        """
        if not parts:
            yield folder
            return
        part, *rest = parts
        if "**" in part and part != "**":
            raise BenchError(f"{self.asked}: ** must be a name of its own, as in a/**/b")
        if not is_pattern(part):
            if os.path.lexists(folder / part):
                yield from self.matching(folder / part, rest, with_hidden, above)
            return
        above = _within(folder, above)
        is_deep = part == "**"
        if is_deep:
            yield from self.matching(folder, rest, with_hidden, above[:-1])
            if not rest and not with_hidden:
                return  # whoever reads the folder reads all below it
        is_match = re.compile(fnmatch.translate(part)).match
        for entry in self._readable_entries(folder):
            if not with_hidden and _is_hidden(entry.name):
                continue
            path = folder / entry.name
            if is_deep:
                if entry.is_dir(follow_symlinks=False):
                    yield from self.matching(path, parts, with_hidden, above)
            elif is_match(entry.name) and (not rest or path.is_dir()):
                yield from self.matching(path, rest, with_hidden, above)

    def _readable_entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            yield from self._entries(folder)
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            return  # another user's, or gone since its name was read

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._n_names += 1
                if self._n_names > MOST_NAMES:
                    raise BenchError(
                        f"{self.asked}: there are more than {MOST_NAMES:,} names in its folders, "
                        "and at most so many are looked at; name the folders of the table"
                    )
                yield entry


def _within(folder: Path, above: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders around what is in a folder. Raises BenchError for a link around itself."""
    real = folder.resolve()
    if real in above:
        raise BenchError(f"{folder} is a link to a folder around it; remove it")
    return (*above, real)


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
