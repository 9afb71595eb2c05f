"""The contract of a strategy: an index map from (feature, lookup, value) to slots, and from slots
to vectors.

Letters: B rows, F features, L slots per row, D numbers per lookup, W output width.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import polars as pl
import torch
from torch import Tensor

from ue_bench.categories import Repeated
from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader, Feature
from ue_bench.hashing import is_few
from ue_bench.strategies.added_results import require_vectors
from ue_bench.strategies.arrived import Arrived, Reset
from ue_bench.strategies.bags import Members, bag_index
from ue_bench.strategies.examples import split_examples
from ue_bench.strategies.knobs import check_knobs
from ue_bench.strategies.located_rows import LocatedRows, require_rows
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.slots import SlotCache
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import forgetting


@dataclass(frozen=True)
class Footprint:
    """Bytes that serving needs.

    vocabulary: of dictionaries with the values as text. vocabulary_floor: of structures that store
    no keys and find the same rows (`Vocabulary.floor_bytes`). `total` is with the dictionaries,
    `total_floor` with these structures.
    """

    table: int
    auxiliary: int
    vocabulary: int
    vocabulary_floor: int

    @property
    def total(self) -> int:
        return self.table + self.auxiliary + self.vocabulary

    @property
    def total_floor(self) -> int:
        return self.table + self.auxiliary + self.vocabulary_floor


class EmbeddingStrategy(SlotCache):
    """A strategy: `locate` is the input pipeline (no learned state), `embed` is the model.

    A subclass builds its modules in `__init__`, appends to `vocabularies` what it must hold to
    serve, and reads its own knobs from ``self.options``. It draws its initial values, and whatever
    it draws later, from torch's global generator.

    A strategy that trains more than it serves (a float table that becomes codes) has both parts
    from the start: `training_only` names the parameters and buffers that are set to None in the
    end, before which `end_training` fills in the rest. A pool does so by itself, where its numbers
    are served in few bits.

    `learns_from_batches` says that `embed` or a hook of it keeps what it meets in a batch of
    training, beside gradients. Each of several processes would meet other rows.

    `sleeping` names parameters that may have no gradient before some epoch has ended.

    `locate` and `embed` always get single values. A row's vector of a multi-valued feature (one
    with `Feature.bags`) is the mean of its values' vectors, and its code is the number of a bag.

    In training, `Spec.value_dropout` reads some codes as those of unseen values, so that what
    serves an unseen value is trained. Raw values are always read as they are.

    A call is `forward` and nothing else: torch's machinery of hooks would be a tenth of a lookup
    of 256 rows, so a forward hook on a strategy or a pool does not fire.
    """

    training_only: tuple[str, ...] = ()
    sleeping: tuple[str, ...] = ()
    learns_from_batches = False
    # The method's own knobs, with their defaults. `self.options` has the values in effect.
    knobs: Mapping[str, Any] = {}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        check_knobs(spec, self.knobs)
        self.options = {**self.knobs, **spec.options}
        # of each feature; W is their sum
        self.widths: tuple[int, ...] = tuple(count * spec.dim for count in spec.lookups)
        # How `from_values` reads values by name. The data set of a run or a saved model sets it.
        self.reader = ColumnReader(tuple(feature.name for feature in spec.features))
        self._bags = bag_index(spec.features)

    @abstractmethod
    def locate(self, feature: int, values: Any) -> Tensor:
        """Return the slots of raw values of one feature: int64 [n values, slots of the feature].

        They do not depend on what was learned.
        """

    @abstractmethod
    def embed(self, slots: Tensor) -> Tensor:
        """Return the vectors of slots: int64 [B, L] -> float32 [B, W].

        A row does not depend on the other rows.
        """

    def hashed_rows(self, feature: int) -> range | None:
        """Return the rows that a hash of its own draws each slot of a feature from, all as likely.

        The theory of collisions follows from them. None, the default: slots are not such rows.
        """
        return None

    def to_serve(self, feature: int) -> Feature:
        """Return the feature with only what is needed to build the strategy again for serving.

        By default that is its vocabulary if the strategy holds vocabularies, otherwise only the
        number of its values.
        """
        whole = self.spec.features[feature]
        if not self.vocabularies:
            return whole.holding(())
        return whole.holding(whole.vocabulary)

    @final
    def locate_as_unseen(self, feature: int, values: Any) -> Tensor:
        """Return the slots that raw values would have if training had not seen them.

        Values and slots are as in `locate`. They differ from `locate` only where a vocabulary
        decides.
        """
        with forgetting(self.vocabularies):
            return self.locate_checked(feature, values)

    @final
    def embed_checked(self, slots: Tensor) -> Tensor:
        """Return `embed`. Raises BenchError where an added strategy returns what are no vectors."""
        vectors = self.embed(slots)
        if self.is_added:
            require_vectors(self._name_and_class(), self, slots.shape[0], sum(self.widths), vectors)
        return vectors

    def end_epoch(self, epoch: int) -> bool:
        """Change the strategy between epochs. Does nothing by default.

        Values are changed in place. True: the optimizer must be built anew.
        """
        return False

    @final
    def finish_epoch(self, epoch: int) -> bool:
        """End an epoch, which the trainer calls: that of the pools first, then the strategy's own.

        True: the optimizer must be built anew.
        """
        for pool in self._pools():
            pool.end_epoch()
        return self.end_epoch(epoch)

    def observe(self, arrived: Arrived) -> Reset | None:
        """Take in the values of a block of a stream, before it is trained on.

        Returns which rows have a new owner, if some have: they then start anew. Called where
        `spec.grows` is true. Does nothing by default, which is enough for a strategy that hashes.
        """
        return None

    def live_rows(self) -> int | None:
        """Return how many rows of the pools serve a value now; None, the default: all may."""
        return None

    def check_served(self) -> None:
        """Raise BenchError if loaded numbers point at what is not there; by default none point.

        Called once a saved model has its numbers, which another program may have written.
        """

    def end_training(self) -> None:
        """Fill in what is served in the place of `training_only`. Does nothing by default."""

    @final
    @torch.no_grad()
    def finish_training(self) -> None:
        """Become what is served. Called once, with the best weights."""
        self.end_training()
        for pool in self._pools():
            pool.keep_served()
        self.drop_training_only()

    @final  # type: ignore[misc]  # torch declares forward as an attribute
    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of rows: int64 codes [B, F] -> float32 [B, W].

        The code of a multi-valued feature is the number of a bag.
        """
        if self._bags is None:
            return self.embed_checked(self.slots(codes))
        codes, rows = self._bags.spread(codes)
        vectors = self.embed_checked(self.slots(codes))
        return self._bags.averaged(vectors, rows.members, self.widths)

    __call__ = forward

    @final
    def from_values(self, columns: Any) -> Tensor:
        """Return the vectors float32 [B, W] of raw values, as a request in production needs them.

        Arguments and errors are those of `rows`.
        """
        return self.from_rows(self._located(columns))

    @final
    def rows(self, columns: Any) -> LocatedRows:
        """Locate raw values, once for all the times that `from_rows` looks them up.

        The rows are on the CPU, whatever the device of the layer is.

        columns: rows by name, as `self.reader.read` takes them and with its errors, or a list with
        B categories for each feature, in the order of the features. Any value may be unseen. A
        category of a multi-valued feature is a list, as in `bags.flat`.

        Raises BenchError for a wrong number of columns, and for lists in a column whose feature
        has one value per row.
        """
        return self._located(columns)

    def _located(self, columns: Any) -> LocatedRows:
        features = self.spec.features
        in_order = isinstance(columns, (list, tuple)) and not any(
            isinstance(column, Mapping) for column in columns[:1]
        )
        if not in_order:
            columns = self.reader.read_distinct(columns)
        if len(columns) != len(features):
            raise BenchError(
                f"{len(columns)} columns were given; {len(features)} features need one each"
            )
        for feature, column in zip(features, columns, strict=True):
            if feature.bags is None and _holds_lists(column):
                raise BenchError(
                    f"column {feature.name!r} holds lists, and the feature has one value a row; "
                    "give one"
                )
        if self._bags is None:
            located = [self._slots_of(index, column) for index, column in enumerate(columns)]
            return LocatedRows(torch.cat(located, dim=1), None, self.index_map, self.layout)
        columns, places, spread = self._bags.spread_values(columns)
        located = []
        for index, column in enumerate(columns):
            slots = self._slots_of(index, column)
            located.append(slots[places[index]])
        return LocatedRows(torch.cat(located, dim=1), spread, self.index_map, self.layout)

    def _slots_of(self, feature: int, column: Any) -> Tensor:
        """Locate a column; of a `Repeated` one each distinct text once."""
        if not isinstance(column, Repeated):
            return self.locate_checked(feature, column)
        texts = column.texts
        if isinstance(texts, pl.Series) and is_few(len(texts)):
            texts = texts.to_list()
        slots = self.locate_checked(feature, texts).numpy(force=True)
        # numpy gathers rows of one or two slots in half the time of torch
        return torch.from_numpy(slots.take(column.codes, axis=0))

    @final
    def from_rows(self, rows: LocatedRows) -> Tensor:
        """Return the vectors float32 [B, W] of rows that `rows` or `collate` of this layer located.

        They equal those of `from_values`. Raises BenchError for anything else, and for rows that
        were located before the index map of the layer changed.
        """
        require_rows(rows, self)
        rows = rows.to(self.device)
        vectors = self.embed_checked(rows.slots)
        if rows.spread is None:
            return vectors
        return self.averaged(vectors, rows.spread.members)

    @final
    def averaged(self, vectors: Tensor, members: Members) -> Tensor:
        """Return the vectors float32 [B, W] of rows with bags from those of their single values.

        vectors: float32 [R, W]. Without a multi-valued feature they are those of the rows.
        """
        if self._bags is None:
            return vectors
        return self._bags.averaged(vectors, members, self.widths)

    @final
    def collate(self, examples: Sequence[Any]) -> Any:
        """Locate a batch of examples, as `collate_fn` of a torch DataLoader.

        examples: B mappings from column to raw value, or B pairs of such a mapping and a target,
        which is a number or an array of numbers.

        Returns the located rows; of pairs also their targets, float32 [B, ...].

        Raises BenchError for other examples, and as `rows` does.
        """
        rows, targets = split_examples(examples)
        located = self._locate_examples(rows)
        if targets is None:
            return located
        return located, targets

    def _locate_examples(self, rows: Sequence[Mapping[str, Any]]) -> LocatedRows:
        return self._located(rows)

    @final
    def footprint(self) -> Footprint:
        """Count the bytes that are served: pools, other parameters and buffers, vocabularies.

        What is trained and not served is left out, and nothing else can be.
        """
        pools = set()
        training_only = set()
        for prefix, module in self.named_modules():
            if isinstance(module, Pool):
                pools |= {f"{prefix}.{name}" for name in ("weight", "halves", "few_bits.codes")}
            for name in getattr(module, "training_only", ()):
                training_only.add(f"{prefix}.{name}".removeprefix("."))
        table = 0
        auxiliary = 0
        for name, tensor in self.state_dict().items():
            if name in training_only:
                continue
            if name in pools:
                table += tensor.nbytes
            else:
                auxiliary += tensor.nbytes
        return Footprint(
            table=table,
            auxiliary=auxiliary,
            vocabulary=sum(vocabulary.n_bytes for vocabulary in self.vocabularies),
            vocabulary_floor=sum(vocabulary.floor_bytes for vocabulary in self.vocabularies),
        )

    @final
    def slot_cache_bytes(self) -> int:
        """Count the bytes that a lookup from codes reads beside what is served.

        They are the slots of every distinct value, and the bags of multi-valued features. 0 as long
        as nothing was looked up by code.
        """
        bag_bytes = 0
        if self._bags is not None:
            bag_bytes = sum(buffer.nbytes for buffer in self._bags.buffers())
        return self.cache_bytes() + bag_bytes

    @final
    def drop_training_only(self) -> None:
        """Set what is trained and not served to None, here and in all modules inside."""
        for module in list(self.modules()):
            for name in getattr(module, "training_only", ()):
                owner, _, attribute = name.rpartition(".")
                setattr(module.get_submodule(owner), attribute, None)

    @final
    def training_bytes(self) -> int:
        """Count the bytes of all parameters and persistent buffers that are held now.

        Before `finish_training` these are the bytes of training.
        """
        return sum(tensor.nbytes for tensor in self.state_dict().values())

    @final
    def sparse_pools(self) -> list[Pool]:
        """Return the pools whose gradients are sparse."""
        return [pool for pool in self._pools() if pool.sparse]

    def _pools(self) -> list[Pool]:
        return [module for module in self.modules() if isinstance(module, Pool)]


def _holds_lists(column: Any) -> bool:
    return not isinstance(column, Repeated) and len(column) > 0 and isinstance(column[0], list)
