from .binary_labels import label
from .catalog import DATASETS, info_of
from .dataset import Dataset
from .description import describe
from .encoding import Encoded, encode
from .kept.kept_encoding import encoded_split
from .loading import checksum_of, define, load
from .multi_valued_features import multi_valued, with_bags
from .splitting import split
from .table.definition import Definition
from .thinning import thinned

__all__ = [
    "DATASETS",
    "Dataset",
    "Definition",
    "Encoded",
    "checksum_of",
    "define",
    "describe",
    "encode",
    "encoded_split",
    "info_of",
    "label",
    "load",
    "multi_valued",
    "split",
    "thinned",
    "with_bags",
]
