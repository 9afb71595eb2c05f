"""Batches of rows in any form as located rows and targets, for a DataLoader of torch.

`FrameDataset` gives whole batches of a frame of polars, and `Collate` makes slots of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.in_programs.row_targets import row_targets
from ue_bench.strategies.layers import UnifiedEmbedding
from ue_bench.strategies.located_rows import LocatedRows


class FrameDataset(Dataset[pl.DataFrame]):
    """The rows of a DataFrame of polars, of which a DataLoader takes a batch at once.

    ``DataLoader(FrameDataset(frame), batch_size=256, shuffle=True, collate_fn=collate)`` calls
    `collate` with frames of 256 rows. Worker processes must not be forked, because polars waits
    forever in one: give ``multiprocessing_context="spawn"`` where num_workers is not 0.

    Raises BenchError for what is no DataFrame of polars.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        if not isinstance(frame, pl.DataFrame):
            raise BenchError(
                f"FrameDataset: {type(frame).__name__} was given; give a DataFrame of polars "
                "(collect a LazyFrame, and call pl.from_pandas on one of pandas)"
            )
        self.frame = frame

    def __len__(self) -> int:
        return self.frame.height

    def __getitem__(self, index: int) -> pl.DataFrame:
        """Return the frame of one row."""
        return self.frame[[index]]

    def __getitems__(self, indices: Sequence[int]) -> pl.DataFrame:
        """Return the frame of some rows, in their order: what a DataLoader asks for."""
        return self.frame[list(indices)]


class Collate:
    """Makes located rows of a batch of raw rows, as `collate_fn` of a DataLoader.

    layer: of `ue_bench.embedding` or `ue_bench.embedding_of`, or a `UnifiedEmbedding`.
    target: the column with the targets; None: there are none.
    seeds: of the lookups in a `UnifiedEmbedding`, by feature; their vectors follow each other in
    this order.

    Raises BenchError for seeds that are missing or of no use.
    """

    def __init__(
        self,
        layer: EmbeddingStrategy | UnifiedEmbedding,
        target: str | None = None,
        seeds: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        if isinstance(layer, UnifiedEmbedding) == (not seeds):
            raise BenchError(
                f"Collate: seeds {seeds!r} were given with {type(layer).__name__}; give seeds by "
                "feature with a UnifiedEmbedding, and none with another layer"
            )
        self.layer = layer
        self.target = target
        self.seeds = dict(seeds or {})

    def __call__(self, batch: Any) -> LocatedRows | tuple[LocatedRows, Tensor]:
        """Return the located rows of a batch, and its targets, float32 [B], if there are some.

        batch: rows in a form that `ColumnReader.read` takes: a frame of polars, pandas or pyarrow,
        columns by name, or a list of mappings.

        Raises BenchError as `rows` of the layer does, and for targets that are not one finite
        number a row.
        """
        rows = self._locate(batch)
        if self.target is None:
            return rows
        column = ColumnReader((self.target,)).raw(batch)[self.target]
        return rows, row_targets(f"target {self.target!r}", column, len(rows))

    def _locate(self, batch: Any) -> LocatedRows:
        if not isinstance(self.layer, UnifiedEmbedding):
            return self.layer.rows(batch)
        columns = ColumnReader(tuple(self.seeds)).read(batch)
        located = []
        for column, seeds in zip(columns, self.seeds.values(), strict=True):
            located.append(self.layer.rows(column, seeds).slots)
        return LocatedRows(torch.cat(located, dim=1), layout=self.layer.layout)
