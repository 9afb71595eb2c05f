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

from ue_bench.features import Feature


class Spread(NamedTuple):
    """B rows as R. owner: int64 [R], the row each belongs to. first: int64 [B], where the rows of each begin.

    chosen: int64 [R, G], the value to take of each bag, counted as `spread` was told. weight: float32 [R, G].
    """

    owner: Tensor
    first: Tensor
    chosen: Tensor
    weight: Tensor


def spread(bags: Tensor) -> Spread:
    """Make rows of single values. bags: int64 [B, G, 2], where a bag's values begin, and how many it has beyond the first."""
    rows = bags[..., 1].amax(1) + 1
    owner = torch.repeat_interleave(rows)
    first = rows.cumsum(0) - rows
    place = (
        torch.arange(len(owner), device=owner.device) - first.index_select(0, owner)
    ).unsqueeze(1)
    start, more = bags.index_select(0, owner).unbind(2)
    return Spread(owner, first, start + place.minimum(more), (place <= more) / (more + 1))


class BagIndex(nn.Module):
    """The bags of all features that have some, one list after another. Caches: no learned state, and nothing that is served."""

    bags: Tensor
    members: Tensor
    before: Tensor
    places: Tensor

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.bagged = [index for index, feature in enumerate(features) if feature.bags is not None]
        self.names = [feature.name for feature in features]
        bags = [feature.bags for feature in features if feature.bags is not None]
        size = torch.cat([torch.tensor(own.offsets).diff() for own in bags])
        tensors = {
            "bags": torch.stack([size.cumsum(0) - size, size - 1], 1),  # as `spread` takes them
            "members": torch.cat([torch.tensor(own.members) for own in bags]),
            "before": torch.tensor(
                [0, *accumulate(len(own) for own in bags)][:-1]
            ),  # bags of the features before
            "places": torch.tensor(self.bagged),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)

    def spread(self, codes: Tensor) -> tuple[Tensor, Spread]:
        """Codes of single values for codes with numbers of bags: [B, F] -> [R, F]; and which rows they belong to."""
        bags = codes.index_select(1, self.places) + self.before
        rows = spread(self.bags.index_select(0, bags.flatten()).view(*bags.shape, 2))
        members = self.members.index_select(0, rows.chosen.flatten()).view_as(rows.chosen)
        return codes.index_select(0, rows.owner).index_copy_(
            1, self.places, members.to(codes.dtype)
        ), rows

    def spread_values(self, values: Sequence[Any]) -> tuple[list[Any], list[Tensor], Spread]:
        """The same of raw values, B a feature: the values to locate of each feature, where in them those of the R rows are, and
        which rows they belong to. The first two are on the CPU."""
        columns, sizes = list(values), []
        for index in self.bagged:
            columns[index], own = flat(self.names[index], values[index])
            sizes.append(own)
        size = torch.tensor(sizes, dtype=torch.int64).t()
        rows = spread(torch.stack([size.cumsum(0) - size, size - 1], 2))
        places = [rows.owner] * len(columns)
        for index, chosen in zip(self.bagged, rows.chosen.unbind(1), strict=True):
            places[index] = chosen
        return columns, places, Spread(*(tensor.to(self.bags.device) for tensor in rows))

    def averaged(self, vectors: Tensor, rows: Spread, widths: Sequence[int]) -> Tensor:
        """Vectors of B rows from those of R: [R, W] -> [B, W]. widths: of every feature."""
        ends, out = list(accumulate(widths)), vectors.index_select(0, rows.first)
        for index, weight in zip(
            self.bagged, rows.weight.to(vectors.dtype).split(1, 1), strict=True
        ):
            columns = slice(ends[index] - widths[index], ends[index])
            sums = vectors.new_zeros(len(out), widths[index])
            out[:, columns] = sums.index_add(0, rows.owner, vectors[:, columns] * weight)
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
            raise TypeError(
                f"{name} is multi-valued and {row[:60]!r} was given; give a list of values for each row"
            )
        own = dict.fromkeys(row) or ("",)
        values += own
        sizes.append(len(own))
    return values, sizes
