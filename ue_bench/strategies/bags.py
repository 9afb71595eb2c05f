"""Multi-valued features, the same for all strategies: rows with bags become rows of single values,
whose vectors are averaged.

    vector(bag) = sum over the bag's values of vector(value) / number of these values

A row becomes as many rows as its largest bag has values. A smaller bag repeats its last value with
a weight of zero, so that no slot is read that is not the row's own. Letters as in `base`; R rows
of single values, G features with bags.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.features import Feature, distinct


class Spread(NamedTuple):
    """B rows with bags as R rows of single values.

    owner: int64 [R], the row that each belongs to. starts: int64 [B + 1], where the rows of each
    begin, and R. weight: float32 [R, G], the share of each value in its bag.
    """

    owner: Tensor
    starts: Tensor
    weight: Tensor

    @property
    def first(self) -> Tensor:
        """Where the rows of each begin: int64 [B]."""
        return self.starts[:-1]

    @property
    def members(self) -> "Members":
        """What an average needs of this."""
        return Members(self.owner, self.first, self.weight)


class Members(NamedTuple):
    """Which of R rows of single values belong to which of B rows with bags.

    owner and weight: as in `Spread`. first: int64 [B], where the rows of each begin.
    """

    owner: Tensor
    first: Tensor
    weight: Tensor


def spread(bags: Tensor) -> tuple[Spread, Tensor]:
    """Make rows of single values. Returns them, and the place of the value that each takes.

    bags: int64 [B, G, 2], the place of a bag's first value and how many values follow it. The
    places are int64 [R, G].
    """
    rows = bags[..., 1].amax(1) + 1
    owner = torch.repeat_interleave(rows)
    starts = starts_of(rows)
    number = torch.arange(len(owner), device=owner.device) - starts.index_select(0, owner)
    number = number.unsqueeze(1)  # of a row within its bags
    start, more = bags.index_select(0, owner).unbind(2)
    weight = (number <= more) / (more + 1)
    return Spread(owner, starts, weight), start + number.minimum(more)


def starts_of(sizes: Tensor) -> Tensor:
    """Return where each of consecutive groups begins, and where the last ends: int64 [n + 1]."""
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def _first_and_more(sizes: Tensor, dim: int) -> Tensor:
    """Bags as `spread` takes them, from their sizes in the order of their values."""
    return torch.stack([sizes.cumsum(0) - sizes, sizes - 1], dim)


class BagIndex(nn.Module):
    """The bags of all features that have some, one list after another.

    Its buffers are caches: they are neither learned nor served.
    """

    bags: Tensor
    members: Tensor
    before: Tensor
    places: Tensor

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.names = [feature.name for feature in features]
        self.bagged = []  # indices of the features with bags
        sizes = []
        members = []
        before = []  # bags of the features before
        n_bags = 0
        for index, feature in enumerate(features):
            if feature.bags is None:
                continue
            self.bagged.append(index)
            sizes.append(torch.tensor(feature.bags.offsets).diff())
            members.append(torch.tensor(feature.bags.members))
            before.append(n_bags)
            n_bags += len(feature.bags)
        bags = _first_and_more(torch.cat(sizes), 1)
        self.register_buffer("bags", bags, persistent=False)
        self.register_buffer("members", torch.cat(members), persistent=False)
        self.register_buffer("before", torch.tensor(before), persistent=False)
        self.register_buffer("places", torch.tensor(self.bagged), persistent=False)

    def spread(self, codes: Tensor) -> tuple[Tensor, Spread]:
        """Return codes of single values [R, F] for codes of bags [B, F], and their rows."""
        numbers = codes.index_select(1, self.places) + self.before
        bags = self.bags.index_select(0, numbers.flatten()).view(*numbers.shape, 2)
        rows, chosen = spread(bags)
        members = self.members.index_select(0, chosen.flatten()).view_as(chosen)
        single = codes.index_select(0, rows.owner)
        return single.index_copy_(1, self.places, members.to(codes.dtype)), rows

    def spread_values(self, values: Sequence[Any]) -> tuple[list[Any], list[Tensor], Spread]:
        """Spread raw values, B of each feature.

        Returns the values to locate of each feature, the places of the R rows among them, and the
        rows, all on the CPU.
        """
        columns = list(values)
        sizes = []
        for index in self.bagged:
            columns[index], column_sizes = flat(self.names[index], values[index])
            sizes.append(column_sizes)
        rows, chosen = spread(_first_and_more(torch.tensor(sizes, dtype=torch.int64).t(), 2))
        places = [rows.owner] * len(columns)
        for index, places_of_bag in zip(self.bagged, chosen.unbind(1), strict=True):
            places[index] = places_of_bag
        return columns, places, rows

    def averaged(self, vectors: Tensor, rows: Members, widths: Sequence[int]) -> Tensor:
        """Return the vectors of B rows from those of R rows: [R, W] -> [B, W].

        widths: of every feature.
        """
        ends = list(accumulate(widths))
        out = vectors.index_select(0, rows.first)
        weights = rows.weight.to(vectors.dtype).split(1, 1)
        for index, weight in zip(self.bagged, weights, strict=True):
            columns = slice(ends[index] - widths[index], ends[index])
            sums = vectors.new_zeros(out.shape[0], widths[index])
            out[:, columns] = sums.index_add(0, rows.owner, vectors[:, columns] * weight)
        return out


def bag_index(features: Sequence[Feature]) -> BagIndex | None:
    """The bags of features; None if no feature has any."""
    if all(feature.bags is None for feature in features):
        return None
    return BagIndex(features)


def flat(name: str, column: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return all raw values of a multi-valued feature, row by row, and how many each row has.

    column: a list (tuple, set, array) of values for each row. A value that occurs several times in
    a row counts once. A row without values has the value "".
    Raises BenchError for a row that is no list of values. A text is none: its characters are not
    its values.
    """
    values: list[Any] = []
    sizes = []
    for row in column:
        members = _members(name, row)
        values += members
        sizes.append(len(members))
    return values, sizes


def _members(name: str, row: Any) -> list[Any]:
    """Return the distinct values of one row. Raises BenchError as `flat` does."""
    if not isinstance(row, (str, bytes)):
        with suppress(TypeError):  # there is nothing to iterate over, or a member is a list
            return distinct(row) or [""]
    raise BenchError(
        f"{name} is multi-valued and {row!r:.60} was given; give a list of values for each row"
    )
