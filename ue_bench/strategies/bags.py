"""Multi-valued features, once for all strategies: rows with bags become rows of single values, whose vectors are averaged.

    vector(bag) = sum over the bag's values of vector(value) / number of these values

A row takes as many rows as its largest bag has values. A smaller bag repeats its last value there, which has no weight: no slot
is read that is not the row's own. Letters as in `base`; R rows of single values, G features with bags.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ue_bench.feature import Feature


class Spread(NamedTuple):
    """B rows as R. owner: int64 [R], the row each belongs to. first: int64 [B], where the rows of each begin.

    chosen: int64 [R, G], the value to take of each bag, counted as `spread` was told. weight: float32 [R, G].
    """

    owner: Tensor
    first: Tensor
    chosen: Tensor
    weight: Tensor


def spread(start: Tensor, size: Tensor) -> Spread:
    """Make rows of single values. start, size: int64 [B, G], where a bag's values begin and how many they are."""
    rows = size.amax(1)
    owner = torch.repeat_interleave(rows)
    first = rows.cumsum(0) - rows
    place = (torch.arange(len(owner), device=owner.device) - first[owner]).unsqueeze(1)
    size = size[owner]
    return Spread(owner, first, start[owner] + place.minimum(size - 1), (place < size) / size)


class BagIndex(nn.Module):
    """The bags of all features that have some, one list after another. Caches: no learned state, and nothing that is served."""

    start: Tensor
    size: Tensor
    members: Tensor
    before: Tensor
    places: Tensor

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.bagged = [index for index, feature in enumerate(features) if feature.bags is not None]
        self.names = [feature.name for feature in features]
        bags = [feature.bags for feature in features if feature.bags is not None]
        offsets = [torch.tensor(own.offsets) for own in bags]
        begins = [0, *accumulate(len(own.members) for own in bags)]
        tensors = {
            "start": torch.cat([own[:-1] + begin for own, begin in zip(offsets, begins[:-1], strict=True)]),
            "size": torch.cat([own.diff() for own in offsets]),
            "members": torch.cat([torch.tensor(own.members) for own in bags]),
            "before": torch.tensor([0, *accumulate(len(own) for own in bags)][:-1]),  # bags of the features before
            "places": torch.tensor(self.bagged),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)

    def spread(self, codes: Tensor) -> tuple[Tensor, Spread]:
        """Codes of single values for codes with numbers of bags: [B, F] -> [R, F]; and which rows they belong to."""
        bags = codes.index_select(1, self.places) + self.before
        rows = spread(self.start[bags], self.size[bags])
        single = codes.index_select(0, rows.owner)
        return single.index_copy(1, self.places, self.members[rows.chosen].to(codes.dtype)), rows

    def spread_values(self, values: Sequence[Any]) -> tuple[list[Any], list[Tensor], Spread]:
        """The same of raw values, B a feature: the values to locate of each feature, where in them those of the R rows are, and
        which rows they belong to. All on the CPU."""
        columns, sizes = list(values), []
        for index in self.bagged:
            columns[index], own = flat(self.names[index], values[index])
            sizes.append(own)
        size = torch.tensor(sizes, dtype=torch.int64).t()
        rows = spread(size.cumsum(0) - size, size)
        places = [rows.owner] * len(columns)
        for index, chosen in zip(self.bagged, rows.chosen.unbind(1), strict=True):
            places[index] = chosen
        return columns, places, rows

    def averaged(self, vectors: Tensor, rows: Spread, widths: Sequence[int]) -> Tensor:
        """Vectors of B rows from those of R: [R, W] -> [B, W]. widths: of every feature."""
        owner, first, _, weights = (tensor.to(vectors.device) for tensor in rows)
        ends = list(accumulate(widths))
        out = vectors.index_select(0, first)
        for index, weight in zip(self.bagged, weights.to(vectors.dtype).split(1, 1), strict=True):
            columns = slice(ends[index] - widths[index], ends[index])
            sums = vectors.new_zeros(len(out), widths[index])
            out[:, columns] = sums.index_add(0, owner, vectors[:, columns] * weight)
        return out


def bag_index(features: Sequence[Feature]) -> BagIndex | None:
    """The bags of features; None where no feature has any."""
    return BagIndex(features) if any(feature.bags is not None for feature in features) else None


def flat(name: str, column: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """All raw values of a multi-valued feature, one row's after the other's, and how many each row has.

    column: a list (tuple, set, array) of values a row. A value that is there several times counts once, none at all is the value
    "". Raises TypeError for a row that is one text and no list: its characters are not its values.
    """
    values: list[Any] = []
    sizes = []
    for row in column:
        if isinstance(row, (str, bytes)):
            raise TypeError(f"{name} is multi-valued and {row[:60]!r} was given; give a list of values for each row")
        own = dict.fromkeys(row) or ("",)
        values += own
        sizes.append(len(own))
    return values, sizes
