"""Studies: what they declare, which ones exist, and what runs them."""

from ue_bench.config.ranges import Between, UpTo
from ue_bench.study.alike import require_alike
from ue_bench.study.anchor_arms import anchor_arms
from ue_bench.study.by_name import DASHED, TAKEN, canonical, find, names
from ue_bench.study.declarations import Scenario, Study
from ue_bench.study.grid_and_search import Grid, Search, Space

__all__ = [
    "DASHED",
    "TAKEN",
    "Between",
    "Grid",
    "Scenario",
    "Search",
    "Space",
    "Study",
    "UpTo",
    "anchor_arms",
    "canonical",
    "find",
    "names",
    "require_alike",
]
