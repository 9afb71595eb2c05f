from .base import EmbeddingStrategy, Footprint, Spec, check_budget
from .entry import BOTH, Entry
from .registry import (
    STRATEGIES,
    all_strategies,
    build,
    entry_of,
    load_plugin,
    method_of,
    regions_of,
)

__all__ = [
    "BOTH",
    "STRATEGIES",
    "EmbeddingStrategy",
    "Entry",
    "Footprint",
    "Spec",
    "all_strategies",
    "build",
    "check_budget",
    "entry_of",
    "load_plugin",
    "method_of",
    "regions_of",
]
