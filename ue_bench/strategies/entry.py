"""A line of the list of strategies: a method, the regions it may use, and what a reader wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ue_bench.strategies.base import EmbeddingStrategy

BOTH = ("multiplexed", "separate")


@dataclass(frozen=True)
class Entry:
    """A strategy: its method, the regions it may use (the first is the default), one line and a source.

    fixed: knobs that make it this strategy, which cannot be given. search: values of its own knob for a fair search.
    """

    method: type[EmbeddingStrategy]
    regions: tuple[str, ...]
    summary: str
    source: str
    needs_vocabulary: bool = False
    has_budget: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
