from .column_reader import ColumnReader, column
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
    "Feature",
    "Held",
    "by_canonical_feature",
    "canonical_feature",
    "column",
    "distinct",
    "needed",
    "parts",
]
