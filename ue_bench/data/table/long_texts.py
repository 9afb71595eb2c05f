"""Texts of Parquet that are stored once and occur in many rows: never unpacked all at once.

A dictionary of one text of a megabyte and a run of a million codes are a megabyte and a few bytes;
as a column they are a terabyte. A column with a text so long that some rows of it could be more
than BATCH_BYTES is read as codes and dictionary, and becomes text a piece of rows at a time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from pyarrow import types

from ue_bench.data.table import file_reader
from ue_bench.errors import BenchError

BATCH_BYTES = 1 << 28  # of a column of texts at once, which has as many with 2 kB a text
_PROBE_BYTES = 1 << 16  # read at once of a column, of which the dictionary comes first


class Reading(NamedTuple):
    """How a file is read. rows: at once. as_codes: the columns that are read as codes."""

    rows: int
    as_codes: tuple[str, ...]


def reading_of(
    path: Path, metadata: pa.parquet.FileMetaData, columns: Sequence[int], names: Sequence[str]
) -> Reading:
    """Return how columns are read with little memory.

    names: of the columns. columns: positions in the metadata of what belongs to them.
    Raises BenchError for a text of more than `file_reader.BLOCK` bytes, which no row of a file of
    text has either.
    """
    texts = {
        position: metadata.schema.column(position)
        for position in columns
        if metadata.schema.column(position).physical_type == "BYTE_ARRAY"
    }
    paths = [column.path for column in texts.values()]
    rows = file_reader.ROWS
    as_codes = set()
    with pa.parquet.ParquetFile(path, read_dictionary=paths, buffer_size=_PROBE_BYTES) as file:
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for position, column in texts.items():
                chunk = group.column(position)
                n_values = min(file_reader.ROWS, chunk.num_values)
                # no text is longer than all that is unpacked of the column
                if n_values * chunk.total_uncompressed_size <= BATCH_BYTES:
                    continue
                longest = _longest_in_dictionary(file, number, column.path)
                if longest > file_reader.BLOCK:
                    raise BenchError(
                        f"{path}: a text of column {column.path!r} has {longest:,} bytes, "
                        f"and at most {file_reader.BLOCK:,} are read; leave the column out"
                    )
                if n_values * longest <= BATCH_BYTES:
                    continue
                if column.path in names and not column.max_repetition_level:
                    as_codes.add(column.path)
                else:  # pyarrow does not have the codes of every list
                    members = -(-chunk.num_values // group.num_rows)
                    rows = min(rows, max(1, BATCH_BYTES // (longest * members)))
    return Reading(rows, tuple(sorted(as_codes)))


def _longest_in_dictionary(file: pa.parquet.ParquetFile, group: int, column: str) -> int:
    """Return the bytes of the longest text in the dictionary of a column; 0 without one.

    The first row of a column comes with its whole dictionary.
    """
    first = next(file.iter_batches(1, row_groups=[group], columns=[column], use_threads=False))
    values = first.column(0)
    while not types.is_dictionary(values.type):
        if types.is_struct(values.type):
            values = values.field(0)
        elif types.is_list(values.type) or types.is_large_list(values.type):
            values = values.values
        else:
            return 0
    return pc.max(pc.binary_length(values.dictionary)).as_py() or 0


def pieces(batch: pa.RecordBatch, kinds: Sequence[pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch with texts in the place of codes, few at a time if they are long.

    kinds: the type of each column.
    """
    coded = [
        number for number, kind in enumerate(kinds) if not batch.column(number).type.equals(kind)
    ]
    if not coded:
        yield batch
        return
    ends = np.zeros(batch.num_rows, np.int64)  # bytes of texts up to each row
    for number in coded:
        ends += np.cumsum(_text_bytes(batch.column(number)))
    start = 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, before + BATCH_BYTES, side="right"))
        piece = batch.slice(start, max(1, end - start))
        columns = piece.columns
        for number in coded:
            columns[number] = columns[number].dictionary_decode().cast(kinds[number])
        yield pa.record_batch(columns, batch.schema.names)
        start += piece.num_rows


def _text_bytes(column: pa.DictionaryArray) -> np.ndarray:
    """Return the bytes of the text in each row: int64 [rows]."""
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return lengths.take(column.indices).fill_null(0).to_numpy(zero_copy_only=False)
