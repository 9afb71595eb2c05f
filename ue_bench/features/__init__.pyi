from .column_reader import ColumnReader, column
from .counts import Counts
from .crosses import (
    CROSS,
    by_canonical_feature,
    canonical_feature,
    distinct,
    needed,
    parts,
)
from .feature import Bags, Feature, Held

__all__ = [
    "CROSS",
    "Bags",
    "ColumnReader",
    "Counts",
    "Feature",
    "Held",
    "by_canonical_feature",
    "canonical_feature",
    "column",
    "distinct",
    "needed",
    "parts",
]
