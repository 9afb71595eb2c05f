"""Rows of CSV files, whose values are text.

pyarrow streams them, compressed ones too, and reports the row that is torn.
"""

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.csv

from ue_bench.data.table import file_reader
from ue_bench.data.table.definition import Form
from ue_bench.data.table.file_reader import FileReader, readable, text_stream
from ue_bench.errors import BenchError

_SEPARATORS = ",;\t|"  # one of these in a lone column name is a sign of another separator


class CsvFile(FileReader):
    """A file of text with a separator between the values."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        if self.form.columns:
            return self.form.columns
        with (
            readable(self.path) as torn,
            text_stream(self.path) as stream,
            _csv_reader(stream, self.form, None, torn) as reader,
        ):
            names = list(reader.schema.names)
        if len(names) == 1 and not set(_SEPARATORS).isdisjoint(names[0]):
            raise BenchError(
                f"{self.path}: its first line is one column, {names[0][:60]!r}; "
                "values are separated by commas in a .csv file, by tabs in a .tsv file"
            )
        return self.distinct(names)

    def kind(self, name: str) -> pa.DataType:
        return pa.string()

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with (
            readable(self.path) as torn,
            text_stream(self.path) as stream,
            _csv_reader(stream, self.form, schema.names, torn) as reader,
        ):
            yield from reader


def _csv_reader(
    stream: pa.NativeFile, form: Form, names: list[str] | None, torn: list[str]
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
        use_threads=False, block_size=file_reader.BLOCK, column_names=form.columns or None
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
