"""File formats, splits and encoding: from an archive or a table to integers that a strategy can be trained on."""

from ue_bench.data.anchors import anchors
from ue_bench.data.bags import multi_valued, with_bags
from ue_bench.data.catalog import DATASETS
from ue_bench.data.dataset import Dataset
from ue_bench.data.definition import Definition
from ue_bench.data.encode import Encoded, encode
from ue_bench.data.labels import label
from ue_bench.data.load import define, load
from ue_bench.data.splits import split
from ue_bench.data.texts import text_as

__all__ = [
    "DATASETS", "Dataset", "Definition", "Encoded", "anchors", "define", "encode", "label", "load", "multi_valued", "split",
    "text_as", "with_bags",
]  # fmt: skip
