"""The contract of a strategy: an index map from (feature, lookup, value) to slots, and from slots to vectors.

Letters: B rows, F features, L slots per row, D numbers per lookup, W output width.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, final

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError, BudgetError, unknown
from ue_bench.features import Feature
from ue_bench.features import columns as by_name
from ue_bench.hashing import lookup_seed
from ue_bench.strategies.allocator import in_large_pages
from ue_bench.strategies.bags import bag_index
from ue_bench.strategies.vocabulary import Vocabulary

LEAST_USED = (
    0.9  # of the budget: a strategy that leaves more of it unused is not compared at that budget
)
FEW = 4096  # up to so many slots, columns of slots that lie beside each other are gathered faster than those one below the other
MANY = 8192  # from so many slots on, bags of one row, whose kernel fetches ahead, are faster on a CPU than a plain gather
BESIDE = 32_000_000  # bytes that such columns may take


@dataclass(frozen=True)
class Spec:
    """What a strategy is built from. Every strategy of a comparison gets the same one, but for what is compared."""

    name: str  # of the strategy, for messages
    features: tuple[Feature, ...]
    lookups: tuple[int, ...]  # per feature
    dim: int  # D
    budget: int | None = None  # bytes
    regions: str = "multiplexed"  # multiplexed | separate | exact
    region_rule: str | None = None  # proportional | sqrt | equal
    hash_seed: int = 0
    hash_seeds: Mapping[str, Sequence[int]] = field(
        default_factory=dict
    )  # explicit seeds, by feature name
    init: str = "uniform"
    init_scale: float = 0.05
    sparse: bool = False  # gradients of the pools hold only the rows touched
    sparse_above: int = 0  # but those of a pool of no more numbers than this are dense all the same
    options: Mapping[str, Any] = field(default_factory=dict)  # the method's own knobs

    def seeds(self, feature: int, hashes: int = 1) -> list[int]:
        """Seeds of this feature, `hashes` of them for each lookup: those of the first lookup, then of the next."""
        name, count = self.features[feature].name, self.lookups[feature]
        if name not in self.hash_seeds:
            return [
                lookup_seed(name, lookup, self.hash_seed, number)
                for lookup in range(count)
                for number in range(hashes)
            ]
        given = list(self.hash_seeds[name])
        if len(given) != count * hashes:
            raise BenchError(
                f"hash_seeds: {len(given)} seeds were given for {name}, which has {count} lookups of {hashes} hashes; "
                f"give {count * hashes}"
            )
        return given

    def require_budget(self) -> int:
        """The budget in bytes. Raises BenchError where none was given."""
        if self.budget is None:
            raise BenchError(
                f"{self.name} needs a budget in bytes for its table; give one, such as --budget 28kB"
            )
        return self.budget

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of D float32 numbers."""
        return 4 * self.dim

    @property
    def exact_table_bytes(self) -> int:
        """Bytes of a table with a row of its own for every distinct value: the unit of the compression ratio."""
        return (
            sum(f.cardinality * n for f, n in zip(self.features, self.lookups, strict=True))
            * self.row_bytes
        )


@dataclass(frozen=True)
class Footprint:
    """Bytes that serving needs. `vocabulary_floor` is the least any exact dictionary can take, beside what is counted."""

    table: int
    auxiliary: int
    vocabulary: int
    vocabulary_floor: int

    @property
    def total(self) -> int:
        return self.table + self.auxiliary + self.vocabulary


