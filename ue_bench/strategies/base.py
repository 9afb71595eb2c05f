"""The contract of a strategy: an index map from (feature, lookup, value) to slots, and from slots
to vectors.

Letters: B rows, F features, L slots per row, D numbers per lookup, W output width.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader, Feature
from ue_bench.strategies.bags import bag_index
from ue_bench.strategies.knobs import check_knobs
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.slots import SlotCache
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.vocabulary import Vocabulary


@dataclass(frozen=True)
class Footprint:
    """Bytes that serving needs.

    `vocabulary_floor`: the least bytes that any exact dictionary can take. `total` leaves it out.
    """

    table: int
    auxiliary: int
    vocabulary: int
    vocabulary_floor: int

    @property
    def total(self) -> int:
        return self.table + self.auxiliary + self.vocabulary


class EmbeddingStrategy(SlotCache):
    """A strategy: `locate` is the input pipeline (no learned state), `embed` is the model.

    A subclass builds its modules in `__init__`, appends to `vocabularies` what it must hold to
    serve, and reads its own knobs from ``self.options``. It draws its initial values, and whatever
    it draws later, from torch's global generator.

    A strategy that trains more than it serves (a float table that becomes codes) has both parts
    from the start: `training_only` names the parameters and buffers that `end_training` sets to
    None, and `end_training` fills in the rest.

    `locate` and `embed` always get single values. A row's vector of a multi-valued feature (one
    with `Feature.bags`) is the mean of its values' vectors, and its code is the number of a bag.

    A call is `forward` and nothing else: torch's machinery of hooks would be a tenth of a lookup
    of 256 rows, so a forward hook on a strategy or a pool does not fire.
    """

    training_only: tuple[str, ...] = ()
    # The method's own knobs, with their defaults. `self.options` has the values in effect.
    knobs: Mapping[str, Any] = {}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        check_knobs(spec, self.knobs)
        self.options = {**self.knobs, **spec.options}
        # of each feature; W is their sum
        self.widths: tuple[int, ...] = tuple(count * spec.dim for count in spec.lookups)
        self.vocabularies: list[Vocabulary] = []
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

        By default that is its training values if the strategy holds vocabularies, otherwise only
        the number of its values.
        """
        whole = self.spec.features[feature]
        if not self.vocabularies:
            return whole.holding(())
        return whole.holding(whole.values[: whole.n_seen])

    def end_epoch(self, epoch: int) -> bool:
        """Change the strategy between epochs. Called by the trainer; does nothing by default.

        Values are changed in place. True: the optimizer must be built anew.
        """
        return False

    def end_training(self) -> None:
        """Become what is served. Called once, with the best weights; does nothing by default."""

    @final  # type: ignore[misc]  # torch declares forward as an attribute
    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of rows: int64 codes [B, F] -> float32 [B, W].

        The code of a multi-valued feature is the number of a bag.
        """
        if self._bags is None:
            return self.embed(self.slots(codes))
        codes, rows = self._bags.spread(codes)
        return self._bags.averaged(self.embed(self.slots(codes)), rows, self.widths)

    __call__ = forward

    @final
    def from_values(self, columns: Any) -> Tensor:
        """Return the vectors float32 [B, W] of raw values, as a request in production needs them.

        columns: a list with B categories for each feature, in the order of the features, or rows
        by name, as `self.reader.read` takes them and with its errors. Any value may be unseen. A
        value of a multi-valued feature is a list, as in `bags.flat`.

        Raises BenchError for a wrong number of columns, and for lists in a column whose feature
        has one value per row.
        """
        features = self.spec.features
        in_order = isinstance(columns, (list, tuple)) and not any(
            isinstance(column, Mapping) for column in columns[:1]
        )
        if not in_order:
            columns = self.reader.read(columns)
        if len(columns) != len(features):
            raise BenchError(
                f"{len(columns)} columns were given; {len(features)} features need one each"
            )
        for feature, column in zip(features, columns, strict=True):
            if feature.bags is None and len(column) and isinstance(column[0], list):
                raise BenchError(
                    f"column {feature.name!r} holds lists, and the feature has one value a row; "
                    "give one"
                )
        if self._bags is None:
            located = [self.locate(index, column) for index, column in enumerate(columns)]
            return self.embed(torch.cat(located, dim=1).to(self.device))
        columns, places, rows = self._bags.spread_values(columns)
        located = []
        for index, column in enumerate(columns):
            slots = self.locate(index, column)
            located.append(slots[places[index]])
        vectors = self.embed(torch.cat(located, dim=1).to(self.device))
        return self._bags.averaged(vectors, rows, self.widths)

    @final
    def footprint(self) -> Footprint:
        """Count the bytes that are served: pools, other parameters and buffers, vocabularies.

        What is trained and not served is left out, and nothing else can be.
        """
        pools = set()
        training_only = set()
        for prefix, module in self.named_modules():
            if isinstance(module, Pool):
                pools.add(f"{prefix}.weight")
            if isinstance(module, EmbeddingStrategy):
                for name in module.training_only:
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
    def drop_training_only(self) -> None:
        """Set what is trained and not served to None, here and in the strategies inside."""
        for module in list(self.modules()):
            if isinstance(module, EmbeddingStrategy):
                for name in module.training_only:
                    owner, _, attribute = name.rpartition(".")
                    setattr(module.get_submodule(owner), attribute, None)

    @final
    def training_bytes(self) -> int:
        """Count the bytes of all parameters and persistent buffers that are held now.

        Before `end_training` these are the bytes of training.
        """
        return sum(tensor.nbytes for tensor in self.state_dict().values())

    @final
    def sparse_pools(self) -> list[Pool]:
        """Return the pools whose gradients are sparse."""
        return [module for module in self.modules() if isinstance(module, Pool) and module.sparse]
