"""Rows of CSV and Parquet files, some at a time: only the columns that are asked for are read.

pyarrow reads them: it streams both kinds, gzip too, through one interface that all its releases
have, and it reports the row that is torn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ue_bench.data.checksums import folder_checksum
from ue_bench.data.reading import reason_of
from ue_bench.data.table.definition import FORMS, Form, form_of, is_pattern
from ue_bench.errors import BenchError, unknown

BLOCK = 1 << 24  # bytes of a CSV file at once; no row is longer
ROWS = 1 << 17  # rows of a Parquet file at once
_GZIP = b"\x1f\x8b"
_SEPARATORS = ",;\t|"  # one of these in a lone column name is a sign of another separator


@dataclass(frozen=True)
class TableFiles:
    """Files of one table, which have the same columns: their rows follow each other.

    paths: sorted by file name.
    """

    paths: tuple[Path, ...]
    form: Form

    @cached_property
    def checksum(self) -> str:
        """`sha256:` over names and contents. Raises BenchError when they cannot be read."""
        return folder_checksum(self.paths[0].parent, [path.name for path in self.paths])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns.

        Raises BenchError for a file that is no table, and where the files differ.
        """
        names = _header(self.paths[0], self.form)
        for path in self.paths[1:]:
            different = set(names) ^ set(_header(path, self.form))
            if different:
                raise BenchError(
                    f"{path}: not the columns of {self.paths[0].name} "
                    f"({', '.join(sorted(different))}); all files of a table have the same columns"
                )
        return names

    def require(self, names: tuple[str, ...]) -> None:
        """Raise BenchError for the first name that is no column."""
        for name in names:
            if name not in self.columns:
                raise unknown(f"column of {self.paths[0].name}", name, self.columns)

    def batches(self, names: tuple[str, ...]) -> Iterator[tuple[Path, int, pl.DataFrame]]:
        """Yield some rows of these columns at a time.

        Each batch comes with its file and the number of rows before it in the file. The columns of
        a CSV file are String.
        """
        self.require(names)
        schema: pl.Schema | None = None
        for path in self.paths:
            before = 0
            for batch in _batches(path, self.form, names):
                frame = pl.DataFrame(pl.from_arrow(batch))
                if schema is None:
                    schema = frame.schema
                self._check_types(path, frame.schema, schema)
                yield path, before, frame
                before += len(frame)

    def _check_types(self, path: Path, schema: pl.Schema, first: pl.Schema) -> None:
        for name, kind in schema.items():
            if kind != first[name]:
                raise BenchError(
                    f"{path}: column {name!r} holds {kind}, but {first[name]} in "
                    f"{self.paths[0].name}; a column of a table has one type in all its files"
                )


def find(folder: Path, name: str, form: Form | None = None) -> TableFiles:
    """Return the file of that name in a folder, or all files that match the pattern.

    form: of the files; None: by the end of the name.
    Raises BenchError for a missing file, a pattern without files, and a folder.
    """
    path = folder / name
    if form is None:
        form = form_of(name)
    if form is None:
        raise BenchError(f"{path}: not the name of a table; it must end in {', '.join(FORMS)}")
    try:
        if not folder.is_dir():
            raise BenchError(f"{path}: no folder {folder}; give the path of a CSV or Parquet file")
        if is_pattern(name):
            return TableFiles(_matching(folder, name), form)
        if path.is_dir():
            raise BenchError(f"{path} is a folder; give a file, or a pattern: {path / '*.parquet'}")
        if not path.exists():
            raise BenchError(f"{path} does not exist; give the path of a CSV or Parquet file")
    except (OSError, ValueError) as error:
        raise BenchError(f"{str(path)[:200]} cannot be read: {reason_of(error)}") from error
    return TableFiles((path,), form)


def _matching(folder: Path, pattern: str) -> tuple[Path, ...]:
    paths = [path for path in folder.glob(pattern) if path.is_file()]
    if not paths:
        raise BenchError(
            f"{folder / pattern}: no file matches this pattern; "
            f"put it in quotes, and see what is in {folder}"
        )
    return tuple(sorted(paths, key=lambda path: path.name))


def _header(path: Path, form: Form) -> tuple[str, ...]:
    if form.columns:
        return form.columns
    with _readable(path) as torn:
        names = _column_names(path, form, torn)
    if len(names) == 1 and not form.parquet and not set(_SEPARATORS).isdisjoint(names[0]):
        raise BenchError(
            f"{path}: its first line is one column, {names[0][:60]!r}; "
            "values are separated by commas in a .csv file, by tabs in a .tsv file"
        )
    for index, name in enumerate(names):
        if name in names[:index]:
            raise BenchError(f"{path}: two columns are named {name!r}; rename one")
    return tuple(names)


def _column_names(path: Path, form: Form, torn: list[str]) -> list[str]:
    if form.parquet:
        with pa.parquet.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    with _text_stream(path) as stream, _csv_reader(stream, form, None, torn) as reader:
        return list(reader.schema.names)


def _batches(path: Path, form: Form, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with _readable(path) as torn:
        if form.parquet:
            with pa.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS, columns=list(names)):
                    yield batch.select(list(names))
        else:
            with _text_stream(path) as stream, _csv_reader(stream, form, names, torn) as reader:
                yield from reader


@contextmanager
def _readable(path: Path) -> Iterator[list[str]]:
    """Raise BenchError for what pyarrow and the system find wrong with a file.

    Yields a list for the message about a torn row, because pyarrow's own is hard to read.
    """
    torn: list[str] = []
    try:
        yield torn
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = torn[0] if torn else reason_of(error).split("\n")[0]
        if "UTF8" in why:
            why += "; the text must be in UTF-8"
        raise BenchError(f"{path}: {why}") from error


def _text_stream(path: Path) -> pa.NativeFile:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return pa.input_stream(str(path), compression="gzip" if compressed else None)


def _csv_reader(
    stream: pa.NativeFile, form: Form, names: tuple[str, ...] | None, torn: list[str]
) -> pa.csv.CSVStreamingReader:
    """Open a CSV file whose values are text.

    names: the columns that are read; None: only the header matters.
    torn: gets the message about a row with another number of values.
    """
    noun = "row" if form.quotes else "line"  # a value in quotes may have several lines

    def note_torn(row: pa.csv.InvalidRow) -> str:
        # an exception raised in here would be lost
        torn.append(
            f"{noun} {row.number} has {row.actual_columns} values, "
            f"but there are {row.expected_columns} columns: {row.text[:60]!r}; "
            "is the file cut short, or a value with the separator not in quotes?"
        )
        return "error"

    read_options = pa.csv.ReadOptions(
        use_threads=False, block_size=BLOCK, column_names=form.columns or None
    )
    parse_options = pa.csv.ParseOptions(
        delimiter=form.separator,
        quote_char='"' if form.quotes else False,
        newlines_in_values=form.quotes,
        invalid_row_handler=note_torn,
    )
    convert_options = pa.csv.ConvertOptions(
        include_columns=names,
        column_types={name: pa.string() for name in names or ()},
        strings_can_be_null=False,
    )
    return pa.csv.open_csv(
        stream,
        read_options=read_options,
        parse_options=parse_options,
        convert_options=convert_options,
    )
