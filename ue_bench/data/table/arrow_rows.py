"""Rows of Arrow files: the file format, which Feather is too, and the stream format."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from ue_bench.data.table import file_reader
from ue_bench.data.table.column_types import text_types
from ue_bench.data.table.file_reader import FileReader, readable
from ue_bench.errors import BenchError

_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"
_VIEW = 16  # bytes of a view of text


class ArrowFile(FileReader):
    """A file of Arrow's columns, in either format."""

    @cached_property
    def _schema(self) -> pa.Schema:
        with readable(self.path), self._opened() as reader:
            return reader.schema

    @cached_property
    def names(self) -> tuple[str, ...]:
        with readable(self.path):  # a name may be no UTF-8
            return self.distinct(self._schema.names)

    def kind(self, name: str) -> pa.DataType:
        return _copied_kind(self._schema.field(name).type)

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        positions = [self._schema.get_field_index(name) for name in schema.names]
        with readable(self.path), self._opened(positions) as reader:
            for batch in _batches_of(reader):
                batch.validate(full=True)  # a damaged one would be read beyond its end
                for start in range(0, batch.num_rows, file_reader.ROWS):
                    piece = batch.slice(start, file_reader.ROWS).select(schema.names)
                    columns = [_copy(column) for column in piece.columns]
                    yield pa.record_batch(columns, schema.names)

    @contextmanager
    def _opened(
        self, positions: list[int] | None = None
    ) -> Iterator[pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader]:
        """Open the file. positions: of the columns that are read; None: all."""
        options = pa.ipc.IpcReadOptions(included_fields=positions)
        with pa.memory_map(str(self.path)) as source:
            start = source.read(len(_FILE))
            source.seek(0)
            if start.startswith(_FEATHER_1):
                raise BenchError(
                    f"{self.path} is Feather of version 1, which is no longer read; "
                    "write it again as version 2"
                )
            if start == _FILE:
                with pa.ipc.open_file(source, options=options) as reader:
                    yield reader
            else:
                with pa.ipc.open_stream(source, options=options) as reader:
                    yield reader


def _batches_of(
    reader: pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader,
) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from reader


def _copied_kind(kind: pa.DataType) -> pa.DataType:
    """Return the type without codes and views, whose values are elsewhere in the file."""
    if types.is_dictionary(kind):
        return _copied_kind(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.large_list(_copied_kind(kind.value_type))
    return pa.large_string() if kind in text_types() else kind


def _copy(column: pa.Array) -> pa.Array:
    """Return the values that there are, in the type of `_copied_kind`.

    pyarrow does not check what stands in the place of a missing value, where a damaged file may
    have a view of text, or a code, that leads anywhere. Neither pyarrow nor polars may follow it.
    """
    kind = column.type
    if types.is_dictionary(kind):
        values = _copy(column.dictionary)
        return pa.DictionaryArray.from_arrays(column.indices, values).dictionary_decode()
    if types.is_list(kind) or types.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64())
        offsets = np.append(0, np.cumsum(lengths.to_numpy(zero_copy_only=False)))
        members = _copy(column.flatten())
        return pa.LargeListArray.from_arrays(
            pa.array(offsets, pa.int64()), members, mask=column.is_null()
        )
    if kind not in text_types():
        return column
    if column.null_count and kind not in (pa.string(), pa.large_string()):
        column = _without_lost_views(column)
    return column.cast(pa.large_string())


def _without_lost_views(column: pa.Array) -> pa.Array:
    """Return a column of views with an empty one in the place of each missing value."""
    valid, views, *texts = column.buffers()
    n_bytes = (column.offset + len(column)) * _VIEW
    cleared = np.frombuffer(views, np.uint8, n_bytes).reshape(-1, _VIEW).copy()
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    cleared[column.offset : column.offset + len(column)][is_null] = 0
    return pa.Array.from_buffers(
        column.type, len(column), [valid, pa.py_buffer(cleared), *texts], offset=column.offset
    )
