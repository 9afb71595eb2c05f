"""File formats, splits and encoding: from a MovieLens archive to integers that a strategy can be trained on."""

from ue_bench.data.anchors import anchors
from ue_bench.data.catalog import DATASETS
from ue_bench.data.dataset import Dataset, load
from ue_bench.data.encode import Encoded, encode
from ue_bench.data.splits import split

__all__ = ["DATASETS", "Dataset", "Encoded", "anchors", "encode", "load", "split"]
