"""Rows whose raw values were located once, to be looked up again and again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.strategies.bags import Spread, starts_of


@dataclass(frozen=True, eq=False)
class LocatedRows:
    """B rows as the slots of a layer, whose `from_rows` turns them into vectors.

    ``len(rows)`` is B. ``rows[index]`` chooses rows by a slice, or by a tensor, an array or a list
    of row numbers or of B truth values. One number chooses one row.

    slots: int32 or int64 [B, L]. Of rows with bags [R, L]: R rows of single values.
    spread: which of the R rows belong to which of the B; None without bags.
    index_map: the number of the layer's index map, which training may change.
    layout: of the layer, as `Spec.layout`; of a UnifiedEmbedding its number of rows.
    """

    slots: Tensor
    spread: Spread | None = None
    index_map: int = 0
    layout: str = ""

    def __len__(self) -> int:
        if self.spread is None:
            return len(self.slots)
        return len(self.spread.first)

    def __getitem__(self, index: Any) -> "LocatedRows":
        """Return the chosen rows. Raises IndexError for a row that is not there."""
        if isinstance(index, slice) and self.spread is None and index.step in (None, 1):
            return replace(self, slots=self.slots[index])
        numbers = self._numbers(index)
        if self.spread is None:
            return replace(self, slots=self.slots.index_select(0, numbers))
        first = self.spread.starts.index_select(0, numbers)
        sizes = self.spread.starts.index_select(0, numbers + 1) - first
        owner = torch.repeat_interleave(sizes)
        starts = starts_of(sizes)
        moved = (first - starts[:-1]).index_select(0, owner)
        single = torch.arange(len(owner), device=owner.device) + moved
        return replace(
            self,
            slots=self.slots.index_select(0, single),
            spread=Spread(owner, starts, self.spread.weight.index_select(0, single)),
        )

    def to(self, device: torch.device | str) -> "LocatedRows":
        """Return the rows on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def pin_memory(self) -> "LocatedRows":
        """Return the rows in pinned memory, which a DataLoader asks for by this name."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "LocatedRows":
        spread = self.spread
        if spread is not None:
            spread = Spread(*map(change, spread))
        return replace(self, slots=change(self.slots), spread=spread)

    def _numbers(self, index: Any) -> Tensor:
        """Return the numbers of the chosen rows, from 0 on: int64 [chosen rows]."""
        device = self.slots.device
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            if not chosen:
                return torch.empty(0, dtype=torch.int64, device=device)
            return torch.arange(chosen.start, chosen.stop, chosen.step, device=device)
        numbers = torch.as_tensor(index, device=device)
        if numbers.dtype == torch.bool:
            if numbers.shape != (len(self),):
                raise IndexError(
                    f"{list(numbers.shape)} truth values were given for {len(self)} rows; "
                    "give one for each"
                )
            return numbers.nonzero().squeeze(1)
        if numbers.numel() == 0:
            return torch.empty(0, dtype=torch.int64, device=device)
        if numbers.dtype.is_floating_point or numbers.ndim > 1:
            raise IndexError(
                f"rows are chosen by {numbers.dtype} {list(numbers.shape)}; give whole numbers in "
                "one dimension, truth values, or a slice"
            )
        numbers = numbers.reshape(-1).long()
        return torch.where(numbers < 0, numbers + len(self), numbers)


class Layer(Protocol):
    """What locates rows. Its index map may change."""

    @property
    def layout(self) -> str: ...

    index_map: int


def require_rows(rows: Any, layer: Layer) -> None:
    """Raise BenchError for anything but rows that the layer located with its present index map."""
    if not isinstance(rows, LocatedRows):
        raise BenchError(
            f"from_rows: {type(rows).__name__} was given; give what the layer's `rows` or "
            "`collate` returned, or call from_values with raw values"
        )
    if rows.layout != layer.layout:
        raise BenchError(
            "from_rows: rows of another layer were given, with other features, lookups or sizes; "
            "locate them with `rows` of this one"
        )
    if rows.index_map != layer.index_map:
        raise BenchError(
            "from_rows: the layer has changed its index map since these rows were located; locate "
            "them again with `rows`"
        )
