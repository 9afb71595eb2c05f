"""The files of one table: their rows follow each other, and their columns have one type each."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa

from ue_bench.data.checksums import folder_checksum
from ue_bench.data.kept.file_digests import remembered
from ue_bench.data.reading import reason_of
from ue_bench.data.table.arrow_rows import ArrowFile
from ue_bench.data.table.column_types import cast, common, polars_name
from ue_bench.data.table.csv_rows import CsvFile
from ue_bench.data.table.definition import ENDS, Form, form_of, is_pattern
from ue_bench.data.table.file_reader import FileReader
from ue_bench.data.table.json_rows import JsonFile
from ue_bench.data.table.parquet_rows import ParquetFile
from ue_bench.data.table.table_paths import files_of, partitions_of, require_few_files
from ue_bench.data.table.targets import naming_place
from ue_bench.errors import BenchError, unknown

_READERS: dict[str, type[FileReader]] = {
    "csv": CsvFile,
    "json": JsonFile,
    "parquet": ParquetFile,
    "arrow": ArrowFile,
}
_WHOLE = r"^(0|-?[1-9]\d{0,17})$"  # whole numbers as they are written, of 64 bits


@dataclass(frozen=True)
class TableFiles:
    """Files of one table, which have the same columns: their rows follow each other.

    folder: the files are in it or below it.
    names: relative to the folder, in order; those of the test part come last.
    n_test: how many of them are the test part.
    Folders with names such as `year=2024` are a column of the rows below them.
    """

    folder: Path
    names: tuple[str, ...]
    form: Form
    n_test: int = 0

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in self.names)

    def is_test(self, path: Path) -> bool:
        """Return whether the rows of a file are the test part."""
        return path in self._test_paths

    @cached_property
    def _test_paths(self) -> frozenset[Path]:
        return frozenset(self.paths[len(self.names) - self.n_test :])

    @cached_property
    def checksum(self) -> str:
        """`sha256:` over names and contents. Raises BenchError when they cannot be read."""
        what = json.dumps(["names and contents", self.names])
        return remembered(self.paths, what, lambda: folder_checksum(self.folder, self.names))

    @cached_property
    def _readers(self) -> tuple[FileReader, ...]:
        reader_type = _READERS[self.form.kind]
        return tuple(reader_type(path, self.form) for path in self.paths)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns: those of the files, then those of their folders.

        Raises BenchError for a file that is no table, and where the files differ.
        """
        of_folders = [name for name in self._partitions if name not in self._in_files]
        return (*self._in_files, *of_folders)

    @cached_property
    def _in_files(self) -> dict[str, None]:
        """The columns of the files, in order. A row of JSON lines may lack any of them."""
        first, *others = self._readers
        names = dict.fromkeys(first.names)
        for reader in others:
            more = dict.fromkeys(reader.names)
            if self.form.kind == "json":
                names |= more
                continue
            different = names.keys() ^ more.keys()
            if different:
                raise BenchError(
                    f"{reader.path}: not the columns of {self.names[0]} "
                    f"({', '.join(sorted(different))}); all files of a table have the same columns"
                )
        return names

    @cached_property
    def _partitions(self) -> dict[str, list[str | None]]:
        """The columns that folders hold: the value of each file."""
        first, *others = map(partitions_of, self.names)
        columns = {name: [value] for name, value in first.items()}
        for path, partitions in zip(self.paths[1:], others, strict=True):
            different = columns.keys() ^ partitions.keys()
            if different:
                raise BenchError(
                    f"{path}: not the columns in the folders of {self.names[0]} "
                    f"({', '.join(sorted(different))}); "
                    "all files of a table are in folders of the same columns"
                )
            for name, value in partitions.items():
                columns[name].append(value)
        return columns

    def require(self, names: Sequence[str]) -> None:
        """Raise BenchError for the first name that is no column."""
        columns = set(self.columns)
        for name in names:
            if name not in columns:
                raise unknown(f"column of {self.names[0]}", name, self.columns)

    def batches(self, names: Sequence[str]) -> Iterator[tuple[Path, int, pl.DataFrame]]:
        """Yield some rows of these columns at a time.

        Each batch comes with its file and the number of rows before it in the file. The columns of
        a CSV file are String.
        """
        self.require(names)
        in_files = [name for name in names if name in self._in_files]
        of_folders = {name: self._of_folders(name) for name in names if name not in self._in_files}
        # rows are counted in a column, even where only folders are asked for
        columns = [_Column(name, self._readers) for name in in_files or list(self._in_files)[:1]]
        schema = pa.schema([(column.name, column.kind) for column in columns])
        for number, reader in enumerate(self._readers):
            before = 0
            for batch in reader.batches(schema):
                with naming_place(reader.path, before):
                    arrays = [
                        column.cast(array, number)
                        for column, array in zip(columns, batch.columns, strict=True)
                    ]
                frame = _frame(reader.path, pa.record_batch(arrays, schema.names))
                for name, values in of_folders.items():
                    value = pl.lit(values[number], dtype=values.dtype)
                    frame = frame.with_columns(value.alias(name))
                yield reader.path, before, frame.select(names)
                before += len(frame)

    def _of_folders(self, name: str) -> pl.Series:
        """Return the value that each file has in a column of folders: Int64, or else String."""
        values = pl.Series(self._partitions[name], dtype=pl.String)
        is_whole = values.drop_nulls().str.contains(_WHOLE).all()
        if is_whole and not self.form.is_text:
            return values.cast(pl.Int64)
        return values


