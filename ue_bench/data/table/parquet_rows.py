"""Rows of Parquet files."""

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet

from ue_bench.data.table import file_reader
from ue_bench.data.table.file_reader import FileReader, readable


class ParquetFile(FileReader):
    """A Parquet file."""

    @cached_property
    def _schema(self) -> pa.Schema:
        with readable(self.path), pa.parquet.ParquetFile(self.path) as file:
            return file.schema_arrow

    @cached_property
    def names(self) -> tuple[str, ...]:
        with readable(self.path):  # a name may be no UTF-8
            return self.distinct(self._schema.names)

    def kind(self, name: str) -> pa.DataType:
        return self._schema.field(name).type

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with readable(self.path), pa.parquet.ParquetFile(self.path) as file:
            if not file.num_row_groups:  # which some releases of pyarrow cannot iterate over
                return
            for batch in file.iter_batches(file_reader.ROWS, columns=schema.names):
                yield batch.select(schema.names)
