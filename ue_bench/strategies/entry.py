"""An entry of the list of strategies: a method, the regions that it may use, and what a reader
wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from ue_bench.config import SETTINGS
from ue_bench.config.number_bits import BITS
from ue_bench.config.ranges import Allowed

if TYPE_CHECKING:
    from ue_bench.strategies.base import EmbeddingStrategy

BOTH = ("multiplexed", "separate")
# The fields of a run that make up the format of its numbers.
FORMAT_FIELDS = tuple(name for name in SETTINGS if name.partition("_")[0] == "bits")


@dataclass(frozen=True)
class Entry:
    """One strategy: a method, the regions that it may use, one line about it and its source.

    implementation: the method's class, or its import path ``"package.module:Class"``. A path is
    imported when `method` is first used, so that a list of entries needs no torch.
    regions: the first one is the default.
    needs_vocabulary: whether it needs the training values of the features.
    needs_values: whether it is built from the training values and then holds no vocabulary.
    needs_rows: whether it is built from the training rows, too.
    grows: whether it takes in the values of a stream as they arrive. stream_only: whether it is
    for streams alone.
    has_budget: whether a budget decides the size of its table.
    fixed: knobs that make the method this strategy, and that cannot be given.
    numbers: the format of its numbers, by field of a run ("bits", "bits_step" ...), if that is part
    of what it is. Another one cannot be given.
    float_only: why its numbers cannot have few bits; empty: they can.
    search: what a fair search tries for its own knobs.
    takes_two_numbers: whether a lookup needs at least two numbers.
    has_lookups: whether a second lookup of a value is more than a longer vector. It is not where
    each value has a row of its own.
    plain_rows: whether a lookup is one row of D float32 numbers of one table, as it is in the
    table, so that the bytes of the table are 4 D for each row.
    shapes: the lookups of a feature and the numbers of each that `ue-bench advise` tries, if a
    plug-in or an installed package has added the strategy.
    """

    implementation: "type[EmbeddingStrategy] | str"
    regions: tuple[str, ...]
    summary: str
    source: str
    needs_vocabulary: bool = False
    needs_values: bool = False
    needs_rows: bool = False
    grows: bool = False
    stream_only: bool = False
    has_budget: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    float_only: str = ""
    search: Mapping[str, Allowed] = field(default_factory=dict)
    takes_two_numbers: bool = False
    has_lookups: bool = True
    plain_rows: bool = False
    shapes: tuple[tuple[int, int], ...] = ((2, 8), (1, 16))

    @property
    def method(self) -> "type[EmbeddingStrategy]":
        """The method's class. Loads torch."""
        if isinstance(self.implementation, str):
            method: type[EmbeddingStrategy] = resolve_name(self.implementation)
            return method
        return self.implementation

    @property
    def bits(self) -> tuple[int, ...]:
        """The bits that a number of its tables may have; `float_only` says why only 32."""
        if self.float_only:
            return (BITS["float32"],)
        if "bits" in self.numbers:
            return (BITS[self.numbers["bits"]],)
        return tuple(BITS.values())

    def stream_fault(self, is_stream: bool) -> str:
        """Return why it cannot be used on a stream, or not beside one; empty: it can."""
        if self.stream_only and not is_stream:
            return "it is for a stream of values"
        knows_values = self.needs_vocabulary or self.needs_values or self.needs_rows
        if is_stream and knows_values and not self.grows:
            return "it is built from the values of training, which a stream does not have yet"
        return ""

    @property
    def module(self) -> str:
        """The name of the module that the method's class is in."""
        if isinstance(self.implementation, str):
            return self.implementation.partition(":")[0]
        return self.implementation.__module__

    @property
    def class_name(self) -> str:
        """The name of the method's class."""
        if isinstance(self.implementation, str):
            return self.implementation.partition(":")[2]
        return self.implementation.__name__