class _Column:
    """A column in all files of a table: its one type, and what it is in each of them.

    Raises BenchError where the types of the files have none in common.
    """

    def __init__(self, name: str, readers: tuple[FileReader, ...]) -> None:
        self.name = name
        self._readers = readers
        self._kinds = [reader.kind(name) for reader in readers]
        try:
            self.kind = self._common()
        except BenchError:
            self._empty_floats()
            self.kind = self._common()

    def _common(self) -> pa.DataType:
        kind = self._kinds[0]
        holder = self._readers[0]
        for reader, other in zip(self._readers[1:], self._kinds[1:], strict=True):
            joined = common(kind, other)
            if joined is None:
                raise BenchError(
                    f"{reader.path}: column {self.name!r} holds {polars_name(other)}, but "
                    f"{polars_name(kind)} in {holder.path.name}; "
                    "a column of a table has one type in all its files"
                )
            if joined != kind:
                kind, holder = joined, reader
        return kind

    def _empty_floats(self) -> None:
        """Take floats that are all missing as a column without a type, as pandas writes them."""
        for number, reader in enumerate(self._readers):
            kind = self._kinds[number]
            if pa.types.is_floating(kind) and _is_empty(reader, self.name, kind):
                self._kinds[number] = pa.null()

    def cast(self, array: pa.Array, number: int) -> pa.Array:
        """Return values from a file in the type of the column. number: of the file."""
        kind = self._kinds[number]
        if kind == self.kind:
            return array
        if pa.types.is_null(kind):
            return pa.nulls(len(array), self.kind)
        return cast(self.name, array, self.kind)


def _is_empty(reader: FileReader, name: str, kind: pa.DataType) -> bool:
    for batch in reader.batches(pa.schema([(name, kind)])):
        values = pl.Series(batch.column(0)).fill_nan(None)
        if values.null_count() < len(values):
            return False
    return True


def _frame(path: Path, batch: pa.RecordBatch) -> pl.DataFrame:
    for column in batch.schema:
        if pa.types.is_decimal256(column.type):  # polars would panic
            raise BenchError(
                f"{path}: column {column.name!r} holds {column.type}; use fewer digits"
            )
    try:
        return pl.DataFrame(pl.from_arrow(batch))
    except pl.exceptions.PolarsError as error:
        raise BenchError(f"{path}: {str(error).splitlines()[0]}") from error


def find(
    folder: Path,
    names: str | Sequence[str],
    form: Form | None = None,
    *,
    test: Sequence[str] = (),
    inside: Path | None = None,
) -> TableFiles:
    """Return the files of a table.

    names: of files, folders and patterns, relative to the folder. test: those of the test part;
    they are left out of the others.
    form: of a single file; None: by the ends of the names.
    inside: the folder that no link may lead out of; None: a link may lead anywhere.
    Raises BenchError for a missing file, a pattern or folder without files, files of several forms,
    and for a pipe, a socket or a device.
    """
    if isinstance(names, str):
        names = [names]
    place = folder / names[0]
    try:
        if form is None:
            _require_known_end(folder, (*names, *test))
        if not folder.is_dir():
            raise BenchError(f"{place}: no folder {folder}; give the path of a CSV or Parquet file")
        if form is not None and place.is_dir():
            raise BenchError(f"{place} is a folder; give a file")
        test_paths = _all_files(folder, test)
        paths = _all_files(folder, names) - test_paths
        if inside is not None:
            _require_inside(inside, paths | test_paths)
    except (OSError, ValueError) as error:
        raise BenchError(f"{str(place)[:200]} cannot be read: {reason_of(error)}") from error
    if not paths:
        raise BenchError(f"{place}: all its files are test files; name others to train on")
    files = [*_in_order(folder, paths), *_in_order(folder, test_paths)]
    if form is None:
        form = _one_form(folder, files)
    return TableFiles(folder, tuple(files), form, n_test=len(test_paths))


def _all_files(folder: Path, names: Sequence[str]) -> set[Path]:
    """Return the files of some names, each once."""
    paths: set[Path] = set()
    for name in names:
        paths |= set(files_of(folder, name))
        require_few_files(folder, len(paths))
    return paths


def _in_order(folder: Path, paths: set[Path]) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _require_known_end(folder: Path, names: Sequence[str]) -> None:
    """Raise BenchError for the name of no table, whether there is such a file or not."""
    for name in names:
        path = folder / name
        may_be_folder = is_pattern(name) or path.is_dir()
        if form_of(name) is None and not may_be_folder:
            raise BenchError(f"{path}: not the name of a table; it must end in {ENDS}")


def _one_form(folder: Path, names: Sequence[str]) -> Form:
    forms: dict[Form, str] = {}
    for name in names:
        form = form_of(name)
        if form is None:
            raise BenchError(f"{folder / name}: not the name of a table; it must end in {ENDS}")
        forms.setdefault(form, name)
    first, *others = forms.values()
    if others:
        raise BenchError(
            f"{folder / others[0]}: not the form of {first}; all files of a table have one form: "
            "give a pattern (*.parquet)"
        )
    return next(iter(forms))


def _require_inside(folder: Path, paths: set[Path]) -> None:
    """Raise BenchError for a file that is outside of the folder, where a link leads to it."""
    real_folder = folder.resolve()
    for path in sorted(paths):
        real = path.resolve()
        if not real.is_relative_to(real_folder):
            raise BenchError(
                f"{path}: a link leads out of {folder}, to {os.fspath(real)}; "
                "put the file there, or give its own path or folder"
            )
