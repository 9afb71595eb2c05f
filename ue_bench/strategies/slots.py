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
others. Training then gathers from a second array, which has the slots of all values and behind them
those of all values as unseen ones.
"""

import math
from abc import ABC, abstractmethod
from itertools import chain
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from ue_bench.features import Feature
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.static_vocabulary import StaticVocabulary
from ue_bench.strategies.vocabulary_kinds import AnyVocabulary

FEW = 4096  # slots of a batch, up to which columns beside each other are gathered faster
BESIDE = 32_000_000  # bytes that columns beside each other may take
_KEPT = ("_slots", "_owner", "_start", "_beside")  # the buffers that hold the cache


class SlotCache(nn.Module, ABC):
    """A module that locates values, and keeps the slots of every distinct value of its features.

    All tensors of the cache are non-persistent buffers: they follow the module to its device, and
    neither its state nor its footprint contains them.
    """

    one_pool: bool = False  # whether every slot is a row of the same `Pool`
    # whether `embed` takes slots of 32 bits too, though they are no such rows
    takes_short_slots: bool = False
    # whether a state decides what `locate` returns, because training changes the index map
    map_in_state: bool = False

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.vocabularies = []
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
    def vocabularies(self) -> list[AnyVocabulary]:
        """What the strategy must hold to know training values: their bytes are counted."""
        return self._vocabularies

    @vocabularies.setter
    def vocabularies(self, vocabularies: list[AnyVocabulary]) -> None:
        self._vocabularies = vocabularies
        mine = nn.ModuleList()  # those of a strategy inside are already part of it
        inside = set(self.modules())
        for vocabulary in vocabularies:
            if isinstance(vocabulary, StaticVocabulary):
                self.map_in_state = True
                if vocabulary not in inside:
                    mine.append(vocabulary)
        if mine:
            self.static_vocabularies = mine

    @abstractmethod
    def locate(self, feature: int, values: Any) -> Tensor:
        """Return the slots of raw values of one feature: int64 [n values, slots of the feature]."""

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
        places = codes + start
        return slots.index_select(0, places.flatten()).view(rows, self._n_slots)

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
        slots: Tensor = self._with_unseen.index_select(0, places.flatten())
        return slots.view(len(codes), self._n_slots)

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

    def _fill_unseen(self) -> None:
        """Fill the buffers of value dropout."""
        if self._slots is None:
            self._fill()
        located = []
        probabilities = []
        for index, feature in enumerate(self.spec.features):
            located.append(self.locate_as_unseen(index, feature.values))
            probabilities.append(_dropout_of(feature, self.spec.value_dropout))
        columns, owner = _columns_of(located)
        unseen = torch.cat(columns).view(-1, *self._slots.shape[1:]).to(self._slots)
        self._with_unseen = torch.cat([self._slots, unseen])
        self._dropout = torch.cat([probabilities[feature] for feature in owner]).to(self.device)

    def _fill(self) -> None:
        located = []
        for index, feature in enumerate(self.spec.features):
            located.append(self.locate(index, feature.values))
        columns, owner = _columns_of(located)
        if (self.one_pool or self.takes_short_slots) and _fit_32_bits(columns):
            columns = [column.int() for column in columns]
        self._keep(columns, owner)
        self._n_slots = sum(slots.shape[1] for slots in located)
        self.register_buffer("_with_unseen", None, persistent=False)

    def _keep(self, columns: list[Tensor], owner: list[int]) -> None:
        """Fill the buffers with columns of slots. owner: the feature of each column."""
        device = self.device
        group = columns[0].shape[1]
        slots = torch.cat(columns).to(device)
        self._slots = slots.flatten() if group == 1 else slots
        one_each = owner == list(range(len(self.spec.features)))
        self._owner = None if one_each else torch.tensor(owner, device=device)
        self._owners = None
        sizes = [len(column) for column in columns]
        self._start = torch.tensor([0, *sizes[:-1]], device=device).cumsum(0)
        self._beside = None
        if group == 1 and max(sizes) * len(columns) * 8 <= BESIDE:
            padded = nn.utils.rnn.pad_sequence([column[:, 0] for column in columns])
            self._beside = padded.to(device)

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


def _columns_of(located: list[Tensor]) -> tuple[list[Tensor], list[int]]:
    """Split the slots of each feature's values, int64 [values, slots], into columns of one width.

    Returns the columns, [values of the feature, width], and the feature of each.
    """
    width = math.gcd(*(slots.shape[1] for slots in located))
    columns: list[Tensor] = []
    owner = []
    for feature, slots in enumerate(located):
        parts = slots.split(width, dim=1)
        columns += parts
        owner += [feature] * len(parts)
    return columns, owner


def _dropout_of(feature: Feature, value_dropout: float) -> Tensor:
    """Return how likely each value is read as an unseen one in training: float32 [values].

    Values that training has not seen, or that were not counted, are read as they are.
    """
    probabilities = torch.zeros(feature.cardinality)
    if len(feature.counts):
        counts = torch.tensor(np.asarray(feature.counts), dtype=torch.float64)
        probabilities[: feature.n_seen] = (value_dropout / (value_dropout + counts)).float()
    return probabilities


def _fit_32_bits(columns: list[Tensor]) -> bool:
    return all(column.amax() < 2**31 for column in columns if column.numel())


def _forget_slots(cache: SlotCache, _: Any) -> None:
    cache.register_buffer("_slots", None, persistent=False)
    cache.register_buffer("_with_unseen", None, persistent=False)
    if cache.map_in_state:
        cache.index_map += 1
