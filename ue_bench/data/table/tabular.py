"""Rows of CSV and Parquet files, some at a time: the columns that are asked for, and nothing else, are ever in memory.

pyarrow reads them: it streams both kinds, gzip too, in one interface that all its releases have, and tells the row that is torn.
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

from ue_bench.data.files import folder_checksum
from ue_bench.data.table.definition import FORMS, Form, form_of
from ue_bench.errors import BenchError, unknown

_BLOCK = 1 << 24  # bytes of a CSV file at once; a row is no longer
_ROWS = 1 << 17  # rows of a Parquet file at once
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class TableFiles:
    """Files of one table, which have the same columns: their rows follow each other, sorted by file name."""

    paths: tuple[Path, ...]
    form: Form

    @cached_property
    def checksum(self) -> str:
        """`sha256:` over names and contents. Raises BenchError when they cannot be read."""
        return folder_checksum(self.paths[0].parent, [path.name for path in self.paths])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns. Raises BenchError for a file that is no table, and where the files differ."""
        first, *others = (_header(path, self.form) for path in self.paths)
        for path, names in zip(self.paths[1:], others, strict=True):
            if sorted(names) != sorted(first):
                only = sorted(set(names) ^ set(first))
                raise BenchError(
                    f"{path}: not the columns of {self.paths[0].name} ({', '.join(only)}); one table has one set of columns"
                )
        return first

    def require(self, names: tuple[str, ...]) -> None:
        """Raise BenchError for the first name that is no column."""
        for name in names:
            if name not in self.columns:
                raise unknown(f"column of {self.paths[0].name}", name, self.columns)

    def batches(self, names: tuple[str, ...]) -> Iterator[tuple[Path, int, pl.DataFrame]]:
        """These columns, piece by piece: the file, how many of its rows come before, and the rows. A CSV file's are String."""
        self.require(names)
        types: dict[str, pl.DataType] = {}
        for path in self.paths:
            before = 0
            for batch in _batches(path, self.form, names):
                frame = pl.DataFrame(pl.from_arrow(batch))
                for name, kind in frame.schema.items():
                    if types.setdefault(name, kind) != kind:
                        raise BenchError(
                            f"{path}: column {name!r} holds {kind}, but {types[name]} in {self.paths[0].name}; "
                            "one table has one kind of values in a column"
                        )
                yield path, before, frame
                before += len(frame)


def find(folder: Path, name: str, form: Form | None = None) -> TableFiles:
    """The file of that name in the folder, or all files that the pattern fits. Raises BenchError for none, and for a folder."""
    given, form = folder / name, form or form_of(name)
    if form is None:
        raise BenchError(f"{given}: not the name of a table; it must end in {', '.join(FORMS)}")
    try:
        if not folder.is_dir():
            raise BenchError(f"{given}: no folder {folder}; give the path of a CSV or Parquet file")
        if any(sign in name for sign in "*?["):
            paths = tuple(
                sorted(
                    (path for path in folder.glob(name) if path.is_file()),
                    key=lambda path: path.name,
                )
            )
            if not paths:
                raise BenchError(
                    f"{given}: no file fits this pattern; put it in quotes, and see what is in {folder}"
                )
        elif given.is_dir():
            raise BenchError(
                f"{given} is a folder; give a file, or a pattern: {given / '*.parquet'}"
            )
        elif not given.exists():
            raise BenchError(f"{given} does not exist; give the path of a CSV or Parquet file")
        else:
            paths = (given,)
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{str(given)[:200]} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    return TableFiles(paths, form)


def _header(path: Path, form: Form) -> tuple[str, ...]:
    with _told(path) as torn:
        if form.parquet:
            with pa.parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
        elif form.columns:
            names = list(form.columns)
        else:
            with _text(path) as stream, _reader(stream, form, None, torn) as reader:
                names = reader.schema.names
            if len(names) == 1 and any(sign in names[0] for sign in ",;\t|"):
                raise BenchError(
                    f"{path}: its first line is one column, {names[0][:60]!r}; values are separated by commas in a "
                    ".csv file, by tabs in a .tsv file"
                )
    for place, name in enumerate(names):
        if name in names[:place]:
            raise BenchError(f"{path}: two columns are named {name!r}; rename one")
    return tuple(names)


def _batches(path: Path, form: Form, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with _told(path) as torn:
        if form.parquet:
            with pa.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(_ROWS, columns=list(names)):
                    yield batch.select(list(names))
        else:
            with _text(path) as stream, _reader(stream, form, names, torn) as reader:
                yield from reader


@contextmanager
def _told(path: Path) -> Iterator[list[str]]:
    """Raise BenchError for what pyarrow and the system find wrong. Gives a list for the torn row, which they do not tell well."""
    torn: list[str] = []
    try:
        yield torn
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = torn[0] if torn else getattr(error, "strerror", None) or str(error).split("\n")[0]
        why += "; the text must be in UTF-8" * ("UTF8" in why)
        raise BenchError(f"{path}: {why}") from error


def _text(path: Path) -> pa.NativeFile:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return pa.input_stream(str(path), compression="gzip" if compressed else None)


def _reader(
    stream: pa.NativeFile, form: Form, names: tuple[str, ...] | None, torn: list[str]
) -> pa.csv.CSVStreamingReader:
    """names: of the columns that are read, as text; None: no value matters."""
    word = "row" if form.quotes else "line"  # a value in quotes may have several lines

    def tell(row: pa.csv.InvalidRow) -> str:  # an exception from here would be lost
        torn.append(
            f"{word} {row.number} has {row.actual_columns} values, but there are {row.expected_columns} columns: "
            f"{row.text[:60]!r}; is the file cut short, or a value with the separator not in quotes?"
        )
        return "error"

    return pa.csv.open_csv(
        stream,
        read_options=pa.csv.ReadOptions(
            use_threads=False, block_size=_BLOCK, column_names=form.columns or None
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=form.separator,
            quote_char='"' if form.quotes else False,
            newlines_in_values=form.quotes,
            invalid_row_handler=tell,
        ),
        convert_options=pa.csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names or (), pa.string()),
            strings_can_be_null=False,
        ),
    )
