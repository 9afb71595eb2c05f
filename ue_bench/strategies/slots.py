"""The slot cache, which turns codes into slots without locating a value twice.

`locate` hashes text or looks it up in a dictionary, which is far slower than the model itself. The
cache calls it once for every distinct value and keeps the slots; a batch of codes then needs only
integer operations. These make it fast, as measured on a CPU:

* The slots of all features are in one array, so that a batch is a single gather, whatever the
  numbers of lookups are. The slots of a value form groups, of as many as every feature has a
  multiple of; a group is at (code + where its column starts).
* An array of one dimension is gathered four times as fast as the same array with a second
  dimension of 1.
* Slots of 32 bits save a tenth of a large lookup.
* For small batches the columns are also kept beside each other, [most values of a feature, L].
  That spares the addition of the starts, which takes as long as the gather.
* Buffers are read from `_buffers`. The attribute look-ups of `nn.Module` would be a tenth of a
  lookup of few rows.

In training the cache also trains what serves unseen values (value dropout): in each batch, a value
that c training rows have is read as an unseen one with probability

    value_dropout / (value_dropout + c)

so that a value is read so up to `value_dropout` times in an epoch, however frequent it is, and rare
values are read so most often. This is the word dropout of Kiperwasser and Goldberg, TACL 2016
(arXiv 1603.04351), for categories. Only strategies with a vocabulary tell unseen values from
others. Training then gathers from an array that has the slots of all values and behind them those
of all values as unseen ones.

Where `Spec.keep_slots` is false nothing is kept: each batch of codes is turned into its values,
which are located like raw ones. The slots are the same. A step takes longer, and the 4 or 8 bytes
of each slot of every distinct value are not needed. Only a strategy that computes slots from a
value alone can do so; `require_own_slots` says which.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import chain
from typing import Any, final

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.strategies.added_results import require_slots, require_slots_alike
from ue_bench.strategies.many_rows import SOME, read_rows
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary

FEW = 4096  # slots of a batch, up to which columns beside each other are gathered faster
BESIDE = 32_000_000  # bytes that columns beside each other may take
# Values that are located at a time. What that needs beside the cache, such as texts and hashes of
# 64 bits, is then as large for any number of values.
BLOCK = 1 << 18
_KEPT = ("_slots", "_owner", "_start", "_beside")  # the buffers that hold the cache


class SlotCache(nn.Module, ABC):
    """A module that locates values, and keeps the slots of every distinct value of its features.

    All tensors of the cache are non-persistent buffers: they follow the module to its device, and
    neither its state nor its footprint contains them.
    """

    one_pool: bool = False  # whether every slot is a row of the same `Pool`
    # whether `embed` takes slots of 32 bits too, though they are no such rows
    takes_short_slots: bool = False
    # whether a plug-in or a package has added the strategy, so that its results are checked
    is_added: bool = False
    # whether a state decides what `locate` returns, because training changes the index map
    map_in_state: bool = False

    _slots: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        # what the strategy must hold to know training values: their bytes are counted
        self.vocabularies: list[Vocabulary] = []
        self.index_map = 0  # number of the index map; slots of another one are out of date
        self.register_buffer("_slots", None, persistent=False)
        self.register_buffer("_owner", None, persistent=False)
        self.register_buffer("_owners", None, persistent=False)
        self.register_buffer("_start", None, persistent=False)
        self.register_buffer("_beside", None, persistent=False)
        self.register_buffer("_with_unseen", None, persistent=False)
        self.register_buffer("_dropout", None, persistent=False)
        # a state that is loaded may hold another index map
        self.register_load_state_dict_post_hook(_forget_slots)

    @property
    def layout(self) -> str:
        """The digest of `Spec.layout`, which located rows have too."""
        return self.spec.layout

    @abstractmethod
    def locate(self, feature: int, values: Any) -> Tensor:
        """Return the slots of raw values of one feature: int64 [n values, slots of the feature]."""

    @final
    def locate_checked(self, feature: int, values: Any) -> Tensor:
        """Return `locate`. Raises BenchError where an added strategy returns what are no slots."""
        slots = self.locate(feature, values)
        if self.is_added:
            name = self.spec.features[feature].name
            require_slots(self._name_and_class(), name, len(values), slots)
        return slots

    def _name_and_class(self) -> str:
        """Return what a message calls the strategy."""
        return f"{self.spec.name} ({type(self).__name__})"

    @abstractmethod
    def locate_as_unseen(self, feature: int, values: Any) -> Tensor:
        """Return the slots that raw values would have if training had not seen them."""

    @final
    def slots(self, codes: Tensor) -> Tensor:
        """Return the slots of rows given as codes of single values: [B, F] -> [B, L].

        codes: int64, or int32 as the trainer holds them. Slots are int32 if all of them are rows
        of one pool, or if `takes_short_slots`, otherwise int64. In training some of them are those
        of unseen values.
        """
        if self.training and self.spec.value_dropout and self.vocabularies:
            return self._slots_with_dropout(codes)
        if not self.spec.keep_slots:
            return self._located_codes(codes)
        buffers = self._buffers
        slots = buffers["_slots"]
        start = buffers["_start"]
        if slots is None or start is None:
            self._fill()
            return self.slots(codes)
        owner = buffers["_owner"]
        rows = codes.shape[0]
        if owner is not None:
            owners = buffers["_owners"]  # a view, kept because the next batch has as many rows
            if owners is None or owners.shape[0] != rows:
                owners = buffers["_owners"] = owner.expand(rows, -1)
            codes = codes.gather(1, owners)
        beside = buffers["_beside"]
        # older versions of torch gather only by int64
        if beside is not None and codes.numel() < FEW and codes.dtype == torch.int64:
            return beside.gather(0, codes)
        places = (codes + start).flatten()
        return _groups(slots, places).view(rows, self._n_slots)

    def _slots_with_dropout(self, codes: Tensor) -> Tensor:
        """Return `slots`, where some values of each row are read as unseen ones."""
        if self._with_unseen is None:
            self._fill_unseen()
        draws = torch.rand(codes.shape, device=codes.device)
        if self._owner is not None:
            owners = self._owner.expand(len(codes), -1)
            codes = codes.gather(1, owners)
            draws = draws.gather(1, owners)  # one for all slots of a value
        places = codes + self._start
        dropped = draws < self._dropout.index_select(0, places.flatten()).view_as(draws)
        places = places + dropped * len(self._dropout)
        return _groups(self._with_unseen, places.flatten()).view(len(codes), self._n_slots)

    @final
    def locate_all(self) -> None:
        """Locate every distinct value and keep the slots.

        A strategy calls this when its index map has changed.
        """
        self.index_map += 1
        self._fill()

    @final
    def cache_bytes(self) -> int:
        """Return the bytes of the kept slots; 0 as long as none were asked for by code."""
        total = 0
        for name in _KEPT:
            kept = self._buffers[name]
            if kept is not None:
                total += kept.nbytes
        return total

    def _located_codes(self, codes: Tensor) -> Tensor:
        """Return `slots` by locating the values of the codes."""
        by_feature = codes.t().contiguous().numpy(force=True)
        located = []
        for index, feature in enumerate(self.spec.features):
            located.append(self.locate_checked(index, _chosen(feature.values, by_feature[index])))
        return torch.cat(located, dim=1).to(codes.device)

    def _fill_unseen(self) -> None:
        """Fill the buffers of value dropout."""
        if self._slots is None:
            self._fill()
        n_groups = len(self._slots)
        both = self._slots.new_empty(2 * n_groups, *self._slots.shape[1:])
        both[:n_groups] = self._slots
        self._slots = both[:n_groups]  # the same numbers are not kept twice
        unseen, _ = self._locate_in_blocks(self.locate_as_unseen)
        both[n_groups:] = unseen.view(-1, *self._slots.shape[1:])
        self._with_unseen = both
        probabilities = []
        for feature in self._owners_of_columns():
            features = self.spec.features
            probabilities.append(_dropout_of(features[feature], self.spec.value_dropout))
        self._dropout = torch.cat(probabilities).to(self.device)

    def _fill(self) -> None:
        if not self.spec.keep_slots:
            self._forget()
            return
        slots, lengths = self._locate_in_blocks(self.locate_checked)
        self._keep(slots, lengths)
        self.register_buffer("_with_unseen", None, persistent=False)

    def _locate_in_blocks(self, locate: Callable[[int, Any], Tensor]) -> tuple[Tensor, list[int]]:
        """Locate every distinct value. Returns groups of slots, and the length of each column.

        The slots of a feature's values are columns of groups, which are one after the other:
        [groups, width].
        """
        counts = self._slot_counts()
        width = math.gcd(*counts)
        lengths = [self.spec.features[owner].cardinality for owner in self._owners_of_columns()]
        may_be_short = self.one_pool or self.takes_short_slots
        dtype = torch.int32 if may_be_short else torch.int64
        slots = torch.empty(sum(lengths), width, dtype=dtype)
        start = 0
        for index, feature in enumerate(self.spec.features):
            n_values = feature.cardinality
            for first in range(0, n_values, BLOCK):
                last = min(first + BLOCK, n_values)
                block = locate(index, feature.values[first:last])
                if self.is_added:
                    require_slots_alike(self._name_and_class(), feature.name, counts[index], block)
                if slots.dtype == torch.int32 and block.numel() and block.amax() >= 2**31:
                    slots = slots.long()
                for column, part in enumerate(block.split(width, dim=1)):
                    before = start + column * n_values
                    slots[before + first : before + last] = part
            start += n_values * (counts[index] // width)
        return slots, lengths

    def _slot_counts(self) -> list[int]:
        """Return the number of slots of each feature's values."""
        counts = []
        for index in range(len(self.spec.features)):
            counts.append(self.locate_checked(index, []).shape[1])
        return counts

    def _owners_of_columns(self) -> list[int]:
        """Return the feature of each column of groups."""
        counts = self._slot_counts()
        width = math.gcd(*counts)
        owners = []
        for feature, count in enumerate(counts):
            owners += [feature] * (count // width)
        return owners

    def _keep(self, slots: Tensor, lengths: list[int]) -> None:
        """Fill the buffers with groups of slots. lengths: of the columns."""
        owner = self._owners_of_columns()
        device = self.device
        group = slots.shape[1]
        self._beside = None
        if group == 1 and max(lengths) * len(lengths) * 8 <= BESIDE:
            columns = slots.flatten().split(lengths)
            self._beside = nn.utils.rnn.pad_sequence(list(columns)).to(device)
        slots = slots.to(device)
        self._n_slots = group * len(owner)
        self._slots = slots.flatten() if group == 1 else slots
        one_each = owner == list(range(len(self.spec.features)))
        self._owner = None if one_each else torch.tensor(owner, device=device)
        self._owners = None
        self._start = torch.tensor([0, *lengths[:-1]], device=device).cumsum(0)

    def _forget(self) -> None:
        """Drop the kept slots, which a state or another index map put out of date."""
        self.register_buffer("_slots", None, persistent=False)
        self.register_buffer("_with_unseen", None, persistent=False)

    def __getattr__(self, name: str) -> Any:
        """Return a submodule before nn.Module searches parameters and buffers.

        The lookup of a single row depends on it.
        """
        try:
            return self.__dict__["_modules"][name]
        except KeyError:
            return super().__getattr__(name)

    @property
    def device(self) -> torch.device:
        """The device of the parameters, or of what is served in their place."""
        return next(chain(self.parameters(), self.buffers())).device


def require_own_slots(cache: SlotCache) -> None:
    """Raise BenchError for a strategy whose slots are to be computed anew, and cannot be.

    They follow from a vocabulary or from what training learned, not from a value alone.
    """
    if cache.spec.keep_slots or not (cache.vocabularies or cache.map_in_state):
        return
    raise BenchError(
        f"{cache.spec.name}: slots 'on-the-fly' were asked for, and its slots follow from a "
        "vocabulary or from what it learned, not from a value alone; choose cached, or a strategy "
        "that hashes"
    )


def _groups(slots: Tensor, places: Tensor) -> Tensor:
    """Return the groups at int64 places [n]: [n] where each is one slot, else [n, width]."""
    if slots.dim() == 1 or is_compiling() or len(places) < SOME:
        return slots.index_select(0, places)
    return read_rows(slots, places)


def _chosen(values: Any, codes: np.ndarray) -> Any:
    """Return the values at the positions `codes`, int [n]."""
    if isinstance(values, pl.Series):
        return values.gather(pl.Series(codes))
    return [values[code] for code in codes.tolist()]


def _dropout_of(feature: Feature, value_dropout: float) -> Tensor:
    """Return how likely each value is read as an unseen one in training: float32 [values].

    Values that training has not seen, or that were not counted, are read as they are.
    """
    probabilities = torch.zeros(feature.cardinality)
    if len(feature.counts):
        counts = torch.tensor(np.asarray(feature.counts), dtype=torch.float64)
        probabilities[: feature.n_seen] = (value_dropout / (value_dropout + counts)).float()
    return probabilities


def _forget_slots(cache: SlotCache, _: Any) -> None:
    cache._forget()
    if cache.map_in_state:
        cache.index_map += 1