class Pool(nn.Module):
    """The learned numbers that slots point into: `weight`, float32 [rows, numbers], drawn from torch's global generator.

    numbers: in a row; D where it is not given. What reads `weight` otherwise than by calling the pool, with gradients, must ask
    `sparse` first: where it is true only the rows that were read by a call may have one.
    """

    def __init__(self, rows: int, spec: Spec, numbers: int | None = None) -> None:
        super().__init__()
        weight = torch.empty(rows, numbers or spec.dim)
        in_large_pages(weight.data_ptr(), weight.nbytes)
        self.weight = nn.Parameter(weight)
        self.sparse = spec.sparse and weight.numel() > spec.sparse_above
        self.register_buffer(
            "_offsets", None, persistent=False
        )  # of bags of one row, for as many slots as the last batch had
        self.before_read: Callable[[Tensor], None] | None = (
            None  # an optimizer's, which is told the slots in training
        )
        if spec.init == "normal":
            nn.init.normal_(self.weight, std=spec.init_scale)
        else:
            nn.init.uniform_(self.weight, -spec.init_scale, spec.init_scale)

    def forward(self, slots: Tensor) -> Tensor:
        """Rows of the pool: [..., numbers] for slots of any shape, of 32 or 64 bits."""
        weight: Any = self._parameters["weight"]  # read directly, as in EmbeddingStrategy.slots
        if torch.is_grad_enabled():
            slots = slots.long()  # a gradient is summed up faster by these
            if self.before_read is not None:
                self.before_read(slots)
            return gather(weight, slots, self.sparse)
        if slots.numel() < MANY or weight.is_cuda:
            return torch.embedding(weight, slots)
        offsets = self._buffers["_offsets"]
        if offsets is None or offsets.numel() != slots.numel() or offsets.dtype != slots.dtype:
            offsets = self._buffers["_offsets"] = torch.arange(slots.numel(), dtype=slots.dtype)
        bags = torch.embedding_bag(
            weight.detach(), slots.flatten(), offsets
        )  # detached, it prepares nothing for a gradient
        return bags[0].view(*slots.shape, weight.shape[1])

    __call__ = forward  # see EmbeddingStrategy


def gather(weight: Tensor, slots: Tensor, sparse: bool = False) -> Tensor:
    """Rows of `weight` [rows, numbers]: [..., numbers] for int64 slots of any shape."""
    if not torch.is_grad_enabled():
        return torch.embedding(weight, slots)
    if sparse or weight.is_cuda:
        return nn.functional.embedding(slots, weight, sparse=sparse)
    # the same gather; on the CPU its backward pass (index_add) takes a third of the time
    return weight.index_select(0, slots.flatten()).view(*slots.shape, weight.shape[1])


