"""Padded sequences: a row is a list of values, whose vectors are pooled.

The lists of a batch become rectangles, which can be traced: slots [B, T, L] for the T values of the
longest list, and a mask. Letters as in `base`.
A value that occurs twice counts twice; the mean of a multi-valued feature (`bags`) counts it once.
"""

from collections.abc import Sequence, Sized
from typing import Any, NamedTuple

import polars as pl
import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.in_programs.pooling import MODES, pooled
from ue_bench.strategies.layers import UnifiedEmbedding


class Padded(NamedTuple):
    """B lists of values, padded to T.

    slots: int64 [B, T, L]; where nothing is, those of the value "". mask: bool [B, T], where a
    value is. weights: float32 [B, T], 0 where nothing is; None: all weigh 1.
    """

    slots: Tensor
    mask: Tensor
    weights: Tensor | None = None


class SequenceEmbedding(nn.Module):
    """The pooled vectors of lists of values of one feature.

    layer: a `UnifiedEmbedding`, or a layer of one feature with one value a row.
    mode: "sum", "mean" or "max".
    seeds: of the lookups in a `UnifiedEmbedding`.
    most: values of a list that count, from its end; None: all do.

    ``sequence(*sequence.pad(lists))`` is float32 [B, W].

    Raises BenchError for an unknown mode, for a layer that does not fit, for seeds that are missing
    or of no use, and for a `most` below 1.
    """

    def __init__(
        self,
        layer: EmbeddingStrategy | UnifiedEmbedding,
        mode: str = "mean",
        *,
        seeds: Sequence[int] | None = None,
        most: int | None = None,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise unknown("mode", mode, MODES)
        _require_one_feature(layer)
        if isinstance(layer, UnifiedEmbedding) != bool(seeds):
            raise BenchError(
                f"SequenceEmbedding: seeds {seeds!r} were given with {type(layer).__name__}; give "
                "seeds with a UnifiedEmbedding, and none with another layer"
            )
        if most is not None and (not isinstance(most, int) or most < 1):
            raise BenchError(
                f"SequenceEmbedding: most {most!r} was given; give a whole number from 1 on or None"
            )
        self.layer = layer
        self.mode = mode
        self.seeds = seeds
        self.most = most

    def pad(self, lists: Any, weights: Any = None) -> Padded:
        """Locate B lists of values: the input pipeline, on the CPU.

        lists: a list, tuple or array of values for each row, or a Series of lists of polars; any
        may be empty. weights: as many numbers in each list; None: all weigh 1.

        Raises BenchError for a row that is no list, for other numbers of weights than of values,
        for a weight that is no finite float32 number, and as `rows` of the layer does.
        """
        rows = _rows_of(lists)
        sizes = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        kept = [self._last(row) for row in rows]
        lengths = torch.tensor([len(row) for row in kept], dtype=torch.int64)
        longest = max(lengths.tolist(), default=0)
        mask = torch.arange(max(longest, 1)) < lengths.unsqueeze(1)
        located = self._slots_of(["", *(value for row in kept for value in row)])
        slots = located[0].repeat(*mask.shape, 1)
        slots[mask] = located[1:]
        if weights is None:
            return Padded(slots, mask)
        weights = _rows_of(weights)
        if [len(row) for row in weights] != sizes.tolist():
            raise BenchError(
                "pad: the lists of weights have other lengths than those of values; give one "
                "weight for each value"
            )
        padded = torch.zeros(mask.shape)
        numbers = [float(weight) for row in weights for weight in self._last(row)]
        padded[mask] = torch.tensor(numbers)
        if not padded.isfinite().all():
            raise BenchError("pad: a weight is no finite float32 number; give finite ones")
        return Padded(slots, mask, padded)

    def forward(self, slots: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the pooled vectors: float32 [B, W]. Arguments: those of `Padded`.

        Raises BenchError for weights where the mode is "max".
        """
        flat = self.layer.embed(slots.flatten(0, 1))
        vectors = flat.view(*mask.shape, flat.shape[1])
        return pooled(vectors, mask.to(vectors.device), self.mode, weights)

    def _last(self, row: Sequence[Any]) -> Sequence[Any]:
        return row if self.most is None else row[-self.most :]

    def _slots_of(self, values: list[Any]) -> Tensor:
        if isinstance(self.layer, UnifiedEmbedding):
            return self.layer.rows(values, self.seeds or ()).slots
        name = self.layer.spec.features[0].name
        return self.layer.rows({name: values}).slots


def _require_one_feature(layer: Any) -> None:
    if isinstance(layer, UnifiedEmbedding):
        return
    if isinstance(layer, EmbeddingStrategy):
        features = layer.spec.features
        if len(features) == 1 and features[0].bags is None:
            return
        names = ", ".join(repr(feature.name) for feature in features)
        raise BenchError(
            f"SequenceEmbedding: a layer of the features {names} was given; give one of a single "
            "feature with one value a row"
        )
    raise BenchError(
        f"SequenceEmbedding: {type(layer).__name__} was given; give a UnifiedEmbedding or a layer "
        "of `ue_bench.embedding`"
    )


def _rows_of(lists: Any) -> list[Any]:
    """Return lists as Python has them. Raises BenchError for a row that is none."""
    rows = lists.to_list() if isinstance(lists, pl.Series) else list(lists)
    for number, row in enumerate(rows, 1):
        if isinstance(row, (str, bytes)) or not isinstance(row, Sized):
            raise BenchError(f"pad: row {number} is {row!r:.60}; give a list of values")
    return rows
