from .added_code import Code
from .anchor_entries import ANCHORS, Anchor, is_anchor, rank_of
from .base import EmbeddingStrategy, Footprint
from .budget import check_budget
from .building import build
from .entry import BOTH, Entry
from .pool import Pool, gather
from .registry import (
    STRATEGIES,
    all_strategies,
    code_of,
    digest_of,
    entry_of,
    load_plugin,
    load_plugins,
    method_of,
    numbers_of,
    regions_of,
    require_same_code,
    strategy_names,
)
from .spec import Spec

__all__ = [
    "ANCHORS",
    "BOTH",
    "STRATEGIES",
    "Anchor",
    "Code",
    "EmbeddingStrategy",
    "Entry",
    "Footprint",
    "Pool",
    "Spec",
    "all_strategies",
    "build",
    "check_budget",
    "code_of",
    "digest_of",
    "entry_of",
    "gather",
    "is_anchor",
    "load_plugin",
    "load_plugins",
    "method_of",
    "numbers_of",
    "rank_of",
    "regions_of",
    "require_same_code",
    "strategy_names",
]
