"""Rows of Parquet files.

What a file claims in its metadata is checked before anything is unpacked: a few bytes can stand for
any number of rows, and for a long text in each of them.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet

from ue_bench.data.table.file_reader import FileReader, readable
from ue_bench.data.table.long_texts import Reading, pieces, reading_of
from ue_bench.data.table.unpacked_bytes import require_memory, require_ratio
from ue_bench.errors import BenchError

_CODE_BYTES = 4  # of a value, once it is read
_ADVICE = "write it again as an Arrow file, and give that"


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
            metadata = file.metadata
            if not metadata.num_row_groups:  # some releases of pyarrow cannot iterate over none
                return
            reading = self._checked(metadata, schema.names)
        n_read = 0
        for batch in self._read(reading, schema.names):
            n_read += batch.num_rows
            yield batch
        if n_read != metadata.num_rows:
            raise self._contradiction(f"it has {n_read:,} rows, and claims {metadata.num_rows:,}")

    def _read(self, reading: Reading, names: list[str]) -> Iterator[pa.RecordBatch]:
        kinds = [self.kind(name) for name in names]
        stored = self.path.stat().st_size
        n_texts = 0  # bytes of the texts of columns that are read as codes
        with (
            readable(self.path),
            pa.parquet.ParquetFile(self.path, read_dictionary=reading.as_codes) as file,
        ):
            for batch in file.iter_batches(reading.rows, columns=names):
                for piece in pieces(batch.select(names), kinds):
                    n_texts += sum(piece.column(name).nbytes for name in reading.as_codes)
                    require_ratio(self.path, "its texts have at least", n_texts, stored, _ADVICE)
                    yield piece

    def _checked(self, metadata: pa.parquet.FileMetaData, names: Sequence[str]) -> Reading:
        """Return how these columns are read.

        Raises BenchError for metadata that contradict themselves, for more bytes than the file or
        the memory of the machine can have, and for a text that is too long.
        """
        columns = _leaves(metadata.schema, names)
        n_rows = 0
        n_bytes = 0
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            n_rows += group.num_rows
            for position in columns:
                chunk = group.column(position)
                is_list = metadata.schema.column(position).max_repetition_level > 0
                self._check_chunk(chunk, group.num_rows, is_list)
                n_bytes += max(chunk.total_uncompressed_size, _CODE_BYTES * chunk.num_values)
        if n_rows != metadata.num_rows:
            in_groups = f"its row groups have {n_rows:,} rows"
            raise self._contradiction(f"{in_groups}, and it claims {metadata.num_rows:,}")
        stored = self.path.stat().st_size
        require_ratio(self.path, "it claims", n_bytes, stored, _ADVICE)
        rows = f"{n_rows:,} rows of {len(names):,} columns"
        require_memory(self.path, rows, n_rows * len(names) * _CODE_BYTES)
        return reading_of(self.path, metadata, columns, names)

    def _check_chunk(
        self, chunk: pa.parquet.ColumnChunkMetaData, n_rows: int, is_list: bool
    ) -> None:
        """Raise BenchError for a part of a column that cannot be. n_rows: of its row group."""
        n_values = chunk.num_values
        name = chunk.path_in_schema
        if n_rows < 0 or n_values < n_rows or (n_values > n_rows and not is_list):
            raise self._contradiction(
                f"column {name!r} has {n_values:,} values in {n_rows:,} rows of a row group"
            )
        if chunk.total_uncompressed_size < 0 or chunk.total_compressed_size < 0:
            raise self._contradiction(f"column {name!r} has less than no bytes")

    def _contradiction(self, why: str) -> BenchError:
        return BenchError(f"{self.path}: its metadata are wrong: {why}; write the file again")


def _leaves(schema: pa.parquet.ParquetSchema, names: Sequence[str]) -> list[int]:
    """Return the positions in the metadata of all that belongs to columns of these names."""
    wanted = set(names)
    positions = []
    for position in range(len(schema)):
        path = schema.column(position).path
        starts = (path[:end] for end, char in enumerate(path) if char == ".")
        if path in wanted or any(start in wanted for start in starts):
            positions.append(position)
    return positions
