"""Studies: what they declare, which there are, and what runs them."""

from ue_bench.study.by_name import DASHED, TAKEN, canonical, find, names
from ue_bench.study.declarations import (
    SAMPLERS,
    Grid,
    Scenario,
    Search,
    Space,
    Study,
    require_alike,
    shares,
)

__all__ = [
    "DASHED",
    "SAMPLERS",
    "TAKEN",
    "Grid",
    "Scenario",
    "Search",
    "Space",
    "Study",
    "canonical",
    "find",
    "names",
    "require_alike",
    "shares",
]