class EmbeddingStrategy(nn.Module, ABC):
    """A strategy: `locate` is the input pipeline (no learned state), `embed` the model. Both are measured.

    A subclass builds its modules in `__init__`, appends to `vocabularies` what it must hold to serve, and reads its own knobs
    from ``self.options``. It draws its initial values, and whatever it draws later, from torch's global generator.

    A strategy that trains more than it serves (a float table that becomes codes) has both from the start: it names in
    `training_only` the parameters and buffers that `end_training` sets to None, and fills in the rest there.

    Of a multi-valued feature (one with `Feature.bags`) neither `locate` nor `embed` knows: they get single values, and a row's
    vector of that feature is the mean of its values' vectors. The code of such a feature is the number of a bag.

    A call is `forward` and nothing else: torch's machinery of hooks around it would be a tenth of a lookup of 256 rows, so a
    forward hook on a strategy or a pool does not fire.
    """

    training_only: tuple[str, ...] = ()
    one_pool: bool = False  # whether every slot is a row of one `Pool`, so that features with equal slots share its numbers
    knobs: Mapping[
        str, Any
    ] = {}  # the method's own, with their defaults; `self.options` has the values in effect

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.options = {**self.knobs, **check_knobs(spec, self.knobs)}
        self.widths: tuple[int, ...] = tuple(
            count * spec.dim for count in spec.lookups
        )  # per feature; W is their sum
        self.vocabularies: list[Vocabulary] = []
        self._bags = bag_index(spec.features)
        self.register_buffer("_slots", None, persistent=False)
        self.register_buffer("_owner", None, persistent=False)
        self.register_buffer("_owners", None, persistent=False)
        self.register_buffer("_start", None, persistent=False)
        self.register_buffer("_beside", None, persistent=False)
        self.register_load_state_dict_post_hook(
            _forget_slots
        )  # loaded state may hold another index map

    @abstractmethod
    def locate(self, feature: int, values: Any) -> Tensor:
        """Slots of raw values of one feature: int64 [n values, slots of that feature]. No learned state."""

    @abstractmethod
    def embed(self, slots: Tensor) -> Tensor:
        """Vectors of slots: int64 [B, L] -> float32 [B, W]. Rows do not depend on each other."""

    def hashed_rows(self, feature: int) -> range | None:
        """The rows among which every slot of this feature is drawn by a hash of its own, each as likely as the others.

        None, as here: the slots are not that. What theory says about collisions follows from it.
        """
        return None

    def to_serve(self, feature: int) -> Feature:
        """A feature as building the strategy anew needs it, to serve what was learned, and no more.

        Here: its training values where vocabularies are held, otherwise only how many values there are.
        """
        whole = self.spec.features[feature]
        return whole.holding(whole.values[: whole.n_seen] if self.vocabularies else ())

    def end_epoch(self, epoch: int) -> bool:
        """Called between epochs. Changes values in place, or says True: the optimizer must be rebuilt. Here: nothing."""
        return False

    def end_training(self) -> None:
        """Called once, with the best weights in place: becomes what is served. Here: nothing."""

    @final  # type: ignore[misc]  # torch declares forward as an attribute
    def forward(self, codes: Tensor) -> Tensor:
        """Vectors of rows given as codes, of bags where a feature has these: int64 [B, F] -> float32 [B, W]."""
        if self._bags is None:
            return self.embed(self.slots(codes))
        codes, rows = self._bags.spread(codes)
        return self._bags.averaged(self.embed(self.slots(codes)), rows, self.widths)

    __call__ = forward

    @final
    def from_values(self, columns: Any) -> Tensor:
        """Vectors float32 [B, W] of raw values: the road of a request in production.

        columns: a list with B values for each feature, in their order, or the values by name, as `ue_bench.columns.columns` takes
        them and with its errors. Any value may be unseen. Of a multi-valued feature a value is a list, as in `bags.flat`.
        Raises BenchError for another number of columns.
        """
        if not isinstance(columns, (list, tuple)):
            columns = by_name([feature.name for feature in self.spec.features], columns)
        if len(columns) != len(self.spec.features):
            raise BenchError(
                f"{len(columns)} columns were given; {len(self.spec.features)} features need one each"
            )
        for feature, column in zip(self.spec.features, columns, strict=True):
            if feature.bags is None and len(column) and isinstance(column[0], list):
                raise BenchError(
                    f"column {feature.name!r} holds lists, and the feature has one value a row; give one"
                )
        if self._bags is None:
            located = [self.locate(feature, column) for feature, column in enumerate(columns)]
            return self.embed(torch.cat(located, dim=1).to(self.device))
        columns, places, rows = self._bags.spread_values(columns)
        located = [
            self.locate(feature, column)[places[feature]] for feature, column in enumerate(columns)
        ]
        return self._bags.averaged(
            self.embed(torch.cat(located, dim=1).to(self.device)), rows, self.widths
        )

    @final
    def slots(self, codes: Tensor) -> Tensor:
        """Slots of rows given as codes of single values: int64 [B, F] -> int64 [B, L], of 32 bits where all are rows of one pool.

        Each distinct value was located once. Codes of 32 bits, as the trainer holds them, are as good.
        """
        kept = (
            self._buffers
        )  # read directly: nn.Module's attribute look-ups would be a tenth of a lookup of few rows
        slots, start = kept["_slots"], kept["_start"]
        if slots is None or start is None:
            self.locate_all()
            return self.slots(codes)
        owner, rows = kept["_owner"], codes.shape[0]
        if owner is not None:
            owners = kept["_owners"]  # a view, kept because the next batch has as many rows
            if owners is None or owners.shape[0] != rows:
                owners = kept["_owners"] = owner.expand(rows, -1)
            codes = codes.gather(1, owners)
        beside = kept["_beside"]
        if (
            beside is not None and codes.numel() < FEW and codes.dtype == torch.int64
        ):  # older torch gathers by no other
            return beside.gather(0, codes)
        places = codes + start
        return slots.index_select(0, places.flatten()).view(rows, self._n_slots)

    @final
    def locate_all(self) -> None:
        """Locate every distinct value and keep the slots. A strategy whose index map changed calls this again.

        They lie in groups of as many as every feature has a multiple of, so that a batch is one gather whatever the numbers of
        lookups are: a group of a value is at (code + where it starts). For small batches they also lie as columns beside each
        other, [most values of a feature, L]: that spares the addition, which takes as long as the gather.
        """
        located = [
            self.locate(index, feature.values) for index, feature in enumerate(self.spec.features)
        ]
        device, counts = self.device, [slots.shape[1] for slots in located]
        group = math.gcd(*counts)
        owner = [feature for feature, count in enumerate(counts) for _ in range(count // group)]
        groups = [part for slots in located for part in slots.split(group, dim=1)]
        if self.one_pool and all(part.amax() < 2**31 for part in groups if part.numel()):
            groups = [part.int() for part in groups]  # a tenth of a large lookup
        kept = torch.cat(groups).to(device)
        self._slots = (
            kept.flatten() if group == 1 else kept
        )  # of one dimension, it is gathered four times as fast
        self._n_slots = sum(counts)
        self._owner = (
            None if owner == list(range(len(counts))) else torch.tensor(owner, device=device)
        )
        self._owners = None
        self._start = torch.tensor([0, *(len(part) for part in groups[:-1])], device=device).cumsum(
            0
        )
        fits = group == 1 and max(map(len, groups)) * len(groups) * 8 <= BESIDE
        self._beside = (
            nn.utils.rnn.pad_sequence([part[:, 0] for part in groups]).to(device) if fits else None
        )

    def __getattr__(self, name: str) -> Any:
        """A module of mine, before nn.Module looks among parameters and buffers: a batch of one row is that fast."""
        try:
            return self.__dict__["_modules"][name]
        except KeyError:
            return super().__getattr__(name)

    @property
    def device(self) -> torch.device:
        """Where it lies: its parameters, or what is served in their place."""
        return next(chain(self.parameters(), self.buffers())).device

    @final
    def footprint(self) -> Footprint:
        """Bytes of pools, of every other parameter and persistent buffer, and of the vocabularies, as they are served.

        What is trained and not served is left out, and nothing else can be.
        """
        left_out = {
            f"{prefix}{'.' if prefix else ''}{name}"
            for prefix, module in self.named_modules()
            if isinstance(module, EmbeddingStrategy)
            for name in module.training_only
        }
        served = {
            name: _n_bytes(tensor)
            for name, tensor in self.state_dict().items()
            if name not in left_out
        }
        pools = {
            f"{name}.weight" for name, module in self.named_modules() if isinstance(module, Pool)
        }
        table = sum(size for name, size in served.items() if name in pools)
        vocabulary = sum(v.n_bytes for v in self.vocabularies)
        floor = sum(v.floor_bytes for v in self.vocabularies)
        return Footprint(table, sum(served.values()) - table, vocabulary, floor)

    @final
    def drop_training_only(self) -> None:
        """Set to None what is trained and not served, here and in the strategies inside."""
        for module in list(self.modules()):
            if isinstance(module, EmbeddingStrategy):
                for name in module.training_only:
                    owner, _, attribute = name.rpartition(".")
                    setattr(module.get_submodule(owner), attribute, None)

    @final
    def training_bytes(self) -> int:
        """Bytes of all parameters and persistent buffers that are held now: before `end_training`, those of training."""
        return sum(map(_n_bytes, self.state_dict().values()))

    @final
    def sparse_pools(self) -> list[Pool]:
        """Pools whose gradients are sparse, for the optimizer."""
        return [module for module in self.modules() if isinstance(module, Pool) and module.sparse]


def _n_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _forget_slots(strategy: EmbeddingStrategy, _: Any) -> None:
    strategy.register_buffer("_slots", None, persistent=False)


def check_knobs(spec: Spec, knobs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The knobs that were given. Raises BenchError for one that the method lacks or of another type than its default."""
    for name, value in spec.options.items():
        if name not in knobs:
            raise unknown(f"knob of {spec.name}", name, knobs)
        default = knobs[name]
        if type(value) is not type(default) and not (type(default) is float and type(value) is int):
            raise BenchError(
                f"{spec.name}: knob {name}={value!r} was given; it must be {type(default).__name__}, as {default!r}"
            )
    return spec.options


def check_budget(strategy: EmbeddingStrategy) -> None:
    """Raise BudgetError unless table and auxiliary bytes lie within [90 %, 100 %] of the budget (None: any size)."""
    footprint, spec = strategy.footprint(), strategy.spec
    used = footprint.table + footprint.auxiliary
    if spec.budget is None or LEAST_USED * spec.budget <= used <= spec.budget:
        return
    if used > spec.budget:
        raise BudgetError(spec.name, spec.budget, "is too small", used)
    why = f"is given and only {used:,} of them can be used (at least 90 % must be)"
    more = used + spec.row_bytes
    raise BudgetError(spec.name, spec.budget, why, more if more > spec.budget else used)
